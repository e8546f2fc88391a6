/** The labels of a metric with their values: narrow by one, or group by a label. */
import { pair } from "../api/client";
import { prometheus } from "../api/prometheus";
import { count, number } from "../format";
import { Name } from "../parts/Name";
import { Failure } from "../parts/Notice";
import { range, rangeKey, resolve } from "../range/range";
import { useResource } from "../resource";
import { setParams } from "../router";
import { selector } from "./build";
import { type Explored, toggled, toggledMatch } from "./explored";

/** Values shown before the rest is opened. */
const OPEN_VALUES_MAX = 8;
const VALUES_MAX = 200;
const LABELS_MAX = 100;

export function LabelPanel(props: { name: string; explored: Explored }) {
  const { name, explored } = props;
  const statistics = useResource(`labels ${name} ${rangeKey.value}`, (signal) =>
    prometheus.statistics(
      resolve(range.peek(), Date.now()),
      { match: [selector(name, [])], limit: LABELS_MAX * VALUES_MAX },
      signal,
    ),
  );
  const { data } = statistics;
  const labels = data?.data.labelValueCountByLabelName.filter((label) => label.name !== "__name__") ?? [];
  // Labels with a choice stand above those with a single value.
  const ordered = labels
    .slice(0, LABELS_MAX)
    .toSorted((a, b) => Number(b.value > 1) - Number(a.value > 1) || (a.name < b.name ? -1 : 1));
  const valuesOf = (label: string) =>
    (data?.data.seriesCountByLabelValuePair ?? []).flatMap(({ name: text, value }) =>
      text.startsWith(`${label}=`) ? [{ value: text.slice(label.length + 1), series: value }] : [],
    );
  return (
    <aside class="panel label-panel" aria-label="Labels">
      <Failure error={statistics.error} what="Labels" />
      {data && ordered.length === 0 && <p class="muted small pad">This metric has no labels.</p>}
      {ordered.map((label) => (
        <Label
          key={label.name}
          name={label.name}
          many={label.value}
          values={valuesOf(label.name)}
          explored={explored}
        />
      ))}
    </aside>
  );
}

function Label(props: {
  name: string;
  many: number;
  values: readonly { value: string; series: number }[];
  explored: Explored;
}) {
  const { name, values, explored } = props;
  const value = (item: { value: string; series: number }) => {
    const active = explored.match.includes(pair(name, item.value));
    return (
      <li key={item.value}>
        <button
          type="button"
          class={`label-value ${active ? "active" : ""}`}
          aria-pressed={active}
          onClick={() => setParams({ match: toggledMatch(explored.match, name, item.value) })}
        >
          <span title={item.value}>{item.value || "(empty)"}</span>
          <span class="muted">{number(item.series)}</span>
        </button>
      </li>
    );
  };
  const grouped = explored.by.includes(name);
  const rest = values.slice(OPEN_VALUES_MAX, VALUES_MAX);
  return (
    <section class="label">
      <header>
        <h3>
          <Name text={name} />
        </h3>
        {props.many > 1 && (
          <button
            type="button"
            class={`small ${grouped ? "active" : "ghost"}`}
            aria-pressed={grouped}
            aria-label={`Group by ${name}`}
            onClick={() => setParams({ by: toggled(explored.by, name) })}
          >
            group
          </button>
        )}
      </header>
      <ul class="plain">{values.slice(0, OPEN_VALUES_MAX).map(value)}</ul>
      {rest.length > 0 && (
        <details>
          <summary class="small muted">{rest.length} more</summary>
          <ul class="plain">{rest.map(value)}</ul>
        </details>
      )}
      {props.many > VALUES_MAX && (
        <p class="muted small">{count(props.many - VALUES_MAX)} values are not shown.</p>
      )}
    </section>
  );
}
