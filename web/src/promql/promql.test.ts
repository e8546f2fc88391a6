import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Node } from "../api/prometheus";
import { applied, type KnownMetric, labelChoices, valueChoices, wordChoices } from "./choices";
import { contextAt } from "./context";
import { faultOf } from "./fault";
import { tokens } from "./tokens";
import { askedOf, observationsUnit, sourcesOf, sourceText, unitOf } from "./tree";
import { FUNCTIONS } from "./words";

/** The context at the bar in a text. */
function at(text: string) {
  const cursor = text.indexOf("|");
  return contextAt(text.replace("|", ""), cursor);
}

describe("words", () => {
  it("are the functions that the server evaluates by default", () => {
    const table = readFileSync(new URL("../../../crates/promql/src/functions.rs", import.meta.url), "utf8");
    const lines = table.split("\n").filter((line) => /^ {4}(of_|stable|variadic)/.test(line));
    const known = lines.flatMap((line) => /"([a-z_0-9]+)"/.exec(line)?.[1] ?? []);
    expect(known.length).toBeGreaterThan(60);
    expect([...FUNCTIONS.keys()].sort()).toEqual(known.sort());
  });
});

describe("tokens", () => {
  it("are the text, whatever it is", () => {
    for (const text of ['sum by (a) (rate(x{b="}", c=~"d"}[5m]))', 'x{a="un', "x{", "🙂 + `", "# note\nx"]) {
      expect(
        tokens(text)
          .map((token) => token.text)
          .join(""),
      ).toBe(text);
    }
  });
  it("know what a name means where it stands", () => {
    const kinds = tokens('sum by (job) (rate(sum{job="x"}[5m] offset 1h))').flatMap(({ kind, text }) =>
      /^[a-z]/.test(text) ? [`${text} ${kind}`] : [],
    );
    expect(kinds).toEqual([
      ...["sum aggregation", "by keyword", "job label", "rate function", "sum aggregation", "job label"],
      "offset keyword",
    ]);
  });
});

describe("what is expected at the cursor", () => {
  it("is a word where an expression begins", () => {
    expect(at("|")).toMatchObject({ kind: "word", typed: "" });
    expect(at("sum(htt|p_total)")).toMatchObject({ kind: "word", typed: "htt", start: 4, end: 14 });
    expect(at("a + |")).toMatchObject({ kind: "word", typed: "" });
    expect(at("rate(x[5m])|")).toBeNull();
    expect(at("12|")).toBeNull();
  });
  it("is a label within braces, of the series that the rest selects", () => {
    expect(at("x{|")).toMatchObject({ kind: "label", typed: "", match: ["x{}"], valued: true });
    expect(at('x{job="a", ro|}')).toMatchObject({ kind: "label", typed: "ro", match: ['x{job="a"}'] });
    expect(at('x{ro|="a"}')).toMatchObject({ kind: "label", valued: false });
    expect(at("{|}")).toMatchObject({ kind: "label", match: [] });
  });
  it("is a value behind a label", () => {
    expect(at('x{job="a", route=|}')).toMatchObject({ kind: "value", label: "route", match: ['x{job="a"}'] });
    expect(at('x{route="/c|", job="a"}')).toMatchObject({ kind: "value", typed: "/c", start: 8, end: 12 });
    expect(at('x{route=~"|"}')).toMatchObject({ kind: "value", label: "route", typed: "" });
    expect(at('x{route="a"|}')).toBeNull();
  });
  it("is a label of all metrics behind by and without", () => {
    expect(at("sum by (|) (rate(x[5m]))")).toMatchObject({ kind: "label", match: ["x"], valued: false });
    expect(at("sum(x) without (a, j|)")).toMatchObject({ kind: "label", typed: "j", match: ["x"] });
  });
  it("is a duration within brackets", () => {
    expect(at("rate(x[|])")).toMatchObject({ kind: "duration", typed: "" });
    expect(at("rate(x[5|m])")).toMatchObject({ kind: "duration", typed: "5", start: 7, end: 9 });
  });
  it("is nothing within comments and free strings", () => {
    expect(at("x # wha|t")).toBeNull();
    expect(at('label_replace(x, "a|b", "", "", "")')).toBeNull();
  });
});

const metric = (name: string): KnownMetric => ({ name, kind: "gauge", unit: "", help: "", series: 3 });

describe("choices", () => {
  it("are metrics and words, those that begin so first", () => {
    const choices = wordChoices([metric("my_rate"), metric("rate_limit")], "rate");
    expect(choices.map(({ title }) => title)).toEqual(["rate", "rate_limit", "my_rate"]);
    expect(choices[1]).toMatchObject({ kind: "gauge", says: "3 series" });
  });
  it("put a name that PromQL does not know into quotes", () => {
    expect(wordChoices([metric("http.route")], "")[0]?.insert).toBe('{"http.route"}');
  });
  it("put the cursor where one goes on", () => {
    const context = at("x{jo|}");
    const [choice] = context ? labelChoices([{ name: "job", value: 2 }], context) : [];
    expect(choice).toMatchObject({ says: "2 values" });
    expect(context && choice && applied("x{jo}", context, choice)).toEqual({ text: 'x{job=""}', cursor: 7 });
    const value = at('x{job="|"}');
    const [first] = value ? valueChoices([{ name: 'a"b', value: 1 }], value) : [];
    expect(value && first && applied('x{job=""}', value, first).text).toBe('x{job="a\\"b"}');
  });
  it("keep the bracket of a function that is there", () => {
    const context = at("ra|(x)");
    const choice = wordChoices([], "rate")[0];
    expect(context && choice && applied("ra(x)", context, choice)).toEqual({ text: "rate(x)", cursor: 4 });
  });
});

describe("the place of an error", () => {
  it("counts bytes of UTF-8 in lines", () => {
    expect(faultOf('invalid parameter "query": 1:5: parse error: bad', "a + b")).toMatchObject({
      ...{ start: 4, end: 5, where: "column 5", says: "bad" },
    });
    expect(faultOf("2:12: parse error: bad", 'a +\nx{a="ä🙂"} !')).toMatchObject({ start: 12 });
    expect(faultOf("2:15: parse error: bad", 'a +\nx{a="ä🙂"} !')).toMatchObject({ start: 15, end: 16 });
  });
  it("may be the end, or nowhere", () => {
    expect(faultOf("1:6: parse error: unclosed", "sum(a")).toMatchObject({ start: 5, end: 6 });
    expect(faultOf("the server is busy", "a")).toBeNull();
  });
});

const vector = (name: string, ...matchers: [string, string][]): Node => ({
  ...{ type: "vectorSelector", name, offset: 0, timestamp: null, startOrEnd: null },
  matchers: [
    ...matchers.map(([label, value]) => ({ name: label, value, type: "=" as const })),
    { name: "__name__", value: name, type: "=" as const },
  ],
});
const range = (node: Node): Node => ({ ...node, type: "matrixSelector", range: 300_000 });
const call = (name: string, ...args: Node[]): Node => ({ type: "call", func: { name }, args });
const sum = (expr: Node): Node => ({ type: "aggregation", op: "sum", expr });
const number = (val: string): Node => ({ type: "numberLiteral", val });
const binary = (op: string, lhs: Node, rhs: Node): Node => ({ type: "binaryExpr", op, lhs, rhs });

describe("units", () => {
  const units = (name: string) => ({ io: "By", time: "s", dur: "s", load: "1" })[name];
  const unit = (node: Node) => unitOf(node, units);
  it("follow what functions do", () => {
    expect(unit(vector("io"))).toBe("By");
    expect(unit(sum(call("rate", range(vector("io")))))).toBe("By/s");
    expect(unit(call("rate", range(vector("time"))))).toBe("1");
    expect(unit(call("increase", range(vector("io"))))).toBe("By");
    expect(unit(call("count_over_time", range(vector("io"))))).toBe("");
    expect(unit({ type: "aggregation", op: "count", expr: vector("io") })).toBe("");
  });
  it("of observations are a second where rates are taken", () => {
    expect(observationsUnit(sum(call("rate", range(vector("dur")))))).toBe("/s");
    expect(observationsUnit(sum(vector("dur")))).toBe("");
    expect(unit(call("histogram_count", call("rate", range(vector("dur")))))).toBe("/s");
  });
  it("of a quantile are those of what was measured", () => {
    const buckets = sum(call("rate", range(vector("dur_bucket"))));
    expect(unit(call("histogram_quantile", number("0.9"), buckets))).toBe("s");
  });
  it("of a quotient are a share, a number, or unknown", () => {
    expect(unit(binary("/", vector("io"), vector("io")))).toBe("1");
    expect(unit(binary("/", vector("io"), number("2")))).toBe("By");
    expect(unit(binary("/", vector("io"), vector("time")))).toBe("");
    expect(unit(binary("*", vector("io"), vector("io")))).toBe("");
    expect(unit(binary(">", vector("io"), number("2")))).toBe("By");
  });
});

describe("sources", () => {
  it("are what a query reads, each once", () => {
    const rate = call("rate", range(vector("x", ["job", "a"])));
    const tree = binary("/", sum(rate), binary("+", sum(rate), vector("y")));
    expect(sourcesOf(tree).map((node) => sourceText(node))).toEqual(['rate(x{job="a"}[5m])', "y"]);
  });
  it("are asked for one series", () => {
    const [source] = sourcesOf(sum(call("quantile_over_time", number("0.9"), range(vector("x")))));
    expect(source && sourceText(source, { job: "a", "http.route": '"' })).toBe(
      'quantile_over_time(0.9, x{job="a","http.route"="\\""}[5m])',
    );
    const offset = { ...vector("x"), offset: 90_000, timestamp: 5000 };
    expect(sourceText(offset)).toBe("x @ 5 offset 90s");
  });
  it("say whose they are when they agree", () => {
    expect(askedOf([vector("x", ["job", "a"]), vector("y", ["job", "a"])], "job")).toBe("a");
    expect(askedOf([vector("x", ["job", "a"]), vector("y")], "job")).toBeNull();
  });
});
