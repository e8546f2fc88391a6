/** All metrics of the time range, searched as one types. */
import { useSignal } from "@preact/signals";
import type { Metric } from "../api/types";
import { count, number, unitWords } from "../format";
import { VirtualList } from "../list/VirtualList";

const ROW_HEIGHT = 40;

/** Metrics whose name or description has every word. */
export function searched(metrics: readonly Metric[], text: string): readonly Metric[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return metrics;
  return metrics.filter((metric) => {
    const hay = `${metric.name} ${metric.description}`.toLowerCase();
    return words.every((word) => hay.includes(word));
  });
}

export function MetricList(props: {
  metrics: readonly Metric[];
  selected: string | null;
  onSelect: (metric: Metric) => void;
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

function MetricRow(props: { metric: Metric | undefined }) {
  const { metric } = props;
  if (!metric) return null;
  return (
    <span role="gridcell" class="metric-row" title={metric.description}>
      <span class="metric-name">{metric.name}</span>
      <span class="muted small">
        {metric.kind.replace("_", " ")}
        {unitWords(metric.unit) && ` · ${unitWords(metric.unit)}`} · {number(metric.series)} series
      </span>
    </span>
  );
}
