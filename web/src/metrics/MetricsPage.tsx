/**
 * Metrics: pick one, or write PromQL; see it over time, as values, as the series that it is made of.
 *
 * Enters: the URL, see `explored`. Leaves: changes of the URL.
 */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { useKeys } from "../keys";
import { moved } from "../list/virtual";
import { Chip } from "../logs/LogFilterBar";
import { Empty, Failure, Loading, Pending } from "../parts/Notice";
import { SendHint } from "../parts/SendHint";
import type { KnownMetric } from "../promql/choices";
import { askedOf } from "../promql/tree";
import { range, resolve, zoomOut } from "../range/range";
import { href, location, setParams } from "../router";
import { heatQuery, queriesFor, serviceQueries } from "./build";
import { type Explored, readExplored, type Tab, toggled, withQueries } from "./explored";
import { GraphTab } from "./GraphTab";
import { listed, matched, resolved, unitLookup, useKnown } from "./known";
import { LabelPanel } from "./LabelPanel";
import { MetricList } from "./MetricList";
import { QueryList } from "./QueryList";
import { Remarks } from "./Remarks";
import { SeriesTab, TableTab } from "./TableTabs";
import { type Answers, type Outcome, resolutionOf, shownQueries, stepOf, useAnswers } from "./useAnswers";

const NONE: readonly never[] = [];

/** The queries: as they were written, or as they follow from what was picked. */
function queriesOf(explored: Explored, metric: KnownMetric | undefined, metrics: readonly KnownMetric[]) {
  if (explored.written.length > 0) return explored.written;
  const stepMs = stepOf(resolve(range.value, Date.now()));
  if (metric)
    return queriesFor(metric, { name: metric.name, match: explored.match, by: explored.by }, stepMs);
  // Who comes from a span wants to know how its service is.
  return matched(explored.match, "job") === null ? NONE : serviceQueries(metrics, explored.match, stepMs);
}

export function MetricsPage() {
  const explored = readExplored(location.value.params);
  // Once a metric is picked its labels narrow it, not the list.
  const narrowing = explored.name === null && explored.written.length === 0 ? explored.match : NONE;
  const known = useKnown(narrowing);
  const all = known.data?.all ?? NONE;
  const shown = useMemo(() => listed(all), [all]);
  const active = useSignal(0);
  const metric =
    explored.name === null ? undefined : (resolved(shown, explored.name) ?? unknown(explored.name));
  const queries = queriesOf(explored, metric, shown);
  const select = (picked: KnownMetric) => {
    if (explored.written.length > 1) setParams(replaced(explored, active.value, picked));
    else {
      const { name, by, hide, only } = { name: picked.name, by: null, hide: null, only: null };
      const match = explored.name === null ? {} : { match: null };
      setParams({ q: null, name, by, hide, only, ...match }, { replace: queries.length === 0 });
    }
  };
  const go = (step: number) => {
    const place = shown.findIndex((candidate) => candidate.name === metric?.name);
    const next = shown[moved(place, step, shown.length)];
    if (next) select(next);
  };
  useKeys("Metrics", [
    { keys: "j", label: "Next metric", run: () => go(1) },
    { keys: "k", label: "Previous metric", run: () => go(-1) },
  ]);
  if (known.data && all.length === 0 && queries.length === 0) return <NoMetrics narrowed={explored.match} />;
  if (!known.data) return <Pending error={known.error} what="metrics" title="Metrics" />;
  return (
    <div class="page metrics">
      <div class="metric-side">
        <Sections />
        <MetricList metrics={shown} selected={metric?.name ?? null} onSelect={select} />
      </div>
      <div class="metric-main">
        <Remarks of={[{ letter: "", ...known.data, infos: [] }]} />
        <Failure error={known.error} what="Metrics" />
        <Filters explored={explored} />
        <Explorer explored={explored} metric={metric} queries={queries} metrics={all} active={active} />
      </div>
    </div>
  );
}

/** A name of which there are no series in the range is asked for as it is. */
const unknown = (name: string): KnownMetric => ({ name, kind: "gauge", unit: "", help: "", series: 0 });

/** The active query becomes that of the metric; the others stay. */
function replaced(explored: Explored, active: number, picked: KnownMetric) {
  const stepMs = stepOf(resolve(range.peek(), Date.now()));
  const [own = ""] = queriesFor(picked, { name: picked.name, match: [], by: [] }, stepMs).slice(-2);
  const index = Math.min(active, explored.written.length - 1);
  return withQueries(
    explored.written.map((text, place) => (place === index ? own : text)),
    explored.hidden,
  );
}

/** The two views of metrics. */
export function Sections() {
  const { path } = location.value;
  const link = (to: string, title: string): ComponentChildren => (
    <a href={href(to)} aria-current={path === to ? "page" : undefined}>
      {title}
    </a>
  );
  return (
    <nav class="sections" aria-label="Views of metrics">
      {link("/metrics/explore", "Explore")}
      {link("/metrics/cardinality", "Cardinality")}
    </nav>
  );
}

function Filters(props: { explored: Explored }) {
  const { match, by } = props.explored;
  if (match.length + by.length === 0) return null;
  return (
    <div class="chips">
      {match.map((pair) => (
        <Chip
          key={pair}
          label={pair}
          onRemove={() => setParams({ match: match.filter((other) => other !== pair) })}
        />
      ))}
      {by.map((label) => (
        <Chip
          key={label}
          label={`grouped by ${label}`}
          onRemove={() => setParams({ by: toggled(by, label) })}
        />
      ))}
    </div>
  );
}

/** What the metric is, and for a histogram the way to all of it. */
function Picked(props: { metric: KnownMetric; explored: Explored }) {
  const { metric, explored } = props;
  const heat = heatQuery(metric, explored.match, stepOf(resolve(range.value, Date.now())));
  if (!metric.help && heat === null) return null;
  return (
    <p class="muted metric-help">
      {metric.help}{" "}
      {heat !== null && (
        <button type="button" class="link" onClick={() => setParams(withQueries([heat]))}>
          Show as a heatmap
        </button>
      )}
    </p>
  );
}

const TABS: readonly { tab: Tab; title: string; says: string }[] = [
  { tab: "graph", title: "Graph", says: "Over time" },
  { tab: "table", title: "Table", says: "Values at the end of the range" },
  { tab: "series", title: "Series", says: "Which series make it up" },
];

function Explorer(props: {
  explored: Explored;
  metric: KnownMetric | undefined;
  queries: readonly string[];
  metrics: readonly KnownMetric[];
  active: { value: number };
}) {
  const { explored, metric, queries, metrics, active } = props;
  const units = useMemo(() => unitLookup(metrics), [metrics]);
  const shown = shownQueries(queries, explored.hidden);
  const answers = useAnswers(shown, explored.tab, explored.raw);
  const data = answers.data?.tab === explored.tab ? answers.data : undefined;
  const outcomes = data?.outcomes ?? NONE;
  return (
    <div class="one-metric">
      <div class="metric-charts">
        {metric && explored.written.length === 0 && <Picked metric={metric} explored={explored} />}
        <QueryList
          queries={queries}
          explored={explored}
          metrics={metrics}
          outcomes={outcomes}
          active={active.value}
          onActive={(index) => {
            active.value = index;
          }}
        />
        {shown.length === 0 ? (
          <Nothing queries={queries} />
        ) : (
          <>
            <div class="tabs-line">
              <div class="tabs" role="group" aria-label="Views of the answer">
                {TABS.map(({ tab, title, says }) => (
                  <button
                    key={tab}
                    type="button"
                    aria-pressed={explored.tab === tab}
                    title={says}
                    onClick={() => setParams({ tab: tab === "graph" ? null : tab })}
                  >
                    {title}
                  </button>
                ))}
              </div>
              <AsTheyCame outcomes={outcomes} raw={explored.raw} />
              <span class="grow" />
              <Elsewhere outcomes={outcomes} />
            </div>
            <Remarks of={outcomes.flatMap(remarksOf)} />
            <Failure error={answers.error} what="Queries" />
            {!data && !answers.error && <Loading what="the answer" />}
            {data && (
              <Answer data={data} units={units} explored={explored} queries={queries} stale={answers.stale} />
            )}
          </>
        )}
      </div>
      {metric && explored.written.length === 0 && (
        <LabelPanel key={metric.name} name={metric.name} explored={explored} />
      )}
    </div>
  );
}

function Answer(props: {
  data: Answers;
  units: (name: string) => string | undefined;
  explored: Explored;
  queries: readonly string[];
  stale: boolean;
}) {
  const { data, units, explored } = props;
  switch (data.tab) {
    case "table":
      return <TableTab answers={data} units={units} />;
    case "series":
      return <SeriesTab answers={data} units={units} queries={props.queries} explored={explored} />;
    default:
      return <GraphTab answers={data} units={units} explored={explored} stale={props.stale} />;
  }
}

/** Everything that an outcome's answers remark. */
function remarksOf({ letter, answer, exemplars, sources = [] }: Outcome) {
  const answers = [answer, exemplars, ...sources.map((source) => source.answer)];
  return answers.flatMap((one) => (one ? [{ letter, warnings: one.warnings, infos: one.infos }] : []));
}

/** Between what was downsampled and the samples themselves, where there is a difference. */
function AsTheyCame(props: { outcomes: readonly Outcome[]; raw: boolean }) {
  const { outcomes, raw } = props;
  const answers = outcomes.flatMap(({ answer, sources = [] }) => [
    answer,
    ...sources.map((one) => one.answer),
  ]);
  if (!raw && resolutionOf(answers) === 0) return null;
  return (
    <button
      type="button"
      class="small"
      aria-pressed={raw}
      title="Read no downsampled samples; what has expired is missing then"
      onClick={() => setParams({ raw: raw ? null : "1" })}
    >
      Only samples as they came
    </button>
  );
}

/** From what is measured to what happened: traces and logs of the same time, and of the service if there is one. */
function Elsewhere(props: { outcomes: readonly Outcome[] }) {
  const trees = props.outcomes.flatMap(({ tree }) => tree ?? []);
  // A job is a service, behind its namespace where it has one.
  const service = askedOf(trees, "job")?.split("/").at(-1) ?? null;
  const of = service === null ? "" : ` of ${service}`;
  return (
    <>
      <a class="button small" href={href("/traces", { service })}>
        Traces{of}
      </a>
      <a class="button small" href={href("/logs", { service })}>
        Logs{of}
      </a>
    </>
  );
}

function Nothing(props: { queries: readonly string[] }) {
  if (props.queries.some((text) => text !== ""))
    return <Empty title="All queries are hidden">{<p>A click on a letter shows its query.</p>}</Empty>;
  return (
    <Empty title="Pick a metric">
      <p>
        Choose one from the list, or press <kbd>j</kbd>: its query is written for you. Type <kbd>/</kbd> to
        search, or write PromQL above.
      </p>
    </Empty>
  );
}

function NoMetrics(props: { narrowed: readonly string[] }) {
  return (
    <Empty
      title={
        props.narrowed.length > 0 ? "No metrics with these labels in this range" : "No metrics in this range"
      }
    >
      <p>
        <button type="button" onClick={zoomOut}>
          Twice the range
        </button>{" "}
        {props.narrowed.length > 0 && (
          <button type="button" onClick={() => setParams({ match: null })}>
            All metrics
          </button>
        )}
      </p>
      {props.narrowed.length === 0 && <SendHint />}
    </Empty>
  );
}
