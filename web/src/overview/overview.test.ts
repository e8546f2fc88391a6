import { describe, expect, it } from "vitest";
import type { Series } from "../api/types";
import { incompleteWarnings } from "../parts/Notice";
import { accounted } from "./LedgerPanel";
import { busyModes, combineBy, hostsOf, lastValue, ofHost, ordered, physical } from "./reduce";

const series = (labels: Record<string, string>, ...values: (number | null)[]): Series => ({
  labels,
  points: values.map((value, index) => [index * 10, value]),
});

describe("reducing", () => {
  it("adds by a label", () => {
    const list = [
      series({ d: "in", i: "0" }, 1, 2),
      series({ d: "in", i: "1" }, 10, null),
      series({ d: "out" }, 5),
    ];
    expect(combineBy(list, "d", "sum")).toEqual([
      {
        label: "in",
        points: [
          [0, 11],
          [10, 2],
        ],
      },
      { label: "out", points: [[0, 5]] },
    ]);
  });
  it("averages processors without modes", () => {
    const cores = [series({ "cpu.logical_number": "0" }, 0.2), series({ "cpu.logical_number": "1" }, 0.6)];
    expect(busyModes(cores)).toEqual([{ label: "busy", points: [[0, 0.4]] }]);
  });
  it("leaves idle time out", () => {
    const modes = ["idle", "user", "iowait", "system"].map((mode) => series({ "cpu.mode": mode }, 0.25));
    expect(busyModes(modes).map(({ label }) => label)).toEqual(["system", "user"]);
  });
  it("keeps unknown moments unknown", () => {
    expect(combineBy([series({}, null)], "x", "sum")[0]?.points).toEqual([[0, null]]);
    expect(
      lastValue([
        [0, 3],
        [1, null],
      ]),
    ).toBe(3);
    expect(lastValue([])).toBeNull();
  });
  it("orders what it knows first", () => {
    const list = ["z", "free", "used"].map((label) => ({ label, points: [] }));
    expect(ordered(list, ["used", "free"]).map(({ label }) => label)).toEqual(["used", "free", "z"]);
  });
  it("tells hosts apart and leaves loopback out", () => {
    const list = [series({ "host.name": "b" }), series({ "host.name": "a" }), series({})];
    expect(hostsOf(list)).toEqual(["a", "b"]);
    expect(ofHost(list, "a")).toHaveLength(2);
    expect(physical([series({ "network.interface.name": "lo" }), series({})])).toHaveLength(1);
  });
});

describe("the ledger", () => {
  it("accounts for every record", () => {
    const entry = {
      ...{ tenant: "default", signal: "logs", received: 20, stored: 10, deduplicated: 2, expired: 1 },
      ...{ rejected: { a: 1, b: 2 }, dropped: { rule: 4 } },
    };
    expect(accounted(entry)).toBe(20);
  });
});

describe("incomplete answers", () => {
  it("are never silent", () => {
    expect(incompleteWarnings([{ complete: true, warnings: ["x"] }, undefined])).toEqual([]);
    expect(
      incompleteWarnings([
        { complete: false, warnings: ["a"] },
        { complete: false, warnings: ["a", "b"] },
      ]),
    ).toEqual(["a", "b"]);
    expect(incompleteWarnings([{ complete: false, warnings: [] }])).toHaveLength(1);
  });
});
