/** The filter of the trace list and its place in the URL. Pure. */
import type { TraceFilter } from "../api/client";
import { parseDuration } from "../range/moment";

export function readTraceFilter(params: URLSearchParams): TraceFilter {
  return {
    service: params.get("service") ?? undefined,
    name: params.get("name") ?? undefined,
    error: params.get("error") === "true",
    minDurationMs: readMs(params.get("min")) ?? undefined,
    maxDurationMs: readMs(params.get("max")) ?? undefined,
  };
}

/** `250ms`, `1.5s`, `2m`, or a bare number of milliseconds; `null` when it is none. */
export function readMs(text: string | null): number | null {
  const input = text?.trim().toLowerCase() ?? "";
  const small = /^(\d+(?:\.\d+)?)\s*(ms|us|µs)?$/.exec(input);
  if (small) return Number(small[1]) / (small[2] === "us" || small[2] === "µs" ? 1000 : 1);
  return input === "" ? null : parseDuration(input);
}
