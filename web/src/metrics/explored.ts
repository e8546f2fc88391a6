/**
 * What the metrics page shows, and its place in the URL. Pure but for reading the URL.
 */
import { pair } from "../api/client";
import type { ParamChange } from "../router";

export type Tab = "graph" | "table" | "series";

export interface Explored {
  /** The metric that was picked; its queries are written for the user until one of them is changed. */
  readonly name: string | null;
  /** `label:value`, one value for each label. */
  readonly match: readonly string[];
  readonly by: readonly string[];
  /** Queries that the user wrote; empty while they are derived from what is picked. */
  readonly written: readonly string[];
  /** Letters of queries that are not shown. */
  readonly hidden: readonly string[];
  readonly tab: Tab;
  /** The only series that is drawn. */
  readonly only: string | null;
  /** A moment that the chart marks, milliseconds. */
  readonly mark: number | null;
  /** Only samples as they came are read. */
  readonly raw: boolean;
}

const TABS: readonly Tab[] = ["graph", "table", "series"];

export function readExplored(params: URLSearchParams): Explored {
  const mark = Number(params.get("mark") ?? Number.NaN);
  return {
    name: params.get("name"),
    match: params.getAll("match"),
    by: params.getAll("by"),
    written: params.getAll("q"),
    hidden: params.getAll("hide"),
    tab: TABS.find((tab) => tab === params.get("tab")) ?? "graph",
    only: params.get("only"),
    mark: Number.isFinite(mark) && mark > 0 ? mark : null,
    raw: params.get("raw") === "1",
  };
}

/** More queries than this are refused: each is a request at every refresh. */
export const QUERIES_MAX = 10;

/** A, B, C … */
export const letter = (index: number): string => String.fromCharCode(65 + index);

/** Writes queries into the URL; they stand for themselves from then on. */
export function withQueries(
  queries: readonly string[],
  hidden: readonly string[] = [],
): Record<string, ParamChange> {
  return { q: queries.slice(0, QUERIES_MAX), hide: hidden, name: null, match: null, by: null, only: null };
}

/** The letters that are hidden after the query at `index` is gone. */
export function hiddenWithout(hidden: readonly string[], index: number): string[] {
  return hidden.flatMap((name) => {
    const place = name.charCodeAt(0) - 65;
    return place === index ? [] : [letter(place > index ? place - 1 : place)];
  });
}

export const toggled = (list: readonly string[], item: string): string[] =>
  list.includes(item) ? list.filter((other) => other !== item) : [...list, item];

/** What a pair says about its key, the colon included: values may contain colons, keys have theirs escaped. */
const keyOf = (text: string): string => /^(?:[^:\\]|\\.)*:/.exec(text)?.[0] ?? text;

/** Adds a match, replaces the one of the same key, or removes it when it is there. */
export function toggledMatch(match: readonly string[], key: string, value: string): string[] {
  const wanted = pair(key, value);
  const others = match.filter((other) => keyOf(other) !== pair(key, ""));
  return match.includes(wanted) ? others : [...others, wanted];
}
