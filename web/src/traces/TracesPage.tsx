/**
 * Traces: filter, their durations over time, list.
 *
 * Enters: the URL. Leaves: changes of the URL, and the way to a trace.
 */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { TraceFilter } from "../api/client";
import type { TraceSummary } from "../api/types";
import { Chart, Legend } from "../chart/Chart";
import { clock, count, day, duration, nanosToMs, rowTime } from "../format";
import { useKeys } from "../keys";
import { VirtualList } from "../list/VirtualList";
import { moved } from "../list/virtual";
import { Empty, Failure, Incomplete, Pending } from "../parts/Notice";
import { SendHint } from "../parts/SendHint";
import { ServiceSelect } from "../parts/ServiceSelect";
import { TextField } from "../parts/TextField";
import type { Window } from "../range/range";
import { zoomOut } from "../range/range";
import { href, location, navigate, setParams } from "../router";
import { serviceVar } from "../theme";
import { readMs, readTraceFilter } from "./filter";
import { useTraces } from "./useTraces";

const ROW_HEIGHT = 26;
/** A row has room for this many services. */
const SERVICES_MAX = 4;

export function TracesPage() {
  const { params } = location.value;
  const filter = readTraceFilter(params);
  const { traces, window, newest, answers, error, more, loadingOlder, loadOlder } = useTraces(filter);
  const selected = useSignal(-1);
  const open = (index: number) => {
    const trace = traces[index];
    if (trace) navigate(href(`/traces/${trace.trace_id}`));
  };
  useKeys("Traces", [
    { keys: "j", label: "Next trace", run: () => (selected.value = moved(selected.value, 1, traces.length)) },
    {
      keys: "k",
      label: "Previous trace",
      run: () => (selected.value = moved(selected.value, -1, traces.length)),
    },
    { keys: "Enter", label: "Open the trace", run: () => open(selected.value) },
  ]);
  const oldest = traces.at(-1);
  const otherDay = oldest !== undefined && day(nanosToMs(oldest.start_unix_nano)) !== day(Date.now());
  const slowest = traces.reduce((most, trace) => Math.max(most, Number(trace.duration_nano)), 1);
  return (
    <div class="page traces">
      <TraceFilterBar filter={filter} params={params} />
      <Incomplete answers={answers} />
      {newest.data && <Failure error={error} what="Traces" />}
      {!newest.data && !error && <div class="panel durations" />}
      {window && traces.length > 0 && (
        <Durations traces={traces} window={window} stale={newest.stale} more={more} />
      )}
      <div class={`panel list-panel ${newest.stale ? "stale" : ""}`}>
        {traces.length > 0 ? (
          <VirtualList
            class={otherDay ? "tracelist with-day" : "tracelist"}
            label="Traces, newest first"
            count={traces.length}
            rowHeight={ROW_HEIGHT}
            rowKey={(index) => traces[index]?.trace_id ?? String(index)}
            row={(index) => <TraceRow trace={traces[index]} slowest={slowest} withDay={otherDay} />}
            selected={selected.value}
            onSelect={open}
            onNearEnd={loadOlder}
            resetKey={location.value.params.toString()}
            header={
              <div class="list-head">
                <span>time</span>
                <span>root</span>
                <span>duration</span>
                <span class="right">spans</span>
                <span class="right">errors</span>
                <span>services</span>
              </div>
            }
            footer={loadingOlder ? <div class="list-foot">Loading older traces …</div> : null}
          />
        ) : newest.data ? (
          <NoTraces filter={filter} />
        ) : (
          <Pending error={error} what="traces" title="Traces" />
        )}
      </div>
    </div>
  );
}

function TraceFilterBar(props: { filter: TraceFilter; params: URLSearchParams }) {
  const { filter, params } = props;
  const durationField = (name: "min" | "max", label: string, placeholder: string) => (
    <TextField
      class="short"
      label={label}
      placeholder={placeholder}
      value={params.get(name) ?? ""}
      invalid={params.get(name) !== null && readMs(params.get(name)) === null}
      onCommit={(text) => setParams({ [name]: text || null })}
    />
  );
  return (
    <div class="filters" role="search" aria-label="Filter traces">
      <ServiceSelect
        value={filter.service ?? ""}
        onChange={(service) => setParams({ service: service || null })}
      />
      <TextField
        class="grow"
        label="Name"
        search
        eager
        placeholder="of a span  ( / ), or a trace id"
        value={filter.name ?? ""}
        onCommit={(text) => {
          if (/^[0-9a-f]{32}$/i.test(text)) navigate(href(`/traces/${text.toLowerCase()}`));
          else setParams({ name: text || null });
        }}
      />
      {durationField("min", "At least", "100ms")}
      {durationField("max", "At most", "2s")}
      <label class="check">
        <input
          type="checkbox"
          checked={filter.error ?? false}
          onChange={(event) => setParams({ error: event.currentTarget.checked ? "true" : null })}
        />
        <span>errors only</span>
      </label>
    </div>
  );
}

/** Each trace as a point: when, and how long. */
function Durations(props: {
  traces: readonly TraceSummary[];
  window: Window;
  stale: boolean;
  more: boolean;
}) {
  const { traces } = props;
  const prepared = useMemo(() => {
    const ordered = traces.toSorted((a, b) => (a.start_unix_nano < b.start_unix_nano ? -1 : 1));
    const values = (errors: boolean) =>
      ordered.map((trace) => (trace.errors > 0 === errors ? Math.max(1, Number(trace.duration_nano)) : null));
    return {
      x: ordered.map((trace) => nanosToMs(trace.start_unix_nano)),
      series: [
        { label: "without errors", color: "--c0", values: values(false) },
        { label: "with errors", color: "--bad", values: values(true) },
      ],
    };
  }, [traces]);
  return (
    <div class="panel durations">
      <div class="panel-line">
        <b>{count(traces.length)}</b> {props.more ? "newest traces" : "traces"}, duration over time
        {props.more && (
          <span class="muted">back to {clock(prepared.x[0] ?? 0)}; scroll the list for older ones</span>
        )}
        <span class="grow" />
        <Legend items={prepared.series} />
      </div>
      <Chart
        label={`Durations of ${traces.length} traces over time`}
        kind="points"
        height={120}
        logarithmic
        format={duration}
        window={props.window}
        stale={props.stale}
        {...prepared}
      />
    </div>
  );
}

function TraceRow(props: { trace: TraceSummary | undefined; slowest: number; withDay: boolean }) {
  const { trace, slowest } = props;
  if (!trace) return null;
  const ms = nanosToMs(trace.start_unix_nano);
  const nanos = Number(trace.duration_nano);
  const services = trace.services.slice(0, SERVICES_MAX);
  return (
    <>
      <span role="gridcell" class="mono time">
        {props.withDay && `${day(ms)} `}
        {rowTime(trace.start_unix_nano)}
      </span>
      <span role="gridcell" class="root">
        <a href={href(`/traces/${trace.trace_id}`)} onClick={(event) => event.stopPropagation()}>
          {trace.root_name || "root not seen"}
        </a>{" "}
        <span class="muted">{trace.root_service}</span>
      </span>
      <span role="gridcell" class="took">
        <i style={{ width: `${Math.max(1, (nanos / slowest) * 100)}%` }} />
        <span>{duration(nanos)}</span>
      </span>
      <span role="gridcell" class="right">
        {count(trace.spans)}
      </span>
      <span role="gridcell" class={`right ${trace.errors > 0 ? "bad-text" : "muted"}`}>
        {trace.errors}
      </span>
      <span role="gridcell" class="services">
        {services.map((name) => (
          <span key={name} class="service-tag">
            <i class="swatch" style={{ background: `var(${serviceVar(name)})` }} />
            {name}
          </span>
        ))}
        {trace.services.length > SERVICES_MAX && (
          <span class="muted">+{trace.services.length - SERVICES_MAX}</span>
        )}
      </span>
    </>
  );
}

function NoTraces(props: { filter: TraceFilter }) {
  const { service, name, error, minDurationMs, maxDurationMs } = props.filter;
  const filtered = Boolean(service || name || error || minDurationMs || maxDurationMs);
  return (
    <Empty title={filtered ? "No trace matches in this range" : "No traces in this range"}>
      <p>
        <button type="button" onClick={zoomOut}>
          Twice the range
        </button>{" "}
        {filtered && (
          <button
            type="button"
            onClick={() => setParams({ service: null, name: null, error: null, min: null, max: null })}
          >
            Remove the filters
          </button>
        )}
      </p>
      {!filtered && <SendHint />}
    </Empty>
  );
}
