/**
 * The waterfall's canvas: scrolling, hovering, dragging; it asks `paint` for one frame at a time.
 *
 * Enters: scenes from the component, pointers from the browser. Leaves: what the user meant.
 * Must hold: at most one frame is drawn for one refresh of the screen.
 */
import type { TraceNode } from "./layout";
import { HEADER, indentOf, type Pose, paint, ROW, type Scene, toNanos } from "./paint";
import { zoomed } from "./view";

export interface WaterfallEvents {
  readonly onSelect: (node: TraceNode) => void;
  readonly onToggle: (node: TraceNode) => void;
  readonly onView: (start: number, end: number, final: boolean) => void;
  readonly onWhole: () => void;
  readonly onNameWidth: (width: number) => void;
}

type Drag = { kind: "brush"; from: number } | { kind: "split" };

const DRAG_PX_MIN = 4;
export const NAME_WIDTH_MIN = 120;

export class Waterfall {
  private scene: Scene | undefined;
  private size = { width: 0, height: 0 };
  private hover = -1;
  private brush: [number, number] | null = null;
  private drag: Drag | null = null;
  private frame = 0;
  private readonly observer: ResizeObserver;
  private readonly abort = new AbortController();

  constructor(
    private readonly host: HTMLElement,
    private readonly canvas: HTMLCanvasElement,
    private readonly events: WaterfallEvents,
  ) {
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(host);
    const { signal } = this.abort;
    host.addEventListener("scroll", () => this.schedule(), { signal, passive: true });
    canvas.addEventListener("pointerdown", (event) => this.down(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.move(event), { signal });
    canvas.addEventListener("pointerup", (event) => this.up(event), { signal });
    canvas.addEventListener("pointercancel", () => this.endDrag(), { signal });
    canvas.addEventListener("pointerleave", () => this.setHover(-1), { signal });
    canvas.addEventListener("dblclick", (event) => this.doubleClick(event), { signal });
    host.addEventListener("wheel", (event) => this.wheel(event), { signal, passive: false });
  }

  /** Shows another scene. */
  set(scene: Scene): void {
    this.scene = scene;
    this.schedule();
  }

  /** Scrolls as little as needed to show a row. */
  reveal(row: number): void {
    const top = row * ROW;
    const room = this.host.clientHeight - HEADER;
    if (top < this.host.scrollTop) this.host.scrollTop = Math.max(0, top - ROW * 2);
    else if (top + ROW > this.host.scrollTop + room) this.host.scrollTop = top + ROW * 3 - room;
    this.schedule();
  }

  /** Draws again at the next frame. */
  schedule(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  destroy(): void {
    this.abort.abort();
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.host;
    this.size = { width, height };
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    this.canvas.style.height = `${height}px`;
    this.draw();
  }

  private pose(): Pose {
    return { ...this.size, scrollTop: this.host.scrollTop, hover: this.hover, brush: this.brush };
  }

  private draw(): void {
    const ctx = this.canvas.getContext("2d", { alpha: false });
    if (!ctx || !this.scene || this.size.width === 0) return;
    ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    paint(ctx, this.scene, this.pose());
  }

  private rowAt(event: MouseEvent): number {
    if (event.offsetY < HEADER || !this.scene) return -1;
    const row = Math.floor((event.offsetY - HEADER + this.host.scrollTop) / ROW);
    return row < this.scene.rows.length ? row : -1;
  }

  private nodeAt(row: number): TraceNode | undefined {
    return this.scene?.layout.nodes[this.scene.rows[row] ?? -1];
  }

  private nearSplit(event: MouseEvent): boolean {
    return Math.abs(event.offsetX - (this.scene?.nameWidth ?? 0)) < 5;
  }

  private setHover(row: number): void {
    if (row === this.hover) return;
    this.hover = row;
    this.schedule();
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0 || !this.scene) return;
    if (this.nearSplit(event)) this.drag = { kind: "split" };
    else if (event.offsetX > this.scene.nameWidth) this.drag = { kind: "brush", from: event.offsetX };
    if (this.drag) this.canvas.setPointerCapture(event.pointerId);
  }

  private move(event: PointerEvent): void {
    this.canvas.style.cursor = this.nearSplit(event) || this.drag?.kind === "split" ? "col-resize" : "";
    if (this.drag?.kind === "split") {
      const widest = Math.max(NAME_WIDTH_MIN, this.size.width - 120);
      this.events.onNameWidth(Math.min(widest, Math.max(NAME_WIDTH_MIN, event.offsetX)));
    } else if (this.drag?.kind === "brush" && Math.abs(event.offsetX - this.drag.from) >= DRAG_PX_MIN) {
      const left = this.scene?.nameWidth ?? 0;
      this.brush = [this.drag.from, Math.min(this.size.width, Math.max(left, event.offsetX))];
      this.schedule();
    } else this.setHover(this.rowAt(event));
  }

  private up(event: PointerEvent): void {
    const { drag, brush, scene } = this;
    this.endDrag();
    if (!scene || drag?.kind === "split") return;
    if (brush) {
      const from = toNanos(scene, this.size, Math.min(...brush));
      this.events.onView(from, toNanos(scene, this.size, Math.max(...brush)), true);
      return;
    }
    const node = this.nodeAt(this.rowAt(event));
    if (!node) return;
    const indent = indentOf(node, scene.nameWidth);
    const onCaret = event.offsetX >= indent - 6 && event.offsetX <= indent + 12;
    if (onCaret && node.children.length > 0) this.events.onToggle(node);
    else this.events.onSelect(node);
  }

  private endDrag(): void {
    this.drag = null;
    this.brush = null;
    this.schedule();
  }

  private doubleClick(event: MouseEvent): void {
    if (!this.scene) return;
    if (event.offsetX > this.scene.nameWidth) {
      this.events.onWhole();
      return;
    }
    const node = this.nodeAt(this.rowAt(event));
    if (node && node.children.length > 0) this.events.onToggle(node);
  }

  /** With Ctrl (a pinch on a touchpad says the same) the wheel zooms, sideways it moves through time. */
  private wheel(event: WheelEvent): void {
    const { scene } = this;
    if (!scene) return;
    const { view, layout } = scene;
    if (event.ctrlKey) {
      event.preventDefault();
      const at = toNanos(scene, this.size, Math.max(scene.nameWidth, event.offsetX));
      const next = zoomed(view, at, Math.exp(event.deltaY * 0.003), layout.duration);
      this.events.onView(next.start, next.end, false);
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      event.preventDefault();
      const pixels = event.deltaX || event.deltaY;
      const by = (pixels / Math.max(1, this.size.width - scene.nameWidth)) * (view.end - view.start);
      const low = -view.start;
      const high = Math.max(0, layout.duration - view.end);
      const step = Math.min(high, Math.max(low, by));
      this.events.onView(view.start + step, view.end + step, false);
    }
  }
}
