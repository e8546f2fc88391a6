/** The queries, A, B, C …: written, hidden, added, removed, put into form. */
import { useSignal } from "@preact/signals";
import { prometheus } from "../api/prometheus";
import { Icon } from "../parts/Icon";
import { Failure } from "../parts/Notice";
import type { KnownMetric } from "../promql/choices";
import { setParams } from "../router";
import { type Explored, hiddenWithout, letter, QUERIES_MAX, toggled, withQueries } from "./explored";
import { QueryEditor } from "./QueryEditor";
import { isParseError, type Outcome } from "./useAnswers";

interface Props {
  readonly queries: readonly string[];
  readonly explored: Explored;
  readonly metrics: readonly KnownMetric[];
  readonly outcomes: readonly Outcome[];
  readonly active: number;
  readonly onActive: (index: number) => void;
}

export function QueryList(props: Props) {
  const { queries, explored } = props;
  const { hidden } = explored;
  /** The query that was added last has the focus. */
  const added = useSignal<number | null>(null);
  const rows = queries.length > 0 ? queries : [""];
  const write = (next: readonly string[], nextHidden = hidden) => setParams(withQueries(next, nextHidden));
  const commit = (index: number, text: string) => {
    const next = rows.map((row, place) => (place === index ? text : row));
    // Without any text there is nothing to share.
    write(next.every((row) => row === "") ? [] : next);
  };
  const remove = (index: number) =>
    write(
      rows.filter((_, place) => place !== index),
      hiddenWithout(hidden, index),
    );
  const format = async (text: string, index: number) => {
    const formatted = await prometheus.format(text, AbortSignal.timeout(10_000)).catch(() => null);
    // What cannot be put into form is wrong, and the editor says where.
    if (formatted !== null) commit(index, formatted.data);
  };
  return (
    <section class="panel queries" aria-label="Queries">
      {rows.map((text, index) => {
        const name = letter(index);
        const error = props.outcomes.find(
          (outcome) => outcome.letter === name && outcome.text === text,
        )?.error;
        const isHidden = hidden.includes(name);
        return (
          // A query is known by its place: its text changes as it is written
          <div key={name} class={`query${index === props.active && rows.length > 1 ? " active" : ""}`}>
            <button
              type="button"
              class="query-letter"
              aria-pressed={!isHidden}
              aria-label={`Show query ${name}`}
              title={isHidden ? `Show ${name}` : `Hide ${name}`}
              onClick={() => setParams({ hide: toggled(hidden, name) })}
            >
              {name}
            </button>
            <div class="query-middle">
              <QueryEditor
                label={`Query ${name}`}
                value={text}
                metrics={props.metrics}
                eager={added.value === index}
                onFocus={() => props.onActive(index)}
                onCommit={(changed) => commit(index, changed)}
              />
              {error && !isParseError(error) && <Failure error={error} what={`Query ${name}`} />}
            </div>
            <button
              type="button"
              class="ghost small query-format"
              title="Put the query into form"
              aria-label={`Format query ${name}`}
              disabled={text === ""}
              onClick={() => format(text, index)}
            >
              format
            </button>
            <button
              type="button"
              class="ghost icon-button"
              aria-label={`Remove query ${name}`}
              title={`Remove ${name}`}
              disabled={rows.length === 1 && text === ""}
              onClick={() => remove(index)}
            >
              <Icon name="close" size={14} />
            </button>
          </div>
        );
      })}
      <div class="query-tools">
        <button
          type="button"
          class="small"
          disabled={rows.length >= QUERIES_MAX}
          onClick={() => {
            added.value = rows.length;
            write([...rows, ""]);
            props.onActive(rows.length);
          }}
        >
          Add query {rows.length < QUERIES_MAX ? letter(rows.length) : ""}
        </button>
        <span class="muted small">Enter runs, Shift-Enter breaks the line, Ctrl-Space proposes</span>
      </div>
    </section>
  );
}
