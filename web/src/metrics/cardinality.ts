/**
 * What the cardinality page shows, its place in the URL, and growth against an earlier day. Pure but for the URL.
 */
import type { Counted, Statistics } from "../api/prometheus";
import type { LedgerEntry } from "../api/types";
import { labelText } from "../promql/tree";
import type { Window } from "../range/range";
import { pairOf } from "./build";

export const AGAINST = { "1d": "a day earlier", "7d": "a week earlier", "30d": "30 days earlier" } as const;
export type Against = keyof typeof AGAINST;

const DAY_MS = 86_400_000;

export interface Narrowed {
  readonly metric: string | null;
  /** `label:value` */
  readonly match: readonly string[];
  /** The label whose values are shown. */
  readonly label: string | null;
  readonly against: Against;
}

export function readNarrowed(params: URLSearchParams): Narrowed {
  const against = params.get("against") ?? "";
  return {
    metric: params.get("metric"),
    match: params.getAll("match"),
    label: params.get("label"),
    against: against in AGAINST ? (against as Against) : "1d",
  };
}

/** The selector of what is looked at; `null` for all series. */
export function selectorOf({ metric, match }: Narrowed): string | null {
  if (metric === null && match.length === 0) return null;
  const parts = [
    ...(metric === null ? [] : [`__name__=${JSON.stringify(metric)}`]),
    ...match.map(pairOf).map(([label, value]) => `${labelText(label)}=${JSON.stringify(value)}`),
  ];
  return `{${parts.join(",")}}`;
}

/** The same days so much earlier. */
export function earlier(window: Window, against: Against): Window {
  const days = Number.parseInt(against, 10);
  return { from: window.from - days * DAY_MS, to: window.to - days * DAY_MS };
}

/** Points that were rejected because there are too many series, of the tenant or of a metric. */
export interface Refused {
  readonly tenant: number;
  readonly metric: number;
}

export function refusedOf(entries: readonly Pick<LedgerEntry, "rejected">[]): Refused {
  const of = (reason: string) => entries.reduce((sum, { rejected }) => sum + (rejected[reason] ?? 0), 0);
  return { tenant: of("too_many_series"), metric: of("too_many_series_of_metric") };
}

export interface Growing extends Counted {
  /** How many there were; `null` where that is not known. */
  readonly before: number | null;
}

/**
 * Counts with those of earlier. What is missing in a list that was cut may have been there; in a whole one it was
 * not.
 */
export function growing(
  now: readonly Counted[],
  before: readonly Counted[] | undefined,
  limit: number,
): Growing[] {
  const counts = new Map(before?.map(({ name, value }) => [name, value]));
  const absent = before === undefined || before.length >= limit ? null : 0;
  return now.map((counted) => ({ ...counted, before: counts.get(counted.name) ?? absent }));
}

/** Whether anything is known of the earlier days. */
export const isEmpty = (statistics: Statistics | undefined): boolean =>
  statistics === undefined || statistics.headStats.numSeries === 0;

/** `+12`, `-3`, `new`, or nothing where it stayed as it was. */
export function growthText(counted: Growing, format: (value: number) => string): string {
  const { value, before } = counted;
  if (before === null) return "";
  if (before === 0) return value === 0 ? "" : "new";
  const difference = value - before;
  if (difference === 0) return "=";
  return `${difference > 0 ? "+" : "−"}${format(Math.abs(difference))}`;
}

/** `label=value` in two; values may contain `=`, labels of Prometheus do not. */
export function splitPair(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
