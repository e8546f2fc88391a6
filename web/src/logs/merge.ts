/**
 * Joins what the server says about the newest moments with the rows that are here already.
 *
 * Enters: rows, newest first, and an answer for everything since some moment. Leaves: rows, newest first.
 * Must hold: pure; no row twice, none lost: for the time it covers, the answer is right.
 */
import type { LogRecord } from "../api/types";

/** Rows that are kept while scrolling back; a browser tab is no archive. */
export const ROWS_MAX = 20_000;

export interface LogRows {
  readonly rows: readonly LogRecord[];
  /** Cursor for older rows; `null` when there are none. */
  readonly next: string | null;
}

/** Compares 64-bit times given as text. */
export function compareNanos(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

function signature(row: LogRecord): string {
  return JSON.stringify([
    row.time_unix_nano,
    row.service_name,
    row.span_id,
    row.severity_number,
    row.body,
    row.attributes,
  ]);
}

/** Takes the objects that are here where the answer repeats them: what is selected stays selected. */
function reuse(fresh: readonly LogRecord[], known: readonly LogRecord[]): LogRecord[] {
  const bySignature = new Map<string, LogRecord[]>();
  for (const row of known) {
    const key = signature(row);
    const same = bySignature.get(key);
    if (same) same.push(row);
    else bySignature.set(key, [row]);
  }
  return fresh.map((row) => bySignature.get(signature(row))?.shift() ?? row);
}

/** `answer` holds everything since `sinceNanos`, or its newest part when it has a cursor. */
export function mergeNewest(held: LogRows, answer: LogRows, sinceNanos: string): LogRows {
  const oldest = answer.rows.at(-1)?.time_unix_nano;
  if (oldest === undefined) return held;
  const newestHeld = held.rows[0]?.time_unix_nano;
  // More is new than one answer holds: between it and the rows here is a hole, so begin anew.
  if (answer.next !== null && (newestHeld === undefined || compareNanos(oldest, newestHeld) > 0))
    return answer;
  // A full page may end in the middle of a nanosecond; the rows here are complete there.
  const partial = answer.next !== null;
  const covers = partial
    ? (row: LogRecord) => compareNanos(row.time_unix_nano, oldest) > 0
    : (row: LogRecord) => compareNanos(row.time_unix_nano, sinceNanos) >= 0;
  const firstKept = held.rows.findIndex((row) => !covers(row));
  const split = firstKept < 0 ? held.rows.length : firstKept;
  const fresh = partial ? answer.rows.filter(covers) : answer.rows;
  return trim({
    rows: [...reuse(fresh, held.rows.slice(0, split)), ...held.rows.slice(split)],
    next: held.next,
  });
}

/** Appends a page of older rows. */
export function appendOlder(held: LogRows, page: LogRows): LogRows {
  return { rows: [...held.rows, ...page.rows], next: page.next };
}

/** Lets go of the oldest rows. A time is a cursor: it says "before this", so no moment is cut in two. */
function trim(held: LogRows): LogRows {
  const dropped = held.rows[ROWS_MAX];
  if (!dropped) return held;
  const rows = held.rows.slice(0, ROWS_MAX);
  while (rows.at(-1)?.time_unix_nano === dropped.time_unix_nano) rows.pop();
  return { rows, next: rows.at(-1)?.time_unix_nano ?? null };
}

const RATE_WINDOW_S = 10;

/** Records a second over the last moments, as far as the rows reach. */
export function recentRate(rows: readonly LogRecord[], nowMs: number): number {
  const since = nowMs - RATE_WINDOW_S * 1000;
  const times = rows.map((row) => Number(row.time_unix_nano.slice(0, -6)));
  const end = times.findIndex((time) => time < since);
  if (end >= 0) return end / RATE_WINDOW_S;
  const oldest = times.at(-1);
  if (oldest === undefined) return 0;
  return rows.length / Math.max(1, (nowMs - oldest) / 1000);
}
