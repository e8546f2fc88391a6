/**
 * What the editor proposes, best first.
 *
 * Enters: what is expected at the cursor and what is known. Leaves: choices with the text that they put in.
 * Must hold: pure; no more than a list can show.
 */
import type { Counted } from "../api/prometheus";
import { number, plural } from "../format";
import type { Context } from "./context";
import { AGGREGATIONS, FUNCTIONS, KEYWORDS, type Word } from "./words";

export interface Choice {
  readonly title: string;
  /** What it is: the metric's kind, the function's arguments. */
  readonly kind: string;
  /** Counts or a sentence. */
  readonly says: string;
  readonly insert: string;
  /** Where the cursor stands behind it, from the end of `insert`. */
  readonly back?: number;
}

/** A metric as the list and the editor know it. */
export interface KnownMetric {
  readonly name: string;
  readonly kind: string;
  readonly unit: string;
  readonly help: string;
  readonly series: number;
}

const CHOICES_MAX = 60;
const DURATIONS = ["1m", "2m", "5m", "10m", "30m", "1h", "6h", "1d", "1w"];

/** Those that contain what is typed, those that begin with it first. */
export function ranked(choices: readonly Choice[], typed: string): Choice[] {
  const wanted = typed.toLowerCase();
  const place = ({ title }: Choice): number => {
    const at = title.toLowerCase().indexOf(wanted);
    return at < 0 ? -1 : at === 0 ? 0 : 1;
  };
  const found = choices.map((choice) => ({ choice, place: place(choice) })).filter((it) => it.place >= 0);
  return found
    .toSorted((a, b) => a.place - b.place)
    .slice(0, CHOICES_MAX)
    .map(({ choice }) => choice);
}

const called = (words: ReadonlyMap<string, Word>): Choice[] =>
  [...words].map(([name, { takes, says }]) => ({
    ...{ title: name, kind: `(${takes})`, says },
    ...(takes === "" ? { insert: `${name}()` } : { insert: `${name}()`, back: 1 }),
  }));

const WORDS: readonly Choice[] = [
  ...called(AGGREGATIONS),
  ...called(FUNCTIONS),
  ...[...KEYWORDS].map(([name, { says }]) => ({ title: name, kind: "keyword", says, insert: `${name} ` })),
];

/** Metrics first; functions where something of them is typed. */
export function wordChoices(metrics: readonly KnownMetric[], typed: string): Choice[] {
  const named = metrics.map(({ name, kind, series }) => ({
    ...{ title: name, kind, says: `${number(series)} series` },
    insert: /^[A-Za-z_:][\w:]*$/.test(name) ? name : `{${JSON.stringify(name)}}`,
  }));
  if (typed === "") return named.slice(0, CHOICES_MAX);
  return ranked([...WORDS.filter(({ title }) => title.startsWith(typed)), ...named], typed);
}

export function labelChoices(labels: readonly Counted[], context: Context): Choice[] {
  const known = labels.filter(({ name }) => name !== "__name__");
  const choices = known.map(({ name, value }) => ({
    ...{ title: name, kind: "label", says: plural(value, "value") },
    ...(context.valued ? { insert: `${name}=""`, back: 1 } : { insert: name }),
  }));
  return ranked(choices, context.typed);
}

export function valueChoices(values: readonly Counted[], context: Context): Choice[] {
  const choices = values
    .filter(({ name }) => name !== "")
    .map(({ name, value }) => ({
      ...{ title: name, kind: "", says: `${number(value)} series`, insert: JSON.stringify(name) },
    }));
  return ranked(choices, context.typed);
}

export function durationChoices(context: Context): Choice[] {
  const choices = DURATIONS.map((text) => ({ title: text, kind: "duration", says: "", insert: text }));
  return choices.filter(({ title }) => title.startsWith(context.typed));
}

/** The text and the place of the cursor after a choice. */
export function applied(text: string, context: Context, choice: Choice): { text: string; cursor: number } {
  const rest = text.slice(context.end);
  // A function that is called already keeps its bracket.
  const insert =
    choice.insert.endsWith("()") && rest.startsWith("(") ? choice.insert.slice(0, -2) : choice.insert;
  const back = insert === choice.insert ? (choice.back ?? 0) : 0;
  const next = text.slice(0, context.start) + insert + rest;
  return { text: next, cursor: context.start + insert.length - back };
}
