import { beforeEach, describe, expect, it, vi } from "vitest";

// The router reads the browser's location: a small one is enough.
const entries: string[] = [];
vi.stubGlobal("location", {
  pathname: "/logs",
  search: "?from=now-1h&to=now&service=cart",
  origin: "http://h",
});
const go = (_: unknown, __: string, url: string) => {
  const parsed = new URL(url, "http://h");
  Object.assign(globalThis.location, { pathname: parsed.pathname, search: parsed.search });
};
vi.stubGlobal("history", {
  pushState: (...args: [unknown, string, string]) => {
    entries.push(args[2]);
    go(...args);
  },
  replaceState: go,
});

const { href, location, setParams, tail, toUrl, withParams, navigate } = await import("./router");

beforeEach(() => {
  navigate("/logs?from=now-1h&to=now&service=cart");
  entries.length = 0;
});

describe("URL state", () => {
  it("sets, repeats and removes", () => {
    const params = withParams(new URLSearchParams("a=1&b=2"), { a: null, b: "3", c: ["x:1", "y:2"] });
    expect(toUrl("/p", params)).toBe("/p?b=3&c=x:1&c=y:2");
  });
  it("changes the page's parameters and keeps the others", () => {
    setParams({ severity: "17", service: null });
    expect(entries).toEqual(["/logs?from=now-1h&to=now&severity=17"]);
    expect(location.value.params.get("severity")).toBe("17");
  });
  it("makes no entry where nothing changes", () => {
    setParams({ service: "cart" });
    expect(entries).toEqual([]);
  });
  it("can overwrite the entry", () => {
    setParams({ at: "1" }, { replace: true });
    expect(entries).toEqual([]);
    expect(location.value.params.get("at")).toBe("1");
  });
  it("carries the time range to other pages, and nothing else", () => {
    expect(href("/traces")).toBe("/traces?from=now-1h&to=now");
    expect(href("/logs", { trace_id: "ab", from: "now-5m" })).toBe("/logs?to=now&trace_id=ab&from=now-5m");
  });
  it("writes what it reads, whatever is in it", () => {
    const value = "a&b=c:d/e?f#g +%é😀";
    navigate(toUrl("/logs", withParams(new URLSearchParams(), { attr: [`k:${value}`] })));
    expect(location.value.params.getAll("attr")).toEqual([`k:${value}`]);
  });
});

describe("paths", () => {
  it.each([
    ["/traces/ab", "ab"],
    ["/traces/a%20b", "a b"],
    ["/traces/", null],
    ["/traces/a/b", null],
    ["/traces/%E0%A4%A", null],
    ["/logs", null],
  ])("%s", (path, rest) => expect(tail(path, "/traces/")).toBe(rest));
});
