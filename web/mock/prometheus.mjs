// Prometheus' part of the contract over the mock's metrics. PromQL is not evaluated: what a query is about is
// guessed from its text, well enough for a page that does not know what the server does.
import { METRICS } from "./metrics.mjs";
import { traceOf } from "./traces.mjs";

const UNITS = { s: "_seconds", By: "_bytes", 1: "_ratio" };

function translated(name, metric) {
  const base = name.replaceAll(/[^A-Za-z0-9_]/g, "_") + (UNITS[metric.unit] ?? "");
  return metric.kind === "sum" && metric.monotonic ? `${base}_total` : base;
}

const labelName = (key) => (key === "service.name" ? "job" : key.replaceAll(/[^A-Za-z0-9_]/g, "_"));
const labelsOf = (set) =>
  Object.fromEntries(Object.entries(set).map(([key, value]) => [labelName(key), value]));

/** Prometheus' name → the metric, its series with translated labels beside the mock's own. */
const KNOWN = new Map(
  Object.entries(METRICS).flatMap(([name, metric]) => {
    const own = translated(name, metric);
    const sets = metric.sets.map((set) => ({ set, labels: labelsOf(set) }));
    const known = { ...metric, base: own, sets };
    if (metric.kind !== "histogram") return [[own, known]];
    return ["", "_bucket", "_count", "_sum"].map((suffix) => [own + suffix, known]);
  }),
);

const kindOf = ({ kind, monotonic }) => (kind === "sum" ? (monotonic ? "counter" : "gauge") : kind);

export function metadata() {
  const all = [...KNOWN.values()].map((metric) => [
    metric.base,
    [{ type: kindOf(metric), unit: metric.unit, help: metric.description }],
  ]);
  return Object.fromEntries(all);
}

const matchers = (text) =>
  [...text.matchAll(/([A-Za-z_]\w*)="((?:\\.|[^"\\])*)"/g)].map(([, key, value]) => [key, value]);

/** The series of a selector: name and labels. */
function selected(text) {
  const asked = matchers(text);
  const name = asked.find(([key]) => key === "__name__")?.[1] ?? /^[A-Za-z_:][\w:]*/.exec(text)?.[0];
  const labels = asked.filter(([key]) => key !== "__name__");
  return [...KNOWN].flatMap(([own, metric]) =>
    name !== undefined && name !== own
      ? []
      : metric.sets
          .filter((series) => labels.every(([key, value]) => series.labels[key] === value))
          .map((series) => ({ name: own, metric, ...series })),
  );
}

const counted = (keys, limit) => {
  const counts = new Map();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts]
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1))
    .slice(0, limit);
};

export function statistics(query) {
  const limit = Number(query.get("limit") ?? 10);
  const selectors = query.getAll("match[]");
  // Yesterday there was no queue: something grows.
  const past = Number(query.get("end") ?? Date.now() / 1000) < Date.now() / 1000 - 43_200;
  const series = (selectors.length > 0 ? selectors.flatMap(selected) : selected("")).filter(
    ({ name }) => !past || name !== "app_queue_depth",
  );
  const pairs = series.flatMap(({ name, labels }) => Object.entries({ __name__: name, ...labels }));
  const texts = pairs.map(([key, value]) => `${key}=${value}`);
  const distinct = [...new Set(texts)].map((text) => text.slice(0, text.indexOf("=")));
  const focus = query.get("focusLabel");
  return {
    headStats: { numSeries: series.length, numLabelPairs: distinct.length },
    seriesCountByMetricName: counted(
      series.map(({ name }) => name),
      limit,
    ),
    labelValueCountByLabelName: counted(distinct, limit),
    memoryInBytesByLabelName: [],
    seriesCountByLabelValuePair: counted(texts, limit),
    ...(focus && {
      seriesCountByFocusLabelValue: counted(
        series.map(({ labels }) => labels[focus] ?? ""),
        limit,
      ),
    }),
  };
}

/** The metric that a query is about. */
function subject(text) {
  for (const [name] of text.matchAll(/[A-Za-z_:][\w:]*/g)) if (KNOWN.has(name)) return name;
  return undefined;
}

/** What is wrong with a text, as the server would say it; `undefined` when nothing is. */
export function fault(text) {
  let depth = 0;
  for (const [index, character] of [...text].entries()) {
    if (character === "(") depth += 1;
    if (character === ")") depth -= 1;
    if (depth < 0) return `1:${index + 1}: parse error: unexpected right parenthesis ')'`;
  }
  if (depth > 0) return `1:${text.length + 1}: parse error: unclosed left parenthesis`;
  return text.trim() === "" ? "1:1: parse error: no expression found in input" : undefined;
}

/** A tree that is right for one selector within functions and an aggregation. */
export function tree(text) {
  const name = subject(text);
  if (!name) return { type: "numberLiteral", val: "1" };
  const braces = new RegExp(`${name}\\{([^}]*)\\}`).exec(text)?.[1] ?? "";
  const all = matchers(braces).map(([key, value]) => ({ name: key, value, type: "=" }));
  const selector = {
    ...{ name, matchers: [...all, { name: "__name__", value: name, type: "=" }] },
    ...{ offset: 0, timestamp: null, startOrEnd: null },
  };
  const ranged = /\[[^\]]+\]/.test(text);
  let node = ranged
    ? {
        type: "call",
        func: { name: /\b(rate|increase)\(/.exec(text)?.[1] ?? "rate" },
        args: [{ ...selector, type: "matrixSelector", range: 120_000 }],
      }
    : { ...selector, type: "vectorSelector" };
  const op = /\b(sum|avg|max|min|count|topk)\b/.exec(text)?.[1];
  if (op) node = { type: "aggregation", op, expr: node, param: null, grouping: [], without: false };
  if (text.includes("histogram_quantile"))
    node = {
      type: "call",
      func: { name: "histogram_quantile" },
      args: [{ type: "numberLiteral", val: "0.95" }, node],
    };
  return node;
}

/** Series of a query: labels and the value at a moment. */
function evaluated(text) {
  const name = subject(text);
  if (!name) return [];
  const braces = new RegExp(`${name}\\{([^}]*)\\}`).exec(text)?.[0] ?? name;
  const by = /\bby \(([^)]*)\)/.exec(text)?.[1].split(/\s*,\s*/) ?? null;
  const summed = /\b(sum|avg|max|min|count)\b/.test(text);
  const phi = Number(/histogram_quantile\(([\d.]+)/.exec(text)?.[1] ?? 0.5);
  const groups = new Map();
  for (const series of selected(braces)) {
    const kept = summed
      ? Object.fromEntries(Object.entries(series.labels).filter(([key]) => by?.includes(key)))
      : text.includes("(")
        ? series.labels
        : { __name__: name, ...series.labels };
    const id = JSON.stringify(kept);
    groups.set(id, [...(groups.get(id) ?? []), series]);
  }
  return [...groups].map(([id, members]) => ({
    labels: JSON.parse(id),
    value: (t) => {
      const of = ({ metric, set }) =>
        /_count\b|_bucket\b/.test(text) && metric.rate && !text.includes("quantile")
          ? metric.rate(set, t)
          : metric.value(set, t);
      const sum = members.reduce((total, member) => total + of(member), 0);
      return text.includes("histogram_quantile") ? (sum / members.length) * (0.6 + phi) : sum;
    },
  }));
}

export function query(parameters) {
  const text = parameters.get("query") ?? "";
  const time = Number(parameters.get("time") ?? Date.now() / 1000);
  const result = evaluated(text).map(({ labels, value }) => ({
    metric: labels,
    value: [time, String(value(time * 1000))],
  }));
  return { resultType: "vector", result };
}

/** A native histogram around a mean: most in the middle. */
function nativeHistogram(mean, count) {
  const bounds = [0.25, 0.5, 1, 2, 4].map((factor) => String(mean * factor));
  const buckets = [0.2, 0.5, 0.25, 0.05].map((part, i) => [
    0,
    bounds[i],
    bounds[i + 1],
    String(count * part),
  ]);
  return { count: String(count), sum: String(mean * count), buckets };
}

export function queryRange(parameters) {
  const text = parameters.get("query") ?? "";
  const [start, end, step] = ["start", "end", "step"].map((name) => Number(parameters.get(name)));
  const metric = KNOWN.get(subject(text));
  if (metric?.kind === "histogram" && metric.base === subject(text) && !text.includes("histogram_")) {
    const histograms = [];
    for (let time = start; time <= end; time += step)
      histograms.push([time, nativeHistogram(0.04, metric.rate(metric.sets[0].set, time * 1000))]);
    return { resultType: "matrix", result: [{ metric: {}, histograms }] };
  }
  const result = evaluated(text).map(({ labels, value }) => {
    const values = [];
    for (let time = start; time <= end; time += step) values.push([time, String(value(time * 1000))]);
    return { metric: labels, values };
  });
  return { resultType: "matrix", result };
}

/** Long steps are answered from samples downsampled to five minutes, unless those are not wanted. */
export function tier(parameters) {
  if (Number(parameters.get("step")) < 600 || parameters.get("max_source_resolution") === "0s") return {};
  const infos = ["answered in part from samples downsampled to 5m"];
  return { infos, sourceResolution: 300 };
}

export function exemplars(parameters) {
  const name = subject(parameters.get("query") ?? "");
  const metric = KNOWN.get(name);
  if (metric?.kind !== "histogram") return [];
  const [start, end] = ["start", "end"].map((key) => Number(parameters.get(key)) * 1000);
  return metric.sets.slice(0, 3).map(({ set, labels }, index) => ({
    seriesLabels: { __name__: name, ...labels },
    exemplars: Array.from({ length: 20 }, (_, i) => {
      const t = start + ((end - start) * (i + index / 3)) / 20;
      const trace = { trace_id: traceOf(Math.floor(t / 2000) * 2000), span_id: "00f067aa0ba902b7" };
      return { labels: trace, value: String(metric.value(set, t) * (1 + (i % 5) / 3)), timestamp: t / 1000 };
    }),
  }));
}
