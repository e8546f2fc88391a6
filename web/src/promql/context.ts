/**
 * What may stand at the cursor of a PromQL text.
 *
 * Enters: a text and a place in it. Leaves: the kind of thing that is expected, what of it is typed, and which
 * series it is about. Must hold: pure; unfinished text is the rule.
 */
import { type Token, tokens } from "./tokens";

export interface Context {
  /** `word`: a metric, function, aggregation or keyword. */
  readonly kind: "word" | "label" | "value" | "duration";
  /** What is typed of it. */
  readonly typed: string;
  /** The part of the text that a choice replaces. */
  readonly start: number;
  readonly end: number;
  /** Selectors of the series that it is about; none for all. */
  readonly match: readonly string[];
  /** Of a value: its label. */
  readonly label?: string;
  /** Of a label: whether a value follows it. */
  readonly valued?: boolean;
}

const isNothing = ({ kind }: Token): boolean => kind === "space" || kind === "comment";

/** A pair within braces, as it stands. */
interface Pair {
  readonly parts: readonly Token[];
  readonly start: number;
  readonly end: number;
}

/** The parts between the braces that begin at `open`, cut at commas. */
function pairsFrom(list: readonly Token[], open: number): Pair[] {
  const pairs: Pair[] = [];
  let parts: Token[] = [];
  let start = (list[open]?.start ?? 0) + 1;
  const push = (end: number) => {
    pairs.push({ parts, start, end });
    parts = [];
    start = end + 1;
  };
  for (const token of list.slice(open + 1)) {
    if (token.text === "}") {
      push(token.start);
      return pairs;
    }
    if (token.text === ",") push(token.start);
    else if (!isNothing(token)) parts.push(token);
  }
  push(Number.POSITIVE_INFINITY);
  return pairs;
}

const isClosed = (text: string): boolean => text.length > 1 && text.at(-1) === text[0];

/** A matcher that is complete, as text; `null` for one that is not. */
function matcherText({ parts: [label, op, value, ...rest] }: Pair): string | null {
  if (rest.length > 0 || !label) return null;
  // A name in quotes.
  if (!op) return label.kind === "string" && isClosed(label.text) ? label.text : null;
  return value?.kind === "string" && isClosed(value.text) ? `${label.text}${op.text}${value.text}` : null;
}

/** Within braces: a label's name, or a value of it. */
function inBraces(list: readonly Token[], open: number, cursor: number): Context | null {
  const before = list.slice(0, open).findLast((token) => !isNothing(token));
  const metric =
    before?.kind === "metric" && before.start + before.text.length === list[open]?.start ? before.text : "";
  const pairs = pairsFrom(list, open);
  const own = pairs.find(({ start, end }) => cursor >= start && cursor <= end);
  if (!own) return null;
  const others = pairs.filter((pair) => pair !== own).flatMap((pair) => matcherText(pair) ?? []);
  const match = metric === "" && others.length === 0 ? [] : [`${metric}{${others.join(",")}}`];
  const [label, op, value] = own.parts;
  if (op && cursor >= op.start + op.text.length) {
    const start = value ? value.start : cursor;
    if (value && (value.kind !== "string" || cursor > value.start + value.text.length)) return null;
    const end = value ? value.start + value.text.length : cursor;
    const typed = value ? value.text.slice(1, Math.max(1, cursor - value.start)) : "";
    // Behind its closing quote a value is done.
    if (value && isClosed(value.text) && cursor === end) return null;
    return { kind: "value", typed, start, end, match, label: label?.text ?? "" };
  }
  if (label && cursor > label.start + label.text.length) return null;
  const begun = label && cursor >= label.start ? label : undefined;
  return {
    kind: "label",
    typed: begun ? begun.text.slice(0, cursor - begun.start) : "",
    start: begun?.start ?? cursor,
    end: begun ? begun.start + begun.text.length : cursor,
    match,
    valued: op === undefined,
  };
}

/** A name, from its beginning to its end around the cursor. */
function nameAt(list: readonly Token[], cursor: number): Pick<Context, "typed" | "start" | "end"> {
  const token = list.find(({ start, text }) => cursor > start && cursor <= start + text.length);
  if (!token || !/^[A-Za-z_:]/.test(token.text)) return { typed: "", start: cursor, end: cursor };
  return {
    typed: token.text.slice(0, cursor - token.start),
    start: token.start,
    end: token.start + token.text.length,
  };
}

interface Open {
  readonly text: string;
  readonly index: number;
  readonly grouping: boolean;
}

const GROUPING = /^(by|without|on|ignoring|group_left|group_right)$/;

/** The brackets that are open at the cursor, the innermost last. */
function openAt(list: readonly Token[], cursor: number): Open[] {
  const open: Open[] = [];
  let before = "";
  list.forEach((token, index) => {
    if (token.start >= cursor || isNothing(token)) return;
    if (/^[([{]$/.test(token.text)) open.push({ text: token.text, index, grouping: GROUPING.test(before) });
    else if (/^[)\]}]$/.test(token.text)) open.pop();
    before = token.text;
  });
  return open;
}

/** The metrics that a text names. */
export function metricsOf(text: string): string[] {
  const names = tokens(text).filter(({ kind }) => kind === "metric");
  return [...new Set(names.map((token) => token.text))];
}

/** What is expected at `cursor`; `null` where nothing can be proposed. */
export function contextAt(text: string, cursor: number): Context | null {
  const list = tokens(text);
  const inside = list.find(({ start, text: own }) => cursor > start && cursor < start + own.length);
  const comment = list.find(
    ({ kind, start, text: own }) => kind === "comment" && cursor > start && cursor <= start + own.length,
  );
  const innermost = openAt(list, cursor).at(-1);
  if (comment) return null;
  if (innermost?.text === "{") return inBraces(list, innermost.index, cursor);
  if (inside?.kind === "string") return null;
  if (innermost?.text === "[") {
    const start = (list[innermost.index]?.start ?? 0) + 1;
    const end = list.find((token) => token.start >= cursor && token.text === "]")?.start ?? cursor;
    return { kind: "duration", typed: text.slice(start, cursor).trim(), start, end, match: [] };
  }
  const name = nameAt(list, cursor);
  if (innermost?.grouping) return { kind: "label", ...name, match: metricsOf(text), valued: false };
  // A number is typed, or it is done.
  if (name.typed === "" && /[\w"'`)\]}]$/.test(text.slice(0, cursor))) return null;
  return { kind: "word", ...name, match: [] };
}
