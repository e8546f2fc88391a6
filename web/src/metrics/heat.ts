/**
 * From native histograms over time to the cells of a heatmap.
 *
 * Enters: Prometheus' histograms of all series of an answer. Leaves: cells in time and value. Must hold: pure; series
 * are added up; what lies in the bucket around zero or beyond the last bound is drawn at the edge.
 */
import { type MatrixSeries, parsed, type QueryData } from "../api/prometheus";

export interface Cell {
  readonly timeMs: number;
  readonly low: number;
  readonly high: number;
  /** Observations, or observations a second. */
  readonly count: number;
}

export interface Heat {
  readonly cells: readonly Cell[];
  readonly low: number;
  readonly high: number;
  /** The largest count of a cell. */
  readonly most: number;
  /** Each bucket is a multiple of the one before. */
  readonly logarithmic: boolean;
}

/** Bounds further apart than this are drawn by powers. */
const LOGARITHMIC_FROM = 30;

function cellsOf(series: readonly MatrixSeries[]): Cell[] {
  const cells = new Map<string, Cell>();
  for (const { histograms = [] } of series) {
    for (const [time, { buckets = [] }] of histograms) {
      for (const [, low, high, text] of buckets) {
        const count = parsed(text);
        if (!(count > 0)) continue;
        const key = `${time} ${low} ${high}`;
        const sum = (cells.get(key)?.count ?? 0) + count;
        cells.set(key, { timeMs: time * 1000, low: parsed(low), high: parsed(high), count: sum });
      }
    }
  }
  return [...cells.values()];
}

/** The heatmap of an answer; `null` where it has no histograms with buckets. */
export function heatOf(data: QueryData): Heat | null {
  if (data.resultType !== "matrix") return null;
  const cells = cellsOf(data.result);
  if (cells.length === 0) return null;
  const bounds = cells.flatMap(({ low, high }) => [low, high]).filter(Number.isFinite);
  const positive = bounds.filter((bound) => bound > 0);
  const [smallest, low, high] = [least(positive), least(bounds), -least(bounds.map((bound) => -bound))];
  const logarithmic = low >= 0 && positive.length > 0 && high / smallest > LOGARITHMIC_FROM;
  // A bound of zero has no power: it is drawn one step below the smallest that has.
  const floor = logarithmic && low <= 0 ? smallest / 2 : low;
  const top = high > floor ? high : floor + 1;
  const roof = cells.some((cell) => !Number.isFinite(cell.high))
    ? logarithmic
      ? top * 2
      : top + (top - floor) / 10
    : top;
  return {
    cells: cells.map((cell) => ({
      ...cell,
      low: Math.max(floor, cell.low),
      high: Number.isFinite(cell.high) ? Math.max(cell.high, floor) : roof,
    })),
    low: floor,
    high: roof,
    most: -least(cells.map(({ count }) => -count)),
    logarithmic,
  };
}

/** Without the limit that arguments have. */
const least = (values: readonly number[]): number =>
  values.reduce((smallest, value) => Math.min(smallest, value), Number.POSITIVE_INFINITY);

/** The cell at a time and a value: of the step that the time lies in. */
export function cellAt(heat: Heat, timeMs: number, value: number, stepMs: number): Cell | undefined {
  return heat.cells.find(
    (cell) =>
      timeMs > cell.timeMs - stepMs && timeMs <= cell.timeMs && value >= cell.low && value < cell.high,
  );
}
