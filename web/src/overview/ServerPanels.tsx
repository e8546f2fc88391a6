/** The server itself: its components, its memory, its store. */
import type { ComponentChildren } from "preact";
import { api } from "../api/client";
import type { HealthAnswer, StatusAnswer } from "../api/types";
import { lostSince } from "../connection";
import { bytes, clock, count, day, duration, number, plural } from "../format";
import { Failure } from "../parts/Notice";
import { type Resource, useResource } from "../resource";

const REFRESH_MS = 3000;
const WORDS = { pass: "healthy", warn: "needs a look", fail: "failing" } as const;

export function ServerPanels() {
  const health = useResource("health", (signal) => api.health(signal), { refreshMs: REFRESH_MS });
  const status = useResource("status live", (signal) => api.status(signal), { refreshMs: REFRESH_MS });
  return (
    <>
      <HealthPanel health={health} status={status.data} />
      <section class="panel" aria-label="Memory">
        <div class="panel-line">
          <h2>Memory budget</h2>
        </div>
        <Failure error={status.error} what="Status" />
        {status.data && <Memory memory={status.data.memory} />}
      </section>
      <section class="panel" aria-label="Store">
        <div class="panel-line">
          <h2>Store</h2>
          <span class="mono muted">{status.data?.data_dir}</span>
        </div>
        {status.data && <Store status={status.data} />}
      </section>
    </>
  );
}

function HealthPanel(props: { health: Resource<HealthAnswer>; status: StatusAnswer | undefined }) {
  const { data, error } = props.health;
  const { status } = props;
  return (
    <section class="panel" aria-label="Server health">
      <div class="panel-line">
        <h2>Server</h2>
        {status && (
          <span class="muted small">
            {status.version}, up {duration(status.uptime_s * 1e9)}
          </span>
        )}
        <span class="grow" />
        {lostSince.value !== null && <span class="sign bad">no answer</span>}
        {data && lostSince.value === null && (
          <span
            class={`sign ${data.status === "pass" ? "ok" : data.status === "warn" ? "warn" : "bad"}`}
            role="status"
          >
            {WORDS[data.status]}
          </span>
        )}
      </div>
      <Failure error={error} what="Health" />
      <ul class="plain components">
        {(data?.components ?? []).map((component) => (
          <li key={component.name}>
            <i class={`state ${component.status}`} />
            <b>{component.name}</b>
            <span
              class="muted"
              title={`since ${day(component.since_unix_ms)} ${clock(component.since_unix_ms)}`}
            >
              {component.status === "pass"
                ? component.detail || "pass"
                : `${component.status}: ${component.detail}`}
            </span>
          </li>
        ))}
      </ul>
      {status && status.config.pending_restart.length > 0 && (
        <p class="warn-text small">Needs a restart: {status.config.pending_restart.join(", ")}</p>
      )}
    </section>
  );
}

function Memory(props: { memory: StatusAnswer["memory"] }) {
  const {
    limit_bytes: limit,
    used_bytes: used,
    peak_bytes: peak,
    resident_bytes: resident,
    refused,
  } = props.memory;
  const share = limit > 0 ? Math.min(100, (used / limit) * 100) : 0;
  const peakShare = limit > 0 ? Math.min(100, (peak / limit) * 100) : 0;
  return (
    <>
      <p class="figure-line">
        <span class="figure">{bytes(used)}</span> <span class="muted">of {bytes(limit)}</span>
      </p>
      <div
        class="meter"
        role="meter"
        aria-label="Memory budget used"
        aria-valuemin={0}
        aria-valuemax={limit}
        aria-valuenow={used}
        aria-valuetext={`${bytes(used)} of ${bytes(limit)}`}
      >
        <i class={share > 90 ? "bad" : share > 75 ? "warn" : ""} style={{ width: `${share}%` }} />
        <u style={{ left: `${peakShare}%` }} title={`peak ${bytes(peak)}`} />
      </div>
      <dl class="facts">
        <Fact name="peak">{bytes(peak)}</Fact>
        <Fact name="resident">{bytes(resident)}</Fact>
        <Fact name="refused">
          <span class={refused > 0 ? "warn-text" : ""}>{plural(refused, "request")}</span>
        </Fact>
      </dl>
    </>
  );
}

function Store(props: { status: StatusAnswer }) {
  const { store } = props.status;
  return (
    <>
      <div class="two">
        <div>
          <p class="figure-line">
            <span class="figure">{bytes(store.segment_bytes)}</span>{" "}
            <span class="muted">in {plural(store.segments, "segment")}</span>
          </p>
          <dl class="facts">
            <Fact name="in memory">
              {number(store.memtable_rows)} rows, {bytes(store.memtable_bytes)}
            </Fact>
            <Fact name="log">
              <span title="Write-ahead log">
                {bytes(store.wal_bytes)} in {plural(store.wal_files, "file")}
              </span>
            </Fact>
            <Fact name="last seal">
              {store.last_seal_unix_ms
                ? `${day(store.last_seal_unix_ms)} ${clock(store.last_seal_unix_ms)}`
                : "not yet"}
            </Fact>
          </dl>
        </div>
        {store.tables.length > 0 && (
          <table class="figures compact">
            <tbody>
              {store.tables.map((table) => (
                <tr key={table.table}>
                  <th scope="row">{table.table}</th>
                  <td title={`${count(table.rows)} rows in ${plural(table.segments, "segment")}`}>
                    {number(table.rows)} rows
                  </td>
                  <td>{bytes(table.bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
      {store.set_aside.length > 0 && (
        <div class="banner warn">
          <b>{plural(store.set_aside.length, "file")} set aside</b>
          {store.set_aside.slice(0, 5).map((file) => (
            <p key={file.path} class="small">
              <span class="mono">{file.path}</span>: {file.reason}
            </p>
          ))}
        </div>
      )}
    </>
  );
}

function Fact(props: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}
