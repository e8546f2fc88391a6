/** All metrics of the time range, searched as one types. Picking one writes its query. */
import { useSignal } from "@preact/signals";
import { count, number, unitWords } from "../format";
import { VirtualList } from "../list/VirtualList";
import type { KnownMetric } from "../promql/choices";
import { searched } from "./known";

const ROW_HEIGHT = 40;

export function MetricList(props: {
  metrics: readonly KnownMetric[];
  selected: string | null;
  onSelect: (metric: KnownMetric) => void;
}) {
  const text = useSignal("");
  const shown = searched(props.metrics, text.value);
  const selected = shown.findIndex((metric) => metric.name === props.selected);
  return (
    <div class="panel list-panel metric-list">
      <div class="list-search">
        <input
          type="search"
          data-search
          aria-label="Search metrics"
          placeholder={`search ${count(props.metrics.length)} metrics  ( / )`}
          value={text.value}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => (text.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            const [only] = shown;
            if (event.key === "Enter" && only) props.onSelect(only);
          }}
        />
      </div>
      <VirtualList
        label="Metrics"
        count={shown.length}
        rowHeight={ROW_HEIGHT}
        rowKey={(index) => shown[index]?.name ?? String(index)}
        row={(index) => <MetricRow metric={shown[index]} />}
        selected={selected}
        onSelect={(index) => {
          const metric = shown[index];
          if (metric) props.onSelect(metric);
        }}
        resetKey={text.value}
        footer={shown.length === 0 ? <div class="list-foot">No metric is called that.</div> : null}
      />
    </div>
  );
}

function MetricRow(props: { metric: KnownMetric | undefined }) {
  const { metric } = props;
  if (!metric) return null;
  return (
    <span role="gridcell" class="metric-row" title={`${metric.name}\n${metric.help}`}>
      <span class="metric-name">{metric.name}</span>
      <span class="muted small">
        {metric.kind}
        {unitWords(metric.unit) && ` · ${unitWords(metric.unit)}`} · {number(metric.series)} series
      </span>
    </span>
  );
}
