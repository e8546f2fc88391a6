/**
 * From answers of PromQL to lines and rows.
 *
 * Enters: Prometheus' data. Leaves: series of milliseconds and numbers; rows of a table. Must hold: pure; a value
 * that is no number is a gap in a chart and told as it is in a table.
 */
import {
  type ExemplarsOf,
  type HistogramValue,
  type Labels,
  parsed,
  type QueryData,
} from "../api/prometheus";
import type { Window } from "../range/range";

export interface Line {
  readonly labels: Labels;
  readonly points: [number, number | null][];
}

const finite = (text: string): number | null => {
  const value = parsed(text);
  return Number.isFinite(value) ? value : null;
};

/** A native histogram on a line is the number of its observations. */
const observations = (histogram: HistogramValue): number | null => finite(histogram.count);

/** A line for each series; what is one value for the whole range is a level line. */
export function linesOf(data: QueryData, window: Window): Line[] {
  switch (data.resultType) {
    case "matrix":
      return data.result.map(({ metric, values = [], histograms = [] }) => ({
        labels: metric,
        points: [
          ...values.map(([time, value]): [number, number | null] => [time * 1000, finite(value)]),
          ...histograms.map(([time, value]): [number, number | null] => [time * 1000, observations(value)]),
        ].sort((a, b) => a[0] - b[0]),
      }));
    case "vector":
      return data.result.map(({ metric, value }) => ({
        labels: metric,
        points: value ? [[value[0] * 1000, finite(value[1])]] : [],
      }));
    default: {
      const value = finite(data.result[1]);
      return [
        {
          labels: {},
          points: [
            [window.from, value],
            [window.to, value],
          ],
        },
      ];
    }
  }
}

export interface Row {
  readonly labels: Labels;
  readonly value: number;
  /** Of a histogram: the sum of its observations; `value` is their number. */
  readonly sum?: number;
}

/** The rows of an instant answer, the largest first. */
export function rowsOf(data: QueryData): Row[] {
  if (data.resultType === "scalar" || data.resultType === "string")
    return [{ labels: {}, value: parsed(data.result[1]) }];
  if (data.resultType !== "vector") return [];
  const rows = data.result.map(({ metric, value, histogram }): Row => {
    if (histogram)
      return { labels: metric, value: parsed(histogram[1].count), sum: parsed(histogram[1].sum) };
    return { labels: metric, value: parsed(value?.[1] ?? "NaN") };
  });
  const size = (value: number): number => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value);
  return rows.toSorted((a, b) => size(b.value) - size(a.value));
}

/** What all rows add up to; `null` where a share would mean nothing. */
export function totalOf(rows: readonly Row[]): number | null {
  if (rows.some(({ value }) => !Number.isFinite(value) || value < 0)) return null;
  const total = rows.reduce((sum, { value }) => sum + value, 0);
  return total > 0 ? total : null;
}

/** The labels in which series differ: the others would be the same words on every line. */
export function tellingLabels(series: readonly { readonly labels: Labels }[]): string[] {
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
export function seriesName(labels: Labels, telling: readonly string[], fallback: string): string {
  const parts = telling.flatMap((key) => (labels[key] === undefined ? [] : [`${key}=${labels[key]}`]));
  if (parts.length > 0) return parts.join(" ");
  const all = Object.entries(labels).flatMap(([key, value]) =>
    key === "__name__" ? [] : [`${key}=${value}`],
  );
  return all.join(" ") || fallback;
}

/** One measurement that stands for others, on the chart. */
export interface ExemplarPoint {
  readonly timeMs: number;
  readonly value: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly labels: Labels;
}

const SLOTS = 60;
/** Points of a slot of time: the largest are the ones one looks for. */
const SLOT_MAX = 3;

/** Exemplars with a trace, at most some for each part of the range, the largest values; ascending in time. */
export function exemplarPoints(answers: readonly ExemplarsOf[], window: Window): ExemplarPoint[] {
  const width = (window.to - window.from) / SLOTS;
  const slots = new Map<number, ExemplarPoint[]>();
  const seen = new Set<string>();
  for (const { seriesLabels, exemplars } of answers) {
    for (const { labels, value, timestamp } of exemplars) {
      const { trace_id: traceId = "", span_id: spanId = "", ...rest } = labels;
      const [timeMs, number] = [timestamp * 1000, parsed(value)];
      const id = `${traceId} ${spanId} ${timestamp} ${value}`;
      // Sum, count and buckets of a histogram share their exemplars.
      if (!/^[0-9a-f]{32}$/i.test(traceId) || !Number.isFinite(number) || seen.has(id)) continue;
      seen.add(id);
      const slot = Math.floor((timeMs - window.from) / width);
      const points = slots.get(slot) ?? [];
      slots.set(slot, points);
      points.push({ timeMs, value: number, traceId, spanId, labels: { ...seriesLabels, ...rest } });
    }
  }
  const largest = [...slots.values()].flatMap((points) =>
    points.toSorted((a, b) => b.value - a.value).slice(0, SLOT_MAX),
  );
  return largest.sort((a, b) => a.timeMs - b.timeMs);
}
