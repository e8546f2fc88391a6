/**
 * One end of a time range as the URL writes it.
 *
 * Enters: `now`, `now-1h`, RFC 3339 or unix milliseconds. Leaves: milliseconds, given what "now" is.
 * Must hold: pure; the clock is an argument.
 */

export const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

const RELATIVE = /^now(?:-(\d{1,6})([smhdw]))?$/;
/** Unix milliseconds; fewer digits would be seconds or a year. */
const UNIX_MS = /^\d{11,14}$/;

/** Milliseconds since 1970 of a bound, or `null` when it says nothing. */
export function resolveBound(text: string, nowMs: number): number | null {
  const relative = RELATIVE.exec(text);
  if (relative) {
    const [, amount, unit] = relative;
    return nowMs - (amount && unit ? Number(amount) * (UNIT_MS[unit] ?? 0) : 0);
  }
  if (UNIX_MS.test(text)) return Number(text);
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return null;
  const parsed = Date.parse(text);
  return Number.isNaN(parsed) ? null : parsed;
}

/** Writes a fixed moment for the URL: RFC 3339 in UTC, without needless digits. */
export function absoluteBound(ms: number): string {
  return new Date(ms).toISOString().replace(/\.000Z$/, "Z");
}

/** Writes "so long ago" in the largest unit that divides it. */
export function relativeBound(ms: number): string {
  for (const unit of ["w", "d", "h", "m", "s"]) {
    const size = UNIT_MS[unit] ?? 1000;
    if (ms >= size && ms % size === 0) return `now-${ms / size}${unit}`;
  }
  return `now-${Math.max(1, Math.round(ms / 1000))}s`;
}

/** Whether a bound moves with the clock. */
export function isRelative(text: string): boolean {
  return RELATIVE.test(text);
}
