/** A chart in a panel of the overview: title, newest values, lines. */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { align } from "../chart/align";
import { Chart, Legend } from "../chart/Chart";
import { Failure, Incomplete } from "../parts/Notice";
import type { Resource } from "../resource";
import { paletteVar } from "../theme";
import { lastValue, type NamedSeries } from "./reduce";
import type { MetricData } from "./useMetric";

interface Props {
  readonly title: ComponentChildren;
  /** The title for people who cannot see the chart. */
  readonly name: string;
  readonly data: Resource<MetricData>;
  readonly series: readonly NamedSeries[];
  readonly kind: "line" | "area" | "stack";
  readonly format: (value: number) => string;
  readonly colors?: Readonly<Record<string, string>>;
  readonly binary?: boolean;
  readonly top?: number;
  readonly height?: number;
  readonly class?: string;
  /** What to say where nothing was measured. */
  readonly none: string;
}

export function SmallChart(props: Props) {
  const { data, series, format, colors = {} } = props;
  const prepared = useMemo(() => {
    const { x, columns } = align(series);
    return {
      x,
      series: series.map((one, index) => ({
        label: one.label,
        color: colors[one.label] ?? paletteVar(index),
        values: columns[index] ?? [],
      })),
    };
  }, [series, colors]);
  const legend = series.map((one, index) => {
    const last = lastValue(one.points);
    return {
      color: colors[one.label] ?? paletteVar(index),
      label: (
        <>
          {one.label} <b>{last === null ? "–" : format(last)}</b>
        </>
      ),
    };
  });
  return (
    <section class={`panel ${props.class ?? ""}`} aria-label={props.name}>
      <div class="panel-line">
        <h2>{props.title}</h2>
        <span class="grow" />
        <Legend items={legend} />
      </div>
      <Failure error={data.error} what={props.name} />
      <Incomplete answers={[data.data?.answer]} />
      {!data.data && <div class="chart" style={{ height: `${props.height ?? 130}px` }} />}
      {data.data && series.length === 0 && <p class="muted pad">{props.none}</p>}
      {data.data && series.length > 0 && (
        <Chart
          label={`${props.name}: ${series.length} series`}
          kind={props.kind}
          height={props.height ?? 130}
          window={data.data.window}
          format={format}
          binary={props.binary ?? false}
          stale={data.stale}
          {...(props.top !== undefined && { top: props.top })}
          {...prepared}
        />
      )}
    </section>
  );
}
