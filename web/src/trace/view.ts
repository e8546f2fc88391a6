/**
 * The part of the trace's time that the waterfall shows.
 *
 * Enters: pixels and nanoseconds. Leaves: the other. Must hold: pure.
 */

/** Nanoseconds since the trace began. */
export interface View {
  readonly start: number;
  readonly end: number;
}

/** No trace is measured finer. */
const WIDTH_NS_MIN = 100;

/** A view within the trace, in order and not too narrow. */
export function clampView(view: View, duration: number): View {
  const low = Math.min(view.start, view.end);
  const high = Math.max(view.start, view.end);
  const width = Math.min(Math.max(high - low, WIDTH_NS_MIN), Math.max(duration, WIDTH_NS_MIN));
  const start = Math.max(0, Math.min(low, Math.max(duration, WIDTH_NS_MIN) - width));
  return { start: Math.round(start), end: Math.round(start + width) };
}

/** Reads the view of the URL: `start-end` in nanoseconds. */
export function readView(text: string | null, duration: number): View {
  const match = /^(\d{1,18})-(\d{1,18})$/.exec(text ?? "");
  const whole = { start: 0, end: Math.max(duration, WIDTH_NS_MIN) };
  return match ? clampView({ start: Number(match[1]), end: Number(match[2]) }, duration) : whole;
}

/** The view as the URL writes it; the whole trace needs no words. */
export function writeView(view: View, duration: number): string | null {
  return view.start <= 0 && view.end >= duration ? null : `${Math.round(view.start)}-${Math.round(view.end)}`;
}

/** Zooms around a moment: below 1 nearer, above 1 wider. */
export function zoomed(view: View, at: number, factor: number, duration: number): View {
  return clampView({ start: at - (at - view.start) * factor, end: at + (view.end - at) * factor }, duration);
}

/** Round moments for an axis: at most `most` of them. */
export function axisTicks(view: View, most: number): number[] {
  const width = view.end - view.start;
  const rough = width / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const ticks: number[] = [];
  for (let tick = Math.ceil(view.start / step) * step; tick <= view.end; tick += step) ticks.push(tick);
  return ticks;
}
