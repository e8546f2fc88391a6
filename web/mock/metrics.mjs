// Metrics as a function of time: waves with some noise.
import { hash, unit } from "./random.mjs";

const HOSTS = ["node-a", "node-b"];
const cross = (...lists) =>
  lists.reduce((rows, list) => rows.flatMap((row) => list.map((item) => ({ ...row, ...item }))), [{}]);
const each = (key, values) => values.map((value) => ({ [key]: value }));
const host = each("host.name", HOSTS);

const GIB = 2 ** 30;
const wave = (labels, t, base, swing) => {
  const seed = hash(...[...JSON.stringify(labels)].map((c) => c.charCodeAt(0)));
  const slow = Math.sin(t / 240_000 + (seed % 7));
  const fast = Math.sin(t / 41_000 + (seed % 13)) * 0.3;
  return Math.max(0, base + swing * (slow + fast) + swing * 0.25 * (unit(seed, Math.floor(t / 5000)) - 0.5));
};

const MEMORY = { used: 6.1 * GIB, cached: 5.2 * GIB, buffers: 0.6 * GIB, free: 4 * GIB };
const CPU = { user: 0.22, system: 0.08, iowait: 0.02, idle: 0.66 };
const RATES = { logs: 410, spans: 960, metrics: 2300 };

/** name → what it is, its label sets, its value at a moment. */
export const METRICS = {
  "fresnel.receive.records": {
    ...{
      unit: "{record}",
      kind: "sum",
      monotonic: true,
      description: "Records received, by what became of them.",
    },
    sets: cross(
      each("signal", Object.keys(RATES)),
      each("outcome", ["stored", "rejected"]),
      each("service.name", ["fresnel"]),
    ),
    value: (l, t) =>
      l.outcome === "rejected"
        ? Math.floor(t / 60_000) % 7 === 0 && l.signal === "logs"
          ? 12
          : 0
        : wave(l, t, RATES[l.signal], RATES[l.signal] * 0.15),
  },
  "fresnel.memory.usage": {
    ...{ unit: "By", kind: "gauge", description: "Memory accounted against the budget." },
    sets: each("service.name", ["fresnel"]),
    value: (l, t) => wave(l, t, 180e6, 30e6),
  },
  "fresnel.store.wal.append.duration": {
    ...{ unit: "s", kind: "histogram", description: "From append to the end of fsync." },
    sets: cross(each("service.name", ["fresnel"])),
    value: (l, t) => wave(l, t, 0.0021, 0.0006),
    rate: (l, t) => wave(l, t, 48, 9),
  },
  "http.server.request.duration": {
    ...{ unit: "s", kind: "histogram", description: "Duration of HTTP server requests." },
    sets: cross(
      each("service.name", ["cart", "checkout", "frontend"]),
      each("http.route", ["/", "/cart", "/checkout"]),
      host,
    ),
    value: (l, t) => wave(l, t, 0.04, 0.02),
    rate: (l, t) => wave(l, t, 12, 4),
  },
  "system.cpu.utilization": {
    ...{ unit: "1", kind: "gauge", description: "Share of time a processor spent in a mode." },
    sets: cross(host, each("cpu.mode", Object.keys(CPU))),
    value: (l, t) => wave(l, t, CPU[l["cpu.mode"]], CPU[l["cpu.mode"]] * 0.2),
  },
  "system.memory.usage": {
    ...{ unit: "By", kind: "sum", monotonic: false, description: "Memory in use by state." },
    sets: cross(host, each("system.memory.state", Object.keys(MEMORY))),
    value: (l, t) => wave(l, t, MEMORY[l["system.memory.state"]], 0.2 * GIB),
  },
  "system.filesystem.utilization": {
    ...{ unit: "1", kind: "gauge", description: "Share of a file system that is in use." },
    sets: cross(host, each("system.filesystem.mountpoint", ["/", "/var"])),
    value: (l, t) => wave(l, t, l["system.filesystem.mountpoint"] === "/" ? 0.42 : 0.71, 0.01),
  },
  "system.disk.io": {
    ...{ unit: "By", kind: "sum", monotonic: true, description: "Bytes read and written." },
    sets: cross(host, each("system.device", ["nvme0n1"]), each("disk.io.direction", ["read", "write"])),
    value: (l, t) => wave(l, t, l["disk.io.direction"] === "read" ? 2.5e6 : 9e6, 2e6),
  },
  "system.network.io": {
    ...{ unit: "By", kind: "sum", monotonic: true, description: "Bytes received and sent." },
    sets: cross(
      host,
      each("network.interface.name", ["eth0", "lo"]),
      each("network.io.direction", ["receive", "transmit"]),
    ),
    value: (l, t) => wave(l, t, 1.4e6, 0.5e6),
  },
  "app.queue.depth": {
    ...{ unit: "{message}", kind: "gauge", description: "Messages that wait, reported once a minute." },
    sets: cross(
      each("service.name", ["shipping"]),
      each(
        "queue",
        Array.from({ length: 24 }, (_, i) => `q${i}`),
      ),
    ),
    value: (l, t) => Math.round(wave(l, t, 40, 25)),
    everyMs: 60_000,
  },
};

const isHistogram = (metric) => metric.kind === "histogram";

export function list(query) {
  const text = (query.get("q") ?? "").toLowerCase();
  const metrics = Object.entries(METRICS)
    .filter(([name]) => name.includes(text))
    .map(([name, { unit: unitText, kind, description, monotonic = false, sets }]) => ({
      ...{ name, unit: unitText, kind, description, monotonic, series: sets.length },
      temporality: kind === "gauge" ? "unspecified" : "cumulative",
    }));
  return { metrics, complete: true, warnings: [] };
}

export function labels(name) {
  const metric = METRICS[name];
  if (!metric) return null;
  const answer = {};
  for (const set of metric.sets) {
    for (const [key, value] of Object.entries(set)) {
      answer[key] ??= [];
      const entry = answer[key].find((item) => item.value === value);
      if (entry) entry.series += 1;
      else answer[key].push({ value, series: 1 });
    }
  }
  return { labels: answer, complete: true, warnings: [] };
}

function grouped(sets, by) {
  if (by.length === 0) return sets.map((labels) => ({ labels, members: [labels] }));
  const groups = new Map();
  for (const set of sets) {
    const labels = Object.fromEntries(
      by.filter((key) => set[key] !== undefined).map((key) => [key, set[key]]),
    );
    const id = JSON.stringify(labels);
    if (!groups.has(id)) groups.set(id, { labels, members: [] });
    groups.get(id).members.push(set);
  }
  return [...groups.values()];
}

export function series(name, query, { from, to }) {
  const metric = METRICS[name];
  if (!metric) return null;
  const step = Math.max(1000, Number(query.get("step_ms") ?? 15_000));
  const sets = metric.sets.filter((set) =>
    query
      .getAll("match")
      .every((pair) => set[pair.slice(0, pair.indexOf(":"))] === pair.slice(pair.indexOf(":") + 1)),
  );
  const groups = grouped(sets, query.getAll("by"));
  const everyMs = metric.everyMs ?? 10_000;
  const points = (members, value) => {
    const rows = [];
    for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
      const reported = Math.floor(t / everyMs) !== Math.floor((t - step) / everyMs);
      rows.push([t, reported ? members.reduce((sum, labelSet) => sum + value(labelSet, t), 0) : null]);
    }
    return rows;
  };
  const limit = Number(query.get("limit") ?? 50);
  const all = groups.slice(0, limit).flatMap(({ labels: own, members }) =>
    isHistogram(metric)
      ? [
          {
            labels: { ...own, stat: "mean" },
            points: points(members, (l, t) => metric.value(l, t) / members.length),
          },
          { labels: { ...own, stat: "rate" }, points: points(members, metric.rate) },
        ]
      : [{ labels: own, points: points(members, metric.value) }],
  );
  return {
    ...{ step_ms: step, series: all, total_series: groups.length, unit: metric.unit, kind: metric.kind },
    ...{ complete: true, warnings: [] },
  };
}
