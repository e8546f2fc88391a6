/** Everything a record says. */
import type { ComponentChildren } from "preact";
import type { LogRecord } from "../api/types";
import { nanosToMs, nanoTime } from "../format";
import { AttributeTable } from "../parts/AttributeTable";
import { CopyButton } from "../parts/CopyButton";
import { Drawer } from "../parts/Drawer";
import { LongText } from "../parts/Value";
import { absoluteBound } from "../range/bound";
import { href, location, setParams } from "../router";
import { attributeFilter } from "./filter";
import { severityOf } from "./severity";

/** A link from a moment to its surroundings. */
const AROUND_MS = 60_000;

/** Longer bodies are shown as they came: laying them out would take longer than reading them. */
const PRETTY_CHARS_MAX = 100_000;

/** The message; a structured one is laid out. */
export function pretty(body: string | null | undefined): string {
  const text = body ?? "";
  if (!/^[[{]/.test(text) || text.length > PRETTY_CHARS_MAX) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export function LogDetail(props: { record: LogRecord; onClose: () => void }) {
  const { record } = props;
  const severity = severityOf(record.severity_number);
  const filterBy = (key: string, value: string) =>
    setParams(attributeFilter(key, value, location.peek().params.getAll("attr")));
  const ms = nanosToMs(record.time_unix_nano);
  const around = { from: absoluteBound(ms - AROUND_MS), to: absoluteBound(ms + AROUND_MS) };
  return (
    <Drawer
      label="Log record"
      onClose={props.onClose}
      title={
        <>
          <span class={`sev sev-${severity}`}>{record.severity_text || severity}</span> {record.service_name}
        </>
      }
    >
      {record.body && (
        <div class="body-text">
          <LongText text={pretty(record.body)} />
          <CopyButton text={record.body} label="Copy the message" />
        </div>
      )}
      <dl class="facts">
        <Fact name="time">{nanoTime(record.time_unix_nano)}</Fact>
        {record.observed_time_unix_nano !== "0" &&
          record.observed_time_unix_nano !== record.time_unix_nano && (
            <Fact name="observed">{nanoTime(record.observed_time_unix_nano)}</Fact>
          )}
        {record.event_name && <Fact name="event">{record.event_name}</Fact>}
        {record.trace_id && (
          <Fact name="trace">
            <a class="mono" href={href(`/traces/${record.trace_id}`, { span: record.span_id || null })}>
              {record.trace_id}
            </a>
          </Fact>
        )}
        {record.span_id && (
          <Fact name="span">
            <span class="mono">{record.span_id}</span>
          </Fact>
        )}
        {record.scope_name && (
          <Fact name="scope">
            {record.scope_name} {record.scope_version}
          </Fact>
        )}
      </dl>
      <p class="actions-line">
        {record.trace_id && (
          <a href={href(`/traces/${record.trace_id}`, { span: record.span_id || null })} class="button">
            Open the trace
          </a>
        )}
        {record.trace_id && (
          <a href={href("/logs", { trace_id: record.trace_id })} class="button">
            Logs of this trace
          </a>
        )}
        <a href={href("/logs", { service: record.service_name, ...around })} class="button">
          ± 1 min of this service
        </a>
      </p>
      <AttributeTable title="Attributes" attributes={record.attributes} onFilter={filterBy} />
      <AttributeTable title="Resource" attributes={record.resource_attributes} onFilter={filterBy} />
    </Drawer>
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
