/**
 * The overview strip: the whole trace in a few pixels, and the part that is shown.
 *
 * Every span is drawn once into a picture; moving the view only copies it.
 */
import { color, serviceVar } from "../theme";
import type { TraceLayout } from "./layout";
import { clampView, type View } from "./view";

export const STRIP_HEIGHT = 52;
const PAD = 3;
/** Nearer than this to an edge a drag moves the edge. */
const EDGE_PX = 6;

/** Draws all spans, one row for each as far as rows fit into pixels. */
export function drawPicture(layout: TraceLayout, width: number, scale: number): OffscreenCanvas {
  const picture = new OffscreenCanvas(
    Math.max(1, Math.round(width * scale)),
    Math.round(STRIP_HEIGHT * scale),
  );
  const ctx = picture.getContext("2d");
  if (!ctx) return picture;
  ctx.scale(scale, scale);
  const { nodes } = layout;
  const duration = Math.max(1, layout.duration);
  const room = STRIP_HEIGHT - 2 * PAD;
  const pitch = room / Math.max(1, nodes.length);
  const thick = Math.max(0.75, Math.min(4, pitch * 0.8));
  const draw = (errors: boolean): void => {
    nodes.forEach((node, index) => {
      if (!node.span || node.error !== errors) return;
      ctx.fillStyle = errors ? color("--bad") : color(serviceVar(node.service));
      const left = (node.start / duration) * width;
      ctx.fillRect(
        left,
        PAD + index * pitch,
        Math.max(0.75, ((node.end - node.start) / duration) * width),
        thick,
      );
    });
  };
  draw(false);
  // Errors last, so that none hides behind its neighbours.
  draw(true);
  return picture;
}

/** Draws the picture and dims what the view leaves out. */
export function drawStrip(
  ctx: CanvasRenderingContext2D,
  picture: OffscreenCanvas,
  size: { width: number; scale: number },
  view: View,
  duration: number,
): void {
  ctx.setTransform(size.scale, 0, 0, size.scale, 0, 0);
  ctx.fillStyle = color("--surface");
  ctx.fillRect(0, 0, size.width, STRIP_HEIGHT);
  ctx.drawImage(picture, 0, 0, size.width, STRIP_HEIGHT);
  const { left, right } = edges(view, duration, size.width);
  if (left <= 0 && right >= size.width) return;
  ctx.fillStyle = color("--shade");
  ctx.fillRect(0, 0, left, STRIP_HEIGHT);
  ctx.fillRect(right, 0, size.width - right, STRIP_HEIGHT);
  ctx.fillStyle = color("--accent");
  ctx.fillRect(left, 0, 1.5, STRIP_HEIGHT);
  ctx.fillRect(right - 1.5, 0, 1.5, STRIP_HEIGHT);
}

function edges(view: View, duration: number, width: number): { left: number; right: number } {
  const whole = Math.max(1, duration);
  return { left: (view.start / whole) * width, right: (view.end / whole) * width };
}

/** What a drag that began at `from` and is at `to` does to the view: move an edge, move all, or choose anew. */
export function dragged(view: View, duration: number, width: number, from: number, to: number): View {
  const { left, right } = edges(view, duration, width);
  const nanos = (x: number) => (Math.min(width, Math.max(0, x)) / width) * Math.max(1, duration);
  const whole = left <= 0 && right >= width;
  if (!whole && Math.abs(from - left) <= EDGE_PX)
    return clampView({ start: nanos(to), end: view.end }, duration);
  if (!whole && Math.abs(from - right) <= EDGE_PX)
    return clampView({ start: view.start, end: nanos(to) }, duration);
  if (!whole && from > left && from < right) {
    const by = ((to - from) / width) * duration;
    const step = Math.max(-view.start, Math.min(duration - view.end, by));
    return clampView({ start: view.start + step, end: view.end + step }, duration);
  }
  return clampView({ start: nanos(from), end: nanos(to) }, duration);
}
