import { describe, expect, it } from "vitest";
import { logTicks, valueRange } from "./scale";

const plain = { floating: false, logarithmic: false, top: undefined };

describe("the value axis", () => {
  it("begins at zero", () => {
    const [low, high] = valueRange(plain, 90, 100);
    expect(low).toBe(0);
    expect(high).toBeGreaterThan(100);
  });
  it("floats around values that are alike, also when all are the same", () => {
    for (const [min, max] of [
      [95, 100],
      [0.05, 0.05],
    ] as const) {
      const [low, high] = valueRange({ ...plain, floating: true }, min, max);
      expect(low).toBeGreaterThan(0);
      expect(low).toBeLessThan(min);
      expect(high).toBeGreaterThan(max);
      expect(high).toBeLessThan(max * 1.2);
    }
  });
  it("has room below zero", () => expect(valueRange(plain, -5, 5)[0]).toBeLessThan(-5));
  it("keeps its top until a value exceeds it", () => {
    expect(valueRange({ ...plain, top: 1 }, 0, 0.5)).toEqual([0, 1]);
    expect(valueRange({ ...plain, top: 1 }, 0, 2)[1]).toBeGreaterThan(2);
  });
  it("does not float above its top", () => {
    expect(valueRange({ ...plain, floating: true, top: 1 }, 0.97, 1)[1]).toBe(1);
    expect(valueRange({ ...plain, floating: true, top: 1 }, 1, 1)[0]).toBeLessThan(1);
  });
  it("is never flat", () => {
    expect(valueRange(plain, 0, 0)).toEqual([0, 1]);
    expect(valueRange(plain, null, null)).toEqual([0, 1]);
  });
  it("counts powers of ten", () => {
    const log = { ...plain, logarithmic: true };
    expect(valueRange(log, 4e6, 2.9e8)).toEqual([1e6, 1e9]);
    expect(valueRange(log, 1e6, 1e6)).toEqual([1e6, 1e7]);
    expect(logTicks(1e6, 1e9)).toEqual([1e6, 1e7, 1e8, 1e9]);
  });
});
