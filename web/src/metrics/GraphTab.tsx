/** The answers over time: a chart for each unit, the legend, exemplars that lead to traces. */
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { align, type Column, summarize } from "../chart/align";
import { Chart } from "../chart/Chart";
import { Heatmap } from "../chart/Heatmap";
import type { Mark } from "../chart/marks";
import { clock, count, duration, number, plural, unitWords, withUnit } from "../format";
import { Empty } from "../parts/Notice";
import { measured, observationsUnit, type UnitOf, unitOf } from "../promql/tree";
import { zoomOut } from "../range/range";
import { href, setParams } from "../router";
import { paletteVar } from "../theme";
import { ExemplarList } from "./ExemplarList";
import type { Explored } from "./explored";
import { cellAt, type Heat, heatOf } from "./heat";
import { type ExemplarPoint, exemplarPoints, linesOf, seriesName, tellingLabels } from "./result";
import { type Answers, type Outcome, resolutionOf } from "./useAnswers";

/** Lines of a chart; nobody tells more apart. */
const LINES_MAX = 100;

interface DrawnLine {
  readonly key: string;
  readonly label: string;
  readonly color: string;
  readonly points: [number, number | null][];
}

interface Group {
  readonly unit: string;
  readonly letters: readonly string[];
  readonly lines: readonly DrawnLine[];
  /** Series that are not drawn. */
  readonly more: number;
  /** Values of exemplars stand on this axis: quantiles and what is measured itself. */
  readonly exemplars: readonly ExemplarPoint[];
  readonly onAxis: boolean;
  /** As [resolutionOf] says. */
  readonly resolutionMs: number;
}

/** Says what an answer was read from, where that is not samples as they came. */
export function Resolution(props: { ms: number }) {
  if (props.ms === 0) return null;
  return (
    <span class="sign" title="Samples of this range were downsampled, and read at this resolution">
      downsampled to {duration(props.ms * 1e6)}
    </span>
  );
}

/** A line's name: what tells it apart, with the query's letter where there are several. */
function drawn(outcome: Outcome, answers: Answers, several: boolean): Omit<DrawnLine, "color">[] {
  if (!outcome.answer) return [];
  const lines = linesOf(outcome.answer.data, answers.window);
  const telling = tellingLabels(lines);
  return lines.map(({ labels, points }) => {
    const name = seriesName(labels, telling, labels.__name__ ?? outcome.text);
    return { key: `${outcome.letter}:${name}`, label: several ? `${outcome.letter} ${name}` : name, points };
  });
}

/** Whether a query's values can be compared with single measurements of it. */
const measures = ({ text }: Outcome): boolean =>
  !/\b(rate|irate|increase|count|sum_over_time)\s*\(/.test(text) || /histogram_(quantile|avg)/.test(text);

function groupsOf(answers: Answers, units: UnitOf): Group[] {
  const several = answers.outcomes.length > 1;
  const byUnit = new Map<string, { outcome: Outcome; lines: Omit<DrawnLine, "color">[] }[]>();
  for (const outcome of answers.outcomes) {
    if (!outcome.answer) continue;
    // The line of a native histogram is the number of its observations.
    const counts = heatOf(outcome.answer.data) !== null;
    const unit = outcome.tree ? (counts ? observationsUnit : unitOf)(outcome.tree, units) : "";
    const members = byUnit.get(unit) ?? [];
    byUnit.set(unit, members);
    members.push({ outcome, lines: drawn(outcome, answers, several) });
  }
  let color = 0;
  return [...byUnit].map(([unit, members]) => {
    const lines = members.flatMap((member) => member.lines);
    const exemplars = members.flatMap(({ outcome }) => outcome.exemplars?.data ?? []);
    return {
      unit,
      letters: members.map(({ outcome }) => outcome.letter),
      lines: lines.slice(0, LINES_MAX).map((line) => ({ ...line, color: paletteVar(color++) })),
      more: Math.max(0, lines.length - LINES_MAX),
      exemplars: exemplarPoints(exemplars, answers.window),
      onAxis: members.some(({ outcome }) => measures(outcome)),
      resolutionMs: resolutionOf(members.map(({ outcome }) => outcome.answer)),
    };
  });
}

export function GraphTab(props: { answers: Answers; explored: Explored; units: UnitOf; stale: boolean }) {
  const { answers, units } = props;
  const groups = useMemo(() => groupsOf(answers, units), [answers, units]);
  const filled = groups.filter(({ lines }) => lines.length > 0);
  const heated = useMemo(() => heatsOf(answers, units), [answers, units]);
  if (filled.length === 0) return answers.outcomes.some(({ answer }) => answer) ? <NoValue /> : null;
  return (
    <>
      {heated.map(({ outcome, heat, unit }) => (
        <HeatPanel key={outcome.letter} letter={outcome.letter} heat={heat} unit={unit} {...props} />
      ))}
      {filled.map((group) => (
        <GraphPanel key={group.unit} group={group} alone={filled.length === 1} {...props} />
      ))}
    </>
  );
}

/** Native histograms of the answers, as heatmaps. */
function heatsOf(answers: Answers, units: UnitOf) {
  return answers.outcomes.flatMap((outcome) => {
    const heat = outcome.answer ? heatOf(outcome.answer.data) : null;
    const unit = outcome.tree ? measured(outcome.tree, units) : "";
    return heat ? [{ outcome, heat, unit }] : [];
  });
}

function HeatPanel(props: { letter: string; heat: Heat; unit: string; answers: Answers; stale: boolean }) {
  const { letter, heat, unit, answers } = props;
  const format = useMemo(() => formatter(unit), [unit]);
  const tell = (timeMs: number, value: number): string | null => {
    const cell = cellAt(heat, timeMs, value, answers.stepMs);
    return cell
      ? `${clock(cell.timeMs)}   ${format(cell.low)} – ${format(cell.high)}: ${number(cell.count)}`
      : null;
  };
  return (
    <section class="panel heat" aria-label={`Heatmap of ${letter}`}>
      <div class="panel-line">
        {answers.outcomes.length > 1 && <b>{letter}</b>}
        <span>{unitWords(unit) || "value"}, how often over time</span>
        <span class="muted">step {duration(answers.stepMs * 1e6)}</span>
      </div>
      <Heatmap
        label={`Heatmap of ${letter}: how often which values were measured, over time`}
        {...heat}
        stepMs={answers.stepMs}
        window={answers.window}
        height={260}
        format={format}
        tell={tell}
        stale={props.stale}
      />
      <p class="muted small">
        The stronger the colour, the more often. Below is how many there were. For a quantile ask for{" "}
        <code>histogram_quantile(0.95, …)</code>.
      </p>
    </section>
  );
}

/** Measurements on a chart of their unit stand at their value, on others on the ground. */
function marksOf(group: Group, format: (value: number) => string): Mark[] {
  return group.exemplars.map(({ timeMs, value, traceId, spanId }) => ({
    timeMs,
    value: group.onAxis ? value : null,
    href: href(`/traces/${traceId}`, { span: spanId || null }),
    title: `${group.onAxis ? format(value) : value} — open the trace`,
  }));
}

function GraphPanel(props: {
  group: Group;
  alone: boolean;
  answers: Answers;
  explored: Explored;
  stale: boolean;
}) {
  const { group, answers, explored } = props;
  const pointed = useSignal<number | null>(null);
  const format = useMemo(() => formatter(group.unit), [group.unit]);
  const only = group.lines.findIndex(({ key }) => key === explored.only);
  const prepared = useMemo(() => {
    const shown = only < 0 ? group.lines : group.lines.slice(only, only + 1);
    const { x, columns } = align(shown);
    return { x, series: shown.map(({ label, color }, i) => ({ label, color, values: columns[i] ?? EMPTY })) };
  }, [group, only]);
  const marks = useMemo(() => marksOf(group, format), [group, format]);
  const title = group.letters.join(", ");
  return (
    <section class="panel graph" aria-label={`Graph of ${title}`}>
      <div class="panel-line">
        {answers.outcomes.length > 1 && <b>{title}</b>}
        <span>{group.unit === "/s" ? "per second" : unitWords(group.unit) || "value"}</span>
        <span class="muted">{count(group.lines.length + group.more)} series</span>
        <span class="muted">step {duration(answers.stepMs * 1e6)}</span>
        <Resolution ms={group.resolutionMs} />
        {only >= 0 && (
          <button type="button" class="small" onClick={() => setParams({ only: null })}>
            Show all series
          </button>
        )}
      </div>
      <Chart
        label={`${title}: ${plural(group.lines.length, "line")} over time`}
        kind={prepared.series.length === 1 ? "area" : "line"}
        height={props.alone ? 280 : 200}
        x={prepared.x}
        series={prepared.series}
        window={answers.window}
        format={format}
        binary={group.unit.startsWith("By")}
        floating
        marks={marks}
        moment={explored.mark}
        focus={only < 0 ? pointed.value : null}
        stale={props.stale}
      />
      <Legend
        group={group}
        only={only}
        format={format}
        onPoint={(index) => {
          pointed.value = index;
        }}
      />
      {group.more > 0 && (
        <p class="muted small">
          {count(group.more)} more series are not drawn. Narrow by a label, or add up with <code>sum by</code>{" "}
          or <code>topk</code>.
        </p>
      )}
      <ExemplarList points={group.exemplars} format={group.onAxis ? format : String} />
    </section>
  );
}

const EMPTY: Column = [];

/** Shares are shown in percent. */
const formatter =
  (unit: string) =>
  (value: number): string =>
    withUnit(value, unit, true);

function Legend(props: {
  group: Group;
  only: number;
  format: (value: number) => string;
  onPoint: (index: number | null) => void;
}) {
  const { group, only, format } = props;
  const show = (value: number | null) => (value === null ? "–" : format(value));
  const rows = useMemo(
    () => group.lines.map((line) => ({ ...line, summary: summarize(line.points) })),
    [group],
  );
  return (
    <div class="legend-scroll">
      <table class="legend-table">
        <thead>
          <tr>
            <th scope="col">series</th>
            <th scope="col">last</th>
            <th scope="col">min</th>
            <th scope="col">mean</th>
            <th scope="col">max</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, label, color, summary }, index) => (
            <tr
              key={key}
              class={only >= 0 && only !== index ? "faded" : ""}
              onMouseEnter={() => props.onPoint(index)}
              onMouseLeave={() => props.onPoint(null)}
            >
              <th scope="row" title={label}>
                <button
                  type="button"
                  class="series-name"
                  aria-pressed={index === only}
                  title={index === only ? "Show all series" : `Show only ${label}`}
                  onClick={() => setParams({ only: index === only ? null : key })}
                >
                  <i class="swatch" style={{ background: `var(${color})` }} />
                  {label}
                </button>
              </th>
              <td>{show(summary.last)}</td>
              <td>{show(summary.min)}</td>
              <td>{show(summary.mean)}</td>
              <td>{show(summary.max)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function NoValue() {
  return (
    <Empty title="No value in this range">
      <p>The query is right, and no series has a value for it here.</p>
      <p>
        <button type="button" onClick={zoomOut}>
          Twice the range
        </button>
      </p>
    </Empty>
  );
}
