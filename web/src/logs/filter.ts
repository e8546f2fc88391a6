/**
 * The filter of the logs page and its place in the URL.
 *
 * Enters: parameters. Leaves: a filter for the API; changes for the URL. Must hold: pure.
 */
import { type LogFilter, pair } from "../api/client";
import type { ParamChange } from "../router";

const TRACE_ID = /^[0-9a-f]{32}$/i;

export function readLogFilter(params: URLSearchParams): LogFilter {
  const severity = Number(params.get("severity"));
  return {
    service: params.get("service") ?? undefined,
    severityMin: Number.isInteger(severity) && severity > 0 && severity <= 24 ? severity : undefined,
    text: params.get("q") ?? undefined,
    traceId: params.get("trace_id") ?? undefined,
    attributes: params.getAll("attr"),
  };
}

/** Whether anything narrows the list. */
export function isFiltered(filter: LogFilter): boolean {
  return Boolean(
    filter.service || filter.severityMin || filter.text || filter.traceId || filter.attributes?.length,
  );
}

/** A typed filter: `key:value`, or the id of a trace. What it says about the URL, or `null`. */
export function typedFilter(text: string, attributes: readonly string[]): Record<string, ParamChange> | null {
  const input = text.trim();
  if (TRACE_ID.test(input)) return { trace_id: input.toLowerCase() };
  const colon = input.indexOf(":");
  if (colon < 1 || colon === input.length - 1) return null;
  return attributeFilter(input.slice(0, colon).trim(), input.slice(colon + 1).trim(), attributes);
}

/** Narrows by an attribute; those with a parameter of their own use it. */
export function attributeFilter(
  key: string,
  value: string,
  attributes: readonly string[],
): Record<string, ParamChange> {
  if (key === "service.name" || key === "service") return { service: value };
  if (key === "trace_id") return { trace_id: value.toLowerCase() };
  const wanted = pair(key, value);
  return { attr: attributes.includes(wanted) ? attributes : [...attributes, wanted] };
}
