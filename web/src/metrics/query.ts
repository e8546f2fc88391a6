/**
 * What the metrics page asks, and its place in the URL. Pure.
 */
import { pair } from "../api/client";
import type { Metric, Series, SeriesAnswer } from "../api/types";
import { withUnit } from "../format";

export interface MetricQuery {
  readonly name: string | null;
  /** `key:value`, one value for each key. */
  readonly match: readonly string[];
  readonly by: readonly string[];
}

export function readMetricQuery(params: URLSearchParams): MetricQuery {
  return { name: params.get("name"), match: params.getAll("match"), by: params.getAll("by") };
}

/** What a pair says about its key, the colon included: values may contain colons, keys have theirs escaped. */
const keyOf = (text: string): string => /^(?:[^:\\]|\\.)*:/.exec(text)?.[0] ?? text;

/** Adds a match, replaces the one of the same key, or removes it when it is there. */
export function toggledMatch(match: readonly string[], key: string, value: string): string[] {
  const wanted = pair(key, value);
  const others = match.filter((other) => keyOf(other) !== pair(key, ""));
  return match.includes(wanted) ? others : [...others, wanted];
}

export function toggledBy(by: readonly string[], key: string): string[] {
  return by.includes(key) ? by.filter((other) => other !== key) : [...by, key];
}

/** The labels in which series differ: the others would be the same words on every line. */
export function tellingLabels(series: readonly Series[]): string[] {
  const values = new Map<string, Set<string>>();
  for (const { labels } of series) {
    for (const [key, value] of Object.entries(labels)) {
      const seen = values.get(key) ?? new Set();
      values.set(key, seen.add(value));
    }
  }
  const differing = [...values].filter(
    ([key, seen]) => seen.size > 1 || series.some(({ labels }) => labels[key] === undefined),
  );
  return differing.map(([key]) => key).sort();
}

/** A series' name from its telling labels. */
export function seriesName(
  labels: Record<string, string>,
  telling: readonly string[],
  fallback: string,
): string {
  const parts = telling.flatMap((key) => (labels[key] === undefined ? [] : [`${key}=${labels[key]}`]));
  if (parts.length > 0) return parts.join(" ");
  const all = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return all.join(" ") || fallback;
}

/** Series that belong on one value axis. */
export interface SeriesGroup {
  readonly title: string;
  readonly unit: string;
  readonly series: readonly Series[];
}

const HISTOGRAM_KINDS: ReadonlySet<string> = new Set(["histogram", "exponential_histogram", "summary"]);

/** Histograms have a mean and a rate, with units of their own; counters are shown as what they grow by a second. */
export function groupSeries(answer: SeriesAnswer, metric: Metric | undefined): SeriesGroup[] {
  const { unit, kind } = answer;
  if (!HISTOGRAM_KINDS.has(kind)) {
    const rate = kind === "sum" && (metric?.temporality === "delta" || (metric?.monotonic ?? true));
    return [{ title: rate ? "per second" : "value", unit: rate ? `${unit}/s` : unit, series: answer.series }];
  }
  const of = (stat: string): Series[] =>
    answer.series
      .filter(({ labels }) => labels.stat === stat)
      .map(({ labels: { stat: _, ...labels }, points }) => ({ labels, points }));
  const groups = [
    { title: "mean", unit, series: of("mean") },
    { title: "recorded per second", unit: "/s", series: of("rate") },
  ];
  return groups.filter((group) => group.series.length > 0);
}

/** Whether a metric is a share of something: utilizations are, by convention. */
export const isRatio = (name: string, unit: string): boolean =>
  unit === "1" && /(utilization|ratio)$/.test(name);

/** Formats a metric's values; ratios are shown as percent. */
export function valueFormat(name: string, unit: string): (value: number) => string {
  const ratio = isRatio(name, unit);
  return (value) => withUnit(value, unit, ratio);
}
