/**
 * The names that the pages use for what the server answers.
 *
 * Enters: `generated.ts`, made from the server's OpenAPI description by `cargo xtask gen`. Leaves: shorter names,
 * and the one type that the description cannot say exactly.
 * Must hold: nothing here is invented; a change of the server's types fails the type check.
 */
import type { components } from "./generated";

type Schemas = components["schemas"];

/** Every answer with data says whether it is complete. */
export type Answer = Schemas["Summary"];
export type Problem = Schemas["Problem"];
export type PrometheusError = Schemas["PrometheusError"];
/** Values are text; what was not text is its JSON. */
export type Attributes = Readonly<Record<string, string>>;

export type ServicesAnswer = Schemas["Services"];
export type LogRecord = Schemas["Log"];
export type LogsAnswer = Schemas["Logs"];
export type Severity = keyof Schemas["SeverityCounts"];
export type HistogramAnswer = Schemas["LogHistogram"];

export type TraceSummary = Schemas["TraceSummary"];
export type TracesAnswer = Schemas["Traces"];
export type Span = Schemas["Span"];
export type SpanEvent = Schemas["SpanEvent"];
export type SpanLink = Schemas["SpanLink"];
export type TraceAnswer = Schemas["Trace"];

export type Metric = Schemas["Metric"];
export type MetricsAnswer = Schemas["Metrics"];

/** Points are pairs of Unix milliseconds and a value; OpenAPI 3 has no word for a pair. */
export type Series = Omit<Schemas["Series"], "points"> & { points: [number, number | null][] };
export type SeriesAnswer = Omit<Schemas["MetricSeries"], "series"> & { series: Series[] };

export type LedgerEntry = Schemas["LedgerEntry"];
export type LedgerAnswer = Schemas["Ledger"];
export type StatusAnswer = Schemas["Status"];
export type HealthAnswer = Schemas["Health"];
