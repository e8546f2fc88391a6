/** Series as a chart with its legend: last, smallest, mean and largest value of each. */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Metric, SeriesAnswer } from "../api/types";
import { align, summarize } from "../chart/align";
import { Chart } from "../chart/Chart";
import { count } from "../format";
import type { Window } from "../range/range";
import { paletteVar } from "../theme";
import { groupSeries, isRatio, type SeriesGroup, seriesName, tellingLabels, valueFormat } from "./query";

interface Props {
  readonly answer: SeriesAnswer;
  readonly metric: Metric | undefined;
  readonly name: string;
  readonly window: Window;
  readonly stale: boolean;
}

export function SeriesPanels(props: Props) {
  const groups = useMemo(() => groupSeries(props.answer, props.metric), [props.answer, props.metric]);
  const { total_series: total, series } = props.answer;
  return (
    <>
      {groups.map((group) => (
        <SeriesPanel key={group.title} group={group} {...props} alone={groups.length === 1} />
      ))}
      {total > series.length && (
        <p class="muted small">
          {count(series.length)} of {count(total)} series are shown. Narrow by a label, or group by one.
        </p>
      )}
    </>
  );
}

function SeriesPanel(props: Props & { group: SeriesGroup; alone: boolean }) {
  const { group, name } = props;
  const pointed = useSignal<number | null>(null);
  /** A click keeps one series in front. */
  const kept = useSignal<string | null>(null);
  const prepared = useMemo(() => {
    const telling = tellingLabels(group.series);
    // A single label that tells series apart is said once, above their values.
    const [only] = telling.length === 1 ? telling : [];
    const { x, columns } = align(group.series);
    const lines = group.series.map((series, index) => ({
      label: only ? series.labels[only] || "(none)" : seriesName(series.labels, telling, name),
      color: paletteVar(index),
      values: columns[index] ?? [],
      summary: summarize(series.points),
    }));
    return { x, lines, heading: only ?? "series" };
  }, [group, name]);
  const format = useMemo(() => valueFormat(name, group.unit), [name, group.unit]);
  const keptIndex = prepared.lines.findIndex((line) => line.label === kept.value);
  const show = (value: number | null) => (value === null ? "–" : format(value));
  return (
    <section class="panel" aria-label={`${name}, ${group.title}`}>
      <div class="panel-line">
        <b>{group.title}</b>
        <span class="muted">{count(prepared.lines.length)} series</span>
      </div>
      <Chart
        label={`${name}, ${group.title}: ${prepared.lines.length} series`}
        kind={prepared.lines.length === 1 ? "area" : "line"}
        height={props.alone ? 280 : 200}
        x={prepared.x}
        series={prepared.lines}
        window={props.window}
        format={format}
        binary={group.unit.startsWith("By")}
        floating
        {...(isRatio(name, group.unit) && { top: 1 })}
        focus={pointed.value ?? (keptIndex < 0 ? null : keptIndex)}
        stale={props.stale}
      />
      <div class="legend-scroll">
        <table class="legend-table">
          <thead>
            <tr>
              <th scope="col">{prepared.heading}</th>
              <th scope="col">last</th>
              <th scope="col">min</th>
              <th scope="col">mean</th>
              <th scope="col">max</th>
            </tr>
          </thead>
          <tbody>
            {prepared.lines.map((line, index) => (
              <tr
                key={line.label}
                onMouseEnter={() => (pointed.value = index)}
                onMouseLeave={() => (pointed.value = null)}
              >
                <th scope="row" title={line.label}>
                  <button
                    type="button"
                    class="series-name"
                    aria-pressed={index === keptIndex}
                    onClick={() => (kept.value = index === keptIndex ? null : line.label)}
                  >
                    <i class="swatch" style={{ background: `var(${line.color})` }} />
                    {line.label}
                  </button>
                </th>
                <td>{show(line.summary.last)}</td>
                <td>{show(line.summary.min)}</td>
                <td>{show(line.summary.mean)}</td>
                <td>{show(line.summary.max)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
