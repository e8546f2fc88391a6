/**
 * The queries that are written for who picked a metric.
 *
 * Enters: a metric, labels to narrow and to group by, the width of the time range. Leaves: PromQL.
 * Must hold: pure; what it writes is what somebody who knows PromQL would begin with.
 */
import type { KnownMetric } from "../promql/choices";
import { labelText } from "../promql/tree";

export interface Picked {
  readonly name: string;
  /** `label:value`; colons in a label are escaped. */
  readonly match: readonly string[];
  readonly by: readonly string[];
}

/** More series than this are added up: nobody tells a hundred lines apart. */
const LINES_MAX = 20;

/** Windows of `rate`, wide enough for four steps and for who reports once a minute. */
const WINDOWS: readonly (readonly [number, string])[] = [
  [120, "2m"],
  [300, "5m"],
  [600, "10m"],
  [1800, "30m"],
  [3600, "1h"],
  [7200, "2h"],
  [21_600, "6h"],
  [86_400, "1d"],
];

export function rateWindow(stepMs: number): string {
  const wanted = (stepMs / 1000) * 4;
  return (WINDOWS.find(([seconds]) => seconds >= wanted) ?? WINDOWS.at(-1))?.[1] ?? "5m";
}

/** `label:value` in two, the label unescaped. */
export function pairOf(text: string): readonly [string, string] {
  const label = /^(?:[^:\\]|\\.)*/.exec(text)?.[0] ?? text;
  return [label.replaceAll("\\:", ":"), text.slice(label.length + 1)];
}

/** A metric, or whatever has the labels, where it has no name. */
export function selector(name: string, match: readonly string[], ...more: readonly string[]): string {
  const plain = name === "" || /^[A-Za-z_:][\w:]*$/.test(name);
  const matchers = match.map(pairOf).map(([label, value]) => `${labelText(label)}=${JSON.stringify(value)}`);
  const parts = [...(plain ? [] : [JSON.stringify(name)]), ...matchers, ...more];
  return (plain ? name : "") + (parts.length > 0 ? `{${parts.join(", ")}}` : "");
}

/** An aggregation over all, or by labels. */
function aggregated(op: string, by: readonly string[], inner: string): string {
  return by.length > 0 ? `${op} by (${by.map(labelText).join(", ")}) (${inner})` : `${op}(${inner})`;
}

/** Values that are added up make no sense for shares and temperatures. */
const adding = (unit: string): string => (/^(1|%|Cel|K|V|Hz)$/.test(unit) ? "avg" : "sum");

/** How a quantile of a histogram is asked for; buckets of classic ones are series of their own. */
function quantile(phi: number, metric: KnownMetric, picked: Picked, window: string): string {
  const by = metric.name.endsWith("_bucket") ? ["le", ...picked.by] : picked.by;
  const rate = `rate(${selector(metric.name, picked.match)}[${window}])`;
  return `histogram_quantile(${phi}, ${aggregated("sum", by, rate)})`;
}

export function queriesFor(metric: KnownMetric, picked: Picked, stepMs: number): string[] {
  const window = rateWindow(stepMs);
  const own = selector(metric.name, picked.match);
  const many = metric.series > LINES_MAX && picked.match.length === 0;
  const summed = picked.by.length > 0 || many;
  switch (metric.kind) {
    case "histogram":
      return (picked.by.length > 0 ? [0.95] : [0.99, 0.95, 0.5]).map((phi) =>
        quantile(phi, metric, picked, window),
      );
    case "counter": {
      const rate = `rate(${own}[${window}])`;
      return [summed ? aggregated("sum", picked.by, rate) : rate];
    }
    default:
      return [summed ? aggregated(adding(metric.unit), picked.by, own) : own];
  }
}

/** The query whose answer is drawn as a heatmap; `null` for what came as buckets, which are series of their own. */
export function heatQuery(metric: KnownMetric, match: readonly string[], stepMs: number): string | null {
  if (metric.kind !== "histogram" || metric.name.endsWith("_bucket")) return null;
  return `sum(rate(${selector(metric.name, match)}[${rateWindow(stepMs)}]))`;
}

/** Rate, errors and durations of a service, where it has a histogram of its requests. */
export function serviceQueries(
  metrics: readonly KnownMetric[],
  match: readonly string[],
  stepMs: number,
): string[] {
  const durations = metrics.filter(({ kind, name }) => kind === "histogram" && /duration/.test(name));
  const served =
    durations.find(({ name }) => name.startsWith("http_server_")) ??
    durations.find(({ name }) => /^rpc_server_/.test(name)) ??
    durations[0];
  if (!served) return [];
  const window = rateWindow(stepMs);
  const base = served.name.replace(/_bucket$/, "");
  const rate = (...more: string[]) => `sum(rate(${selector(`${base}_count`, match, ...more)}[${window}]))`;
  const picked = { name: served.name, match, by: [] };
  const errors = base.startsWith("http_server_") ? [rate('http_response_status_code=~"5.."')] : [];
  return [
    ...[quantile(0.95, served, picked, window), quantile(0.5, served, picked, window)],
    ...[rate(), ...errors],
  ];
}
