/**
 * The one time range of the page.
 *
 * Enters: `from` and `to` of the URL; brushes on charts, typed input, shifts and zooms.
 * Leaves: the range as text, and as milliseconds for one moment.
 * Must hold: every change is an entry of the browser's history, so that "back" restores the range.
 */
import { computed } from "@preact/signals";
import { duration, span } from "../format";
import { location, setParams, toUrl, withParams } from "../router";
import { absoluteBound, isRelative, relativeBound, resolveBound } from "./bound";
import type { RangeText } from "./parse";

export const DEFAULT_RANGE: RangeText = { from: "now-15m", to: "now" };
/** Finer than any clock of two machines agrees. */
const WIDTH_MS_MIN = 10;

export interface Window {
  readonly from: number;
  readonly to: number;
}

/** Reads the range of a URL; what makes no sense is replaced by the default and reported. */
export function readRange(params: URLSearchParams): RangeText & { readonly invalid: boolean } {
  const from = params.get("from");
  const to = params.get("to");
  if (from === null && to === null) return { ...DEFAULT_RANGE, invalid: false };
  const text = { from: from ?? DEFAULT_RANGE.from, to: to ?? "now" };
  const start = resolveBound(text.from, 1e15);
  const end = resolveBound(text.to, 1e15);
  const known = start !== null && end !== null;
  const fixed = !isRelative(text.from) && !isRelative(text.to);
  if (!known || (fixed && end <= start)) return { ...DEFAULT_RANGE, invalid: true };
  return { ...text, invalid: false };
}

/** The range of the URL. */
export const range = computed(() => readRange(location.value.params));

/** Whether the range moves with the clock. */
export const live = computed(() => range.value.to === "now");

/** The range in milliseconds at `nowMs`. */
export function resolve(text: RangeText, nowMs: number): Window {
  const to = resolveBound(text.to, nowMs) ?? nowMs;
  const from = resolveBound(text.from, nowMs) ?? to - 900_000;
  return from < to ? { from, to } : { from: to - WIDTH_MS_MIN, to };
}

/** A name for the range that changes exactly when the user changes it. */
export const rangeKey = computed(() => `${range.value.from}~${range.value.to}`);

export function setRange(text: RangeText): void {
  setParams({ from: text.from, to: text.to });
}

/** Sets a fixed range: a brush on a chart. */
export function setWindow(from: number, to: number): void {
  const start = Math.round(Math.min(from, to));
  const end = Math.max(Math.round(Math.max(from, to)), start + WIDTH_MS_MIN);
  setRange({ from: absoluteBound(start), to: absoluteBound(end) });
}

/** Twice as wide. A live range stays live; a fixed one grows to both sides, not past now. */
export function zoomedOut(text: RangeText, nowMs: number): RangeText {
  const { from, to } = resolve(text, nowMs);
  const width = to - from;
  if (text.to === "now") {
    return {
      from: isRelative(text.from) ? relativeBound(2 * width) : absoluteBound(from - width),
      to: "now",
    };
  }
  const end = Math.max(to, Math.min(nowMs, to + width / 2));
  return { from: absoluteBound(Math.round(end - 2 * width)), to: absoluteBound(Math.round(end)) };
}

/** Half a width earlier or later. */
export function shifted(text: RangeText, direction: -1 | 1, nowMs: number): RangeText {
  const { from, to } = resolve(text, nowMs);
  const step = ((to - from) / 2) * direction;
  return { from: absoluteBound(Math.round(from + step)), to: absoluteBound(Math.round(to + step)) };
}

export const zoomOut = (): void => setRange(zoomedOut(range.peek(), Date.now()));
export const shift = (direction: -1 | 1): void => setRange(shifted(range.peek(), direction, Date.now()));

/** The range in words for the header. */
export function describe(text: RangeText, nowMs: number): string {
  const window = resolve(text, nowMs);
  if (text.to === "now" && isRelative(text.from)) {
    return `last ${duration((window.to - window.from) * 1e6)}`;
  }
  return text.to === "now"
    ? `since ${span(window.from, window.to).split(" – ")[0]}`
    : span(window.from, window.to);
}

/** The page's address with the range fixed: what a link that is passed on should say. */
export function sharedUrl(nowMs: number): string {
  const { path, params } = location.peek();
  const window = resolve(range.peek(), nowMs);
  const fixed = withParams(params, { from: absoluteBound(window.from), to: absoluteBound(window.to) });
  return globalThis.location.origin + toUrl(path, fixed);
}
