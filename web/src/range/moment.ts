/**
 * Reads one moment as people type it.
 *
 * Enters: `14:00`, `yesterday 9:30`, `monday`, `20 nov 8am`, `3h ago`, `2026-11-20 14:00`, `now-1h`, RFC 3339, unix time.
 * Leaves: milliseconds in local time, and whether a whole day was meant.
 * Must hold: pure; "now" is an argument; local days, so that a day with a clock change has its true length.
 */
import { isRelative, relativeBound, resolveBound, UNIT_MS } from "./bound";

export interface Moment {
  readonly ms: number;
  /** The text for the URL when the moment moves with the clock. */
  readonly relative?: string;
  /** A day without a time of day. */
  readonly wholeDay: boolean;
}

const UNIT_WORDS: readonly [RegExp, string][] = [
  [/^(s|secs?|seconds?)$/, "s"],
  [/^(m|mins?|minutes?)$/, "m"],
  [/^(h|hrs?|hours?)$/, "h"],
  [/^(d|days?)$/, "d"],
  [/^(w|wks?|weeks?)$/, "w"],
];
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** `90m`, `1h30m`, `2 days`, `hour` → milliseconds; `null` when it is no duration. */
export function parseDuration(text: string): number | null {
  const input = text.trim();
  if (/^[a-z]+$/.test(input)) return unitMs(input);
  let total = 0;
  let rest = input;
  while (rest !== "") {
    const part = /^(\d{1,6}(?:\.\d{1,3})?)\s*([a-z]+)\s*(?:and\s+)?/.exec(rest);
    const size = part?.[2] ? unitMs(part[2]) : null;
    if (!part || size === null) return null;
    total += Number(part[1]) * size;
    rest = rest.slice(part[0].length);
  }
  return total > 0 ? Math.round(total) : null;
}

function unitMs(word: string): number | null {
  const unit = UNIT_WORDS.find(([pattern]) => pattern.test(word))?.[1];
  return unit ? (UNIT_MS[unit] ?? null) : null;
}

/** The local midnight `days` after the day of `ms`. */
export function midnight(ms: number, days = 0): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
}

function timeOfDay(text: string): [number, number, number, number] | null {
  if (text === "noon") return [12, 0, 0, 0];
  if (text === "midnight") return [0, 0, 0, 0];
  const match = /^(\d{1,2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?)?\s*(am|pm)?$/.exec(text);
  if (!match) return null;
  const [, hours = "", minutes, seconds, fraction, half] = match;
  // A bare number is no time of day: `14` may be anything.
  if (minutes === undefined && half === undefined) return null;
  let hour = Number(hours);
  if (half) {
    if (hour < 1 || hour > 12) return null;
    hour = (hour % 12) + (half === "pm" ? 12 : 0);
  }
  const rest = [Number(minutes ?? 0), Number(seconds ?? 0), Number((fraction ?? "").padEnd(3, "0"))] as const;
  return hour > 23 || rest[0] > 59 || rest[1] > 59 ? null : [hour, ...rest];
}

function dayStart(text: string, now: Date): number | null {
  if (text === "today") return midnight(now.getTime());
  if (text === "yesterday") return midnight(now.getTime(), -1);
  const weekday =
    text.length >= 3 ? WEEKDAYS.findIndex((name) => name.startsWith(text.replace(/^last /, ""))) : -1;
  if (weekday >= 0) {
    const back = (now.getDay() - weekday + 7) % 7 || 7;
    return midnight(now.getTime(), -back);
  }
  const iso = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(text);
  if (iso) return calendar(Number(iso[1]), Number(iso[2]) - 1, Number(iso[3]));
  const named =
    /^(\d{1,2})(?:st|nd|rd|th)?\.? ([a-z]{3,9})(?: (\d{4}))?$/.exec(text) ??
    /^([a-z]{3,9}) (\d{1,2})(?:st|nd|rd|th)?(?:,? (\d{4}))?$/.exec(text);
  if (!named) return null;
  const [dayText, monthText] = /^\d/.test(named[1] ?? "") ? [named[1], named[2]] : [named[2], named[1]];
  const month = MONTHS.indexOf((monthText ?? "").slice(0, 3));
  if (month < 0) return null;
  if (named[3]) return calendar(Number(named[3]), month, Number(dayText));
  const thisYear = calendar(now.getFullYear(), month, Number(dayText));
  // Without a year the past is meant: nothing was recorded in the future.
  return thisYear !== null && thisYear > now.getTime()
    ? calendar(now.getFullYear() - 1, month, Number(dayText))
    : thisYear;
}

function calendar(year: number, month: number, dayOfMonth: number): number | null {
  const date = new Date(year, month, dayOfMonth);
  return date.getMonth() === month && date.getDate() === dayOfMonth ? date.getTime() : null;
}

/** Reads a moment; a time without a day belongs to `day`, by default the latest such time in the past. */
export function parseMoment(text: string, now: Date, day?: number): Moment | null {
  const input = text.trim();
  const nowMs = now.getTime();
  if (isRelative(input)) return { ms: resolveBound(input, nowMs) ?? nowMs, relative: input, wholeDay: false };
  const ago = /^(.+?) ago$/.exec(input);
  if (ago) {
    const back = parseDuration(ago[1] ?? "");
    return back === null ? null : { ms: nowMs - back, relative: relativeBound(back), wholeDay: false };
  }
  if (/^\d{10}$/.test(input)) return { ms: Number(input) * 1000, wholeDay: false };
  const start = dayStart(input, now);
  if (start !== null) return { ms: start, wholeDay: true };
  const written = /t\d|\d{11,}/.test(input) ? resolveBound(input.toUpperCase(), nowMs) : null;
  if (written !== null) return { ms: written, wholeDay: false };
  return dayAndTime(input, now, day);
}

function dayAndTime(input: string, now: Date, day?: number): Moment | null {
  const split =
    /^(?:(.+?)[ ,]+)??(?:at )?(\d{1,2}(?::\d{2}(?::\d{2}(?:\.\d{1,3})?)?)?\s*(?:am|pm)?|noon|midnight)$/.exec(
      input,
    );
  const time = split?.[2] ? timeOfDay(split[2]) : null;
  if (!split || time === null) return null;
  let start = day ?? midnight(now.getTime());
  if (split[1]) {
    const named = dayStart(split[1].trim(), now);
    if (named === null) return null;
    start = named;
  }
  const date = new Date(start);
  const at = (days: number) =>
    new Date(date.getFullYear(), date.getMonth(), date.getDate() + days, ...time).getTime();
  const today = at(0);
  const future = !split[1] && day === undefined && today > now.getTime();
  return { ms: future ? at(-1) : today, wholeDay: false };
}
