/**
 * Logs: filter, histogram, list, details.
 *
 * Enters: the URL. Leaves: changes of the URL. A live list holds still as soon as the user scrolls.
 */
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { LogRecord } from "../api/types";
import { lostSince } from "../connection";
import { cut, day, nanosToMs, number, rowTime } from "../format";
import { useKeys } from "../keys";
import { VirtualList } from "../list/VirtualList";
import { moved } from "../list/virtual";
import { Empty, Failure, Incomplete, Loading } from "../parts/Notice";
import { SendHint } from "../parts/SendHint";
import { live, rangeKey, zoomOut } from "../range/range";
import { location, setParams } from "../router";
import { isFiltered, readLogFilter } from "./filter";
import { LogDetail } from "./LogDetail";
import { LogFilterBar } from "./LogFilterBar";
import { LogHistogram } from "./LogHistogram";
import { ROWS_MAX } from "./merge";
import { severityOf } from "./severity";
import { type LogsState, useLogs } from "./useLogs";

const ROW_HEIGHT = 22;
/** What fits on the widest screen; the details have the rest. */
const ROW_CHARS_MAX = 600;

/** What a row says: its message, or what it has instead of one. */
export function messageOf(record: LogRecord): string {
  const said = record.body || record.event_name;
  if (said) return cut(said, ROW_CHARS_MAX);
  const pairs = Object.entries(record.attributes).map(
    ([key, value]) => `${key}=${cut(value, ROW_CHARS_MAX)}`,
  );
  return cut(pairs.join(" "), ROW_CHARS_MAX);
}

/** Rows have no id of their own: the object is the identity. */
const keys = new WeakMap<LogRecord, string>();
let keysGiven = 0;
function keyOf(record: LogRecord | undefined): string {
  if (!record) return "";
  const known = keys.get(record);
  if (known) return known;
  keysGiven += 1;
  const key = String(keysGiven);
  keys.set(record, key);
  return key;
}

export function LogsPage() {
  const { params } = location.value;
  const filterText = ["service", "severity", "q", "trace_id", "attr"]
    .map((name) => params.getAll(name))
    .join("\n");
  // The text stands for the parameters of the filter
  const filter = useMemo(() => readLogFilter(params), [filterText]);
  const atTop = useSignal(true);
  const chosen = useSignal<LogRecord | null>(null);
  const follow = live.value && atTop.value;
  const { state, stale, loadOlder } = useLogs(filter, rangeKey.value, follow);
  const { rows } = state;
  const at = params.get("at");
  const selected = useMemo(() => (chosen.value ? rows.indexOf(chosen.value) : -1), [rows, chosen.value]);

  // A shared link names its record by time.
  useEffect(() => {
    if (at === null) chosen.value = null;
    else if (chosen.value?.time_unix_nano !== at) {
      chosen.value = rows.find((row) => row.time_unix_nano === at) ?? chosen.value;
    }
  }, [at, rows, chosen]);

  const select = (index: number) => {
    const record = rows[index];
    if (!record) return;
    chosen.value = record;
    setParams({ at: record.time_unix_nano }, { replace: true });
  };
  const close = () => {
    chosen.value = null;
    setParams({ at: null }, { replace: true });
  };
  const go = (by: number) => select(moved(selected, by, rows.length));
  const moves = (next: string, previous: string) => [
    { keys: next, label: "Next record", run: () => go(1) },
    { keys: previous, label: "Previous record", run: () => go(-1) },
  ];
  // Until a record is chosen the arrows scroll.
  useKeys("Logs", [...moves("j", "k"), ...(chosen.value ? moves("ArrowDown", "ArrowUp") : [])]);
  return (
    <div class="page logs">
      <LogFilterBar filter={filter} />
      <LogHistogram filter={filter} />
      <Incomplete answers={[state]} />
      <Failure error={state.error} what="Logs" />
      <div class="split">
        <div
          class={`panel list-panel ${stale ? "stale" : ""}`}
          hidden={rows.length === 0 && state.error !== undefined}
        >
          <LogList
            state={state}
            filtered={isFiltered(filter)}
            selected={selected}
            onSelect={select}
            onTop={(top) => (atTop.value = top)}
            onOlder={loadOlder}
            follow={follow}
          />
        </div>
        {chosen.value && <LogDetail record={chosen.value} onClose={close} />}
      </div>
    </div>
  );
}

interface ListProps {
  readonly state: LogsState;
  readonly filtered: boolean;
  readonly selected: number;
  readonly follow: boolean;
  readonly onSelect: (index: number) => void;
  readonly onTop: (atTop: boolean) => void;
  readonly onOlder: () => void;
}

function LogList(props: ListProps) {
  const { state } = props;
  const { rows } = state;
  if (rows.length === 0) {
    if (state.loading) return <Loading what="logs" />;
    return state.error ? null : <NoLogs filtered={props.filtered} />;
  }
  const oldest = rows.at(-1);
  const otherDay = oldest !== undefined && day(nanosToMs(oldest.time_unix_nano)) !== day(Date.now());
  return (
    <VirtualList
      class={otherDay ? "loglist with-day" : "loglist"}
      label="Log records, newest first"
      count={rows.length}
      rowHeight={ROW_HEIGHT}
      rowKey={(index) => keyOf(rows[index])}
      rowClass={(index) => `sevrow-${severityOf(rows[index]?.severity_number ?? 0)}`}
      row={(index) => <LogRow record={rows[index]} withDay={otherDay} />}
      selected={props.selected}
      onSelect={props.onSelect}
      onNearEnd={props.onOlder}
      onTop={props.onTop}
      resetKey={state.key}
      header={<ListHeader {...props} />}
      footer={<ListFooter state={state} />}
    />
  );
}

function ListHeader(props: ListProps) {
  const { state, follow } = props;
  const toTop = () => {
    const list = document.querySelector(".loglist .vlist-scroll");
    if (list) list.scrollTop = 0;
  };
  return (
    <div class="list-head">
      <span>time</span>
      <span>severity</span>
      <span>service</span>
      <span>message</span>
      <span class="grow" />
      {live.value && follow && lostSince.value === null && (
        <span class="following" role="status">
          <i class="dot" /> following{state.rate === null ? "" : ` · ${number(state.rate)}/s`}
        </span>
      )}
      {live.value && !follow && (
        <button type="button" class="link" onClick={toTop}>
          paused while scrolled<span class="extra"> — back to the newest</span>
        </button>
      )}
    </div>
  );
}

function ListFooter(props: { state: LogsState }) {
  const { state } = props;
  if (state.loadingOlder) return <div class="list-foot">Loading older records …</div>;
  if (state.rows.length >= ROWS_MAX) {
    return (
      <div class="list-foot">
        {number(ROWS_MAX)} records are here. Narrow the range or the filter to see older ones.
      </div>
    );
  }
  return state.next === null ? <div class="list-foot">No older records in this range.</div> : null;
}

function LogRow(props: { record: LogRecord | undefined; withDay: boolean }) {
  const { record } = props;
  if (!record) return null;
  const severity = severityOf(record.severity_number);
  const time = rowTime(record.time_unix_nano);
  return (
    <>
      <span role="gridcell" class="mono time">
        {props.withDay ? `${day(nanosToMs(record.time_unix_nano))} ${time}` : time}
      </span>
      <span role="gridcell" class={`sev sev-${severity}`}>
        {severity === "unset" ? "–" : severity}
      </span>
      <span role="gridcell" class="service">
        {record.service_name}
      </span>
      <span role="gridcell" class={record.body ? "mono message" : "mono message muted"}>
        {messageOf(record)}
      </span>
    </>
  );
}

function NoLogs(props: { filtered: boolean }) {
  return (
    <Empty title={props.filtered ? "No record matches in this range" : "No logs in this range"}>
      <p>
        <button type="button" onClick={zoomOut}>
          Twice the range
        </button>{" "}
        {props.filtered && (
          <button
            type="button"
            onClick={() => setParams({ service: null, severity: null, q: null, trace_id: null, attr: null })}
          >
            Remove the filters
          </button>
        )}
      </p>
      {!props.filtered && <SendHint />}
    </Empty>
  );
}
