/** The labels of a metric with their values: narrow by one, or group by a label. */
import { pair } from "../api/client";
import type { LabelsAnswer } from "../api/types";
import { number } from "../format";
import { Name } from "../parts/Name";
import { setParams } from "../router";
import { type MetricQuery, toggledBy, toggledMatch } from "./query";

/** Values shown before the rest is opened. */
const OPEN_VALUES_MAX = 8;

export function LabelPanel(props: { labels: LabelsAnswer["labels"]; query: MetricQuery }) {
  const { labels, query } = props;
  const keys = Object.keys(labels).sort((a, b) => rank(labels, b) - rank(labels, a) || (a < b ? -1 : 1));
  if (keys.length === 0) return <p class="muted small pad">This metric has no labels.</p>;
  return (
    <>
      {keys.map((key) => (
        <Label key={key} name={key} values={labels[key] ?? []} query={query} />
      ))}
    </>
  );
}

/** Labels with a choice stand above those with a single value. */
function rank(labels: LabelsAnswer["labels"], key: string): number {
  return (labels[key]?.length ?? 0) > 1 ? 1 : 0;
}

function Label(props: { name: string; values: LabelsAnswer["labels"][string]; query: MetricQuery }) {
  const { name, values, query } = props;
  const ordered = values.toSorted((a, b) => b.series - a.series || (a.value < b.value ? -1 : 1));
  const value = (item: { value: string; series: number }) => {
    const active = query.match.includes(pair(name, item.value));
    return (
      <li key={item.value}>
        <button
          type="button"
          class={`label-value ${active ? "active" : ""}`}
          aria-pressed={active}
          onClick={() => setParams({ match: toggledMatch(query.match, name, item.value) })}
        >
          <span title={item.value}>{item.value || "(empty)"}</span>
          <span class="muted">{number(item.series)}</span>
        </button>
      </li>
    );
  };
  const grouped = query.by.includes(name);
  const rest = ordered.slice(OPEN_VALUES_MAX);
  return (
    <section class="label">
      <header>
        <h3>
          <Name text={name} />
        </h3>
        {values.length > 1 && (
          <button
            type="button"
            class={`small ${grouped ? "active" : "ghost"}`}
            aria-pressed={grouped}
            aria-label={`Group by ${name}`}
            onClick={() => setParams({ by: toggledBy(query.by, name) })}
          >
            group
          </button>
        )}
      </header>
      <ul class="plain">{ordered.slice(0, OPEN_VALUES_MAX).map(value)}</ul>
      {rest.length > 0 && (
        <details>
          <summary class="small muted">{rest.length} more</summary>
          <ul class="plain">{rest.map(value)}</ul>
        </details>
      )}
    </section>
  );
}
