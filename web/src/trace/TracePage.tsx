/**
 * One trace: overview strip, waterfall, details of a span.
 *
 * Enters: the trace's id, and from the URL the chosen span (`span`) and the part of its time (`view`).
 */
import { useEffect, useMemo, useState } from "preact/hooks";
import { api } from "../api/client";
import type { TraceAnswer } from "../api/types";
import { clock, count, day, duration, nanosToMs, plural } from "../format";
import { CopyButton } from "../parts/CopyButton";
import { Icon } from "../parts/Icon";
import { Empty, Incomplete, Pending } from "../parts/Notice";
import { useResource } from "../resource";
import { href } from "../router";
import { serviceVar } from "../theme";
import { layoutTrace, type TraceLayout } from "./layout";
import { SpanDetail } from "./SpanDetail";
import { logsWindow } from "./TraceLogs";
import { type TraceState, useTraceState } from "./useTraceState";
import { Strip, WaterfallView } from "./WaterfallView";

const SERVICES_SHOWN = 8;
/** A link may be faster than the spans it leads to. */
const RETRY_MS = 3000;

export function TracePage(props: { traceId: string }) {
  const { traceId } = props;
  const [waiting, setWaiting] = useState(false);
  const trace = useResource(`trace ${traceId}`, (signal) => api.trace(traceId, signal), {
    refreshMs: waiting ? RETRY_MS : null,
  });
  const missing = trace.error !== undefined && trace.data === undefined;
  useEffect(() => setWaiting(missing), [missing]);
  if (trace.error?.status === 404) {
    return (
      <Empty title="This trace is not known">
        <p>
          No span of <code>{traceId}</code> is here. It may not have arrived yet (this page keeps looking), or
          its retention is over.
        </p>
        <p>
          <a href={href("/traces")}>All traces</a>
        </p>
      </Empty>
    );
  }
  if (!trace.data) return <Pending error={trace.error} what="the trace" title="Trace" />;
  return <LoadedTrace answer={trace.data} traceId={traceId} />;
}

function LoadedTrace(props: { answer: TraceAnswer; traceId: string }) {
  const { answer, traceId } = props;
  const layout = useMemo(() => layoutTrace(answer.spans), [answer]);
  const state = useTraceState(layout);
  const { scene } = state;
  const selected = scene.selected;
  return (
    <div class="page trace">
      <Incomplete answers={[answer]} />
      <Summary layout={layout} traceId={traceId} />
      <Tools state={state} layout={layout} />
      <div class="split">
        <div class="panel trace-panel">
          <Strip
            layout={layout}
            view={scene.view}
            onView={(view) => state.setView(view, true)}
            onWhole={state.whole}
          />
          <WaterfallView
            scene={scene}
            label={`Waterfall of ${layout.nodes.length} rows; j and k move, h and l close and open`}
            onSelect={state.select}
            onToggle={state.toggle}
            onView={state.setView}
            onWhole={state.whole}
            onNameWidth={state.setNameWidth}
          />
          <p class="visually-hidden" role="status">
            {selected &&
              `${selected.name}, ${selected.service}, ${duration(selected.end - selected.start)}, level ${selected.depth + 1}${selected.error ? ", error" : ""}`}
          </p>
        </div>
        {selected && (
          <SpanDetail
            key={selected.id}
            layout={layout}
            node={selected}
            traceId={traceId}
            critical={scene.critical.get(selected) ?? []}
            onClose={() => state.select(null)}
          />
        )}
      </div>
    </div>
  );
}

function Summary(props: { layout: TraceLayout; traceId: string }) {
  const { layout, traceId } = props;
  const root = layout.nodes.find((node) => node.span) ?? null;
  const startMs = nanosToMs(layout.startNanos.toString());
  // Ten tabs with traces are told apart by their names.
  useEffect(() => {
    if (root?.span) document.title = `${root.name} · Fresnel`;
  }, [root]);
  return (
    <div class="trace-summary">
      <h2 title={root?.name}>
        <span class="muted">{root?.service}</span> {root?.name}
      </h2>
      <span>
        <b>{duration(layout.duration)}</b>
      </span>
      <span>
        {day(startMs)} {clock(startMs)}
      </span>
      <span>{plural(layout.nodes.length - layout.missing, "span")}</span>
      <span class={layout.errors > 0 ? "bad-text" : "muted"}>{plural(layout.errors, "error")}</span>
      {layout.missing > 0 && (
        <span class="warn-text" title="Spans that are named as parents but never arrived">
          {count(layout.missing)} missing
        </span>
      )}
      <span class="mono muted trace-id">
        {traceId} <CopyButton text={traceId} label="Copy the trace id" />
      </span>
      <span class="grow" />
      <a class="button" href={href("/logs", { trace_id: traceId, ...logsWindow(layout, null) })}>
        Logs of this trace
      </a>
    </div>
  );
}

function SearchField(props: { state: TraceState }) {
  const { state } = props;
  return (
    <div class="trace-search" role="search">
      <Icon name="search" size={14} />
      <input
        type="search"
        data-search
        aria-label="Search within the trace"
        placeholder="name, service or attribute  ( / )"
        value={state.search}
        onInput={(event) => state.setSearch(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") state.jumpHit(event.shiftKey ? -1 : 1);
        }}
      />
      <span class="muted" role="status">
        {state.search ? `${count(state.scene.hits.size)} found` : ""}
      </span>
      <button
        type="button"
        class="ghost icon-button"
        aria-label="Previous match"
        title="Previous match (N)"
        onClick={() => state.jumpHit(-1)}
      >
        <Icon name="up" size={14} />
      </button>
      <button
        type="button"
        class="ghost icon-button"
        aria-label="Next match"
        title="Next match (n)"
        onClick={() => state.jumpHit(1)}
      >
        <Icon name="down" size={14} />
      </button>
    </div>
  );
}

function Tools(props: { state: TraceState; layout: TraceLayout }) {
  const { state, layout } = props;
  const services = layout.services.slice(0, SERVICES_SHOWN);
  return (
    <div class="trace-tools">
      <SearchField state={state} />
      <button
        type="button"
        disabled={layout.errors === 0}
        onClick={() => state.jumpError(1)}
        title="Next error (e)"
      >
        Next error
      </button>
      <button
        type="button"
        aria-pressed={state.showCritical}
        onClick={state.toggleCritical}
        title="Critical path (c)"
      >
        <i class="critical-mark" /> Critical path
      </button>
      <button type="button" onClick={state.toggleAll} title="Close or open all (z)">
        {state.allClosed ? "Open all" : "Close all"}
      </button>
      <span class="grow" />
      <ul class="legend">
        {services.map((service) => (
          <li key={service.name}>
            <i class="swatch" style={{ background: `var(${serviceVar(service.name)})` }} />
            {service.name} <span class="muted">{count(service.spans)}</span>
          </li>
        ))}
        {layout.services.length > SERVICES_SHOWN && (
          <li class="muted">and {layout.services.length - SERVICES_SHOWN} more</li>
        )}
      </ul>
    </div>
  );
}
