import { describe, expect, it } from "vitest";
import type { Statistics } from "../api/prometheus";
import type { Span } from "../api/types";
import type { KnownMetric } from "../promql/choices";
import { metricsOf } from "../trace/SpanDetail";
import { queriesFor, rateWindow, selector, serviceQueries } from "./build";
import { growing, growthText, readNarrowed, refusedOf, selectorOf } from "./cardinality";
import { hiddenWithout, readExplored, toggledMatch, withQueries } from "./explored";
import { cellAt, heatOf } from "./heat";
import { described, listed, resolved, searched } from "./known";
import { gathered } from "./Remarks";
import { exemplarPoints, linesOf, rowsOf, seriesName, tellingLabels, totalOf } from "./result";
import { resolutionOf } from "./useAnswers";

const metric = (name: string, kind = "gauge", unit = "", series = 1): KnownMetric => ({
  ...{ name, kind, unit, help: "", series },
});
const picked = (name: string, match: string[] = [], by: string[] = []) => ({ name, match, by });

describe("queries that are written for a metric", () => {
  it("are rates of counters", () => {
    const counter = metric("x_total", "counter");
    expect(queriesFor(counter, picked("x_total", ["job:a:b"]), 5000)).toEqual([
      'rate(x_total{job="a:b"}[2m])',
    ]);
    expect(queriesFor(counter, picked("x_total", [], ["job"]), 60_000)).toEqual([
      "sum by (job) (rate(x_total[5m]))",
    ]);
    expect(queriesFor({ ...counter, series: 500 }, picked("x_total"), 5000)).toEqual([
      "sum(rate(x_total[2m]))",
    ]);
  });
  it("are quantiles of histograms, of buckets by their bounds", () => {
    expect(queriesFor(metric("h", "histogram"), picked("h"), 5000)[1]).toBe(
      "histogram_quantile(0.95, sum(rate(h[2m])))",
    );
    expect(queriesFor(metric("h_bucket", "histogram"), picked("h_bucket", [], ["a.b"]), 5000)).toEqual([
      'histogram_quantile(0.95, sum by (le, "a.b") (rate(h_bucket[2m])))',
    ]);
  });
  it("are gauges themselves, shares as a mean", () => {
    expect(queriesFor(metric("g"), picked("g"), 5000)).toEqual(["g"]);
    expect(queriesFor(metric("g", "gauge", "1"), picked("g", [], ["a"]), 5000)).toEqual(["avg by (a) (g)"]);
    expect(queriesFor(metric("g", "gauge", "By"), picked("g", [], ["a"]), 5000)).toEqual(["sum by (a) (g)"]);
  });
  it("quote what PromQL needs quoted", () => {
    expect(selector("a.b", ["c\\:d:e"])).toBe('{"a.b", "c:d"="e"}');
    expect(selector("", ["job:x"])).toBe('{job="x"}');
    expect(selector("a", ['b:"\\'])).toBe('a{b="\\"\\\\"}');
  });
  it("look at four steps at least", () => {
    expect([1000, 30_000, 120_000, 86_400_000].map(rateWindow)).toEqual(["2m", "2m", "10m", "1d"]);
  });
  it("show how a service is", () => {
    const metrics = [
      metric("http_client_request_duration_seconds", "histogram"),
      metric("http_server_request_duration_seconds", "histogram"),
    ];
    const queries = serviceQueries(metrics, ["job:cart"], 5000);
    expect(queries[0]).toBe(
      'histogram_quantile(0.95, sum(rate(http_server_request_duration_seconds{job="cart"}[2m])))',
    );
    expect(queries[3]).toContain('http_response_status_code=~"5.."');
    expect(serviceQueries([metric("x")], ["job:cart"], 5000)).toEqual([]);
  });
});

describe("known metrics", () => {
  const statistics = (...names: string[]): Statistics => ({
    headStats: { numSeries: 0, numLabelPairs: 0 },
    seriesCountByMetricName: names.map((name, index) => ({ name, value: index + 1 })),
    labelValueCountByLabelName: [],
    seriesCountByLabelValuePair: [],
  });
  const metadata = { h_seconds: [{ type: "histogram", unit: "s", help: "How long." }] };
  it("know the parts of a histogram", () => {
    const all = described(statistics("h_seconds_count", "h_seconds_sum", "x_total"), metadata);
    expect(all.map(({ kind, unit }) => [kind, unit])).toEqual([
      ["counter", ""],
      ["counter", "s"],
      ["counter", ""],
    ]);
  });
  it("list a histogram once", () => {
    const parts = ["h_seconds_bucket", "h_seconds_count", "h_seconds_sum"];
    const names = (...all: string[]) =>
      listed(described(statistics(...all), metadata)).map(({ name }) => name);
    expect(names("h_seconds", ...parts)).toEqual(["h_seconds"]);
    expect(names(...parts)).toEqual(["h_seconds_bucket"]);
    expect(names("row_count")).toEqual(["row_count"]);
  });
  it("are found by OpenTelemetry's names, too", () => {
    const all = [metric("http_server_duration_seconds"), metric("system_cpu_time_seconds_total")];
    expect(resolved(all, "http.server.duration")?.name).toBe("http_server_duration_seconds");
    expect(resolved(all, "http_server")).toBeUndefined();
    expect(searched(all, "cpu.time SYS")).toHaveLength(1);
    expect(searched(all, "cpu http")).toHaveLength(0);
  });
});

describe("the URL", () => {
  it("holds queries, and what hides them moves along", () => {
    const params = new URLSearchParams("q=a&q=b&hide=B&tab=nonsense&mark=x");
    expect(readExplored(params)).toMatchObject({
      written: ["a", "b"],
      hidden: ["B"],
      tab: "graph",
      mark: null,
    });
    expect(hiddenWithout(["A", "C"], 1)).toEqual(["A", "B"]);
    expect(hiddenWithout(["B"], 1)).toEqual([]);
    expect(withQueries(Array.from({ length: 30 }, () => "x")).q).toHaveLength(10);
  });
  it("holds one value for each label", () => {
    expect(toggledMatch(["host:a", "url:x:y"], "host", "b")).toEqual(["url:x:y", "host:b"]);
    expect(toggledMatch(["host:a"], "host", "a")).toEqual([]);
    expect(toggledMatch(["a\\:b:1"], "a:b", "2")).toEqual(["a\\:b:2"]);
  });
});

describe("answers", () => {
  const window = { from: 0, to: 60_000 };
  it("become lines, without what is no number", () => {
    const lines = linesOf(
      {
        resultType: "matrix",
        result: [
          {
            metric: { a: "1" },
            values: [
              [1, "2"],
              [2, "NaN"],
              [3, "+Inf"],
            ],
          },
          { metric: { a: "2" }, histograms: [[1, { count: "7", sum: "1" }]] },
        ],
      },
      window,
    );
    expect(lines[0]?.points).toEqual([
      [1000, 2],
      [2000, null],
      [3000, null],
    ]);
    expect(lines[1]?.points).toEqual([[1000, 7]]);
    expect(linesOf({ resultType: "scalar", result: [1, "3"] }, window)[0]?.points).toEqual([
      [0, 3],
      [60_000, 3],
    ]);
  });
  it("become rows, the largest first", () => {
    const rows = rowsOf({
      resultType: "vector",
      result: [
        { metric: { a: "n" }, value: [1, "NaN"] },
        { metric: { a: "s" }, value: [1, "1"] },
        { metric: { a: "i" }, value: [1, "+Inf"] },
        { metric: { a: "h" }, histogram: [1, { count: "4", sum: "2" }] },
      ],
    });
    expect(rows.map(({ labels }) => labels.a)).toEqual(["i", "h", "s", "n"]);
    expect(totalOf(rows)).toBeNull();
    expect(
      totalOf([
        { labels: {}, value: 1 },
        { labels: {}, value: 3 },
      ]),
    ).toBe(4);
    expect(totalOf([{ labels: {}, value: -1 }])).toBeNull();
  });
  it("are named by what differs", () => {
    const list = [{ labels: { host: "a", app: "x" } }, { labels: { host: "b", app: "x" } }];
    expect(tellingLabels(list)).toEqual(["host"]);
    expect(tellingLabels([{ labels: { a: "1" } }, { labels: {} }])).toEqual(["a"]);
    expect(seriesName({ host: "a", app: "x" }, ["host"], "m")).toBe("host=a");
    expect(seriesName({ __name__: "m" }, [], "m")).toBe("m");
  });
  it("keep the largest exemplars of each part of the range, with a trace", () => {
    const trace = (n: number) => ({ trace_id: n.toString(16).padStart(32, "0"), span_id: "1" });
    const of = (list: [number, string, Record<string, string>][]) => [
      {
        seriesLabels: { a: "1" },
        exemplars: list.map(([timestamp, value, labels]) => ({ timestamp, value, labels })),
      },
    ];
    const five = of([1, 2, 3, 4, 5].map((n) => [0.5, String(n), trace(n)]));
    expect(exemplarPoints(five, window).map(({ value }) => value)).toEqual([5, 4, 3]);
    expect(exemplarPoints([...five, ...five], window)).toHaveLength(3);
    expect(
      exemplarPoints(
        of([
          [1, "1", { user: "x" }],
          [1, "NaN", trace(1)],
        ]),
        window,
      ),
    ).toEqual([]);
  });
  it("tell each remark once, with the queries it is about", () => {
    const of = ["B", "A"].map((letter) => ({ letter, warnings: ["cut"], infos: [] }));
    expect(gathered(of, "warnings")).toEqual(["A, B: cut"]);
    expect(gathered(of, "infos")).toEqual([]);
  });
});

describe("heatmaps", () => {
  const matrix = (...list: [number, [number, string, string, string][]][]) => ({
    resultType: "matrix" as const,
    result: [
      {
        metric: {},
        histograms: list.map(([time, buckets]) => [time, { count: "1", sum: "1", buckets }] as const),
      },
    ],
  });
  it("add up series and find the cell of a time and a value", () => {
    const one = matrix([
      10,
      [
        [0, "0.1", "0.2", "3"],
        [0, "0.2", "0.4", "1"],
      ],
    ]);
    const heat = heatOf({ ...one, result: [...one.result, ...one.result] });
    expect(heat).toMatchObject({ low: 0.1, high: 0.4, most: 6, logarithmic: false });
    expect(heat && cellAt(heat, 8000, 0.15, 5000)?.count).toBe(6);
    expect(heat && cellAt(heat, 4000, 0.15, 5000)).toBeUndefined();
    expect(heat && cellAt(heat, 8000, 0.5, 5000)).toBeUndefined();
  });
  it("stand on powers where values differ widely, with room for what has no bound", () => {
    const heat = heatOf(
      matrix([
        1,
        [
          [0, "0", "0.001", "1"],
          [0, "0.001", "1", "1"],
          [0, "1", "+Inf", "2"],
        ],
      ]),
    );
    expect(heat).toMatchObject({ low: 0.0005, high: 2, logarithmic: true });
    expect(heat?.cells.map(({ low, high }) => [low, high])).toEqual([
      [0.0005, 0.001],
      [0.001, 1],
      [1, 2],
    ]);
  });
  it("are none without buckets", () => {
    expect(heatOf(matrix([1, []]))).toBeNull();
    expect(heatOf({ resultType: "matrix", result: [{ metric: {}, values: [[1, "1"]] }] })).toBeNull();
  });
});

describe("cardinality", () => {
  it("narrows by metric and labels", () => {
    const narrowed = readNarrowed(new URLSearchParams("metric=x&match=a:b&against=7d"));
    expect(selectorOf(narrowed)).toBe('{__name__="x",a="b"}');
    expect(narrowed.against).toBe("7d");
    expect(readNarrowed(new URLSearchParams("against=9d")).against).toBe("1d");
    expect(selectorOf(readNarrowed(new URLSearchParams()))).toBeNull();
  });
  it("adds up what the limits kept out", () => {
    const entries = [{ rejected: { too_many_series: 2, invalid_utf8: 9 } }, { rejected: {} }];
    const refused = refusedOf([
      ...entries,
      { rejected: { too_many_series: 1, too_many_series_of_metric: 4 } },
    ]);
    expect(refused).toEqual({ tenant: 3, metric: 4 });
  });
  it("knows what is new only where the earlier list was whole", () => {
    const now = [
      { name: "a", value: 5 },
      { name: "b", value: 2 },
    ];
    const before = [{ name: "a", value: 3 }];
    expect(growing(now, before, 10).map((row) => growthText(row, String))).toEqual(["+2", "new"]);
    expect(growing(now, before, 1).map((row) => growthText(row, String))).toEqual(["+2", ""]);
    expect(growing(now, undefined, 10).map((row) => growthText(row, String))).toEqual(["", ""]);
    expect(growthText({ name: "a", value: 1, before: 4 }, String)).toBe("−3");
  });
});

describe("what was downsampled", () => {
  it("is as coarse as the coarsest answer", () => {
    const answer = { data: null, warnings: [], infos: [] };
    expect(resolutionOf([answer, undefined])).toBe(0);
    expect(
      resolutionOf([
        { ...answer, resolutionMs: 300_000 },
        { ...answer, resolutionMs: 60_000 },
      ]),
    ).toBe(300_000);
  });
  it("is read unless the address says otherwise", () => {
    const raw = (text: string) => readExplored(new URLSearchParams(text)).raw;
    expect([raw(""), raw("raw=1"), raw("raw=0")]).toEqual([false, true, false]);
  });
});

describe("from a span to metrics", () => {
  it("names the service as Prometheus does, around the span's time", () => {
    const span = {
      service_name: "cart",
      resource_attributes: { "service.namespace": "shop" },
      start_unix_nano: "1700000000000000000",
      end_unix_nano: "1700000001000000000",
    } as unknown as Span;
    expect(metricsOf(span)).toEqual({
      match: "job:shop/cart",
      mark: "1700000000000",
      from: "2023-11-14T21:58:20Z",
      to: "2023-11-14T22:28:21Z",
    });
  });
});
