/**
 * The metrics that there are: counts of series of the time range, joined with what their senders say.
 *
 * Enters: `status/tsdb` and `metadata`. Leaves: one entry for each metric. Must hold: pure but for the hook; the parts
 * of a histogram are one metric.
 */
import { useMemo } from "preact/hooks";
import { type Answered, type Metadata, prometheus, type Statistics } from "../api/prometheus";
import type { KnownMetric } from "../promql/choices";
import { range, rangeKey, resolve } from "../range/range";
import { refreshMs } from "../refresh";
import { type Resource, useResource } from "../resource";
import { pairOf, selector } from "./build";

/** More metrics than this are found by search, not in the list. */
export const METRICS_MAX = 10_000;
/** The list changes far less often than the values. */
const REFRESH_MS = 15_000;
const PARTS = ["_bucket", "_count", "_sum"];

type AllMetadata = Readonly<Record<string, readonly Metadata[]>>;

/** What a metric without metadata seems to be. */
const guessed = (name: string): string =>
  /_total$/.test(name) ? "counter" : name.endsWith("_bucket") ? "histogram" : "gauge";

/** The histogram or summary that a series is a part of. */
function wholeOf(name: string, metadata: AllMetadata): Metadata | undefined {
  const part = PARTS.find((suffix) => name.endsWith(suffix));
  const whole = part === undefined ? undefined : metadata[name.slice(0, -part.length)]?.[0];
  return whole && /^(histogram|summary)$/.test(whole.type) ? whole : undefined;
}

/** Every name with what is known of it; parts of histograms have their units. */
export function described(statistics: Statistics, metadata: AllMetadata): KnownMetric[] {
  return statistics.seriesCountByMetricName.map(({ name, value: series }) => {
    const own = metadata[name]?.[0];
    if (own) return { name, kind: own.type, unit: own.unit, help: own.help, series };
    const whole = wholeOf(name, metadata);
    if (!whole) return { name, kind: guessed(name), unit: "", help: "", series };
    const kind = name.endsWith("_bucket") && whole.type === "histogram" ? "histogram" : "counter";
    return { name, kind, unit: name.endsWith("_sum") ? whole.unit : "", help: whole.help, series };
  });
}

/** What the list shows: a histogram once, by its own name, or its buckets where it came as buckets. */
export function listed(metrics: readonly KnownMetric[]): KnownMetric[] {
  const names = new Set(metrics.map(({ name }) => name));
  const isPart = (name: string): boolean =>
    PARTS.some((suffix) => {
      if (!name.endsWith(suffix)) return false;
      const whole = name.slice(0, -suffix.length);
      return names.has(whole) || (suffix !== "_bucket" && names.has(`${whole}_bucket`));
    });
  return metrics.filter(({ name }) => !isPart(name)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The metric that a name means; OpenTelemetry's own names are known, too. */
export function resolved(metrics: readonly KnownMetric[], name: string): KnownMetric | undefined {
  const translated = name.replace(/[^A-Za-z0-9_:]/g, "_");
  return (
    metrics.find((metric) => metric.name === name) ??
    metrics.find((metric) => metric.name === translated) ??
    // Units and `_total` are appended.
    metrics.find((metric) => name.includes(".") && metric.name.startsWith(`${translated}_`))
  );
}

/** Metrics whose name or description has every word; dots of OpenTelemetry's names are underscores here. */
export function searched(metrics: readonly KnownMetric[], text: string): readonly KnownMetric[] {
  const words = text.toLowerCase().replaceAll(".", "_").split(/\s+/).filter(Boolean);
  if (words.length === 0) return metrics;
  return metrics.filter((metric) => {
    const hay = `${metric.name} ${metric.help.replaceAll(".", "_")} ${metric.kind}`.toLowerCase();
    return words.every((word) => hay.includes(word));
  });
}

/** The UCUM unit by name, for a query's tree. */
export function unitLookup(metrics: readonly KnownMetric[]): (name: string) => string | undefined {
  const units = new Map(metrics.map(({ name, unit }) => [name, unit]));
  return (name) => units.get(name) ?? units.get(`${name}_bucket`);
}

export interface Known {
  readonly all: readonly KnownMetric[];
  readonly warnings: readonly string[];
}

/** Metrics of the time range that have series with these labels. */
export function useKnown(match: readonly string[]): Resource<Known> {
  const narrowed = match.length > 0 ? [selector("", match)] : [];
  const resource = useResource(
    `known ${narrowed.join()} ${rangeKey.value}`,
    async (signal): Promise<readonly [Answered<Statistics>, Answered<AllMetadata>]> => {
      const window = resolve(range.peek(), Date.now());
      return Promise.all([
        prometheus.statistics(window, { match: narrowed, limit: METRICS_MAX }, signal),
        prometheus.metadata(signal),
      ]);
    },
    { refreshMs: refreshMs.value === null ? null : REFRESH_MS },
  );
  const data = useMemo(() => {
    if (!resource.data) return undefined;
    const [statistics, metadata] = resource.data;
    const warnings = [...statistics.warnings, ...metadata.warnings];
    return { all: described(statistics.data, metadata.data), warnings };
  }, [resource.data]);
  return { ...resource, data };
}

/** The value that a list of pairs asks of a label. */
export const matched = (match: readonly string[], label: string): string | null =>
  match.map(pairOf).find(([name]) => name === label)?.[1] ?? null;
