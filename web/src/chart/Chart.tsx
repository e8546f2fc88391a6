/**
 * A time axis chart: uPlot with our colours, brush and tooltip.
 *
 * Enters: aligned columns. Leaves: the time range, by drag (set) and double click (wider).
 * Must hold: moving the pointer re-renders no component; new data does not rebuild the chart.
 */
import { effect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { setWindow, type Window, zoomOut } from "../range/range";
import { dark, paletteVar } from "../theme";
import { bridge, type Column, stacked } from "./align";
import type { Mark } from "./marks";
import { createPlot, type PlotSpec } from "./plot";

export interface ChartSeries {
  readonly label: string;
  /** A custom property, such as `--c1`; by default one of the palette. */
  readonly color?: string;
  readonly values: Column;
}

export interface ChartProps {
  /** What the chart shows, for people who cannot see it. */
  readonly label: string;
  readonly kind: "line" | "area" | "stack" | "bars" | "points";
  readonly x: readonly number[];
  readonly series: readonly ChartSeries[];
  readonly window: Window;
  readonly format: (value: number) => string;
  readonly height?: number;
  /** Powers of two on the value axis. */
  readonly binary?: boolean;
  /** Let the value axis begin near the smallest value when all are alike. */
  readonly floating?: boolean;
  readonly logarithmic?: boolean;
  /** A fixed upper end of the value axis, such as 1 for a ratio. */
  readonly top?: number;
  /** Points that lead somewhere. */
  readonly marks?: readonly Mark[];
  /** A moment that a line marks, milliseconds. */
  readonly moment?: number | null;
  /** Draw only this series strongly. */
  readonly focus?: number | null;
  readonly stale?: boolean;
}

const NO_MARKS: readonly Mark[] = [];

function columnsOf(props: ChartProps): Column[] {
  const raw = props.series.map((series) => series.values);
  // Bars stand in front of each other: the first is the whole sum, the last stands on the ground.
  if (props.kind === "bars") return stacked(raw.toReversed()).toReversed();
  if (props.kind === "stack") return stacked(raw.map((column) => bridge(column, true)));
  return props.kind === "points" ? raw : raw.map((column) => bridge(column));
}

export function Chart(props: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const { kind, height = 160, binary = false, floating = false, logarithmic = false, top } = props;
  const colors = props.series.map((series, index) => series.color ?? paletteVar(index));
  const shape = JSON.stringify([
    kind,
    props.series.map((s) => s.label),
    colors,
    binary,
    floating,
    logarithmic,
    top,
  ]);
  const data = useMemo(
    () => [props.x, ...columnsOf(props)] as uPlot.AlignedData,
    [props.x, props.series, kind],
  );

  // `shape` stands for the series' names and colours
  useEffect(() => {
    if (!host.current) return;
    const spec: PlotSpec = {
      ...{ kind, height, binary, floating, logarithmic, top },
      series: latest.current.series.map((series, index) => ({
        label: series.label,
        color: colors[index] ?? "",
      })),
      window: () => latest.current.window,
      format: (value) => latest.current.format(value),
      raw: (series, index) => latest.current.series[series]?.values[index] ?? null,
      marks: () => latest.current.marks ?? NO_MARKS,
      moment: () => latest.current.moment ?? null,
      onBrush: setWindow,
      onZoomOut: zoomOut,
    };
    const created = createPlot(host.current, spec, data);
    plot.current = created;
    const stop = effect(() => {
      dark.value;
      created.redraw(false, true);
    });
    return () => {
      stop();
      created.destroy();
      plot.current = null;
    };
  }, [shape, height]);

  useEffect(() => {
    if (plot.current && plot.current.data !== data) plot.current.setData(data);
  }, [data]);

  useEffect(() => {
    plot.current?.redraw(false, false);
  }, [props.marks, props.moment]);

  // The window of a live range moves although the data may be the same.
  useEffect(() => {
    plot.current?.redraw(true, true);
    plot.current?.setScale("x", { min: props.window.from, max: props.window.to });
  }, [props.window.from, props.window.to]);

  useEffect(() => {
    const index = props.focus ?? null;
    plot.current?.setSeries(index === null ? null : index + 1, { focus: true });
  }, [props.focus, shape]);

  return (
    <div
      class={`chart${props.stale ? " stale" : ""}`}
      ref={host}
      role="img"
      aria-label={props.label}
      style={{ height: `${height}px` }}
    />
  );
}

export function Legend(props: { items: readonly { label: ComponentChildren; color: string }[] }) {
  return (
    <ul class="legend">
      {props.items.map((item, index) => (
        // The legend has the order of the series
        <li key={index}>
          <i class="swatch" style={{ background: `var(${item.color})` }} />
          {item.label}
        </li>
      ))}
    </ul>
  );
}
