/**
 * What the user does with a trace: choose, close, search, look closer.
 *
 * The chosen span and the view live in the URL; what is closed and searched lives as long as the page.
 */
import { useEffect, useMemo, useState } from "preact/hooks";
import { useKeys } from "../keys";
import { moved } from "../list/virtual";
import { location, setParams } from "../router";
import type { CriticalPart } from "./critical";
import { type TraceLayout, type TraceNode, visibleRows } from "./layout";
import type { Scene } from "./paint";
import { makeSearch, nextHit } from "./search";
import { readView, type View, writeView } from "./view";

export interface TraceState {
  readonly scene: Scene;
  readonly search: string;
  readonly showCritical: boolean;
  readonly allClosed: boolean;
  setSearch(text: string): void;
  select(node: TraceNode | null): void;
  toggle(node: TraceNode): void;
  toggleAll(): void;
  toggleCritical(): void;
  setView(view: View, final: boolean): void;
  whole(): void;
  setNameWidth(width: number): void;
  jumpHit(step: 1 | -1): void;
  jumpError(step: 1 | -1): void;
}

const PAGE_ROWS = 20;
/** Browsers refuse an address that changes at every turn of a wheel. */
const WHEEL_REST_MS = 250;
const NO_PARTS: ReadonlyMap<TraceNode, readonly CriticalPart[]> = new Map();

function byNode(parts: readonly CriticalPart[]): Map<TraceNode, CriticalPart[]> {
  const map = new Map<TraceNode, CriticalPart[]>();
  for (const part of parts) {
    const list = map.get(part.node);
    if (list) list.push(part);
    else map.set(part.node, [part]);
  }
  return map;
}

/** Opens everything above a node, so that it is seen. */
function opened(
  layout: TraceLayout,
  collapsed: ReadonlySet<TraceNode>,
  node: TraceNode,
): ReadonlySet<TraceNode> {
  let next: Set<TraceNode> | undefined;
  for (let above = layout.nodes[node.parent]; above; above = layout.nodes[above.parent]) {
    if (!collapsed.has(above)) continue;
    next ??= new Set(collapsed);
    next.delete(above);
  }
  return next ?? collapsed;
}

export function useTraceState(layout: TraceLayout): TraceState {
  const { params } = location.value;
  const [collapsed, setCollapsed] = useState<ReadonlySet<TraceNode>>(new Set());
  const [search, setSearch] = useState("");
  const [showCritical, setShowCritical] = useState(true);
  const [nameWidth, setNameWidth] = useState(() =>
    Math.round(Math.min(460, Math.max(140, innerWidth * 0.24))),
  );
  const spanId = params.get("span");
  const selected = useMemo(() => layout.nodes.find((node) => node.id === spanId) ?? null, [layout, spanId]);
  const rows = useMemo(() => visibleRows(layout.nodes, collapsed), [layout, collapsed]);
  const { view, setView } = useView(layout);
  const critical = useMemo(() => byNode(layout.critical), [layout]);
  const find = useMemo(() => makeSearch(layout.nodes), [layout]);
  const hitList = useMemo(() => find(search), [find, search]);
  const errors = useMemo(() => layout.nodes.flatMap((node, index) => (node.error ? [index] : [])), [layout]);
  const scene = useMemo((): Scene => {
    const hits = new Set(hitList.flatMap((index) => layout.nodes[index] ?? []));
    const shown = showCritical ? critical : NO_PARTS;
    const searching = search.trim() !== "";
    return { layout, rows, collapsed, critical: shown, hits, searching, selected, view, nameWidth };
  }, [layout, rows, collapsed, critical, showCritical, hitList, search, selected, view, nameWidth]);

  // A link to a span leads to a row that is seen.
  useEffect(() => {
    if (selected) setCollapsed((old) => opened(layout, old, selected));
  }, [layout, selected]);

  const select = (node: TraceNode | null) => setParams({ span: node?.id ?? null }, { replace: true });
  const position = selected ? layout.nodes.indexOf(selected) : -1;
  const jump = (list: readonly number[], step: 1 | -1) => {
    const target = nextHit(list, position, step);
    const node = target === undefined ? undefined : layout.nodes[target];
    if (node) select(node);
  };
  const toggle = (node: TraceNode) =>
    setCollapsed((old) => {
      const next = new Set(old);
      if (!next.delete(node)) next.add(node);
      return next;
    });
  const roots = layout.nodes.filter((node) => node.parent < 0);
  const allClosed = collapsed.size > 0;
  const state: TraceState = {
    ...{ scene, search, showCritical, allClosed, setSearch, setNameWidth, select, toggle, setView },
    toggleAll: () => setCollapsed(allClosed ? new Set() : closeBelow(layout, roots)),
    toggleCritical: () => setShowCritical(!showCritical),
    whole: () => setView({ start: 0, end: layout.duration }, true),
    jumpHit: (step) => jump(hitList, step),
    jumpError: (step) => jump(errors, step),
  };
  useTraceKeys(state, selected);
  return state;
}

/** The view of the URL; while a wheel turns, a view that is written down only when it rests. */
function useView(layout: TraceLayout): { view: View; setView: (next: View, final: boolean) => void } {
  const text = location.value.params.get("view");
  const [moving, setMoving] = useState<View | null>(null);
  const settled = useMemo(() => readView(text, layout.duration), [text, layout]);
  useEffect(() => {
    if (!moving) return;
    const timer = setTimeout(() => {
      setParams({ view: writeView(moving, layout.duration) }, { replace: true });
      setMoving(null);
    }, WHEEL_REST_MS);
    return () => clearTimeout(timer);
  }, [moving, layout]);
  const setView = (next: View, final: boolean) => {
    setMoving(final ? null : next);
    if (final) setParams({ view: writeView(next, layout.duration) });
  };
  return { view: moving ?? settled, setView };
}

/** Everything closed but the roots: the first level says what the trace is made of. */
function closeBelow(layout: TraceLayout, roots: readonly TraceNode[]): ReadonlySet<TraceNode> {
  const below = layout.nodes.filter((node) => node.parent >= 0 && node.children.length > 0);
  return new Set(below.length > 0 ? below : roots);
}

function useTraceKeys(state: TraceState, selected: TraceNode | null): void {
  const { layout, rows, collapsed } = state.scene;
  const go = (by: number) => {
    const row = selected ? rows.indexOf(layout.nodes.indexOf(selected)) : -1;
    const node = layout.nodes[rows[moved(row, by, rows.length)] ?? -1];
    if (node) state.select(node);
  };
  const close = () => {
    if (!selected) return;
    const parent = layout.nodes[selected.parent];
    if (selected.children.length > 0 && !collapsed.has(selected)) state.toggle(selected);
    else if (parent) state.select(parent);
  };
  const open = () => {
    if (selected && collapsed.has(selected)) state.toggle(selected);
    else go(1);
  };
  const frame = () => {
    if (!selected) return;
    const margin = (selected.end - selected.start) * 0.05;
    state.setView({ start: Math.max(0, selected.start - margin), end: selected.end + margin }, true);
  };
  useKeys("Trace", [
    { keys: "j", label: "Next span", run: () => go(1) },
    { keys: "k", label: "Previous span", run: () => go(-1) },
    { keys: "ArrowDown", label: "Next span", run: () => go(1) },
    { keys: "ArrowUp", label: "Previous span", run: () => go(-1) },
    { keys: "PageDown", label: "A page down", run: () => go(PAGE_ROWS) },
    { keys: "PageUp", label: "A page up", run: () => go(-PAGE_ROWS) },
    { keys: "h", label: "Close the subtree, or go to the parent", run: close },
    { keys: "l", label: "Open the subtree", run: open },
    { keys: "ArrowLeft", label: "Close, or go to the parent", run: close },
    { keys: "ArrowRight", label: "Open the subtree", run: open },
    { keys: "f", label: "Look closer at the span", run: frame },
    { keys: "w", label: "The whole trace", run: state.whole },
    { keys: "e", label: "Next error", run: () => state.jumpError(1) },
    { keys: "n", label: "Next match", run: () => state.jumpHit(1) },
    { keys: "N", label: "Previous match", run: () => state.jumpHit(-1) },
    { keys: "c", label: "Critical path", run: state.toggleCritical },
    { keys: "z", label: "Close or open all", run: state.toggleAll },
  ]);
}
