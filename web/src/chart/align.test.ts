import { describe, expect, it } from "vitest";
import { align, bridge, niceStepMs, stacked, summarize } from "./align";

describe("alignment", () => {
  it("puts series on one axis", () => {
    const { x, columns } = align([
      {
        points: [
          [10, 1],
          [30, 3],
        ],
      },
      {
        points: [
          [20, 2],
          [30, null],
        ],
      },
    ]);
    expect(x).toEqual([10, 20, 30]);
    expect(columns).toEqual([
      [1, null, 3],
      [null, 2, null],
    ]);
  });
});

describe("gaps", () => {
  const n = null;
  it("draws over the rhythm of a slow series", () => {
    expect(bridge([1, n, n, 2, n, n, 3])).toEqual([1, undefined, undefined, 2, undefined, undefined, 3]);
  });
  it("keeps a real gap", () => {
    expect(bridge([1, 2, 3, n, n, n, n, 4, 5])).toEqual([1, 2, 3, n, n, n, n, 4, 5]);
  });
  it("bridges one missed report", () => {
    expect(bridge([1, 2, n, 4, 5])).toEqual([1, 2, undefined, 4, 5]);
  });
  it("holds values where sums need them", () => {
    expect(bridge([1, n, 2, n, 3], true)).toEqual([1, 1, 2, 2, 3]);
  });
  it("leaves the ends alone", () => {
    expect(bridge([n, n, 1, 2, n])).toEqual([n, n, 1, 2, n]);
  });
});

describe("stacks", () => {
  it("adds up from the first", () => {
    expect(
      stacked([
        [1, null, 2],
        [3, null, null],
      ]),
    ).toEqual([
      [1, null, 2],
      [4, null, 2],
    ]);
  });
});

describe("summaries and steps", () => {
  it("ignores gaps", () => {
    expect(
      summarize([
        [0, 4],
        [1, null],
        [2, 2],
        [3, null],
      ]),
    ).toEqual({ last: 2, min: 2, max: 4, mean: 3 });
    expect(summarize([[0, null]])).toEqual({ last: null, min: null, max: null, mean: null });
  });
  it("takes even steps", () => {
    expect(niceStepMs(900_000, 240)).toBe(5000);
    expect(niceStepMs(3_600_000, 240)).toBe(15_000);
    expect(niceStepMs(10_000, 240)).toBe(1000);
    expect(niceStepMs(365 * 86_400_000, 240)).toBe(86_400_000);
  });
});
