import { describe, expect, it } from "vitest";
import type { TraceSummary } from "../api/types";
import { readMs, readTraceFilter } from "./filter";
import { joinTraces } from "./useTraces";

const trace = (id: string): TraceSummary => ({
  ...{ trace_id: id, root_service: "s", root_name: "n", start_unix_nano: "0", duration_nano: 1 },
  ...{ spans: 1, errors: 0, services: [] },
});

describe("trace filters", () => {
  it.each([
    ["250", 250],
    ["250ms", 250],
    ["500us", 0.5],
    ["1.5s", 1500],
    ["2m", 120_000],
    ["", null],
    ["fast", null],
  ])("%s", (text, ms) => expect(readMs(text)).toBe(ms));
  it("reads the URL", () => {
    expect(readTraceFilter(new URLSearchParams("error=true&min=1s&name=GET"))).toMatchObject({
      ...{ error: true, minDurationMs: 1000, name: "GET" },
    });
  });
});

it("joins pages without repeating a trace", () => {
  const joined = joinTraces([trace("a"), trace("b")], [trace("b"), trace("c")]);
  expect(joined.map(({ trace_id }) => trace_id)).toEqual(["a", "b", "c"]);
});
