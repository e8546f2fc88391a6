// Log records as a function of time: one every quarter of a second, some of them inside of a trace.
import { hash, pick, unit } from "./random.mjs";
import { spanOf, traceOf } from "./traces.mjs";

export const STEP_MS = 250;
const SERVICES = ["cart", "checkout", "frontend", "payment", "shipping", "fresnel"];
const BODIES = {
  9: ["request served", "cart item added", "session renewed", "order placed", "cache warmed"],
  5: ["cache lookup", "pool has 7 idle connections"],
  13: ["slow dependency, will retry", "queue is three quarters full"],
  17: ["payment refused by provider", "connection reset by peer"],
  21: ["out of file descriptors"],
};
const TEXTS = { 5: "DEBUG", 9: "INFO", 13: "WARN", 17: "ERROR", 21: "FATAL" };

function severity(index) {
  const u = unit(index, 1);
  // Once in five minutes a minute goes wrong.
  const bad = Math.floor((index * STEP_MS) / 60_000) % 5 === 0 ? 0.12 : 0.01;
  if (u < bad / 40) return 21;
  if (u < bad) return 17;
  if (u < bad + 0.06) return 13;
  return u > 0.85 ? 5 : 9;
}

/** The record of an index; its time is the index times the step. */
export function log(index) {
  const ms = index * STEP_MS;
  const nanos = BigInt(ms) * 1_000_000n + BigInt(hash(index, 2) % 1_000_000);
  const number = severity(index);
  const trace = index % 4 === 0 ? traceOf(ms) : null;
  const span = trace && spanOf(trace, hash(index, 3));
  const service = span ? span.service_name : pick(SERVICES, index, 4);
  const attributes = {
    "http.request.method": pick(["GET", "POST", "PUT"], index, 5),
    "http.response.status_code": number >= 17 ? "503" : "200",
    "user.id": `u${hash(index, 6) % 500}`,
    "code.function": pick(["handle", "charge", "reserve", "render"], index, 7),
  };
  if (index % 997 === 0) attributes["http.request.body"] = "0123456789abcdef".repeat(4096);
  const body =
    index % 41 === 0
      ? JSON.stringify({ message: "structured record", attempt: hash(index, 8) % 5, tags: ["a", "b"] })
      : `${pick(BODIES[number], index, 9)} id=${index} took=${hash(index, 10) % 900}ms`;
  return {
    time_unix_nano: String(nanos),
    observed_time_unix_nano: String(nanos + 1_200_000n),
    severity_number: number,
    severity_text: TEXTS[number],
    body,
    event_name: "",
    service_name: service,
    trace_id: trace,
    span_id: span ? span.span_id : null,
    attributes,
    resource_attributes: {
      "service.name": service,
      "service.version": "1.4.2",
      "host.name": pick(["node-a", "node-b"], index, 11),
      "telemetry.sdk.language": pick(
        ["rust", "python", "nodejs"],
        hash(service.length, service.charCodeAt(0)),
      ),
    },
    scope_name: "mock.logger",
    scope_version: "0.1.0",
  };
}

export const services = () => [...SERVICES].sort();

/** Whether a record passes the filters of a request. */
export function passes(record, query) {
  const service = query.get("service");
  if (service && record.service_name !== service) return false;
  if (record.severity_number < Number(query.get("severity_min") ?? 0)) return false;
  const text = query.get("q")?.toLowerCase();
  if (text && !record.body.toLowerCase().includes(text)) return false;
  const trace = query.get("trace_id");
  if (trace && record.trace_id !== trace) return false;
  return query.getAll("attr").every((pair) => {
    const key = pair.slice(0, pair.indexOf(":"));
    return (record.attributes[key] ?? record.resource_attributes[key]) === pair.slice(key.length + 1);
  });
}

const SCANNED_MAX = 400_000;

/** The newest records, from `before` down. */
export function logs(query, { from, to }) {
  const limit = Math.min(1000, Number(query.get("limit") ?? 100));
  const before = query.get("before");
  const endMs = before ? Math.min(to, Number(BigInt(before) / 1_000_000n) + 1) : to;
  const found = [];
  let scanned = 0;
  let index = Math.floor(endMs / STEP_MS);
  for (; index * STEP_MS >= from && found.length < limit && scanned < SCANNED_MAX; index -= 1) {
    scanned += 1;
    const record = log(index);
    if (BigInt(record.time_unix_nano) > BigInt(Math.floor(endMs)) * 1_000_000n) continue;
    if (before && BigInt(record.time_unix_nano) >= BigInt(before)) continue;
    if (passes(record, query)) found.push(record);
  }
  const more = found.length === limit && index * STEP_MS >= from;
  const complete = scanned < SCANNED_MAX;
  return {
    logs: found,
    next: more ? found.at(-1).time_unix_nano : null,
    ...{ complete, warnings: complete ? [] : [`stopped after ${SCANNED_MAX} records`] },
    stats: stats(scanned, found.length),
  };
}

const NAMES = { 0: "unset", 5: "debug", 9: "info", 13: "warn", 17: "error", 21: "fatal" };

/** Counts over the whole range; a long range is sampled, which a mock may. */
export function histogram(query, { from, to }) {
  const buckets = Math.min(500, Number(query.get("buckets") ?? 60));
  const step = Math.max(STEP_MS, Math.ceil((to - from) / buckets));
  const stride = Math.max(1, Math.ceil((to - from) / STEP_MS / 200_000));
  const answer = Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => ({
    time_ms: Math.floor(from) + i * step,
    counts: { trace: 0, debug: 0, info: 0, warn: 0, error: 0, fatal: 0, unset: 0 },
  }));
  for (let index = Math.ceil(from / STEP_MS); index * STEP_MS < to; index += stride) {
    const record = log(index);
    const bucket = answer[Math.floor((index * STEP_MS - Math.floor(from)) / step)];
    if (bucket && passes(record, query)) bucket.counts[NAMES[record.severity_number]] += stride;
  }
  return { step_ms: step, buckets: answer, complete: true, warnings: [], stats: stats(0, buckets) };
}

export function stats(scanned, rows) {
  return {
    ...{ elapsed_ms: 3, rows, scanned_rows: scanned, scanned_bytes: scanned * 180 },
    ...{ segments: 12, segments_skipped: 9, memory_peak_bytes: 1 << 20 },
  };
}
