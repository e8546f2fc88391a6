/**
 * The answers of all queries that are shown, loaded together.
 *
 * Enters: queries, the tab, the time range. Leaves: for each query its tree, its data or its error.
 * Must hold: one query that fails does not take the others with it.
 */
import { type ApiError, Unreachable } from "../api/client";
import { type Answered, type ExemplarsOf, type Node, prometheus, type QueryData } from "../api/prometheus";
import { niceStepMs } from "../chart/align";
import { sourcesOf, sourceText } from "../promql/tree";
import { range, rangeKey, resolve, type Window } from "../range/range";
import { refreshMs } from "../refresh";
import { type Resource, toApiError, useResource } from "../resource";
import { letter, type Tab } from "./explored";

export const POINTS_MAX = 240;
/** Series of an answer; what is beyond is said. */
export const SERIES_MAX = 500;
/** Selectors of a query whose series are listed. */
const SOURCES_MAX = 6;
const NOT_UNDERSTOOD = 400;

export interface Asked {
  readonly letter: string;
  readonly text: string;
}

/** A part of a query, with its series. */
export interface Source {
  readonly node: Node;
  readonly answer: Answered<QueryData>;
}

export interface Outcome extends Asked {
  readonly tree?: Node | undefined;
  readonly answer?: Answered<QueryData> | undefined;
  readonly sources?: readonly Source[] | undefined;
  readonly exemplars?: Answered<readonly ExemplarsOf[]> | undefined;
  readonly error?: ApiError | undefined;
}

export interface Answers {
  readonly window: Window;
  readonly stepMs: number;
  readonly tab: Tab;
  readonly outcomes: readonly Outcome[];
}

/** The step of a range: even, and so that a chart has room for its points. */
export const stepOf = (window: Window): number => niceStepMs(window.to - window.from, POINTS_MAX);

/** The queries to ask: those with text that are not hidden. */
export function shownQueries(queries: readonly string[], hidden: readonly string[]): Asked[] {
  return queries
    .map((text, index) => ({ letter: letter(index), text: text.trim() }))
    .filter((query) => query.text !== "" && !hidden.includes(query.letter));
}

interface Question {
  readonly tab: Tab;
  readonly raw: boolean;
  readonly window: Window;
  readonly stepMs: number;
}

/** Trees of queries: a text has one, whenever it is asked. */
const trees = new Map<string, Node>();
const TREES_MAX = 100;

async function treeOf(text: string, signal: AbortSignal): Promise<Node> {
  const known = trees.get(text);
  if (known) return known;
  const { data } = await prometheus.parse(text, signal);
  if (trees.size >= TREES_MAX) trees.clear();
  trees.set(text, data);
  return data;
}

async function asked(query: Asked, question: Question, signal: AbortSignal): Promise<Outcome> {
  const { tab, window, stepMs, raw } = question;
  const { text } = query;
  const how = { limit: SERIES_MAX, raw };
  const tree = await treeOf(text, signal);
  if (tab === "table") {
    return { ...query, tree, answer: await prometheus.query(text, window.to, how, signal) };
  }
  if (tab === "series") {
    const sources = sourcesOf(tree)
      .slice(0, SOURCES_MAX)
      .map(async (node) => ({
        node,
        answer: await prometheus.query(sourceText(node), window.to, how, signal),
      }));
    return { ...query, tree, sources: await Promise.all(sources) };
  }
  // Steps on whole multiples: a live chart grows at its end and stays as it is elsewhere.
  const from = Math.floor(window.from / stepMs) * stepMs;
  const aligned = { from, to: Math.max(from, Math.floor(window.to / stepMs) * stepMs) };
  const [answer, exemplars] = await Promise.all([
    prometheus.queryRange(text, aligned, stepMs, how, signal),
    prometheus.exemplars(text, window, signal),
  ]);
  return { ...query, tree, answer, exemplars };
}

export function useAnswers(queries: readonly Asked[], tab: Tab, raw: boolean): Resource<Answers> {
  const current = resolve(range.value, Date.now());
  const load = async (signal: AbortSignal): Promise<Answers> => {
    const window = resolve(range.peek(), Date.now());
    const question = { tab, raw, window, stepMs: stepOf(window) };
    const settled = await Promise.allSettled(queries.map((query) => asked(query, question, signal)));
    const outcomes = settled.map((result, index): Outcome => {
      if (result.status === "fulfilled") return result.value;
      const query = queries[index] ?? { letter: "", text: "" };
      // Nobody answers, or the page went on: not this query's own fault.
      if (result.reason instanceof Unreachable || signal.aborted) throw result.reason;
      return { ...query, error: toApiError(result.reason) };
    });
    const failed = outcomes.find(({ error }) => error?.passing);
    if (failed?.error && outcomes.every(({ error }) => error)) throw failed.error;
    return { ...question, outcomes };
  };
  return useResource(`answers ${tab} ${raw} ${JSON.stringify(queries)} ${rangeKey.value}`, load, {
    // Before the next step there is nothing new.
    refreshMs: refreshMs.value === null ? null : Math.max(refreshMs.value, stepOf(current)),
    paused: queries.length === 0,
  });
}

/** The coarsest resolution that any of these answers was read at, in milliseconds; 0 for samples as they came. */
export const resolutionOf = (answers: readonly (Answered<unknown> | undefined)[]): number =>
  Math.max(0, ...answers.map((answer) => answer?.resolutionMs ?? 0));

/** Whether the editor says it already, at its place. */
export const isParseError = (error: ApiError): boolean =>
  error.status === NOT_UNDERSTOOD && / parse error: /.test(error.detail);
