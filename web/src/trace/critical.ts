/**
 * The critical path: the spans that would have to be faster for the trace to be faster.
 *
 * Walks back from the end of the longest root: what ended last held everything up; before it began,
 * the child that had ended last by then did, and so on. Children are clipped to their parent: what runs on
 * after its parent held nobody up. A child that was still running when the next one began did not delay it.
 */
import type { TraceNode } from "./layout";

/** A stretch of time in which this node alone was waited for. */
export interface CriticalPart {
  readonly node: TraceNode;
  readonly start: number;
  readonly end: number;
}

interface Frame {
  readonly node: TraceNode;
  /** Not before the node and all above it began. */
  readonly floor: number;
  /** Nor after this. */
  readonly limit: number;
  /** Children by their end, last first. */
  readonly children: readonly TraceNode[];
  next: number;
  /** What lies behind this moment is explained. */
  cursor: number;
}

function frame(node: TraceNode, floor: number, until: number): Frame {
  const children = node.children.toSorted((a, b) => b.end - a.end || b.start - a.start);
  const limit = Math.min(node.end, until);
  return { node, floor: Math.max(floor, node.start), limit, children, next: 0, cursor: limit };
}

/** Parts in order of time. */
export function criticalPath(nodes: readonly TraceNode[]): CriticalPart[] {
  let root: TraceNode | undefined;
  for (const node of nodes) {
    if (node.parent < 0 && (!root || node.end - node.start > root.end - root.start)) root = node;
  }
  if (!root) return [];
  const parts: CriticalPart[] = [];
  // A child that is on its parents' way twice (a circle) must not be walked again.
  const walked = new Set<TraceNode>([root]);
  const stack: Frame[] = [frame(root, root.start, root.end)];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const child = top.children[top.next];
    if (child === undefined || top.cursor <= top.floor) {
      if (top.cursor > top.floor) parts.push({ node: top.node, start: top.floor, end: top.cursor });
      stack.pop();
      continue;
    }
    top.next += 1;
    const end = Math.min(child.end, top.limit);
    const start = Math.max(child.start, top.floor);
    if (end > top.cursor || end <= start || walked.has(child)) continue;
    walked.add(child);
    if (end < top.cursor) parts.push({ node: top.node, start: end, end: top.cursor });
    top.cursor = start;
    stack.push(frame(child, start, end));
  }
  return parts.reverse();
}
