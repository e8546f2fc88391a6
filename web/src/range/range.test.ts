import { expect, describe as group, it } from "vitest";
import { absoluteBound, relativeBound, resolveBound } from "./bound";
import { midnight, parseDuration } from "./moment";
import { EXAMPLES, parseRange } from "./parse";
import { describe, readRange, resolve, shifted, zoomedOut } from "./range";

/** A Saturday, 14:30 local time. */
const NOW = new Date(2026, 10, 21, 14, 30, 0);
const at = (day: number, hour = 0, minute = 0, second = 0) =>
  new Date(2026, 10, day, hour, minute, second).getTime();

/** What a text means in milliseconds, or why it means nothing. */
function check(text: string): [number, number] | string {
  const range = parseRange(text, NOW);
  if ("error" in range) return range.error;
  const { from, to } = resolve(range, NOW.getTime());
  return [from, to];
}

group("typed time ranges", () => {
  const hour = 3_600_000;
  const now = NOW.getTime();
  it.each([
    ["30m", now - hour / 2, now],
    ["last 3h", now - 3 * hour, now],
    ["  Last 2 Days ", now - 48 * hour, now],
    ["last hour", now - hour, now],
    ["past 90 minutes", now - 1.5 * hour, now],
    ["1h30m", now - 1.5 * hour, now],
    ["3h ago", now - 3 * hour, now],
    ["3h ago to 1h ago", now - 3 * hour, now - hour],
    ["now-1h", now - hour, now],
    ["now-2h to now-1h", now - 2 * hour, now - hour],
    ["today", at(21), now],
    ["yesterday", at(20), at(21)],
    ["yesterday 14:00 to 15:00", at(20, 14), at(20, 15)],
    ["yesterday 14:00-15:00", at(20, 14), at(20, 15)],
    ["yesterday 14:00 – 15:00", at(20, 14), at(20, 15)],
    ["between 9:00 and 10:30", at(21, 9), at(21, 10, 30)],
    ["from 9am to 10am", at(21, 9), at(21, 10)],
    ["yesterday 23:00 to 1:00", at(20, 23), at(21, 1)],
    ["since monday 9:00", at(16, 9), now],
    ["monday", at(16), at(17)],
    ["saturday", at(14), at(15)],
    ["monday to wednesday", at(16), at(19)],
    ["2026-11-19", at(19), at(20)],
    ["2026-11-19 08:00 to 2026-11-20 08:00", at(19, 8), at(20, 8)],
    ["19 nov 8:00 to 9:00", at(19, 8), at(19, 9)],
    ["nov 19 at noon to 13:00", at(19, 12), at(19, 13)],
    ["14:03 +- 5m", at(21, 13, 58), at(21, 14, 8)],
    ["around 14:03", at(21, 13, 58), at(21, 14, 8)],
    ["12:00 for 30m", at(21, 12), at(21, 12, 30)],
    ["14:03:20", at(21, 14, 3, 20), now],
    // A time that is still to come today was meant for yesterday.
    ["22:00", at(20, 22), now],
    ["yesterday to today", at(20), now],
    [`${at(20, 8) / 1000} to ${at(20, 9)}`, at(20, 8), at(20, 9)],
    ["2026-11-20T08:00:00Z to 2026-11-20T09:00:00Z", Date.UTC(2026, 10, 20, 8), Date.UTC(2026, 10, 20, 9)],
  ])("%s", (text, from, to) => expect(check(text)).toEqual([from, to]));

  it.each([
    "",
    "soon",
    "14",
    "last 3 lightyears",
    "25:00",
    "2026-13-40",
    "monday to",
    "10:00 to 11:00 to 12:00",
    "tomorrow",
  ])("does not guess at %j", (text) => expect(check(text)).toBeTypeOf("string"));

  it("understands its own examples", () => {
    for (const example of EXAMPLES) expect(check(example)).toBeInstanceOf(Array);
  });

  it("keeps a range that follows the clock relative", () => {
    expect(parseRange("last 90m", NOW)).toEqual({ from: "now-90m", to: "now" });
    expect(parseRange("last 24 hours", NOW)).toEqual({ from: "now-1d", to: "now" });
    expect(parseRange("since yesterday", NOW)).toEqual({ from: absoluteBound(at(20)), to: "now" });
  });
});

group("durations and bounds", () => {
  it("adds up", () => {
    expect(parseDuration("1h 30m")).toBe(5_400_000);
    expect(parseDuration("1.5h")).toBe(5_400_000);
    expect(parseDuration("2 days and 3 hours")).toBe(51 * 3_600_000);
    expect(parseDuration("0m")).toBeNull();
    expect(parseDuration("h3")).toBeNull();
  });

  it("reads what it writes", () => {
    for (const ms of [0, 1_795_269_600_000, 1_795_269_600_123])
      expect(resolveBound(absoluteBound(ms), 5)).toBe(ms);
    for (const ms of [1000, 61_000, 900_000, 86_400_000, 14 * 86_400_000]) {
      expect(resolveBound(relativeBound(ms), 1e12)).toBe(1e12 - ms);
    }
    expect(resolveBound("1795269600000", 5)).toBe(1_795_269_600_000);
    for (const text of ["", "later", "now-", "now-5x", "12", "2026"])
      expect(resolveBound(text, 5)).toBeNull();
  });

  it("knows that days may be longer than 24 hours", () => {
    expect(midnight(at(20, 23, 59))).toBe(at(20));
    expect(midnight(at(30, 12), 1)).toBe(new Date(2026, 11, 1).getTime());
  });
});

group("the range of the URL", () => {
  const read = (query: string) => readRange(new URLSearchParams(query));
  it("has a default", () => expect(read("")).toMatchObject({ from: "now-15m", to: "now", invalid: false }));
  it("takes one end", () => expect(read("from=now-3h")).toMatchObject({ from: "now-3h", to: "now" }));
  it.each(["from=nonsense", "from=now-1h&to=never", "from=2026-11-20T10:00:00Z&to=2026-11-20T09:00:00Z"])(
    "reports %s",
    (query) => expect(read(query)).toMatchObject({ from: "now-15m", to: "now", invalid: true }),
  );
  it("never turns around", () => {
    const window = resolve({ from: "2030-01-01T00:00:00Z", to: "now" }, NOW.getTime());
    expect(window.from).toBeLessThan(window.to);
  });
});

group("zoom and shift", () => {
  const now = NOW.getTime();
  it("doubles a live range and keeps it live", () => {
    expect(zoomedOut({ from: "now-15m", to: "now" }, now)).toEqual({ from: "now-30m", to: "now" });
  });
  it("doubles a fixed range around its middle", () => {
    const fixed = { from: absoluteBound(at(20, 10)), to: absoluteBound(at(20, 12)) };
    expect(resolve(zoomedOut(fixed, now), now)).toEqual({ from: at(20, 9), to: at(20, 13) });
  });
  it("does not grow into the future", () => {
    const fixed = { from: absoluteBound(at(21, 13, 30)), to: absoluteBound(at(21, 14, 30)) };
    expect(resolve(zoomedOut(fixed, now), now)).toEqual({ from: at(21, 12, 30), to: now });
  });
  it("shifts by half", () => {
    const fixed = { from: absoluteBound(at(20, 10)), to: absoluteBound(at(20, 12)) };
    expect(resolve(shifted(fixed, -1, now), now)).toEqual({ from: at(20, 9), to: at(20, 11) });
    expect(resolve(shifted(fixed, 1, now), now)).toEqual({ from: at(20, 11), to: at(20, 13) });
  });
  it("says what it shows", () => {
    expect(describe({ from: "now-3h", to: "now" }, now)).toBe("last 3 h");
    expect(describe({ from: absoluteBound(at(20, 10)), to: absoluteBound(at(20, 12)) }, now)).toBe(
      "20 Nov 10:00 – 12:00",
    );
    expect(describe({ from: absoluteBound(at(20, 10)), to: absoluteBound(at(21, 12, 0, 5)) }, now)).toBe(
      "20 Nov 10:00:00 – 21 Nov 12:00:05",
    );
  });
});
