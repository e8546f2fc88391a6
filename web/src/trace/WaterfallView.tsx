/** The strip and the waterfall as components: they only hand scenes to the canvases. */
import { effect } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { dark } from "../theme";
import type { TraceLayout, TraceNode } from "./layout";
import { HEADER, ROW, type Scene } from "./paint";
import { dragged, drawPicture, drawStrip, STRIP_HEIGHT } from "./strip";
import { clampView, type View } from "./view";
import { Waterfall, type WaterfallEvents } from "./waterfall";

interface ViewProps {
  readonly scene: Scene;
  readonly label: string;
  readonly onSelect: (node: TraceNode) => void;
  readonly onToggle: (node: TraceNode) => void;
  /** `final` is false while a gesture goes on: then the history gets no entry. */
  readonly onView: (view: View, final: boolean) => void;
  readonly onWhole: () => void;
  readonly onNameWidth: (width: number) => void;
}

export function WaterfallView(props: ViewProps) {
  const { scene } = props;
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const waterfall = useRef<Waterfall | null>(null);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    if (!host.current || !canvas.current) return;
    const events: WaterfallEvents = {
      onSelect: (node) => latest.current.onSelect(node),
      onToggle: (node) => latest.current.onToggle(node),
      onWhole: () => latest.current.onWhole(),
      onNameWidth: (width) => latest.current.onNameWidth(width),
      onView: (start, end, final) =>
        latest.current.onView(clampView({ start, end }, latest.current.scene.layout.duration), final),
    };
    const created = new Waterfall(host.current, canvas.current, events);
    waterfall.current = created;
    const stop = effect(() => {
      dark.value;
      created.schedule();
    });
    return () => {
      stop();
      created.destroy();
    };
  }, []);
  useEffect(() => waterfall.current?.set(scene), [scene]);
  const { selected } = scene;
  // Only a new selection moves the list
  useEffect(() => {
    if (!selected) return;
    const row = scene.rows.findIndex((position) => scene.layout.nodes[position] === selected);
    if (row >= 0) waterfall.current?.reveal(row);
  }, [selected]);
  const height = HEADER + scene.rows.length * ROW;
  return (
    <div
      class="waterfall"
      ref={host}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
      tabIndex={0}
      role="group"
      aria-label={props.label}
      data-rows={scene.rows.length}
    >
      <div style={{ height: `${height}px` }}>
        <canvas ref={canvas} />
      </div>
    </div>
  );
}

interface StripProps {
  readonly layout: TraceLayout;
  readonly view: View;
  readonly onView: (view: View) => void;
  readonly onWhole: () => void;
}

/** The whole trace; drag chooses a part, a double click all of it. */
export function Strip(props: StripProps) {
  const { layout } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [moving, setMoving] = useState<View | null>(null);
  const drag = useRef<{ from: number; view: View } | null>(null);
  const scale = globalThis.devicePixelRatio;
  const isDark = dark.value;
  // The colours of the picture follow the theme
  const picture = useMemo(
    () => (width > 0 ? drawPicture(layout, width, scale) : null),
    [layout, width, scale, isDark],
  );
  const view = moving ?? props.view;
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const ctx = canvas.current?.getContext("2d");
    if (ctx && picture) drawStrip(ctx, picture, { width, scale }, view, layout.duration);
  }, [picture, view, width, scale, layout]);
  const at = (event: PointerEvent): View | null =>
    drag.current && Math.abs(event.offsetX - drag.current.from) > 2
      ? dragged(drag.current.view, layout.duration, width, drag.current.from, event.offsetX)
      : null;
  return (
    <canvas
      ref={canvas}
      class="strip"
      width={Math.round(width * scale)}
      height={Math.round(STRIP_HEIGHT * scale)}
      style={{ height: `${STRIP_HEIGHT}px` }}
      role="img"
      aria-label="Overview of the whole trace; drag to choose a part, double click for all of it"
      onPointerDown={(event) => {
        drag.current = { from: event.offsetX, view: props.view };
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        const next = at(event);
        if (next) setMoving(next);
      }}
      onPointerUp={(event) => {
        const next = at(event);
        drag.current = null;
        setMoving(null);
        if (next) props.onView(next);
      }}
      onPointerCancel={() => {
        drag.current = null;
        setMoving(null);
      }}
      onDblClick={props.onWhole}
    />
  );
}
