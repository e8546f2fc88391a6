/**
 * Metrics: pick one, narrow it by labels, see it over time.
 *
 * Enters: the URL (`name`, `match`, `by`). Leaves: changes of the URL.
 */
import { api } from "../api/client";
import type { Metric } from "../api/types";
import { niceStepMs } from "../chart/align";
import { unitWords } from "../format";
import { useKeys } from "../keys";
import { moved } from "../list/virtual";
import { Chip } from "../logs/LogFilterBar";
import { Name } from "../parts/Name";
import { Empty, Failure, Incomplete, Pending } from "../parts/Notice";
import { SendHint } from "../parts/SendHint";
import { range, rangeKey, resolve, zoomOut } from "../range/range";
import { refreshMs } from "../refresh";
import { useResource } from "../resource";
import { location, setParams } from "../router";
import { LabelPanel } from "./LabelPanel";
import { MetricList } from "./MetricList";
import { type MetricQuery, readMetricQuery, toggledBy } from "./query";
import { SeriesPanels } from "./SeriesPanel";

const POINTS_MAX = 240;
const SERIES_MAX = 50;
/** The list changes far less often than the values. */
const LIST_REFRESH_MS = 10_000;

export function MetricsPage() {
  const query = readMetricQuery(location.value.params);
  const list = useResource(
    `metrics ${rangeKey.value}`,
    (signal) => api.metrics(resolve(range.peek(), Date.now()), "", signal),
    { refreshMs: refreshMs.value === null ? null : LIST_REFRESH_MS },
  );
  const metrics = list.data?.metrics ?? [];
  const select = (metric: Metric) =>
    setParams({ name: metric.name, match: null, by: null }, { replace: query.name === null });
  const go = (by: number) => {
    const metric =
      metrics[
        moved(
          metrics.findIndex((candidate) => candidate.name === query.name),
          by,
          metrics.length,
        )
      ];
    if (metric) select(metric);
  };
  useKeys("Metrics", [
    { keys: "j", label: "Next metric", run: () => go(1) },
    { keys: "k", label: "Previous metric", run: () => go(-1) },
  ]);
  if (list.data && metrics.length === 0 && query.name === null) return <NoMetrics />;
  if (!list.data) return <Pending error={list.error} what="metrics" title="Metrics" />;
  const metric = metrics.find((candidate) => candidate.name === query.name);
  return (
    <div class="page metrics">
      <MetricList metrics={metrics} selected={query.name} onSelect={select} />
      <div class="metric-main">
        <Incomplete answers={[list.data]} />
        <Failure error={list.error} what="Metrics" />
        {query.name === null ? (
          <Empty title="Pick a metric">
            <p>Choose one from the list, or press j. Type / to search.</p>
          </Empty>
        ) : (
          <OneMetric key={query.name} name={query.name} metric={metric} query={query} />
        )}
      </div>
    </div>
  );
}

function OneMetric(props: { name: string; metric: Metric | undefined; query: MetricQuery }) {
  const { name, metric, query } = props;
  const series = useResource(
    `series ${name} ${JSON.stringify(query)} ${rangeKey.value}`,
    async (signal) => {
      const window = resolve(range.peek(), Date.now());
      const stepMs = niceStepMs(window.to - window.from, POINTS_MAX);
      const asked = { stepMs, match: query.match, by: query.by, limit: SERIES_MAX };
      return { window, answer: await api.series(name, window, asked, signal) };
    },
    { refreshMs: refreshMs.value },
  );
  const labels = useResource(`labels ${name} ${rangeKey.value}`, (signal) =>
    api.labels(name, resolve(range.peek(), Date.now()), signal),
  );
  return (
    <div class="one-metric">
      <div class="metric-charts">
        <header class="metric-head">
          <h2>
            <Name text={name} />
          </h2>
          {metric && (
            <p class="muted">
              {metric.kind.replace("_", " ")}
              {unitWords(metric.unit) && ` in ${unitWords(metric.unit)}`}
              {metric.kind === "sum" && (metric.monotonic ? ", only grows" : ", may fall")}
              {metric.description && ` — ${metric.description}`}
            </p>
          )}
          <ActiveFilters query={query} />
        </header>
        <Incomplete answers={[series.data?.answer, labels.data]} />
        {series.data ? (
          <Failure error={series.error} what="Series" />
        ) : (
          <Pending error={series.error} what="series" title="Series" />
        )}
        {series.data && series.data.answer.series.length > 0 && (
          <SeriesPanels
            answer={series.data.answer}
            metric={metric}
            name={name}
            window={series.data.window}
            stale={series.stale}
          />
        )}
        {series.data?.answer.series.length === 0 && (
          <NoSeries filtered={query.match.length + query.by.length > 0} />
        )}
      </div>
      <aside class="panel label-panel" aria-label="Labels">
        <Failure error={labels.error} what="Labels" />
        {labels.data && <LabelPanel labels={labels.data.labels} query={query} />}
      </aside>
    </div>
  );
}

function ActiveFilters(props: { query: MetricQuery }) {
  const { match, by } = props.query;
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
      {by.map((key) => (
        <Chip key={key} label={`grouped by ${key}`} onRemove={() => setParams({ by: toggledBy(by, key) })} />
      ))}
    </div>
  );
}

function NoSeries(props: { filtered: boolean }) {
  return (
    <Empty title="No value in this range">
      <p>
        <button type="button" onClick={zoomOut}>
          Twice the range
        </button>{" "}
        {props.filtered && (
          <button type="button" onClick={() => setParams({ match: null, by: null })}>
            Remove the filters
          </button>
        )}
      </p>
    </Empty>
  );
}

function NoMetrics() {
  return (
    <Empty title="No metrics in this range">
      <p>
        <button type="button" onClick={zoomOut}>
          Twice the range
        </button>
      </p>
      <SendHint />
    </Empty>
  );
}
