/**
 * From series of the API to columns for the chart.
 *
 * Enters: series of points. Leaves: one time axis and a column of values for each series.
 * Must hold: pure. A missing point is a gap only when it is missing for longer than the series' own rhythm.
 */

/** `null` is a gap; `undefined` is drawn over. */
export type Column = (number | null | undefined)[];

export interface Aligned {
  readonly x: number[];
  readonly columns: Column[];
}

type Point = readonly [number, number | null];

/** Puts series on one time axis. */
export function align(series: readonly { readonly points: readonly Point[] }[]): Aligned {
  const times = new Set<number>();
  for (const { points } of series) for (const [time] of points) times.add(time);
  const x = [...times].sort((a, b) => a - b);
  const position = new Map(x.map((time, index) => [time, index]));
  const columns = series.map(({ points }) => {
    const column: Column = new Array(x.length).fill(null);
    for (const [time, value] of points) column[position.get(time) ?? 0] = value;
    return column;
  });
  return { x, columns };
}

/** The median distance, in positions, between neighbouring values. */
function rhythm(column: Column): number {
  const distances: number[] = [];
  let last = -1;
  column.forEach((value, index) => {
    if (value === null || value === undefined) return;
    if (last >= 0) distances.push(index - last);
    last = index;
  });
  distances.sort((a, b) => a - b);
  return distances[distances.length >> 1] ?? 1;
}

/** Longer than this many beats without a value is a gap. */
const BEATS_MAX = 2.5;

/**
 * Marks short holes as drawn over: a series that reports every minute has no gaps on an axis of ten seconds.
 * With `hold` the hole takes the value before it, as sums of stacked series need a value everywhere.
 */
export function bridge(column: Column, hold = false): Column {
  const limit = rhythm(column) * BEATS_MAX;
  const result = column.slice();
  let last = -1;
  column.forEach((value, index) => {
    if (value === null || value === undefined) return;
    if (last >= 0 && index - last > 1 && index - last <= limit) {
      result.fill(hold ? column[last] : undefined, last + 1, index);
    }
    last = index;
  });
  return result;
}

/** Sums from the first column up; a place where every column has a gap stays one. */
export function stacked(columns: readonly Column[]): Column[] {
  const length = columns[0]?.length ?? 0;
  const sums: number[] = new Array(length).fill(0);
  const known: boolean[] = new Array(length).fill(false);
  for (const column of columns)
    column.forEach((value, i) => {
      known[i] ||= typeof value === "number";
    });
  return columns.map((column) =>
    column.map((value, i) => {
      sums[i] = (sums[i] ?? 0) + (value ?? 0);
      return known[i] ? (sums[i] ?? 0) : null;
    }),
  );
}

export interface Summary {
  readonly last: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
}

/** What a legend says about a series. */
export function summarize(points: readonly Point[]): Summary {
  let last: number | null = null;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  let values = 0;
  for (const [, value] of points) {
    if (value === null) continue;
    last = value;
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    values += 1;
  }
  return values === 0
    ? { last: null, min: null, max: null, mean: null }
    : { last, min, max, mean: sum / values };
}

/** A day: the API answers no wider step. */
const STEP_MS_MAX = 86_400_000;

/** Steps that divide minutes, hours and days evenly. */
const STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
];

/** The smallest even step that needs at most `pointsMax` points for a width. */
export function niceStepMs(widthMs: number, pointsMax: number, minMs = 1000): number {
  const wanted = Math.max(widthMs / pointsMax, minMs);
  const seconds = STEPS_S.find((step) => step * 1000 >= wanted);
  return seconds === undefined ? STEP_MS_MAX : seconds * 1000;
}
