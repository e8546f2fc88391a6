// A server that speaks the API's contract with made-up data, for developing and testing the page.
//
//   node mock/server.mjs [port]            the API, and the page from dist/ where it was built
//
// `?mock=incomplete`, `?mock=error` and `?mock=empty` in the page's own address reach the mock as the
// Referer and make every answer incomplete, failing or empty.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import * as logs from "./logs.mjs";
import * as metrics from "./metrics.mjs";
import * as prometheus from "./prometheus.mjs";
import * as traces from "./traces.mjs";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
/** As strict as a server may be: the page must work under it. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'";
const STARTED = Date.now() - 3_912_000;

function moment(text, fallback) {
  if (!text) return fallback;
  return /^\d+$/.test(text) ? Number(text) : Date.parse(text);
}

function rangeOf(query) {
  const to = moment(query.get("to"), Date.now());
  return { from: moment(query.get("from"), to - 3_600_000), to };
}

const problem = (status, title, detail, hint) => ({
  status,
  body: { type: "about:blank", title, status, detail, ...(hint && { hint }) },
});

function ledger() {
  const elapsed = Math.floor((Date.now() - STARTED) / 1000);
  const entry = (signal, rate, rejected) => ({
    ...{ tenant: "default", signal, received: elapsed * rate + 4, stored: elapsed * rate + 4 - rejected },
    ...{
      rejected:
        rejected > 0
          ? { [signal === "metrics" ? "too_many_series_of_metric" : "invalid_trace_id"]: rejected }
          : {},
      dropped: {},
      deduplicated: 0,
      expired: 0,
    },
  });
  return {
    balanced: true,
    entries: [entry("logs", 410, 17), entry("spans", 960, 0), entry("metrics", 2300, 3)],
  };
}

function status(address) {
  const table = (name, rows, bytes) => ({ table: name, segments: 3, rows, bytes });
  return {
    ...{
      version: "0.0.0-mock",
      started_unix_ms: STARTED,
      uptime_s: Math.floor((Date.now() - STARTED) / 1000),
      ready: true,
    },
    addresses: { http: address, otlp_grpc: "127.0.0.1:4317", otlp_http: "127.0.0.1:4318" },
    data_dir: "/var/lib/fresnel",
    memory: {
      limit_bytes: 2 ** 30,
      used_bytes: 187 * 2 ** 20,
      peak_bytes: 412 * 2 ** 20,
      resident_bytes: 240 * 2 ** 20,
      refused: 0,
    },
    store: {
      ...{
        wal_bytes: 23_400_000,
        wal_files: 2,
        wal_last_lsn: 918_233,
        memtable_bytes: 41_000_000,
        memtable_rows: 182_331,
      },
      ...{ segments: 9, segment_bytes: 391_000_000, last_seal_unix_ms: Date.now() - 47_000, set_aside: [] },
      tables: [
        table("logs", 1_604_000, 61e6),
        table("spans", 3_755_000, 214e6),
        table("samples", 8_997_000, 116e6),
      ],
    },
    config: { pending_restart: [] },
  };
}

function health() {
  const component = (name, detail) => ({ name, status: "pass", detail, since_unix_ms: STARTED });
  return {
    status: "pass",
    components: [
      component("receive", "4317 and 4318 open"),
      component("store", "last fsync 1.9 ms"),
      component("publish", "2 s behind"),
      component("memory", "18 % of the budget"),
    ],
  };
}

const envelope = (data) => ({ body: { status: "success", data } });
const prometheusFault = (status, errorType, error) => ({
  status,
  body: { status: "error", errorType, error },
});

/** Prometheus' part of the API, in its envelope. */
function prometheusAnswer(path, query) {
  const text = query.get("query");
  const wrong = text === null ? undefined : prometheus.fault(text);
  if (wrong) return prometheusFault(400, "bad_data", `invalid parameter "query": ${wrong}`);
  switch (path) {
    case "query":
      return envelope(prometheus.query(query));
    case "query_range":
      return { body: { status: "success", data: prometheus.queryRange(query), ...prometheus.tier(query) } };
    case "query_exemplars":
      return envelope(prometheus.exemplars(query));
    case "parse_query":
      return envelope(prometheus.tree(text));
    case "format_query":
      return envelope(text.replaceAll(/\s+/g, " ").trim());
    case "metadata":
      return envelope(prometheus.metadata());
    case "status/tsdb":
      return envelope(prometheus.statistics(query));
    default:
      return undefined;
  }
}

const PROMETHEUS = "/prometheus/api/v1/";

/** The answer for a path, or `undefined` when the API has no such path. */
function answer(path, query, address) {
  if (path.startsWith(PROMETHEUS)) return prometheusAnswer(path.slice(PROMETHEUS.length), query);
  const range = rangeOf(query);
  const metric = /^\/api\/v1\/metrics\/([^/]+)\/(labels|series)$/.exec(path);
  if (metric) {
    const name = decodeURIComponent(metric[1]);
    const body = metric[2] === "labels" ? metrics.labels(name) : metrics.series(name, query, range);
    return body ? { body } : problem(404, "Not Found", `no metric is called ${name}`);
  }
  const trace = /^\/api\/v1\/traces\/([^/]+)$/.exec(path);
  if (trace) {
    const body = traces.trace(trace[1]);
    return body
      ? { body }
      : problem(404, "Not Found", "no span of this trace is known", "it may not have arrived yet");
  }
  switch (path) {
    case "/api/v1/services":
      return { body: { services: logs.services() } };
    case "/api/v1/logs":
      return { body: logs.logs(query, range) };
    case "/api/v1/logs/histogram":
      return { body: logs.histogram(query, range) };
    case "/api/v1/traces":
      return { body: traces.traces(query, range) };
    case "/api/v1/metrics":
      return { body: metrics.list(query) };
    case "/api/v1/ledger":
      return { body: ledger() };
    case "/api/v1/status":
      return { body: status(address) };
    case "/healthz":
      return { body: health() };
    default:
      return undefined;
  }
}

const EMPTY = {
  logs: [],
  next: null,
  buckets: [],
  step_ms: 1000,
  traces: [],
  metrics: [],
  services: ["fresnel", "host"],
  series: [],
  labels: {},
  entries: [],
};

/** What the page's own address asks of the mock. */
function distorted(mode, path, result) {
  if (mode === "error" && path.startsWith(PROMETHEUS)) {
    return prometheusFault(503, "unavailable", "the memory budget is used up");
  }
  if (mode === "error" && path !== "/api/v1/status") {
    return problem(
      503,
      "Service Unavailable",
      "the memory budget is used up",
      "raise memory.limit or narrow the time range",
    );
  }
  if (path.startsWith(PROMETHEUS)) {
    if (mode === "incomplete")
      return { body: { ...result.body, warnings: ["segment 0193-logs-7 could not be read"] } };
    if (mode === "empty" && path.endsWith("tsdb"))
      return envelope(prometheus.statistics(new URLSearchParams("match[]=nothing")));
    return result;
  }
  if (mode === "incomplete" && result.body?.complete !== undefined) {
    return { body: { ...result.body, complete: false, warnings: ["segment 0193-logs-7 could not be read"] } };
  }
  if (mode === "empty" && result.body) {
    const emptied = Object.entries(result.body).map(([key, value]) => [
      key,
      key in EMPTY ? EMPTY[key] : value,
    ]);
    return {
      body:
        path.startsWith("/api/v1/status") || path === "/healthz" ? result.body : Object.fromEntries(emptied),
    };
  }
  return result;
}

async function file(path) {
  const wanted = normalize(path).replace(/^(\.\.[/\\])+/, "");
  const asset = extname(wanted) !== "";
  const body = await readFile(join(DIST, asset ? wanted : "index.html"));
  return { body, type: TYPES[asset ? extname(wanted) : ".html"] ?? "application/octet-stream" };
}

async function serve(request, response) {
  const url = new URL(request.url, "http://mock");
  const api =
    url.pathname.startsWith("/api/") || url.pathname.startsWith(PROMETHEUS) || url.pathname === "/healthz";
  if (!api) {
    try {
      const { body, type } = await file(url.pathname);
      response.writeHead(200, { "content-type": type, "content-security-policy": CSP });
      response.end(body);
    } catch {
      response.writeHead(404, { "content-type": "text/plain" });
      response.end("not here; was the page built?");
    }
    return;
  }
  const mode = new URL(request.headers.referer ?? "http://mock/").searchParams.get("mock");
  const plain =
    answer(url.pathname, url.searchParams, request.headers.host) ?? problem(404, "Not Found", "no such path");
  const result = distorted(mode, url.pathname, plain);
  const code = result.status ?? 200;
  const type = code >= 400 ? "application/problem+json" : "application/json";
  response.writeHead(code, { "content-type": type, "cache-control": "no-store" });
  response.end(JSON.stringify(result.body));
}

/** Starts the mock; port 0 takes a free one. */
export async function startMock(port = 0) {
  const server = createServer((request, response) => {
    serve(request, response).catch((error) => {
      response.writeHead(500, { "content-type": "application/problem+json" });
      response.end(
        JSON.stringify({ type: "about:blank", title: "Mock failed", status: 500, detail: String(error) }),
      );
    });
  });
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startMock(Number(process.argv[2] ?? 4390));
  console.log(
    `mock at ${url}; a trace of 100,000 spans: ${url}/traces/${traces.LARGE_PREFIX}${(100_000).toString(16).padStart(8, "0")}`,
  );
}
