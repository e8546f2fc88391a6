/** The values at the end of the range, and the series that make a query up. */
import { clock, day } from "../format";
import type { UnitOf } from "../promql/tree";
import { sourceText } from "../promql/tree";
import { setParams } from "../router";
import { type Explored, QUERIES_MAX, withQueries } from "./explored";
import { NoValue, Resolution } from "./GraphTab";
import { formatsOf, RowTable } from "./RowTable";
import { type Row, rowsOf } from "./result";
import { type Answers, resolutionOf, type Source } from "./useAnswers";

const at = (ms: number): string => `${day(ms)} ${clock(ms)}`;

export function TableTab(props: { answers: Answers; units: UnitOf }) {
  const { answers, units } = props;
  const shown = answers.outcomes.flatMap((outcome) =>
    outcome.answer ? [{ outcome, rows: rowsOf(outcome.answer.data) }] : [],
  );
  if (shown.length > 0 && shown.every(({ rows }) => rows.length === 0)) return <NoValue />;
  return (
    <>
      {shown.map(({ outcome, rows }) => (
        <section key={outcome.letter} class="panel" aria-label={`Values of ${outcome.letter}`}>
          <div class="panel-line">
            <b>{outcome.letter}</b>
            <span class="muted">
              {rows.length} series at {at(answers.window.to)}
            </span>
            <Resolution ms={resolutionOf([outcome.answer])} />
          </div>
          <RowTable
            rows={rows}
            formats={formatsOf(outcome.tree, units)}
            label={`Values of ${outcome.letter}`}
          />
        </section>
      ))}
    </>
  );
}

export function SeriesTab(props: {
  answers: Answers;
  units: UnitOf;
  queries: readonly string[];
  explored: Explored;
}) {
  const { answers, explored } = props;
  return (
    <>
      <p class="muted small series-hint">
        Which series make it up: what each query reads before it adds up, filters or computes, at{" "}
        {at(answers.window.to)}.
      </p>
      {gathered(answers).map(({ letters, source }) => (
        <SourcePanel
          key={sourceText(source.node)}
          letters={letters}
          source={source}
          units={props.units}
          onShow={(row) => show(row, source, props.queries, explored)}
        />
      ))}
      {answers.outcomes.some(({ sources }) => sources?.length === 0) && (
        <p class="muted small">A query without a selector reads no series.</p>
      )}
    </>
  );
}

/** Each source once, with the letters of the queries that read it. */
function gathered(answers: Answers): { letters: string; source: Source }[] {
  const found = new Map<string, { letters: string; source: Source }>();
  for (const { letter, sources = [] } of answers.outcomes) {
    for (const source of sources) {
      const text = sourceText(source.node);
      const known = found.get(text);
      found.set(
        text,
        known ? { ...known, letters: `${known.letters}, ${letter}` } : { letters: letter, source },
      );
    }
  }
  return [...found.values()];
}

/** A series as a query of its own, beside the others. */
function show(row: Row, source: Source, queries: readonly string[], explored: Explored): void {
  const kept = queries.filter((text) => text.trim() !== "").slice(0, QUERIES_MAX - 1);
  const own = sourceText(source.node, row.labels);
  setParams({ ...withQueries([...kept, own], explored.hidden), tab: null });
}

function SourcePanel(props: { letters: string; source: Source; units: UnitOf; onShow: (row: Row) => void }) {
  const { letters, source } = props;
  const rows = rowsOf(source.answer.data);
  const text = sourceText(source.node);
  return (
    <section class="panel" aria-label={`Series of ${letters}`}>
      <div class="panel-line">
        <b>{letters}</b>
        <code class="source-text">{text}</code>
        <span class="muted">{rows.length} series</span>
        <Resolution ms={resolutionOf([source.answer])} />
      </div>
      {rows.length === 0 ? (
        <p class="muted small">No series has a value at this moment.</p>
      ) : (
        <RowTable
          rows={rows}
          shares
          formats={formatsOf(source.node, props.units)}
          label={`Series of ${letters}`}
          action={{ title: "graph it", run: props.onShow }}
        />
      )}
    </section>
  );
}
