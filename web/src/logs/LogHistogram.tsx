/** Records over the whole range, stacked by severity; not only those that the list has loaded. */
import { useMemo } from "preact/hooks";
import { api, type LogFilter } from "../api/client";
import type { HistogramAnswer, Severity } from "../api/types";
import { Chart, type ChartSeries, Legend } from "../chart/Chart";
import { count, number } from "../format";
import { Failure, Incomplete } from "../parts/Notice";
import { range, rangeKey, resolve } from "../range/range";
import { refreshMs } from "../refresh";
import { useResource } from "../resource";
import { SEVERITIES, severityColor } from "./severity";

const BUCKETS = 90;

function totals(answer: HistogramAnswer): Map<Severity, number> {
  const sums = new Map<Severity, number>();
  for (const bucket of answer.buckets) {
    for (const severity of SEVERITIES) {
      const records = bucket.counts[severity] ?? 0;
      if (records > 0) sums.set(severity, (sums.get(severity) ?? 0) + records);
    }
  }
  return sums;
}

export function LogHistogram(props: { filter: LogFilter }) {
  const { filter } = props;
  const key = `histogram ${JSON.stringify(filter)} ${rangeKey.value}`;
  const histogram = useResource(
    key,
    async (signal) => {
      const window = resolve(range.peek(), Date.now());
      return { window, answer: await api.histogram(filter, window, BUCKETS, signal) };
    },
    { refreshMs: refreshMs.value },
  );
  const { data } = histogram;
  const prepared = useMemo(() => {
    if (!data) return null;
    const sums = totals(data.answer);
    const present = SEVERITIES.filter((severity) => sums.has(severity));
    const shown = present.length > 0 ? present : (["info"] as const);
    const series: ChartSeries[] = shown.map((severity) => ({
      label: severity,
      color: severityColor(severity),
      values: data.answer.buckets.map((bucket) => bucket.counts[severity] ?? 0),
    }));
    return { x: data.answer.buckets.map((bucket) => bucket.time_ms), series, sums, present };
  }, [data]);
  if (!data || !prepared) {
    return (
      <div class="panel histogram">
        <Failure error={histogram.error} what="Histogram" />
      </div>
    );
  }
  const total = [...prepared.sums.values()].reduce((sum, records) => sum + records, 0);
  return (
    <div class="panel histogram">
      <Incomplete answers={[data.answer]} />
      <Failure error={histogram.error} what="Histogram" />
      <div class="panel-line">
        <b>{count(total)}</b> records in this range
        <span class="grow" />
        <Legend
          items={prepared.present.map((severity) => ({
            label: `${severity} ${number(prepared.sums.get(severity) ?? 0)}`,
            color: severityColor(severity),
          }))}
        />
      </div>
      <Chart
        label={`Log records over time: ${total} in all`}
        kind="bars"
        height={104}
        x={prepared.x}
        series={prepared.series}
        window={data.window}
        format={number}
        stale={histogram.stale}
      />
    </div>
  );
}
