import { describe, expect, it } from "vitest";
import {
  bytes,
  count,
  cut,
  duration,
  nanosToMs,
  nanoTime,
  number,
  plural,
  rowTime,
  share,
  unitWords,
  withUnit,
} from "./format";

describe("numbers", () => {
  it.each([
    [0, "0"],
    [7, "7"],
    [999.4, "999"],
    [999.6, "1k"],
    [1234, "1.23k"],
    [12_345, "12.3k"],
    [-2_500_000, "-2.5M"],
    [0.25, "0.25"],
    [0.00123, "0.0012"],
    [1e-7, "1e-7"],
    [Number.NaN, "NaN"],
  ])("%d", (value, text) => expect(number(value)).toBe(text));
  it("counts with gaps", () => expect(count(1_234_567)).toBe("1\u202f234\u202f567"));
  it("knows one from many", () =>
    expect([plural(1, "span"), plural(0, "span")]).toEqual(["1 span", "0 spans"]));
});

describe("units in words", () => {
  it.each([
    ["By", "bytes"],
    ["1", ""],
    ["", ""],
    ["{log_record}", "log record"],
    ["By/s", "bytes/s"],
    ["{request}/s", "request/s"],
    ["EUR", "EUR"],
  ])("%s", (unit, words) => expect(unitWords(unit)).toBe(words));
});

describe("shares", () => {
  it.each([
    [1, 3, "33.3 %"],
    [1, 10_000, "< 0.1 %"],
    [0, 5, "0 %"],
    [5, 0, "0 %"],
  ])("%d of %d", (part, whole, text) => expect(share(part, whole)).toBe(text));
});

describe("bytes", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1023.9, "1 KiB"],
    [1536, "1.5 KiB"],
    [3 * 2 ** 30, "3 GiB"],
  ])("%d", (value, text) => expect(bytes(value)).toBe(text));
});

describe("durations", () => {
  it.each([
    [0, "0 s"],
    [850, "850 ns"],
    [1250, "1.25 µs"],
    [999_600, "1 ms"],
    [1_250_000, "1.25 ms"],
    [3.4e9, "3.4 s"],
    [59.96e9, "60 s"],
    [125e9, "2 min 5 s"],
    [3600e9, "1 h"],
    [11_520e9, "3 h 12 min"],
    [187_200e9, "2 d 4 h"],
    [86_405e9, "1 d"],
  ])("%d", (value, text) => expect(duration(value)).toBe(text));
});

describe("units", () => {
  it.each([
    [2048, "By", "2 KiB"],
    [2048, "By/s", "2 KiB/s"],
    [0.0021, "s", "2.1 ms"],
    [250, "ms", "250 ms"],
    [12, "{request}", "12"],
    [12, "{request}/s", "12/s"],
    [12, "/s", "12/s"],
    [5, "Cel", "5 Cel"],
    [0.5, "1", "0.5"],
  ])("%d %s", (value, unit, text) => expect(withUnit(value, unit)).toBe(text));
  it("shows ratios as percent", () => expect(withUnit(0.256, "1", true)).toBe("25.6 %"));
});

describe("64-bit times", () => {
  const nanos = "1795269600123456789";
  it("keeps milliseconds exact", () => expect(nanosToMs(nanos)).toBe(1_795_269_600_123));
  it("keeps every digit", () => expect(nanoTime(nanos)).toMatch(/^2026-11-2\d \d\d:\d\d:00\.123456789$/));
  it("shortens for rows", () => expect(rowTime(nanos)).toMatch(/^\d\d:\d\d:00\.123$/));
  it("survives zero", () => expect(nanosToMs("0")).toBe(0));
});

describe("cut", () => {
  it("leaves short text alone", () => expect(cut("abc", 3)).toBe("abc"));
  it("does not split a character in two", () => expect(cut("ab😀", 3)).toBe("ab"));
});
