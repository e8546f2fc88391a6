/** Everything a span says, and the logs that were written while it ran. */
import type { ComponentChildren } from "preact";
import { pair } from "../api/client";
import type { Span, SpanEvent, SpanLink } from "../api/types";
import { duration, nanosToMs, nanoTime, share } from "../format";
import { AttributeTable } from "../parts/AttributeTable";
import { CopyButton } from "../parts/CopyButton";
import { Drawer } from "../parts/Drawer";
import { absoluteBound } from "../range/bound";
import { href } from "../router";
import { serviceVar } from "../theme";
import type { CriticalPart } from "./critical";
import type { TraceLayout, TraceNode } from "./layout";
import { logsWindow, TraceLogs } from "./TraceLogs";

/** More events or links than this are counted, not listed. */
const LISTED_MAX = 200;

interface Props {
  readonly layout: TraceLayout;
  readonly node: TraceNode;
  readonly traceId: string;
  readonly critical: readonly CriticalPart[];
  readonly onClose: () => void;
}

export function SpanDetail(props: Props) {
  const { node, layout, traceId } = props;
  const { span } = node;
  const waited = props.critical.reduce((sum, part) => sum + part.end - part.start, 0);
  if (!span) {
    return (
      <Drawer label="Missing span" title="missing span" onClose={props.onClose}>
        <p>
          The span <code>{node.id}</code> is named as the parent of {node.children.length} spans but never
          arrived. It may have been dropped by sampling, its process may have died before it was sent, or it
          may still run.
        </p>
      </Drawer>
    );
  }
  const logs = { trace_id: traceId, ...logsWindow(layout, node) };
  return (
    <Drawer
      label="Span"
      onClose={props.onClose}
      title={
        <>
          <i class="swatch" style={{ background: `var(${serviceVar(node.service)})` }} /> {span.name}
        </>
      }
    >
      {span.status_code === "error" && (
        <div class="banner bad">
          <b>error</b> {span.status_message}
        </div>
      )}
      <dl class="facts">
        <Fact name="service">{span.service_name}</Fact>
        <Fact name="kind">{span.kind}</Fact>
        <Fact name="start">
          {nanoTime(span.start_unix_nano)} <span class="muted">+{duration(node.start)}</span>
        </Fact>
        <Fact name="duration">
          <b>{duration(node.end - node.start)}</b>{" "}
          <span class="muted">{share(node.end - node.start, layout.duration)} of the trace</span>
        </Fact>
        <Fact name="self time">{duration(node.self)}</Fact>
        {waited > 0 && <Fact name="critical">{duration(waited)} on the critical path</Fact>}
        <Fact name="span">
          <span class="mono">{span.span_id}</span> <CopyButton text={span.span_id} label="Copy the span id" />
        </Fact>
        {span.scope_name && <Fact name="scope">{span.scope_name}</Fact>}
      </dl>
      <p class="actions-line">
        <a class="button" href={href("/logs", logs)}>
          Logs at the time of this span
        </a>
        <a class="button" href={href("/metrics/explore", metricsOf(span))}>
          Metrics of {span.service_name} at this time
        </a>
      </p>
      <AttributeTable title="Attributes" attributes={span.attributes} />
      <Events events={span.events} start={span.start_unix_nano} />
      <Links links={span.links} />
      <TraceLogs layout={layout} node={node} traceId={traceId} />
      <AttributeTable title="Resource" attributes={span.resource_attributes} />
    </Drawer>
  );
}

/** Before and after a span: what its service did meanwhile. */
const AROUND_MS = 15 * 60_000;

/** Where the metrics of a span's service are, around its time, which is marked. `job` is Prometheus' name of a service. */
export function metricsOf(span: Span): Record<string, string> {
  const namespace = span.resource_attributes["service.namespace"];
  const job = namespace ? `${namespace}/${span.service_name}` : span.service_name;
  const start = nanosToMs(span.start_unix_nano);
  const end = nanosToMs(span.end_unix_nano);
  return {
    match: pair("job", job),
    mark: String(start),
    from: absoluteBound(start - AROUND_MS),
    to: absoluteBound(end + AROUND_MS),
  };
}

function Fact(props: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

function Events(props: { events: readonly SpanEvent[]; start: string }) {
  const { events } = props;
  if (events.length === 0) return null;
  return (
    <section>
      <h3>
        Events <span class="muted">{events.length}</span>
      </h3>
      {events.slice(0, LISTED_MAX).map((event) => (
        <details key={`${event.time_unix_nano} ${event.name}`} class="event" open={events.length < 4}>
          <summary>
            <span class="mono muted">
              +{duration(Number(BigInt(event.time_unix_nano) - BigInt(props.start)))}
            </span>{" "}
            {event.name}
          </summary>
          <AttributeTable attributes={event.attributes} />
        </details>
      ))}
    </section>
  );
}

function Links(props: { links: readonly SpanLink[] }) {
  const { links } = props;
  if (links.length === 0) return null;
  return (
    <section>
      <h3>
        Links <span class="muted">{links.length}</span>
      </h3>
      <ul class="plain">
        {links.slice(0, LISTED_MAX).map((link) => (
          <li key={`${link.trace_id} ${link.span_id}`}>
            <a class="mono" href={href(`/traces/${link.trace_id}`, { span: link.span_id || null })}>
              {link.trace_id}
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
