/**
 * Draws the rows of the waterfall that are in view.
 *
 * Enters: a scene. Leaves: pixels. Must hold: the work depends on the height of the viewport, not on the trace.
 */
import { clock, day, duration, plural } from "../format";
import { color, serviceVar } from "../theme";
import type { CriticalPart } from "./critical";
import type { TraceLayout, TraceNode } from "./layout";
import { axisTicks, type View } from "./view";

export const ROW = 24;
export const HEADER = 24;
const INDENT = 11;
const INDENT_NARROW = 6;
/** A column below this width is narrow: a phone's. */
const NARROW_PX = 220;
/** What indentation leaves of the column for the name itself. */
const NAME_ROOM_PX = 96;
const BAR_TOP = 5;
const BAR_HEIGHT = ROW - 2 * BAR_TOP;
const EVENTS_MAX = 100;
const EVENT_BAR_PX_MIN = 8;
const TEXT_FONT = '12px system-ui, -apple-system, "Segoe UI", sans-serif';
const SMALL_FONT = '11px system-ui, -apple-system, "Segoe UI", sans-serif';

export interface Scene {
  readonly layout: TraceLayout;
  readonly rows: Int32Array;
  readonly collapsed: ReadonlySet<TraceNode>;
  readonly critical: ReadonlyMap<TraceNode, readonly CriticalPart[]>;
  readonly hits: ReadonlySet<TraceNode>;
  readonly searching: boolean;
  readonly selected: TraceNode | null;
  readonly view: View;
  readonly nameWidth: number;
}

/** What moves without the scene being another. */
export interface Pose {
  readonly width: number;
  readonly height: number;
  readonly scrollTop: number;
  readonly hover: number;
  /** A drag over the time axis, in pixels. */
  readonly brush: readonly [number, number] | null;
}

/** How far a level moves a row to the right, and how many levels do: deeper rows would leave the column. */
function indentation(nameWidth: number): { step: number; levels: number } {
  const step = nameWidth < NARROW_PX ? INDENT_NARROW : INDENT;
  return { step, levels: Math.max(4, Math.floor((nameWidth - NAME_ROOM_PX) / step)) };
}

/** Where a row's caret stands. */
export function indentOf(node: TraceNode, nameWidth: number): number {
  const { step, levels } = indentation(nameWidth);
  return 8 + Math.min(node.depth, levels) * step;
}

const serviceColor = (node: TraceNode): string => color(serviceVar(node.service));

/** Pixels of a moment. */
export function toX(scene: Scene, pose: Pick<Pose, "width">, nanos: number): number {
  const width = pose.width - scene.nameWidth;
  return scene.nameWidth + ((nanos - scene.view.start) / (scene.view.end - scene.view.start)) * width;
}

/** The moment at a pixel. */
export function toNanos(scene: Scene, pose: Pick<Pose, "width">, x: number): number {
  const width = Math.max(1, pose.width - scene.nameWidth);
  return scene.view.start + ((x - scene.nameWidth) / width) * (scene.view.end - scene.view.start);
}

export function paint(ctx: CanvasRenderingContext2D, scene: Scene, pose: Pose): void {
  const { width, height } = pose;
  ctx.fillStyle = color("--surface");
  ctx.fillRect(0, 0, width, height);
  ctx.textBaseline = "middle";
  const first = Math.max(0, Math.floor(pose.scrollTop / ROW));
  const end = Math.min(scene.rows.length, Math.ceil((pose.scrollTop + height) / ROW));
  const visible: { node: TraceNode; y: number; row: number }[] = [];
  for (let row = first; row < end; row += 1) {
    const node = scene.layout.nodes[scene.rows[row] ?? -1];
    if (node) visible.push({ node, row, y: HEADER + row * ROW - pose.scrollTop });
  }
  for (const { node, row, y } of visible) paintBackground(ctx, scene, pose, node, row, y);
  paintGrid(ctx, scene, pose);
  clipped(ctx, 0, scene.nameWidth - 4, pose.height, () => {
    for (const { node, y } of visible) paintName(ctx, scene, node, y);
  });
  clipped(ctx, scene.nameWidth, width, pose.height, () => {
    for (const { node, y } of visible) paintBar(ctx, scene, pose, node, y);
  });
  paintHeader(ctx, scene, pose);
  if (pose.brush) {
    ctx.fillStyle = color("--brush");
    ctx.fillRect(Math.min(...pose.brush), 0, Math.abs(pose.brush[1] - pose.brush[0]), height);
  }
}

function clipped(
  ctx: CanvasRenderingContext2D,
  left: number,
  right: number,
  height: number,
  draw: () => void,
): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, HEADER, Math.max(0, right - left), height);
  ctx.clip();
  draw();
  ctx.restore();
}

function paintBackground(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  pose: Pose,
  node: TraceNode,
  row: number,
  y: number,
): void {
  const fill =
    node === scene.selected
      ? "--selected"
      : row === pose.hover
        ? "--hover"
        : scene.hits.has(node)
          ? "--hit"
          : null;
  if (fill === null) return;
  ctx.fillStyle = color(fill);
  ctx.fillRect(0, y, pose.width, ROW);
}

function paintGrid(ctx: CanvasRenderingContext2D, scene: Scene, pose: Pose): void {
  ctx.fillStyle = color("--grid");
  for (const tick of ticks(scene, pose))
    ctx.fillRect(Math.round(toX(scene, pose, tick)), HEADER, 1, pose.height);
  ctx.fillStyle = color("--line");
  ctx.fillRect(scene.nameWidth - 1, 0, 1, pose.height);
}

function ticks(scene: Scene, pose: Pose): number[] {
  return axisTicks(scene.view, Math.floor((pose.width - scene.nameWidth) / 90));
}

function paintHeader(ctx: CanvasRenderingContext2D, scene: Scene, pose: Pose): void {
  ctx.fillStyle = color("--raised");
  ctx.fillRect(0, 0, pose.width, HEADER);
  ctx.fillStyle = color("--line");
  ctx.fillRect(0, HEADER - 1, pose.width, 1);
  ctx.fillRect(scene.nameWidth - 1, 0, 1, HEADER);
  ctx.font = SMALL_FONT;
  ctx.fillStyle = color("--muted");
  const startMs = Number(scene.layout.startNanos / 1_000_000n);
  const rows = plural(scene.rows.length, "row");
  const said = `${day(startMs)} ${clock(startMs)} · ${rows}`;
  // A narrow column has room for the rows.
  ctx.fillText(ctx.measureText(said).width < scene.nameWidth - 14 ? said : rows, 8, HEADER / 2);
  for (const tick of ticks(scene, pose)) {
    const x = toX(scene, pose, tick);
    if (x < pose.width - 30) ctx.fillText(tick === 0 ? "0" : duration(tick), x + 4, HEADER / 2);
  }
}

function paintName(ctx: CanvasRenderingContext2D, scene: Scene, node: TraceNode, y: number): void {
  const x = indentOf(node, scene.nameWidth);
  const middle = y + ROW / 2;
  paintGuides(ctx, scene, node, y);
  if (node.children.length > 0) paintCaret(ctx, x, middle, scene.collapsed.has(node));
  ctx.fillStyle = node.span ? serviceColor(node) : color("--faint");
  ctx.fillRect(x + 13, y + 5, 3, ROW - 10);
  const dim = scene.searching && !scene.hits.has(node);
  ctx.font = node.span ? TEXT_FONT : `italic ${TEXT_FONT}`;
  ctx.fillStyle = color(node.error ? "--bad" : dim || !node.span ? "--muted" : "--text");
  const name = node.span ? node.name : `missing span ${node.id.slice(0, 8)}…`;
  ctx.fillText(name, x + 21, middle);
  const used = x + 21 + ctx.measureText(name).width + 8;
  const parent = scene.layout.nodes[node.parent];
  const note = [
    parent?.service === node.service ? "" : node.service,
    scene.collapsed.has(node) ? `+${node.size - 1}` : "",
  ];
  ctx.font = SMALL_FONT;
  ctx.fillStyle = color("--muted");
  ctx.fillText(note.filter(Boolean).join("  "), used, middle);
}

function paintGuides(ctx: CanvasRenderingContext2D, scene: Scene, node: TraceNode, y: number): void {
  const { step, levels } = indentation(scene.nameWidth);
  ctx.fillStyle = color("--grid");
  for (let level = 0; level < Math.min(node.depth, levels); level += 1) {
    ctx.fillRect(8 + level * step + 4, y, 1, ROW);
  }
}

function paintCaret(ctx: CanvasRenderingContext2D, x: number, middle: number, closed: boolean): void {
  ctx.fillStyle = color("--muted");
  ctx.beginPath();
  if (closed) {
    ctx.moveTo(x + 2, middle - 4);
    ctx.lineTo(x + 8, middle);
    ctx.lineTo(x + 2, middle + 4);
  } else {
    ctx.moveTo(x, middle - 3);
    ctx.lineTo(x + 9, middle - 3);
    ctx.lineTo(x + 4.5, middle + 4);
  }
  ctx.fill();
}

function paintBar(ctx: CanvasRenderingContext2D, scene: Scene, pose: Pose, node: TraceNode, y: number): void {
  const left = toX(scene, pose, node.start);
  const right = Math.max(left + 2, toX(scene, pose, node.end));
  // Far outside of the view the numbers are too large for the canvas.
  const from = Math.max(left, scene.nameWidth - 4);
  const to = Math.min(right, pose.width + 4);
  const seen = to > from;
  const dim = scene.searching && !scene.hits.has(node);
  ctx.globalAlpha = dim ? 0.3 : 1;
  if (seen && node.span) {
    ctx.fillStyle = node.error ? color("--bad") : serviceColor(node);
    ctx.beginPath();
    ctx.roundRect(from, y + BAR_TOP, to - from, BAR_HEIGHT, 2);
    ctx.fill();
    paintEvents(ctx, scene, pose, node, y);
  } else if (seen) {
    ctx.strokeStyle = color("--faint");
    ctx.setLineDash([4, 3]);
    ctx.strokeRect(from + 0.5, y + BAR_TOP + 0.5, to - from - 1, BAR_HEIGHT - 1);
    ctx.setLineDash([]);
  }
  paintCritical(ctx, scene, pose, node, y);
  ctx.globalAlpha = 1;
  paintDuration(ctx, scene, pose, node, { left, right, y });
}

function paintEvents(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  pose: Pose,
  node: TraceNode,
  y: number,
): void {
  // On a bar of a few pixels the marks would hide it, and the error that its colour says.
  const wide = toX(scene, pose, node.end) - toX(scene, pose, node.start);
  const events = wide < EVENT_BAR_PX_MIN ? [] : (node.span?.events ?? []);
  ctx.fillStyle = color("--text");
  for (const event of events.slice(0, EVENTS_MAX)) {
    const x = toX(scene, pose, Number(BigInt(event.time_unix_nano) - scene.layout.startNanos));
    ctx.fillRect(Math.round(x), y + BAR_TOP - 2, 1.5, BAR_HEIGHT + 2);
  }
}

function paintCritical(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  pose: Pose,
  node: TraceNode,
  y: number,
): void {
  ctx.fillStyle = color("--critical");
  for (const part of scene.critical.get(node) ?? []) {
    const from = Math.max(scene.nameWidth, toX(scene, pose, part.start));
    const to = Math.min(pose.width, toX(scene, pose, part.end));
    if (to > from) ctx.fillRect(from, y + ROW - 5, Math.max(1, to - from), 3);
  }
}

/** Beside the bar where there is room, on it where not. */
function paintDuration(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  pose: Pose,
  node: TraceNode,
  bar: { left: number; right: number; y: number },
): void {
  if (bar.right < scene.nameWidth || bar.left > pose.width) return;
  const middle = bar.y + ROW / 2;
  ctx.font = SMALL_FONT;
  const label = duration(node.end - node.start);
  const width = ctx.measureText(label).width;
  ctx.fillStyle = color("--muted");
  if (bar.right + width + 10 < pose.width) ctx.fillText(label, bar.right + 5, middle);
  else if (bar.left - width - 6 > scene.nameWidth) ctx.fillText(label, bar.left - width - 5, middle);
  else {
    ctx.fillStyle = color("--on-bar");
    ctx.fillText(label, Math.max(bar.left, scene.nameWidth) + 6, middle);
  }
}
