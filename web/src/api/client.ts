/**
 * A thin typed client of the documented API.
 *
 * Enters: parameters and an abort signal. Leaves: an answer, or an `ApiError` that carries the problem document.
 * Must hold: no request without a deadline; nothing is retried here.
 */

import { isServers, lost, reached } from "../connection";
import type { Window } from "../range/range";
import { location } from "../router";
import type * as t from "./types";

const DEADLINE_MS = 60_000;
const TOO_MANY = 429;

/** A request that failed, in the server's words where it had any. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly hint?: string,
  ) {
    super(detail ? `${title}: ${detail}` : title);
    this.name = "ApiError";
  }

  /** Asked again later the answer may be another: the server was away, busy or failing. */
  get passing(): boolean {
    return this.status === 0 || this.status === TOO_MANY || this.status >= 500;
  }
}

/** Nobody answered. The frame says so once for the whole page, see `connection`. */
export class Unreachable extends ApiError {
  constructor() {
    super(0, "The server does not answer", "It may be stopped or restarting; this page keeps trying.");
  }
}

type Param = string | number | boolean | readonly string[] | null | undefined;
export type Params = Record<string, Param>;

/** Writes parameters; empty ones are left out, lists are repeated. */
export function queryString(params: Params): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === "" || value === false) continue;
    for (const item of Array.isArray(value) ? value : [value]) query.append(key, String(item));
  }
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** `key:value` for a filter; a colon within the key is escaped. */
export const pair = (key: string, value: string): string => `${key.replaceAll(":", "\\:")}:${value}`;

async function request(path: string, signal: AbortSignal, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("Accept", "application/json");
  const tenant = location.peek().params.get("tenant");
  if (tenant) headers.set("X-Scope-OrgID", tenant);
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, signal: AbortSignal.any([signal, deadline]) });
  } catch (error) {
    if (signal.aborted) throw error;
    if (deadline.aborted) throw new ApiError(0, "No answer", `Nothing came back in ${DEADLINE_MS / 1000} s.`);
    lost();
    throw new Unreachable();
  }
  if (!isServers(response)) {
    lost();
    throw new Unreachable();
  }
  reached();
  return response;
}

/** Prometheus' kinds of errors in words. */
const PROMETHEUS_WORDS: Record<string, string> = {
  bad_data: "Not understood",
  execution: "No answer with these series",
  timeout: "It took too long",
  canceled: "Cancelled",
  unavailable: "Busy",
};

async function toError(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  const type = response.headers.get("content-type") ?? "";
  if (type.includes("json")) {
    try {
      const problem = JSON.parse(text) as Partial<t.Problem & t.PrometheusError>;
      if (problem.errorType) {
        return new ApiError(
          response.status,
          PROMETHEUS_WORDS[problem.errorType] ?? "Failed",
          problem.error ?? "",
        );
      }
      const title = problem.title ?? response.statusText;
      return new ApiError(response.status, title, problem.detail ?? "", problem.hint ?? undefined);
    } catch {
      // Not JSON after all: fall through and show what came.
    }
  }
  return new ApiError(response.status, response.statusText || `HTTP ${response.status}`, text.slice(0, 500));
}

export async function get<T>(path: string, params: Params, signal: AbortSignal, alsoOk?: number): Promise<T> {
  const response = await request(path + queryString(params), signal);
  if (!response.ok && response.status !== alsoOk) throw await toError(response);
  return (await response.json()) as T;
}

/** What narrows a list of logs. */
export interface LogFilter {
  service?: string | undefined;
  severityMin?: number | undefined;
  text?: string | undefined;
  traceId?: string | undefined;
  attributes?: readonly string[] | undefined;
}

const logParams = (filter: LogFilter, window: Window): Params => ({
  service: filter.service,
  severity_min: filter.severityMin,
  q: filter.text,
  trace_id: filter.traceId,
  attr: filter.attributes,
  ...window,
});

/** What narrows a list of traces. */
export interface TraceFilter {
  service?: string | undefined;
  name?: string | undefined;
  error?: boolean | undefined;
  minDurationMs?: number | undefined;
  maxDurationMs?: number | undefined;
}

/** What is asked of a metric's series. */
export interface SeriesQuery {
  stepMs: number;
  match?: readonly string[];
  by?: readonly string[];
  limit?: number;
}

const metricPath = (name: string, part: string): string =>
  `/api/v1/metrics/${encodeURIComponent(name)}/${part}`;

export const api = {
  services: (window: Window, signal: AbortSignal) =>
    get<t.ServicesAnswer>("/api/v1/services", { ...window }, signal),

  logs: (filter: LogFilter, window: Window, page: { limit: number; before?: string }, signal: AbortSignal) =>
    get<t.LogsAnswer>("/api/v1/logs", { ...logParams(filter, window), ...page }, signal),

  histogram: (filter: LogFilter, window: Window, buckets: number, signal: AbortSignal) =>
    get<t.HistogramAnswer>("/api/v1/logs/histogram", { ...logParams(filter, window), buckets }, signal),

  traces: (filter: TraceFilter, window: Window, limit: number, signal: AbortSignal) =>
    get<t.TracesAnswer>(
      "/api/v1/traces",
      {
        service: filter.service,
        name: filter.name,
        error: filter.error,
        // The API takes whole milliseconds: rather a trace too many than one too few.
        min_duration_ms: filter.minDurationMs === undefined ? undefined : Math.floor(filter.minDurationMs),
        max_duration_ms: filter.maxDurationMs === undefined ? undefined : Math.ceil(filter.maxDurationMs),
        ...window,
        limit,
      },
      signal,
    ),

  trace: (traceId: string, signal: AbortSignal) =>
    get<t.TraceAnswer>(`/api/v1/traces/${encodeURIComponent(traceId)}`, {}, signal),

  metrics: (window: Window, text: string, signal: AbortSignal) =>
    get<t.MetricsAnswer>("/api/v1/metrics", { ...window, q: text }, signal),

  series: (name: string, window: Window, query: SeriesQuery, signal: AbortSignal) =>
    get<t.SeriesAnswer>(
      metricPath(name, "series"),
      { ...window, step_ms: query.stepMs, match: query.match, by: query.by, limit: query.limit },
      signal,
    ),

  ledger: (signal: AbortSignal) => get<t.LedgerAnswer>("/api/v1/ledger", {}, signal),

  status: (signal: AbortSignal) => get<t.StatusAnswer>("/api/v1/status", {}, signal),

  /** A failing server answers 503 and still says why. */
  health: (signal: AbortSignal) => get<t.HealthAnswer>("/healthz", {}, signal, 503),
};
