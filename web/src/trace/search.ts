/**
 * Search within a trace: names, services, status and every attribute.
 *
 * Enters: nodes and a text. Leaves: the positions that match.
 * Must hold: the text of a span is built once, at the first search.
 */
import type { TraceNode } from "./layout";

/** A function that finds positions; every word must occur. */
export function makeSearch(nodes: readonly TraceNode[]): (text: string) => number[] {
  let haystacks: string[] | undefined;
  return (text) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) return [];
    haystacks ??= nodes.map(haystack);
    const hits: number[] = [];
    haystacks.forEach((hay, index) => {
      if (words.every((word) => hay.includes(word))) hits.push(index);
    });
    return hits;
  };
}

function haystack(node: TraceNode): string {
  const { span } = node;
  if (!span) return `missing ${node.id}`;
  const parts = [node.id, span.name, span.service_name, span.kind, span.status_message, span.scope_name];
  if (node.error) parts.push("error");
  for (const [key, value] of Object.entries(span.attributes)) parts.push(`${key}=${value}`);
  for (const event of span.events) parts.push(event.name, JSON.stringify(event.attributes));
  return parts.join("\n").toLowerCase();
}

/** The hit after (or before) a position, around the end. */
export function nextHit(hits: readonly number[], position: number, step: 1 | -1): number | undefined {
  if (hits.length === 0) return undefined;
  if (step === 1) return hits.find((hit) => hit > position) ?? hits[0];
  return hits.findLast((hit) => hit < position) ?? hits.at(-1);
}
