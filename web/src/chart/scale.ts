/**
 * The value axis: where it begins and ends.
 *
 * Enters: the smallest and largest value. Leaves: the ends of the axis. Must hold: pure; the ends differ.
 */

export interface ScaleSpec {
  /** Begin near the smallest value when all are alike. */
  readonly floating: boolean;
  readonly logarithmic: boolean;
  /** A fixed upper end, such as 1 for a ratio; larger values still have room. */
  readonly top: number | undefined;
}

/** Values that differ by less than this share are "alike". */
const ALIKE = 0.2;
/** Room above the largest value, and the least height of the axis around alike values. */
const ROOM = 0.08;

export function valueRange(spec: ScaleSpec, min: number | null, max: number | null): [number, number] {
  if (spec.logarithmic) return logRange(min, max);
  if (min === null || max === null) return [0, spec.top ?? 1];
  const spread = max - min;
  if (spec.floating && min > 0 && spread < max * ALIKE) {
    const room = Math.max(spread * 0.1, max * ROOM);
    // A ratio of 99 % leaves no room above 100 %.
    const high = spec.top !== undefined && max <= spec.top ? Math.min(spec.top, max + room) : max + room;
    return [min - room, high];
  }
  const low = min < 0 ? min - spread * 0.1 : 0;
  const high = spec.top !== undefined && max <= spec.top ? spec.top : max + (max - low) * ROOM;
  return high > low ? [low, high] : [low, low + 1];
}

/** Whole powers of ten. */
function logRange(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [1, 10];
  const power = (value: number, round: (exact: number) => number) =>
    10 ** round(Math.log10(Math.max(value, 1e-12)) + (round === Math.floor ? 1e-9 : -1e-9));
  const low = power(min, Math.floor);
  return [low, Math.max(power(max, Math.ceil), low * 10)];
}

/** A line at each power of ten. */
export function logTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  const last = Math.round(Math.log10(high));
  for (let power = Math.round(Math.log10(low)); power <= last; power += 1) ticks.push(10 ** power);
  return ticks;
}
