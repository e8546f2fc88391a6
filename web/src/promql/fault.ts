/**
 * Where the server's sentence about a query points to.
 *
 * Enters: the sentence and the query. Leaves: the part of the text that is wrong, and the rest of the sentence.
 * Must hold: pure; columns count bytes, the text counts UTF-16.
 */
import { tokens } from "./tokens";

export interface Fault {
  readonly start: number;
  readonly end: number;
  /** `1:18`, as the server says it. */
  readonly where: string;
  readonly says: string;
}

/** The index behind so many bytes of UTF-8. */
function indexOf(line: string, bytes: number): number {
  let [index, rest] = [0, bytes];
  for (const character of line) {
    if (rest <= 0) break;
    rest -= new TextEncoder().encode(character).length;
    index += character.length;
  }
  return index;
}

/** `null` where the sentence is not about the text. */
export function faultOf(sentence: string, text: string): Fault | null {
  const match = /(\d+):(\d+): parse error: ([\s\S]*)$/.exec(sentence);
  if (!match) return null;
  const [, line = "1", column = "1", says = ""] = match;
  const lines = text.split("\n");
  const before = lines.slice(0, Number(line) - 1).reduce((sum, one) => sum + one.length + 1, 0);
  const start = before + indexOf(lines[Number(line) - 1] ?? "", Number(column) - 1);
  const token = tokens(text).find((one) => one.start <= start && start < one.start + one.text.length);
  return {
    start,
    end: token ? token.start + token.text.length : start + 1,
    where: lines.length > 1 ? `line ${line}, column ${column}` : `column ${column}`,
    says,
  };
}
