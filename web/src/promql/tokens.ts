/**
 * PromQL in pieces: for colours and for what is expected at the cursor. The server alone says what is right.
 *
 * Enters: text, also unfinished. Leaves: tokens that together are the text. Must hold: pure; never fails.
 */
import { AGGREGATIONS, FUNCTIONS, KEYWORDS } from "./words";

export type TokenKind =
  | "space"
  | "comment"
  | "string"
  | "number"
  | "metric"
  | "label"
  | "function"
  | "aggregation"
  | "keyword"
  | "operator"
  | "other";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly start: number;
}

/** Longest first, where one begins like another. */
const PIECES: readonly (readonly [TokenKind, RegExp])[] = [
  ["space", /\s+/y],
  ["comment", /#[^\n]*/y],
  ["string", /"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|`[^`]*`?/y],
  ["number", /(?:\d+(?:ms|[smhdwy]))+|0x[0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y],
  ["metric", /[A-Za-z_:][\w:]*/y],
  ["operator", /=~|!~|!=|==|>=|<=|[-+*/%^=<>@,(){}[\]]/y],
  ["other", /[\s\S]/y],
];

function pieceAt(text: string, start: number): Token {
  for (const [kind, pattern] of PIECES) {
    pattern.lastIndex = start;
    const match = pattern.exec(text);
    if (match) return { kind, text: match[0], start };
  }
  return { kind: "other", text: text.slice(start, start + 1), start };
}

const GROUPING: ReadonlySet<string> = new Set([
  "by",
  "without",
  "on",
  "ignoring",
  "group_left",
  "group_right",
]);

/** What a name means where it stands. */
function nameKind(token: Token, brackets: readonly string[], follows: string): TokenKind {
  const innermost = brackets.at(-1);
  if (innermost === "{" || innermost === "by(") return "label";
  if (follows === "(" && FUNCTIONS.has(token.text)) return "function";
  if (AGGREGATIONS.has(token.text)) return "aggregation";
  return KEYWORDS.has(token.text) ? "keyword" : "metric";
}

const CLOSES: Record<string, string> = { ")": "(", "}": "{", "]": "[" };

/** The tokens of a text. */
export function tokens(text: string): Token[] {
  const list: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const token = pieceAt(text, at);
    list.push(token);
    at += token.text.length;
  }
  const brackets: string[] = [];
  let before = "";
  return list.map((token, index) => {
    if (token.kind === "space" || token.kind === "comment") return token;
    const previous = before;
    before = token.text;
    if (token.kind === "metric") {
      const next = list.slice(index + 1).find(({ kind }) => kind !== "space" && kind !== "comment");
      return { ...token, kind: nameKind(token, brackets, next?.text ?? "") };
    }
    if ("([{".includes(token.text))
      brackets.push(token.text === "(" && GROUPING.has(previous) ? "by(" : token.text);
    else if (token.text in CLOSES) brackets.pop();
    return token;
  });
}
