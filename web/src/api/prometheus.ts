/**
 * Prometheus' part of the API: PromQL and what is known of series.
 *
 * Enters: PromQL, times, an abort signal. Leaves: the data of Prometheus' envelope with its warnings, or an `ApiError`.
 * Must hold: a warning is never dropped; it may be that records are missing.
 *
 * The API's description calls the data an object and leaves the rest to Prometheus; the types here are Prometheus'.
 */
import type { Window } from "../range/range";
import { get, type Params } from "./client";

export type Labels = Readonly<Record<string, string>>;

/** Which ends belong to a bucket, its ends, and how many are in it. */
export type Bucket = readonly [number, string, string, string];

export interface HistogramValue {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly Bucket[];
}

/** Times are seconds, numbers are text. */
export interface VectorSample {
  readonly metric: Labels;
  readonly value?: readonly [number, string];
  readonly histogram?: readonly [number, HistogramValue];
}

export interface MatrixSeries {
  readonly metric: Labels;
  readonly values?: readonly (readonly [number, string])[];
  readonly histograms?: readonly (readonly [number, HistogramValue])[];
}

export type QueryData =
  | { readonly resultType: "vector"; readonly result: readonly VectorSample[] }
  | { readonly resultType: "matrix"; readonly result: readonly MatrixSeries[] }
  | { readonly resultType: "scalar" | "string"; readonly result: readonly [number, string] };

export interface ExemplarsOf {
  readonly seriesLabels: Labels;
  readonly exemplars: readonly {
    readonly labels: Labels;
    readonly value: string;
    readonly timestamp: number;
  }[];
}

export interface Metadata {
  readonly type: string;
  readonly unit: string;
  readonly help: string;
}

export interface Counted {
  readonly name: string;
  readonly value: number;
}

export interface Statistics {
  readonly headStats: { readonly numSeries: number; readonly numLabelPairs: number };
  readonly seriesCountByMetricName: readonly Counted[];
  readonly labelValueCountByLabelName: readonly Counted[];
  readonly seriesCountByLabelValuePair: readonly Counted[];
  readonly seriesCountByFocusLabelValue?: readonly Counted[];
}

/** A node of a query's tree. What a kind does not have is missing. */
export interface Node {
  readonly type: string;
  readonly name?: string;
  readonly matchers?: readonly {
    readonly name: string;
    readonly value: string;
    readonly type: "=" | "!=" | "=~" | "!~";
  }[];
  readonly range?: number;
  readonly offset?: number;
  readonly timestamp?: number | null;
  readonly startOrEnd?: string | null;
  readonly func?: { readonly name: string };
  readonly args?: readonly Node[];
  readonly op?: string;
  readonly expr?: Node;
  readonly lhs?: Node;
  readonly rhs?: Node;
  readonly val?: string;
}

/** Data, and why it may not be complete or mean what it seems to. */
export interface Answered<T> {
  readonly data: T;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  /** The coarsest resolution that samples were downsampled to and read at; missing where they are as they came. */
  readonly resolutionMs?: number;
}

interface Envelope<T> {
  readonly data: T;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  /** Seconds. */
  readonly sourceResolution?: number;
}

async function ask<T>(path: string, params: Params, signal: AbortSignal): Promise<Answered<T>> {
  const answer = await get<Envelope<T>>(`/prometheus/api/v1/${path}`, params, signal);
  const { data, warnings = [], infos = [], sourceResolution } = answer;
  return { data, warnings, infos, ...(sourceResolution && { resolutionMs: sourceResolution * 1000 }) };
}

/** Seconds, as Prometheus takes times. */
const seconds = (ms: number): string => (ms / 1000).toFixed(3);
const times = ({ from, to }: Window): Params => ({ start: seconds(from), end: seconds(to) });

/** A number as Prometheus writes it. */
export function parsed(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  return text === "-Inf" ? Number.NEGATIVE_INFINITY : Number(text);
}

export interface Selection {
  readonly match?: readonly string[];
  /** Counts the series of each value of this label. */
  readonly label?: string;
  /** Entries of a list. */
  readonly limit: number;
}

/** How a query is answered. */
export interface Manner {
  /** Series. */
  readonly limit: number;
  /** Only from samples as they came, whatever they were downsampled to. */
  readonly raw: boolean;
}

const manner = ({ limit, raw }: Manner): Params => ({ limit, ...(raw && { max_source_resolution: "0s" }) });

export const prometheus = {
  query: (query: string, timeMs: number, how: Manner, signal: AbortSignal) =>
    ask<QueryData>("query", { query, time: seconds(timeMs), ...manner(how) }, signal),

  queryRange: (query: string, window: Window, stepMs: number, how: Manner, signal: AbortSignal) =>
    ask<QueryData>("query_range", { query, ...times(window), step: seconds(stepMs), ...manner(how) }, signal),

  exemplars: (query: string, window: Window, signal: AbortSignal) =>
    ask<readonly ExemplarsOf[]>("query_exemplars", { query, ...times(window) }, signal),

  parse: (query: string, signal: AbortSignal) => ask<Node>("parse_query", { query }, signal),

  format: (query: string, signal: AbortSignal) => ask<string>("format_query", { query }, signal),

  metadata: (signal: AbortSignal) =>
    ask<Readonly<Record<string, readonly Metadata[]>>>("metadata", {}, signal),

  /** Series are known by the day: those of all days of the window. */
  statistics: (window: Window, { match = [], label, limit }: Selection, signal: AbortSignal) =>
    ask<Statistics>("status/tsdb", { ...times(window), "match[]": match, focusLabel: label, limit }, signal),
};
