import { describe, expect, it } from "vitest";
import type { Metric, Series, SeriesAnswer } from "../api/types";
import { searched } from "./MetricList";
import { groupSeries, seriesName, tellingLabels, toggledBy, toggledMatch, valueFormat } from "./query";

const NO_STATS = {
  ...{ elapsed_ms: 0, rows: 0, scanned_rows: 0, scanned_bytes: 0 },
  ...{ segments: 0, segments_skipped: 0, memory_peak_bytes: 0 },
};
const series = (labels: Record<string, string>): Series => ({ labels, points: [[0, 1]] });
const answer = (kind: SeriesAnswer["kind"], unit: string, list: Series[]): SeriesAnswer => ({
  ...{
    complete: true,
    warnings: [],
    stats: NO_STATS,
    step_ms: 1000,
    series: list,
    total_series: list.length,
    unit,
    kind,
  },
});
const metric = (name: string, description = ""): Metric => ({
  ...{ name, description, unit: "", kind: "gauge", monotonic: null, temporality: null, series: 1 },
});

describe("label filters", () => {
  it("holds one value for each key", () => {
    expect(toggledMatch(["host:a", "url:x:y"], "host", "b")).toEqual(["url:x:y", "host:b"]);
    expect(toggledMatch(["host:a"], "host", "a")).toEqual([]);
    expect(toggledMatch(["a\\:b:1"], "a:b", "2")).toEqual(["a\\:b:2"]);
    expect(toggledMatch(["a\\:b:1"], "a", "2")).toEqual(["a\\:b:1", "a:2"]);
  });
  it("groups and ungroups", () => {
    expect(toggledBy(["a"], "b")).toEqual(["a", "b"]);
    expect(toggledBy(["a", "b"], "a")).toEqual(["b"]);
  });
});

describe("names of series", () => {
  it("say only what differs", () => {
    const list = [series({ host: "a", app: "x" }), series({ host: "b", app: "x" })];
    expect(tellingLabels(list)).toEqual(["host"]);
    expect(seriesName(list[0]?.labels ?? {}, ["host"], "m")).toBe("host=a");
  });
  it("count a missing label as a difference", () => {
    expect(tellingLabels([series({ a: "1" }), series({})])).toEqual(["a"]);
  });
  it("fall back to all labels, then to the metric", () => {
    expect(seriesName({ a: "1" }, [], "m")).toBe("a=1");
    expect(seriesName({}, [], "m")).toBe("m");
  });
});

describe("kinds", () => {
  it("shows counters per second and other sums as they are", () => {
    expect(groupSeries(answer("sum", "By", []), undefined)[0]).toMatchObject({ unit: "By/s" });
    const updown = { ...metric("m"), monotonic: false };
    expect(groupSeries(answer("sum", "By", []), updown)[0]).toMatchObject({ unit: "By", title: "value" });
    const changes = { ...updown, temporality: "delta" };
    expect(groupSeries(answer("sum", "By", []), changes)[0]).toMatchObject({ unit: "By/s" });
  });
  it("splits histograms into mean and rate", () => {
    const groups = groupSeries(
      answer("histogram", "s", [series({ stat: "mean", a: "1" }), series({ stat: "rate", a: "1" })]),
      undefined,
    );
    expect(groups.map(({ title, unit }) => [title, unit])).toEqual([
      ["mean", "s"],
      ["recorded per second", "/s"],
    ]);
    expect(groups[0]?.series[0]?.labels).toEqual({ a: "1" });
  });
  it("shows utilization in percent", () => {
    expect(valueFormat("system.cpu.utilization", "1")(0.5)).toBe("50 %");
    expect(valueFormat("anything", "1")(0.5)).toBe("0.5");
  });
});

describe("search", () => {
  const all = [metric("system.cpu.time"), metric("http.server.duration", "Time of requests")];
  it("needs every word, in name or description", () => {
    expect(searched(all, "cpu SYS")).toHaveLength(1);
    expect(searched(all, "time")).toHaveLength(2);
    expect(searched(all, "cpu http")).toHaveLength(0);
  });
});
