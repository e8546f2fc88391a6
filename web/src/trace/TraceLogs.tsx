/** The logs of a span, or of the whole trace, in place. */
import { useSignal } from "@preact/signals";
import { api } from "../api/client";
import type { LogRecord } from "../api/types";
import { cut, nanosToMs, rowTime } from "../format";
import { severityOf } from "../logs/severity";
import { Failure, Incomplete } from "../parts/Notice";
import { absoluteBound } from "../range/bound";
import { useResource } from "../resource";
import { href } from "../router";
import type { TraceLayout, TraceNode } from "./layout";

/** Clocks of two machines, and the time from a span's end to its last log. */
const SLACK_MS = 1000;
const LOGS_MAX = 500;
const SHOWN = 20;
const ROW_CHARS_MAX = 300;

/** The range of time in which a node's logs were written. */
export function logsWindow(layout: TraceLayout, node: TraceNode | null): { from: string; to: string } {
  const startMs = nanosToMs(layout.startNanos.toString());
  const from = startMs + Math.floor((node?.start ?? 0) / 1e6) - SLACK_MS;
  const to = startMs + Math.ceil((node?.end ?? layout.duration) / 1e6) + SLACK_MS;
  return { from: absoluteBound(from), to: absoluteBound(to) };
}

export function TraceLogs(props: { layout: TraceLayout; node: TraceNode; traceId: string }) {
  const { layout, node, traceId } = props;
  const all = useSignal(false);
  const { from, to } = logsWindow(layout, null);
  const logs = useResource(`trace logs ${traceId}`, (signal) =>
    api.logs({ traceId }, { from: Date.parse(from), to: Date.parse(to) }, { limit: LOGS_MAX }, signal),
  );
  const records = logs.data?.logs ?? [];
  const own = records.filter((record) => record.span_id === node.id);
  // Oldest first: beside a span logs are read as a story.
  const shown = (all.value ? records : own).toReversed();
  return (
    <section>
      <h3>
        Logs{" "}
        <span class="muted">
          {all.value ? `${records.length} of the trace` : `${own.length} of this span`}
        </span>{" "}
        {records.length > own.length && (
          <button type="button" class="link" onClick={() => (all.value = !all.value)}>
            {all.value ? "only this span" : `all ${records.length} of the trace`}
          </button>
        )}
      </h3>
      <Failure error={logs.error} what="Logs" />
      <Incomplete answers={[logs.data]} />
      {logs.data?.next && <p class="muted small">The newest {LOGS_MAX} of this trace.</p>}
      <ul class="plain inline-logs">
        {shown.slice(0, all.value ? LOGS_MAX : SHOWN).map((record, index) => (
          // Records have no id, and the list does not reorder
          <InlineLog key={index} record={record} />
        ))}
      </ul>
      {!all.value && own.length > SHOWN && (
        <a href={href("/logs", { trace_id: traceId, from, to })}>all {own.length} on the logs page</a>
      )}
    </section>
  );
}

function InlineLog(props: { record: LogRecord }) {
  const { record } = props;
  const severity = severityOf(record.severity_number);
  return (
    <li>
      <span class="mono muted">{rowTime(record.time_unix_nano)}</span>{" "}
      <span class={`sev sev-${severity}`}>{severity}</span>{" "}
      <span class="mono">{cut(record.body ?? "", ROW_CHARS_MAX)}</span>
    </li>
  );
}
