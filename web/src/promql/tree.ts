/**
 * What a query's tree tells: the unit of its values, the series that it reads, whose they are.
 *
 * Enters: the tree as the server gives it. Leaves: units, selectors. Must hold: pure; what is not sure is not said.
 */
import type { Labels, Node } from "../api/prometheus";

/** The UCUM unit of a metric by its name; `undefined` where nothing is known. */
export type UnitOf = (name: string) => string | undefined;

const children = (node: Node): Node[] =>
  [node.expr, node.lhs, node.rhs, ...(node.args ?? [])].filter(
    (child) => child !== undefined && child !== null,
  );

/** Functions whose values have the unit of what they take. */
const KEEPS =
  /^(abs|ceil|floor|round|clamp.*|sort.*|delta|idelta|increase|predict_linear|histogram_(avg|quantile|stddev|sum)|label_.*|scalar|(avg|min|max|sum|last|first|quantile|stddev|mad)_over_time)$/;
const PER_SECOND = /^(rate|irate|deriv)$/;
const AGGREGATES = /^(sum|avg|min|max|topk|bottomk|quantile|stddev|limitk)$/;

/** Time for time is a share. */
const perSecond = (unit: string): string => (unit === "s" ? "1" : `${unit}/s`);

/** The unit of a query's values: `""` for plain numbers, `1` for a share. */
export function unitOf(node: Node, known: UnitOf): string {
  switch (node.type) {
    case "vectorSelector":
    case "matrixSelector":
      return known(node.name ?? "") ?? "";
    case "parenExpr":
    case "unaryExpr":
    case "subquery":
      return node.expr ? unitOf(node.expr, known) : "";
    case "aggregation":
      return node.expr && AGGREGATES.test(node.op ?? "") ? unitOf(node.expr, known) : "";
    case "call":
      return unitOfCall(node, known);
    case "binaryExpr":
      return unitOfBinary(node, known);
    default:
      return "";
  }
}

function unitOfCall(node: Node, known: UnitOf): string {
  const name = node.func?.name ?? "";
  const series = node.args?.find(({ type }) => type !== "numberLiteral" && type !== "stringLiteral");
  if (!series) return "";
  if (PER_SECOND.test(name)) return perSecond(unitOf(series, known));
  if (name === "histogram_fraction") return "1";
  // Of rates of a histogram the quantile and the mean are what was measured, not that a second.
  if (/^histogram_(quantile|avg|stddev)$/.test(name)) return measured(series, known);
  if (name === "histogram_count") return observationsUnit(series);
  return KEEPS.test(name) ? unitOf(series, known) : "";
}

/** Of native histograms the number of observations: a second, where the tree takes rates. */
export function observationsUnit(node: Node): string {
  if (node.type === "call" && PER_SECOND.test(node.func?.name ?? "")) return "/s";
  return children(node).some((child) => observationsUnit(child) === "/s") ? "/s" : "";
}

/** The unit of the first series that a tree reads. */
export function measured(node: Node, known: UnitOf): string {
  const [selector] = selectorsOf(node);
  return known((selector?.name ?? "").replace(/_bucket$/, "")) ?? "";
}

function unitOfBinary({ op = "", lhs, rhs }: Node, known: UnitOf): string {
  if (!lhs || !rhs) return "";
  const [left, right] = [unitOf(lhs, known), unitOf(rhs, known)];
  const [number] = [lhs, rhs].filter(({ type }) => type === "numberLiteral");
  switch (op) {
    case "+":
    case "-":
    case "or":
      return number || left === right ? left || right : "";
    case "/":
      if (number) return number === rhs ? left : "";
      return left === right && left !== "" ? "1" : "";
    default:
      // Comparisons and set operations let values of the left through; a product has a unit of its own.
      return /^(==|!=|<=?|>=?|and|unless)$/.test(op) ? left : "";
  }
}

/** All selectors of a tree. */
export function selectorsOf(node: Node): Node[] {
  const own = /^(vector|matrix)Selector$/.test(node.type) ? [node] : [];
  return [...own, ...children(node).flatMap(selectorsOf)];
}

/** A selector as text, without range and offset. */
export function selectorText(node: Node): string {
  const matchers = node.matchers ?? [];
  const name = node.name ?? "";
  const plain = /^[A-Za-z_:][\w:]*$/.test(name);
  const rest = matchers
    .filter(
      (matcher) => !(matcher.name === "__name__" && matcher.type === "=" && matcher.value === name && name),
    )
    .map(({ name: label, value, type }) => `${labelText(label)}${type}${JSON.stringify(value)}`);
  const parts = name && !plain ? [JSON.stringify(name), ...rest] : rest;
  return `${plain ? name : ""}${parts.length > 0 || !plain ? `{${parts.join(",")}}` : ""}`;
}

/** A label's name; one with other characters stands in quotes. */
export const labelText = (name: string): string =>
  /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);

/** In the largest unit that divides it. */
function duration(ms: number): string {
  const units: [number, string][] = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "m"],
    [1000, "s"],
  ];
  const [size, unit] = units.find(([size]) => ms >= size && ms % size === 0) ?? [1, "ms"];
  return `${ms / size}${unit}`;
}

/** Where in time a selector looks. */
function placeText({ offset = 0, timestamp, startOrEnd }: Node): string {
  const at = startOrEnd
    ? ` @ ${startOrEnd}()`
    : typeof timestamp === "number"
      ? ` @ ${timestamp / 1000}`
      : "";
  return at + (offset === 0 ? "" : ` offset ${offset < 0 ? "-" : ""}${duration(Math.abs(offset))}`);
}

/** The node with its selectors narrowed to one series. */
function narrowed(node: Node, labels: Labels): Node {
  const own = Object.entries(labels).filter(([label]) => label !== "__name__");
  const matchers = own.map(([name, value]) => ({ name, value, type: "=" as const }));
  return {
    ...node,
    ...(/^(vector|matrix)Selector$/.test(node.type) && {
      name: node.name || (labels.__name__ ?? ""),
      matchers,
    }),
    ...(node.args && { args: node.args.map((argument) => narrowed(argument, labels)) }),
  };
}

/** A selector, or a function over one, as text. */
function textOf(node: Node): string {
  switch (node.type) {
    case "vectorSelector":
      return selectorText(node) + placeText(node);
    case "matrixSelector":
      return `${selectorText(node)}[${duration(node.range ?? 0)}]${placeText(node)}`;
    case "stringLiteral":
      return JSON.stringify(node.val ?? "");
    case "call":
      return `${node.func?.name}(${(node.args ?? []).map(textOf).join(", ")})`;
    default:
      return node.val ?? "";
  }
}

/** What a source asks, of all its series or of one. */
export function sourceText(node: Node, labels?: Labels): string {
  return textOf(labels ? narrowed(node, labels) : node);
}

const isPlain = ({ type }: Node): boolean => /^(numberLiteral|stringLiteral|matrixSelector)$/.test(type);

/**
 * What a query reads before it adds up, filters or computes: its selectors, or where it takes their samples over a
 * time, the function over them. Each once.
 */
export function sourcesOf(node: Node): Node[] {
  const found = new Map<string, Node>();
  const walk = (part: Node): void => {
    const over = part.type === "call" && part.args?.some(({ type }) => type === "matrixSelector");
    if (part.type === "vectorSelector" || (over && part.args?.every(isPlain))) found.set(textOf(part), part);
    // Samples alone are no answer: their last one is.
    else if (part.type === "matrixSelector") walk({ ...part, type: "vectorSelector" });
    else children(part).forEach(walk);
  };
  walk(node);
  return [...found.values()];
}

/** The one value that all selectors of a tree ask of a label; `null` for none or several. */
export function askedOf(nodes: readonly Node[], label: string): string | null {
  const values = new Set(
    nodes
      .flatMap(selectorsOf)
      .map(
        ({ matchers = [] }) =>
          matchers.find(({ name, type }) => name === label && type === "=")?.value ?? null,
      ),
  );
  const [only] = values;
  return values.size === 1 && only ? only : null;
}
