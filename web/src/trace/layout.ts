/**
 * From the spans of a trace to the rows of its waterfall.
 *
 * Enters: spans in any order, with parents that may be missing or run in circles.
 * Leaves: nodes in depth-first order with depth, subtree size, self time and the critical path.
 * Must hold: pure; no recursion (a trace may be 100,000 deep); every span is a row exactly once.
 */
import type { Span } from "../api/types";
import { type CriticalPart, criticalPath } from "./critical";

export interface TraceNode {
  readonly id: string;
  /** `null` where the trace names a parent that never arrived. */
  readonly span: Span | null;
  readonly name: string;
  readonly service: string;
  readonly error: boolean;
  /** Nanoseconds since the trace began. */
  readonly start: number;
  readonly end: number;
  depth: number;
  /** Position of the parent in depth-first order; -1 for a root. */
  parent: number;
  /** Rows of this subtree, this one included. */
  size: number;
  /** Nanoseconds in which no child ran. */
  self: number;
  readonly children: TraceNode[];
}

export interface TraceLayout {
  readonly nodes: readonly TraceNode[];
  /** Nanoseconds from the first start to the last end. */
  readonly duration: number;
  /** Unix nanoseconds of the first start. */
  readonly startNanos: bigint;
  readonly critical: readonly CriticalPart[];
  /** Services by number of spans, most first. */
  readonly services: readonly { readonly name: string; readonly spans: number }[];
  readonly errors: number;
  /** Parents that are named but not there. */
  readonly missing: number;
  readonly depthMax: number;
}

const byStart = (a: TraceNode, b: TraceNode): number => a.start - b.start || b.end - a.end;

function toNode(span: Span, base: bigint): TraceNode {
  const start = Number(BigInt(span.start_unix_nano) - base);
  const end = Math.max(start, Number(BigInt(span.end_unix_nano) - base));
  return {
    id: span.span_id,
    span,
    name: span.name,
    service: span.service_name,
    error: span.status_code === "error",
    start,
    end,
    depth: 0,
    parent: -1,
    size: 1,
    self: end - start,
    children: [],
  };
}

/** A row for a part that never arrived; it lasts as long as the children that prove it. */
function placeholder(id: string, children: TraceNode[]): TraceNode {
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const child of children) {
    start = Math.min(start, child.start);
    end = Math.max(end, child.end);
  }
  return {
    id,
    span: null,
    name: "missing span",
    service: "",
    error: false,
    start,
    end,
    depth: 0,
    parent: -1,
    size: 1,
    self: 0,
    children,
  };
}

/** Connects children to parents; returns the roots. */
function connect(nodes: readonly TraceNode[]): { roots: TraceNode[]; missing: number } {
  const byId = new Map<string, TraceNode>();
  for (const node of nodes) if (!byId.has(node.id)) byId.set(node.id, node);
  const roots: TraceNode[] = [];
  const orphans = new Map<string, TraceNode[]>();
  for (const node of nodes) {
    const parentId = node.span?.parent_span_id;
    const parent = parentId ? byId.get(parentId) : undefined;
    if (!parentId || parent === node) roots.push(node);
    else if (parent) parent.children.push(node);
    else {
      const siblings = orphans.get(parentId);
      if (siblings) siblings.push(node);
      else orphans.set(parentId, [node]);
    }
  }
  for (const [id, children] of orphans) roots.push(placeholder(id, children));
  return { roots, missing: orphans.size };
}

/** Depth-first order. Marks what it visits, so that a circle of parents ends. */
function order(roots: readonly TraceNode[], seen: Set<TraceNode>, into: TraceNode[]): void {
  const stack: { node: TraceNode; parent: number; depth: number }[] = [];
  for (const root of roots.toSorted(byStart).toReversed()) stack.push({ node: root, parent: -1, depth: 0 });
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { node, parent, depth } = next;
    if (seen.has(node)) continue;
    seen.add(node);
    node.depth = depth;
    node.parent = parent;
    const position = into.push(node) - 1;
    node.children.sort(byStart);
    for (let i = node.children.length - 1; i >= 0; i -= 1) {
      const child = node.children[i];
      if (child && !seen.has(child)) stack.push({ node: child, parent: position, depth: depth + 1 });
    }
  }
}

/** Time of a node that none of its children covers. */
export function selfTime(node: TraceNode): number {
  let covered = 0;
  let reach = node.start;
  // Children are in order of their start.
  for (const child of node.children) {
    const start = Math.max(child.start, reach);
    const end = Math.min(child.end, node.end);
    if (end > start) {
      covered += end - start;
      reach = end;
    }
  }
  return node.end - node.start - covered;
}

function measure(nodes: readonly TraceNode[]): number {
  let depthMax = 0;
  for (let i = nodes.length - 1; i >= 0; i -= 1) {
    const node = nodes[i];
    if (!node) continue;
    depthMax = Math.max(depthMax, node.depth);
    const parent = nodes[node.parent];
    if (parent) parent.size += node.size;
    if (node.span) node.self = selfTime(node);
  }
  return depthMax;
}

function countServices(nodes: readonly TraceNode[]): { name: string; spans: number }[] {
  const counts = new Map<string, number>();
  for (const { span, service } of nodes) if (span) counts.set(service, (counts.get(service) ?? 0) + 1);
  return [...counts].map(([name, spans]) => ({ name, spans })).sort((a, b) => b.spans - a.spans);
}

/** Lays out a trace. */
export function layoutTrace(spans: readonly Span[]): TraceLayout {
  let base: bigint | undefined;
  for (const span of spans) {
    const start = BigInt(span.start_unix_nano);
    if (base === undefined || start < base) base = start;
  }
  const startNanos = base ?? 0n;
  const all = spans.map((span) => toNode(span, startNanos));
  const { roots, missing } = connect(all);
  const nodes: TraceNode[] = [];
  const seen = new Set<TraceNode>();
  order(roots, seen, nodes);
  // What no root reaches hangs in a circle of parents: its earliest span becomes a root.
  if (seen.size < all.length + missing) {
    for (const node of all.toSorted(byStart)) if (!seen.has(node)) order([node], seen, nodes);
  }
  const depthMax = measure(nodes);
  let duration = 0;
  let errors = 0;
  for (const node of nodes) {
    duration = Math.max(duration, node.end);
    if (node.error) errors += 1;
  }
  const critical = criticalPath(nodes);
  return { nodes, duration, startNanos, critical, services: countServices(nodes), errors, missing, depthMax };
}

/** Positions of the rows that are seen when some subtrees are collapsed. */
export function visibleRows(nodes: readonly TraceNode[], collapsed: ReadonlySet<TraceNode>): Int32Array {
  const rows = new Int32Array(nodes.length);
  let count = 0;
  for (let i = 0; i < nodes.length; ) {
    rows[count] = i;
    count += 1;
    const node = nodes[i];
    i += node && collapsed.has(node) ? node.size : 1;
  }
  return rows.subarray(0, count);
}
