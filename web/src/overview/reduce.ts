/**
 * Series of the server and its host, reduced to what a small chart can say.
 *
 * Enters: series as the API answers them. Leaves: fewer series. Must hold: pure.
 */
import type { Series } from "../api/types";

type Point = [number, number | null];

export interface NamedSeries {
  readonly label: string;
  readonly points: Point[];
}

/** Adds (or averages) points of the same moment; a moment nobody knows stays unknown. */
function combine(series: readonly Series[], how: "sum" | "mean"): Point[] {
  const sums = new Map<number, { sum: number; values: number }>();
  for (const { points } of series) {
    for (const [time, value] of points) {
      const entry = sums.get(time) ?? { sum: 0, values: 0 };
      if (value !== null) {
        entry.sum += value;
        entry.values += 1;
      }
      sums.set(time, entry);
    }
  }
  return [...sums]
    .sort(([a], [b]) => a - b)
    .map(([time, { sum, values }]) => [time, values === 0 ? null : how === "sum" ? sum : sum / values]);
}

/** One series for each value of a label, in the order of their names. */
export function combineBy(series: readonly Series[], key: string, how: "sum" | "mean"): NamedSeries[] {
  const groups = new Map<string, Series[]>();
  for (const one of series) {
    const value = one.labels[key] ?? "";
    const group = groups.get(value);
    if (group) group.push(one);
    else groups.set(value, [one]);
  }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, group]) => ({ label, points: combine(group, how) }));
}

/** Puts known labels first, in this order; unknown ones follow. */
export function ordered(series: readonly NamedSeries[], order: readonly string[]): NamedSeries[] {
  const rank = (label: string): number => (order.indexOf(label) + order.length + 1) % (order.length + 1);
  return series.toSorted((a, b) => rank(a.label) - rank(b.label));
}

/** The share of time in which processors did anything: one line for each mode but the idle ones. */
export function busyModes(series: readonly Series[]): NamedSeries[] {
  const modes = combineBy(series, "cpu.mode", "mean");
  if (modes.length === 1 && modes[0]?.label === "") return [{ label: "busy", points: modes[0].points }];
  return modes.filter(({ label }) => label !== "idle" && label !== "iowait");
}

/** Without the interface that never leaves the machine. */
export function physical(series: readonly Series[]): Series[] {
  return series.filter(({ labels }) => labels["network.interface.name"] !== "lo");
}

/** Names of the hosts that series come from. */
export function hostsOf(series: readonly Series[]): string[] {
  const names = new Set<string>();
  for (const { labels } of series) if (labels["host.name"]) names.add(labels["host.name"]);
  return [...names].sort();
}

export function ofHost(series: readonly Series[], host: string | null): Series[] {
  return host === null ? [...series] : series.filter(({ labels }) => (labels["host.name"] ?? host) === host);
}

/** The newest value that is known. */
export function lastValue(points: readonly Point[]): number | null {
  return points.findLast(([, value]) => value !== null)?.[1] ?? null;
}
