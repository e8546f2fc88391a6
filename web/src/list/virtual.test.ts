import { describe, expect, it } from "vitest";
import { moved, rowWindow, scrollToShow } from "./virtual";

const view = { viewportHeight: 200, rowHeight: 20, count: 1000, overscan: 2 };

describe("rows in view", () => {
  it("draws the viewport and a little more", () => {
    expect(rowWindow({ ...view, scrollTop: 0 })).toEqual({ first: 0, end: 12, offset: 0, total: 20_000 });
    expect(rowWindow({ ...view, scrollTop: 405 })).toEqual({
      first: 18,
      end: 33,
      offset: 360,
      total: 20_000,
    });
  });
  it("ends with the list", () => {
    expect(rowWindow({ ...view, scrollTop: 19_800 })).toMatchObject({ first: 988, end: 1000 });
    expect(rowWindow({ ...view, scrollTop: 99_999 })).toMatchObject({ first: 988, end: 1000 });
  });
  it("stands short and empty lists", () => {
    expect(rowWindow({ ...view, count: 3, scrollTop: 500 })).toMatchObject({ first: 0, end: 3 });
    expect(rowWindow({ ...view, count: 0, scrollTop: 0 })).toMatchObject({ first: 0, end: 0, total: 0 });
  });
  it("draws as many rows of a million as of a thousand", () => {
    const rows = rowWindow({ ...view, count: 1_000_000, scrollTop: 9_999_999 });
    expect(rows.end - rows.first).toBeLessThan(20);
  });
});

describe("moving", () => {
  it("scrolls as little as needed", () => {
    expect(scrollToShow(5, { ...view, scrollTop: 0 })).toBe(0);
    expect(scrollToShow(10, { ...view, scrollTop: 0 })).toBe(20);
    expect(scrollToShow(3, { ...view, scrollTop: 400 })).toBe(60);
  });
  it("stops at the ends", () => {
    expect([moved(-1, 1, 5), moved(-1, -1, 5), moved(4, 1, 5), moved(0, -1, 5), moved(0, 1, 0)]).toEqual([
      0, 4, 4, 0, -1,
    ]);
  });
});
