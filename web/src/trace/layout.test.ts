import { describe, expect, it } from "vitest";
import type { Span } from "../api/types";
import { layoutTrace, visibleRows } from "./layout";
import { makeSearch, nextHit } from "./search";
import { axisTicks, clampView, readView, writeView, zoomed } from "./view";

const BASE = 1_795_269_600_000_000_000n;

/** `id parent start end [error]`, one span a line. */
function trace(text: string): Span[] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [id = "", parent = "-", start = "0", end = "0", error] = line.trim().split(/\s+/);
      return {
        ...{
          span_id: id,
          parent_span_id: parent === "-" ? null : parent,
          name: `op-${id}`,
          kind: "internal",
        },
        service_name: id.startsWith("b") ? "beta" : "alpha",
        start_unix_nano: String(BASE + BigInt(start)),
        end_unix_nano: String(BASE + BigInt(end)),
        duration_nano: Number(end) - Number(start),
        status_code: error ? "error" : "unset",
        ...{ status_message: "", attributes: { key: id }, resource_attributes: {}, scope_name: "" },
        ...{ events: [], links: [] },
      };
    });
}

/** Rows as `depth id self`. */
const rows = (spans: Span[]) =>
  layoutTrace(spans).nodes.map((node) => `${node.depth} ${node.id} ${node.self}`);
const critical = (spans: Span[]) =>
  layoutTrace(spans).critical.map(({ node, start, end }) => `${node.id} ${start}-${end}`);

describe("layout", () => {
  it("orders depth first, by start", () => {
    const spans = trace(`
      c2 r 60 90
      r  - 0 100
      b1 c1 20 40
      c1 r 10 50`);
    expect(rows(spans)).toEqual(["0 r 30", "1 c1 20", "2 b1 20", "1 c2 30"]);
  });

  it("counts overlapping children once, and not beyond their parent", () => {
    const spans = trace(`
      r - 0 100
      a r 10 60
      b r 40 80
      c r 90 150`);
    expect(rows(spans)[0]).toBe("0 r 20");
  });

  it("marks missing parents with a row of their own", () => {
    const layout = layoutTrace(
      trace(`
      r - 0 100
      a gone 30 40
      b gone 20 25
      c lost 50 60`),
    );
    expect(layout.missing).toBe(2);
    expect(
      layout.nodes.map((node) => `${node.depth} ${node.id} ${node.start}-${node.end} ${node.span !== null}`),
    ).toEqual([
      "0 r 0-100 true",
      "0 gone 20-40 false",
      "1 b 20-25 true",
      "1 a 30-40 true",
      "0 lost 50-60 false",
      "1 c 50-60 true",
    ]);
  });

  it("shows every span once, even where parents run in circles or ids repeat", () => {
    const spans = trace(`
      a b 0 10
      b a 1 9
      s s 2 3
      d - 4 5
      d - 6 7`);
    const layout = layoutTrace(spans);
    expect(layout.nodes.length).toBe(5);
    expect(new Set(layout.nodes).size).toBe(5);
  });

  it("stands a chain of 100,000 and a fan of 100,000", () => {
    const chain: string[] = ["s0 - 0 200000"];
    const fan: string[] = ["s0 - 0 200000"];
    for (let i = 1; i < 100_000; i += 1) {
      chain.push(`s${i} s${i - 1} ${i} ${200_000 - i}`);
      fan.push(`s${i} s0 ${i} ${i + 1}`);
    }
    const deep = layoutTrace(trace(chain.join("\n")));
    expect(deep.nodes.length).toBe(100_000);
    expect(deep.depthMax).toBe(99_999);
    const wide = layoutTrace(trace(fan.join("\n")));
    expect(wide.nodes[0]?.size).toBe(100_000);
    expect(wide.nodes[0]?.self).toBe(200_000 - 99_999);
  }, 60_000);

  it("keeps nanoseconds exact in 2026", () => {
    const layout = layoutTrace(trace("r - 1 2\na r 3 1000000001"));
    expect(layout.nodes[1]).toMatchObject({ start: 2, end: 1_000_000_000 });
    expect(layout.startNanos).toBe(BASE + 1n);
  });

  it("has a place for nothing", () => {
    expect(layoutTrace([])).toMatchObject({ nodes: [], duration: 0, critical: [], errors: 0 });
  });
});

describe("critical path", () => {
  it("follows what ended last", () => {
    const spans = trace(`
      r - 0 100
      a r 10 40
      b r 30 90
      c b 50 85`);
    // `a` still ran when `b` began, so it held nobody up.
    expect(critical(spans)).toEqual(["r 0-30", "b 30-50", "c 50-85", "b 85-90", "r 90-100"]);
  });

  it("goes through steps one after another", () => {
    const spans = trace(`
      r - 0 100
      a r 10 40
      b r 40 90`);
    expect(critical(spans)).toEqual(["r 0-10", "a 10-40", "b 40-90", "r 90-100"]);
  });

  it("clips what runs on after its parent", () => {
    expect(critical(trace("r - 0 100\na r 50 500"))).toEqual(["r 0-50", "a 50-100"]);
  });

  it("covers the root exactly, whatever the shape", () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    for (let round = 0; round < 200; round += 1) {
      const lines = ["s0 - 0 1000"];
      for (let i = 1; i < 30; i += 1) {
        const start = random(1000);
        lines.push(`s${i} s${random(i)} ${start} ${start + random(400)}`);
      }
      const parts = layoutTrace(trace(lines.join("\n"))).critical;
      let reach = 0;
      for (const part of parts) {
        expect(part.start).toBe(reach);
        expect(part.end).toBeGreaterThan(part.start);
        expect(part.start >= part.node.start && part.end <= part.node.end).toBe(true);
        reach = part.end;
      }
      expect(reach).toBe(1000);
    }
  });
});

describe("rows", () => {
  const layout = layoutTrace(trace("r - 0 9\na r 1 5\nb a 2 3\nc r 6 8"));
  const [, a] = layout.nodes;
  it("skips closed subtrees", () => {
    expect([...visibleRows(layout.nodes, new Set())]).toEqual([0, 1, 2, 3]);
    expect([...visibleRows(layout.nodes, new Set(a ? [a] : []))]).toEqual([0, 1, 3]);
  });
  it("finds names, services and attributes", () => {
    const find = makeSearch(layout.nodes);
    expect(find("beta")).toEqual([2]);
    expect(find("op- KEY=c")).toEqual([3]);
    expect(find(" ")).toEqual([]);
  });
  it("goes around the end", () => {
    expect(nextHit([2, 5], 5, 1)).toBe(2);
    expect(nextHit([2, 5], 2, -1)).toBe(5);
    expect(nextHit([2, 5], 3, 1)).toBe(5);
    expect(nextHit([], 3, 1)).toBeUndefined();
  });
});

describe("view", () => {
  it("stays within the trace", () => {
    expect(clampView({ start: -50, end: 50 }, 1000)).toEqual({ start: 0, end: 100 });
    expect(clampView({ start: 990, end: 5000 }, 1000)).toEqual({ start: 0, end: 1000 });
    expect(clampView({ start: 800, end: 400 }, 1000)).toEqual({ start: 400, end: 800 });
  });
  it("is written as it is read", () => {
    expect(readView(writeView({ start: 200, end: 700 }, 1000), 1000)).toEqual({ start: 200, end: 700 });
    expect(writeView({ start: 0, end: 1000 }, 1000)).toBeNull();
    expect(readView("nonsense", 1000)).toEqual({ start: 0, end: 1000 });
  });
  it("zooms around a moment", () => {
    expect(zoomed({ start: 0, end: 1000 }, 500, 0.5, 1000)).toEqual({ start: 250, end: 750 });
  });
  it("has round ticks", () => {
    expect(axisTicks({ start: 130, end: 1000 }, 5)).toEqual([200, 400, 600, 800, 1000]);
  });
});
