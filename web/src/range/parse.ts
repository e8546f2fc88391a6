/**
 * Reads a time range as people type it.
 *
 * Enters: `30m`, `last 3h`, `yesterday`, `yesterday 14:00 to 15:00`, `14:03 +- 5m`, `since monday`.
 * Leaves: the two bounds for the URL, or a sentence that says what would be understood.
 * Must hold: pure; "now" is an argument.
 */
import { absoluteBound, relativeBound } from "./bound";
import { type Moment, midnight, parseDuration, parseMoment } from "./moment";

export interface RangeText {
  readonly from: string;
  readonly to: string;
}

export const EXAMPLES = [
  "30m",
  "last 3h",
  "yesterday 14:00 to 15:00",
  "14:03 +- 5m",
  "since monday 9:00",
  "2026-11-20 08:00 to 2026-11-21 08:00",
] as const;

const SEPARATOR = / to | until | till | ?\.\. ?| - |(?<=:\d\d|[ap]m) ?- ?(?=\d)/;

function bound(moment: Moment): string {
  return moment.relative ?? absoluteBound(moment.ms);
}

/** Reads `input`, or says why it cannot. */
export function parseRange(input: string, now: Date): RangeText | { error: string } {
  const text = input.trim().toLowerCase().replace(/[–—]/g, "-").replace(/\s+/g, " ");
  if (text === "") return { error: "Type a time range, for example “last 3h”." };
  const range = readDuration(text) ?? readAround(text, now) ?? readTwo(text, now) ?? readOne(text, now);
  if (range === null)
    return { error: `“${input.trim()}” is not a time range. Try “last 3h” or “yesterday 14:00 to 15:00”.` };
  return range;
}

/** `30m`, `last 3 hours`, `3h ago`. */
function readDuration(text: string): RangeText | null {
  const match = /^(?:(?:the )?(?:last|past|previous) )?(.+?)(?: ago)?$/.exec(text);
  const back = match?.[1] ? parseDuration(match[1]) : null;
  return back === null ? null : { from: relativeBound(back), to: "now" };
}

/** `14:03 +- 5m`, `around 14:03`, `14:00 + 30m`, `14:00 for 30m`. */
function readAround(text: string, now: Date): RangeText | null {
  const match =
    /^(?:around )?(.+?) ?(\+-|±|\+\/-|\+|for) ?(\d.*)$/.exec(text) ?? /^(?:around) (.+)$/.exec(text);
  if (!match) return null;
  const moment = parseMoment(match[1] ?? "", now);
  const width = match[3] ? parseDuration(match[3]) : 5 * 60_000;
  if (moment === null || width === null) return null;
  const ahead = match[2] === "+" || match[2] === "for";
  return { from: absoluteBound(moment.ms - (ahead ? 0 : width)), to: absoluteBound(moment.ms + width) };
}

/** `A to B`; a time without a day belongs to the day of A. */
function readTwo(text: string, now: Date): RangeText | null {
  const parts = text
    .replace(/^(from|between) /, "")
    .replace(/ and /, " to ")
    .split(SEPARATOR);
  if (parts.length !== 2) return null;
  const start = parseMoment(parts[0] ?? "", now);
  if (start === null) return null;
  const end = parseMoment(parts[1] ?? "", now, midnight(start.ms));
  if (end === null) return null;
  let endMs = end.ms;
  // `to yesterday` includes that day; `23:00 to 1:00` runs over midnight.
  if (end.wholeDay) endMs = midnight(endMs, 1);
  else if (endMs <= start.ms && end.relative === undefined) endMs = nextDay(endMs);
  if (endMs <= start.ms) return null;
  const toNow = endMs >= now.getTime() && end.wholeDay;
  return { from: bound(start), to: toNow ? "now" : (end.relative ?? absoluteBound(endMs)) };
}

function nextDay(ms: number): number {
  const date = new Date(ms);
  return date.setDate(date.getDate() + 1);
}

/** A whole day, or everything since a moment. */
function readOne(text: string, now: Date): RangeText | null {
  const since = /^(?:since|from|after) (.+)$/.exec(text);
  const moment = parseMoment(since?.[1] ?? text, now);
  if (moment === null || moment.ms > now.getTime()) return null;
  const end = midnight(moment.ms, 1);
  if (!since && moment.wholeDay && end <= now.getTime())
    return { from: bound(moment), to: absoluteBound(end) };
  return { from: bound(moment), to: "now" };
}
