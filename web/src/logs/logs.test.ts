import { describe, expect, it } from "vitest";
import type { LogRecord } from "../api/types";
import { attributeFilter, readLogFilter, typedFilter } from "./filter";
import { pretty } from "./LogDetail";
import { compareNanos, type LogRows, mergeNewest, ROWS_MAX, recentRate } from "./merge";
import { severityOf } from "./severity";

const nanos = (time: number) => String(1_795_269_600_000_000_000n + BigInt(time));

function record(time: number, body = `m${time}`): LogRecord {
  return {
    ...{
      time_unix_nano: nanos(time),
      observed_time_unix_nano: nanos(time),
      severity_number: 9,
      severity_text: "INFO",
    },
    ...{ body, event_name: "", service_name: "s", trace_id: null, span_id: null },
    ...{ attributes: {}, resource_attributes: {}, scope_name: "", scope_version: "" },
  };
}

const held = (times: number[], next: string | null = null): LogRows => ({
  rows: times.map((t) => record(t)),
  next,
});
const bodies = (rows: LogRows) => rows.rows.map((row) => row.body);

describe("joining new records", () => {
  it("puts new ones on top and repeats none", () => {
    const merged = mergeNewest(held([30, 20, 10], "c"), held([40, 30, 20]), nanos(15));
    expect(bodies(merged)).toEqual(["m40", "m30", "m20", "m10"]);
    expect(merged.next).toBe("c");
  });
  it("takes in what arrived late", () => {
    expect(bodies(mergeNewest(held([30, 20, 10]), held([30, 25, 20]), nanos(15)))).toEqual([
      "m30",
      "m25",
      "m20",
      "m10",
    ]);
  });
  it("keeps equal records apart", () => {
    const twice = { rows: [record(30, "same"), record(30, "same")], next: null };
    expect(mergeNewest(held([10]), twice, nanos(15)).rows).toHaveLength(3);
    expect(mergeNewest(mergeNewest(held([10]), twice, nanos(15)), twice, nanos(15)).rows).toHaveLength(3);
  });
  it("keeps the objects that are selected", () => {
    const before = held([30, 20]);
    expect(mergeNewest(before, held([40, 30, 20]), nanos(15)).rows[1]).toBe(before.rows[0]);
  });
  it("begins anew rather than leave a hole", () => {
    const answer = held([90, 80], "newer");
    expect(mergeNewest(held([30, 20]), answer, nanos(15))).toBe(answer);
  });
  it("joins a full page that reaches what is here", () => {
    const merged = mergeNewest(held([30, 20, 10], "c"), held([50, 40, 30], "x"), nanos(0));
    expect(bodies(merged)).toEqual(["m50", "m40", "m30", "m20", "m10"]);
    expect(merged.next).toBe("c");
  });
  it("leaves everything when nothing is new", () => {
    const before = held([30]);
    expect(mergeNewest(before, held([]), nanos(15))).toBe(before);
  });
  it("stays within its bound and can go on from there", () => {
    const many = held(Array.from({ length: ROWS_MAX }, (_, i) => 1_000_000 - i));
    const merged = mergeNewest(many, held([2_000_000]), nanos(1_500_000));
    expect(merged.rows).toHaveLength(ROWS_MAX);
    expect(merged.next).toBe(merged.rows.at(-1)?.time_unix_nano);
  });
  it("does not cut a moment in two", () => {
    const many = held(Array.from({ length: ROWS_MAX }, (_, i) => (i > ROWS_MAX - 4 ? 5 : 1_000_000 - i)));
    const merged = mergeNewest(many, held([2_000_000]), nanos(1_500_000));
    expect(merged.rows.at(-1)?.body).not.toBe("m5");
    expect(merged.next).toBe(merged.rows.at(-1)?.time_unix_nano);
  });
  it("compares times longer than a number", () => {
    expect(compareNanos("9", "10")).toBeLessThan(0);
    expect(compareNanos(nanos(2), nanos(1))).toBeGreaterThan(0);
    expect(compareNanos(nanos(2), nanos(2))).toBe(0);
  });
  it("knows the rate", () => {
    const now = 1_795_269_600_000 + 20_000;
    const rows = Array.from({ length: 50 }, (_, i) => record((20_000 - i * 500) * 1_000_000));
    expect(recentRate(rows, now)).toBeCloseTo(2.1, 1);
    expect(recentRate([], now)).toBe(0);
  });
});

describe("filters", () => {
  it("reads the URL", () => {
    const filter = readLogFilter(new URLSearchParams("service=a&severity=17&q=x&attr=k:v&attr=l:w:z"));
    expect(filter).toMatchObject({ service: "a", severityMin: 17, text: "x", attributes: ["k:v", "l:w:z"] });
    expect(readLogFilter(new URLSearchParams("severity=99")).severityMin).toBeUndefined();
  });
  it("reads what is typed", () => {
    expect(typedFilter("user.id: 7", [])).toEqual({ attr: ["user.id:7"] });
    expect(typedFilter("url:http://x", ["a:b"])).toEqual({ attr: ["a:b", "url:http://x"] });
    expect(typedFilter("service.name:cart", [])).toEqual({ service: "cart" });
    expect(typedFilter("A".repeat(32), [])).toEqual({ trace_id: "a".repeat(32) });
    for (const text of ["", "word", ":x", "k:"]) expect(typedFilter(text, [])).toBeNull();
  });
  it("adds no filter twice", () => expect(attributeFilter("k", "v", ["k:v"])).toEqual({ attr: ["k:v"] }));
});

describe("the message", () => {
  it("is laid out where it is JSON, and left alone where it is not", () => {
    expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}');
    expect(pretty("[not json")).toBe("[not json");
    expect(pretty(null)).toBe("");
  });
});

describe("severity", () => {
  it.each([
    [0, "unset"],
    [1, "trace"],
    [4, "trace"],
    [5, "debug"],
    [9, "info"],
    [16, "warn"],
    [17, "error"],
    [24, "fatal"],
    [25, "unset"],
  ])("%d is %s", (number, name) => expect(severityOf(number)).toBe(name));
});
