// Traces as a function of time: one every two seconds. The id holds its index, so that any can be built again.
import { hash, hex, pick, unit } from "./random.mjs";

const STEP_MS = 2000;
const PREFIX = "f7e5e100";
/** Ids that begin so ask for as many spans as the last eight digits say. */
export const LARGE_PREFIX = "ffffffffffffffffffffffff";

const CALLS = {
  frontend: ["GET /", "GET /cart", "POST /checkout"],
  cart: ["cart.get", "redis GET", "cart.add"],
  checkout: ["checkout.place", "postgres SELECT", "postgres INSERT"],
  payment: ["payment.charge", "HTTP POST provider"],
  shipping: ["shipping.quote", "kafka publish"],
};
const SERVICES = Object.keys(CALLS);
const built = new Map();

export const indexOf = (traceId) => Number.parseInt(traceId.slice(8, 24), 16);
const idOf = (index) => PREFIX + index.toString(16).padStart(16, "0") + hex(8, index, 77);

/** The trace that runs at a moment. */
export const traceOf = (ms) => idOf(Math.floor(ms / STEP_MS));

/** One of a trace's spans. */
export function spanOf(traceId, choice) {
  const { spans } = trace(traceId);
  return spans[choice % spans.length];
}

function makeSpan(id, parent, name, service, startNanos, nanos, error) {
  return {
    span_id: id,
    parent_span_id: parent,
    name,
    kind: parent === null ? "server" : pick(["internal", "client", "server"], name.length, service.length),
    service_name: service,
    start_unix_nano: String(startNanos),
    end_unix_nano: String(startNanos + BigInt(Math.round(nanos))),
    duration_nano: Math.round(nanos),
    status_code: error ? "error" : "unset",
    status_message: error ? "the provider answered 503" : "",
    attributes: { "http.route": name, "peer.service": service, "thread.id": "7" },
    resource_attributes: { "service.name": service, "service.version": "1.4.2", "host.name": "node-a" },
    scope_name: "mock.tracer",
    events: [],
    links: [],
  };
}

function children(index, parent, depth, spans, next) {
  if (depth > 4) return;
  const start = BigInt(parent.start_unix_nano);
  const width = Number(parent.duration_nano);
  const wanted = hash(index, spans.length, 5) % (depth === 0 ? 5 : 3);
  let at = width * 0.06;
  for (let i = 0; i < wanted; i += 1) {
    const n = next();
    const size = (width - at) * (0.25 + 0.5 * unit(index, n, 6));
    const service = depth % 2 === 0 ? pick(SERVICES, index, n, 7) : parent.service_name;
    const error = hash(index, n, 8) % 60 === 0;
    const id = hex(16, index, n);
    const span = makeSpan(
      id,
      parent.span_id,
      pick(CALLS[service], index, n, 9),
      service,
      start + BigInt(Math.round(at)),
      size,
      error,
    );
    if (error) {
      span.events.push({
        time_unix_nano: String(start + BigInt(Math.round(at + size * 0.9))),
        name: "exception",
        attributes: { "exception.type": "ProviderError", "exception.message": "503 Service Unavailable" },
      });
    }
    spans.push(span);
    children(index, span, depth + 1, spans, next);
    // Half of the calls overlap with the one after them.
    at += size * (unit(index, n, 10) < 0.5 ? 1.02 : 0.4);
    if (at > width * 0.95) break;
  }
}

function build(index) {
  const start = BigInt(index * STEP_MS) * 1_000_000n + BigInt(hash(index, 1) % 900) * 1_000_000n;
  const nanos = 4e6 * Math.exp(4.5 * unit(index, 2));
  const spans = [
    makeSpan(hex(16, index, 0), null, pick(CALLS.frontend, index, 3), "frontend", start, nanos, false),
  ];
  let n = 0;
  children(index, spans[0], 0, spans, () => {
    n += 1;
    return n;
  });
  spans[0].attributes["user.id"] = `u${hash(index, 11) % 500}`;
  if (spans.some((span) => span.status_code === "error")) spans[0].status_code = "error";
  // Some spans never arrive.
  if (index % 5 === 0 && spans.length > 4) spans.splice(1, 1);
  if (index % 7 === 0)
    spans[0].links.push({ trace_id: idOf(index - 1), span_id: hex(16, index - 1, 0), attributes: {} });
  return spans;
}

/** A trace of any size, for measuring the page. */
function large(count) {
  const start = BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n;
  const spans = [makeSpan(hex(16, 1, 0), null, "nightly batch", "frontend", start, count * 20_000, false)];
  for (let n = 1; n < count; n += 1) {
    // A bushy tree: each tenth span has the nine after it below it.
    const parent = spans[Math.floor((n - 1) / 9)];
    const width = Number(parent.duration_nano);
    const service = pick(SERVICES, n, 1);
    const at = BigInt(parent.start_unix_nano) + BigInt(Math.round(width * (((n - 1) % 9) / 9)));
    spans.push(
      makeSpan(
        hex(16, 1, n),
        parent.span_id,
        pick(CALLS[service], n, 2),
        service,
        at,
        width / 9.5,
        hash(n, 3) % 4000 === 0,
      ),
    );
  }
  return spans;
}

/** All spans of a trace, or `null` when the id is unknown. */
export function trace(traceId) {
  const known = built.get(traceId);
  if (known) return known;
  let spans = null;
  if (traceId.startsWith(LARGE_PREFIX))
    spans = large(Math.min(200_000, Number.parseInt(traceId.slice(24), 16)));
  else if (traceId.startsWith(PREFIX) && traceId === idOf(indexOf(traceId))) spans = build(indexOf(traceId));
  if (!spans || spans.length === 0) return null;
  const answer = { trace_id: traceId, spans, complete: true, warnings: [] };
  if (built.size > 5000) built.clear();
  built.set(traceId, answer);
  return answer;
}

function summary(traceId) {
  const { spans } = trace(traceId);
  const root = spans.find((span) => span.parent_span_id === null);
  return {
    trace_id: traceId,
    root_service: root?.service_name ?? "",
    root_name: root?.name ?? "",
    start_unix_nano: spans[0].start_unix_nano,
    duration_nano: spans[0].duration_nano,
    spans: spans.length,
    errors: spans.filter((span) => span.status_code === "error").length,
    services: [...new Set(spans.map((span) => span.service_name))],
  };
}

/** The newest traces that pass the filters. */
export function traces(query, { from, to }) {
  const limit = Math.min(500, Number(query.get("limit") ?? 50));
  const min = Number(query.get("min_duration_ms") ?? 0) * 1e6;
  const max = Number(query.get("max_duration_ms") ?? Number.POSITIVE_INFINITY) * 1e6;
  const name = query.get("name")?.toLowerCase();
  const found = [];
  for (let index = Math.floor(to / STEP_MS); index * STEP_MS >= from && found.length < limit; index -= 1) {
    const id = idOf(index);
    const one = summary(id);
    if (Number(BigInt(one.start_unix_nano) / 1_000_000n) > to) continue;
    const nanos = Number(one.duration_nano);
    if (nanos < min || nanos > max || (query.get("error") === "true" && one.errors === 0)) continue;
    if (query.get("service") && !one.services.includes(query.get("service"))) continue;
    if (name && !trace(id).spans.some((span) => span.name.toLowerCase().includes(name))) continue;
    found.push(one);
  }
  return { traces: found, complete: true, warnings: [] };
}
