/**
 * Formatters: numbers, bytes, durations and times as people read them.
 *
 * Enters: plain values and UCUM units. Leaves: short strings. No state, no locale surprises:
 * times are local, in 24 hours, numbers use a point.
 */

const SI = ["", "k", "M", "G", "T", "P", "E"] as const;
const IEC = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** At most three significant digits, without trailing zeros. */
function digits(value: number): string {
  const size = Math.abs(value);
  const text = size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function scaled(value: number, base: number, units: readonly string[], gap: string): string {
  let size = Math.abs(value);
  let step = 0;
  // 999.5 would be printed as 1000: it belongs to the next unit.
  while (size >= base - base / 2000 && step < units.length - 1) {
    size /= base;
    step += 1;
  }
  return `${digits(Math.sign(value) * size)}${gap}${units[step]}`.trimEnd();
}

/** 12345 → `12.3k`. Small fractions keep their digits. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && size < 0.01) return String(Number(value.toPrecision(2)));
  return scaled(value, 1000, SI, "");
}

/** 1536 → `1.5 KiB`. */
export function bytes(value: number): string {
  return Number.isFinite(value) ? scaled(value, 1024, IEC, " ") : String(value);
}

/** Whole numbers with thin gaps: 1234567 → `1 234 567`. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** A number of things: `1 span`, `12 spans`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** A duration in nanoseconds: `850 ns`, `1.25 ms`, `3.4 s`, `2 min 5 s`, `3 h 12 min`, `2 d 4 h`. */
export function duration(nanos: number): string {
  const size = Math.abs(nanos);
  if (!Number.isFinite(nanos)) return String(nanos);
  if (size === 0) return "0 s";
  if (size < 1e3) return `${digits(nanos)} ns`;
  if (size < 999.5e3) return `${digits(nanos / 1e3)} µs`;
  if (size < 999.5e6) return `${digits(nanos / 1e6)} ms`;
  if (size < 60e9) return `${digits(nanos / 1e9)} s`;
  return longDuration(Math.round(nanos / 1e9));
}

function longDuration(seconds: number): string {
  const steps: [number, string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const parts: string[] = [];
  let rest = Math.abs(seconds);
  for (const [size, unit] of steps) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(`${amount} ${unit}`);
    // Two neighbouring units say enough.
    if (parts.length === 2 || (parts.length === 1 && amount === 0)) break;
  }
  return (seconds < 0 ? "-" : "") + (parts.join(" ") || "0 s");
}

/** What a UCUM unit looks like behind a number. Annotations such as `{request}` say what is counted, not in what. */
function unitLabel(unit: string): string {
  return unit.replace(/\{[^}]*\}/g, "").replace(/^1$/, "");
}

const UNIT_WORDS: Record<string, string> = {
  ...{ "1": "", By: "bytes", "%": "percent", ns: "nanoseconds", us: "microseconds", ms: "milliseconds" },
  ...{ s: "seconds", min: "minutes", h: "hours", d: "days", Cel: "°C", Hz: "hertz", J: "joules", W: "watts" },
};

/** A UCUM unit in words, for a heading: `By` → `bytes`, `{request}` → `request`, `By/s` → `bytes/s`. */
export function unitWords(unit: string): string {
  const [base = "", ...per] = unit.split("/");
  const bare = base.replace(/^\{([^}]*)\}$/, "$1").replaceAll("_", " ");
  return [UNIT_WORDS[base] ?? bare, ...per].join("/");
}

/** A share in percent; one that is too small for its digits is not nothing. */
export function share(part: number, whole: number): string {
  const percent = whole > 0 ? (part / whole) * 100 : 0;
  return percent > 0 && percent < 0.1 ? "< 0.1 %" : `${digits(percent)} %`;
}

const TIME_UNITS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  ms: 1e6,
  s: 1e9,
  min: 6e10,
  h: 3.6e12,
  d: 8.64e13,
};

/** A value of a metric with its UCUM unit. `ratio` shows a unit of `1` as percent. */
export function withUnit(value: number, unit: string, ratio = false): string {
  const perSecond = unit.endsWith("/s");
  const base = perSecond ? unit.slice(0, -2) : unit;
  if (base === "By") return bytes(value) + (perSecond ? "/s" : "");
  const nanos = TIME_UNITS[base];
  if (nanos !== undefined && !perSecond) return duration(value * nanos);
  if (base === "%") return `${digits(value)} %`;
  if (base === "1" && ratio && !perSecond) return `${digits(value * 100)} %`;
  const label = unitLabel(base) + (perSecond ? "/s" : "");
  if (!label) return number(value);
  return number(value) + (label.startsWith("/") ? label : ` ${label}`);
}

const two = (value: number) => String(value).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** `14:03:59` */
export function clock(ms: number, withSeconds = true): string {
  const date = new Date(ms);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return withSeconds ? `${text}:${two(date.getSeconds())}` : text;
}

/** `21 Nov` */
export function day(ms: number): string {
  const date = new Date(ms);
  return `${date.getDate()} ${MONTHS[date.getMonth()]}`;
}

/** `2026-11-21 14:03:59.123456789`, local, from nanoseconds as text. */
export function nanoTime(nanos: string): string {
  const ms = nanosToMs(nanos);
  const date = new Date(ms);
  const fraction = nanos.padStart(10, "0").slice(-9);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(ms)}.${fraction}`;
}

/** `14:03:59.123` from nanoseconds as text: what a row of a list has space for. */
export function rowTime(nanos: string): string {
  return `${clock(nanosToMs(nanos))}.${nanos.padStart(10, "0").slice(-9, -6)}`;
}

/** Whole milliseconds of a 64-bit nanosecond text; the text is longer than a number is exact. */
export function nanosToMs(nanos: string): number {
  return nanos.length > 6 ? Number(nanos.slice(0, -6)) : 0;
}

/** A range of time in words: the day once when both ends share it. */
export function span(fromMs: number, toMs: number): string {
  const seconds = fromMs % 60_000 !== 0 || toMs % 60_000 !== 0;
  const from = `${day(fromMs)} ${clock(fromMs, seconds)}`;
  const to = clock(toMs, seconds);
  return day(fromMs) === day(toMs) ? `${from} – ${to}` : `${from} – ${day(toMs)} ${to}`;
}

/** Values longer than this are cut until the reader asks for more. */
export const VALUE_CHARS_MAX = 10 * 1024;

/** Cuts a long value without splitting a surrogate pair. */
export function cut(text: string, max = VALUE_CHARS_MAX): string {
  if (text.length <= max) return text;
  const code = text.charCodeAt(max - 1);
  return text.slice(0, code >= 0xd800 && code <= 0xdbff ? max - 1 : max);
}
