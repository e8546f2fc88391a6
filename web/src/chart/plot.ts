/**
 * The uPlot instance behind a chart: scales, axes, paths, brush and tooltip.
 *
 * Enters: a description of the series. Leaves: a plot that follows its host's width.
 */
import uPlot from "uplot";
import { clock, day, span } from "../format";
import type { Window } from "../range/range";
import { color } from "../theme";
import { type Mark, marksPlugin } from "./marks";
import { logTicks, valueRange } from "./scale";
import { tooltipPlugin } from "./tooltip";

export interface PlotSpec {
  readonly kind: "line" | "area" | "stack" | "bars" | "points";
  readonly height: number;
  readonly binary: boolean;
  readonly floating: boolean;
  readonly logarithmic: boolean;
  readonly top: number | undefined;
  readonly series: readonly { readonly label: string; readonly color: string }[];
  readonly window: () => Window;
  readonly format: (value: number) => string;
  /** The value as it was before stacking. */
  readonly raw: (series: number, index: number) => number | null;
  readonly marks: () => readonly Mark[];
  /** A moment that a line marks, milliseconds. */
  readonly moment: () => number | null;
  readonly onBrush: (from: number, to: number) => void;
  readonly onZoomOut: () => void;
}

/** A drag shorter than this is a click. */
const BRUSH_PX_MIN = 4;
const FONT = '11px system-ui, -apple-system, "Segoe UI", sans-serif';

/** Whole numbers: there is no half record. */
const COUNT_STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();

/** 1, 2, 4, 8 … so that bytes fall on round values. */
const BINARY_STEPS = Array.from({ length: 60 }, (_, power) => 2 ** power);

function withAlpha(css: string, alpha: number): string {
  return css.replace(/^rgb\(([^)]*)\)$/, `rgba($1, ${alpha})`);
}

function seriesOptions(spec: PlotSpec): uPlot.Series[] {
  const bars = uPlot.paths.bars?.({ size: [0.92, 60], align: 1 });
  return spec.series.map(({ label, color: name }) => {
    const base: uPlot.Series = { label, stroke: () => color(name), width: 1.5, points: { show: lonely } };
    switch (spec.kind) {
      case "bars":
        return {
          ...base,
          width: 0,
          fill: () => color(name),
          points: { show: false },
          ...(bars && { paths: bars }),
        };
      case "points":
        return {
          ...base,
          paths: () => null,
          points: { show: true, size: 6, width: 0, fill: () => color(name) },
        };
      case "area":
        return { ...base, fill: () => withAlpha(color(name), 0.16) };
      case "stack":
        return { ...base, width: 1, points: { show: false } };
      default:
        return base;
    }
  });
}

/** A line of one point would be invisible. */
function lonely(plot: uPlot, series: number, first: number, last: number): boolean {
  const column = plot.data[series] ?? [];
  let values = 0;
  for (let i = first; i <= last && values < 3; i += 1)
    if (column[i] !== null && column[i] !== undefined) values += 1;
  return values < 3;
}

/** Fills between neighbours of a stack. */
function bandsOf(spec: PlotSpec): uPlot.Band[] {
  if (spec.kind !== "stack") return [];
  return spec.series.slice(1).map(({ color: name }, index) => ({
    series: [index + 2, index + 1],
    fill: () => withAlpha(color(name), 0.45),
  }));
}

/** Times on the axis; the day is written where it changes. */
function timeLabels(_: uPlot, splits: number[], __: number, ___: number, incr: number): string[] {
  let previous = "";
  return splits.map((ms) => {
    const date = day(ms);
    const changed = previous !== "" && date !== previous;
    previous = date;
    if (incr >= 86_400_000) return date;
    const time = clock(ms, incr < 60_000);
    // Where a day begins its name says the time as well.
    return !changed ? time : time.startsWith("00:00") ? date : `${date} ${time}`;
  });
}

interface AxesSpec {
  readonly format: (value: number) => string;
  readonly kind?: PlotSpec["kind"];
  readonly binary?: boolean;
  readonly logarithmic: boolean;
}

/** The axes of time and of values, as all charts have them. */
export function chartAxes(spec: AxesSpec): uPlot.Axis[] {
  const shared = {
    font: FONT,
    stroke: () => color("--muted"),
    ticks: { show: false },
    grid: { stroke: () => color("--grid"), width: 1 },
  };
  const width = (plot: uPlot, values: string[] | null): number => {
    plot.ctx.font = FONT.replace("11px", `${11 * devicePixelRatio}px`);
    const widest = Math.max(0, ...(values ?? []).map((text) => plot.ctx.measureText(text ?? "").width));
    return Math.ceil(widest / devicePixelRatio) + 12;
  };
  return [
    { ...shared, space: 70, size: 23, gap: 5, values: timeLabels as uPlot.Axis.Values },
    {
      ...shared,
      space: 30,
      size: width,
      gap: 5,
      values: (_, splits) => splits.map((value) => (value === null ? "" : spec.format(value))),
      ...(spec.kind === "bars" && { incrs: COUNT_STEPS }),
      ...(spec.binary && { incrs: BINARY_STEPS }),
      ...(spec.logarithmic && {
        splits: (_: uPlot, __: number, low: number, high: number) => logTicks(low, high),
      }),
    },
  ];
}

function options(spec: PlotSpec, width: number, names: () => void): uPlot.Options {
  const stackSeries = seriesOptions(spec);
  const [lowest] = stackSeries;
  if (spec.kind === "stack" && lowest)
    lowest.fill = () => withAlpha(color(spec.series[0]?.color ?? ""), 0.45);
  return {
    width,
    height: spec.height,
    ms: 1,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    focus: { alpha: 0.25 },
    scales: {
      x: { time: true, range: () => [spec.window().from, spec.window().to] },
      y: { range: (_, min, max) => valueRange(spec, min, max), ...(spec.logarithmic && { distr: 3 }) },
    },
    series: [{}, ...stackSeries],
    bands: bandsOf(spec),
    axes: chartAxes(spec),
    cursor: {
      y: false,
      points: { show: spec.kind !== "bars", size: 6 },
      drag: { x: true, y: false, setScale: false },
      // Other charts follow the pointer; a drag belongs to the chart under it.
      sync: {
        key: "time",
        setSeries: false,
        filters: { pub: (type) => type.startsWith("mousem") || type === "mouseleave" },
      },
      bind: {
        dblclick: () => () => {
          spec.onZoomOut();
          return null;
        },
      },
    },
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width: wide } = plot.select;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (wide < BRUSH_PX_MIN) return;
          spec.onBrush(plot.posToVal(left, "x"), plot.posToVal(left + wide, "x"));
        },
      ],
      destroy: [names],
    },
    plugins: [
      marksPlugin(spec),
      tooltipPlugin({
        series: spec.series,
        format: spec.format,
        raw: spec.raw,
        heading: (from, to) =>
          spec.kind === "bars" && to !== undefined ? span(from, to) : `${day(from)} ${clock(from)}`,
      }),
    ],
  };
}

/** Builds the plot and keeps it as wide as its host. */
export function createPlot(host: HTMLElement, spec: PlotSpec, data: uPlot.AlignedData): uPlot {
  let stop = () => {};
  const plot = new uPlot(
    options(spec, Math.max(host.clientWidth, 80), () => stop()),
    data,
    host,
  );
  stop = followWidth(host, plot, spec.height);
  return plot;
}

/** Keeps a plot as wide as its host until the function that it gives is called. */
export function followWidth(host: HTMLElement, plot: uPlot, height: number): () => void {
  const observer = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry?.contentRect.width ?? 0);
    if (width > 0 && width !== plot.width) plot.setSize({ width, height });
  });
  observer.observe(host);
  return () => observer.disconnect();
}
