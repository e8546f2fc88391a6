/** Values at one moment: a row for each series, its labels as columns. */
import type { Node } from "../api/prometheus";
import { count, share, withUnit } from "../format";
import { measured, observationsUnit, type UnitOf, unitOf } from "../promql/tree";
import { type Row, tellingLabels, totalOf } from "./result";

/** More rows than this are counted: a table is read, not scrolled for minutes. */
const ROWS_MAX = 200;
/** Labels with columns of their own; the rest stands in one. */
const COLUMNS_MAX = 6;

/** How values are written. A row of a native histogram is the number of its observations, and their mean. */
export interface Formats {
  readonly value: (value: number) => string;
  readonly observations: (value: number) => string;
  readonly mean: (value: number) => string;
}

/** The formats for what a tree answers. */
export function formatsOf(tree: Node | undefined, units: UnitOf): Formats {
  const write = (unit: string) => (value: number) => withUnit(value, unit, true);
  if (!tree) return { value: write(""), observations: write(""), mean: write("") };
  return {
    value: write(unitOf(tree, units)),
    observations: write(observationsUnit(tree)),
    mean: write(measured(tree, units)),
  };
}

interface Props {
  readonly rows: readonly Row[];
  readonly formats: Formats;
  readonly label: string;
  /** Shows what each row is of their sum. */
  readonly shares?: boolean;
  /** What can be done with a row. */
  readonly action?: { readonly title: string; readonly run: (row: Row) => void };
}

export function RowTable(props: Props) {
  const { rows, formats, action } = props;
  const telling = tellingLabels(rows).filter((label) => label !== "__name__");
  const named = new Set(rows.map(({ labels }) => labels.__name__)).size > 1;
  const all = Object.keys(rows[0]?.labels ?? {}).filter((label) => label !== "__name__");
  const columns = [...(named ? ["__name__"] : []), ...(rows.length > 1 ? telling : all)].slice(
    0,
    COLUMNS_MAX,
  );
  const total = props.shares ? totalOf(rows) : null;
  const sums = rows.some(({ sum }) => sum !== undefined);
  return (
    <div class="table-scroll">
      <table class="rows-table values-table" aria-label={props.label}>
        <thead>
          <tr>
            {columns.map((label) => (
              <th key={label} scope="col">
                {label === "__name__" ? "metric" : label}
              </th>
            ))}
            {columns.length === 0 && <th scope="col">series</th>}
            <th scope="col" class="right">
              {sums ? "observations" : "value"}
            </th>
            {sums && (
              <th scope="col" class="right">
                mean
              </th>
            )}
            {total !== null && (
              <th scope="col" class="share-head">
                share
              </th>
            )}
            {action && <th scope="col" aria-label="Actions" />}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, ROWS_MAX).map((row) => (
            <tr key={JSON.stringify(row.labels)} title={labelText(row)}>
              {columns.map((label) => (
                <td key={label}>{row.labels[label] ?? <span class="muted">–</span>}</td>
              ))}
              {columns.length === 0 && <td class="muted">{labelText(row) || "all"}</td>}
              <td class="right">{sums ? formats.observations(row.value) : formats.value(row.value)}</td>
              {sums && (
                <td class="right">{row.sum === undefined ? "" : formats.mean(row.sum / row.value)}</td>
              )}
              {total !== null && (
                <td>
                  <Share value={row.value} total={total} />
                </td>
              )}
              {action && (
                <td class="right action">
                  <button type="button" class="ghost small" onClick={() => action.run(row)}>
                    {action.title}
                  </button>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > ROWS_MAX && (
        <p class="muted small">{count(rows.length - ROWS_MAX)} more rows, each with a smaller value.</p>
      )}
    </div>
  );
}

const labelText = ({ labels }: Row): string =>
  Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join("\n");

/** A share as a bar with its percent. */
export function Share(props: { value: number; total: number }) {
  return (
    <span class="share">
      <i style={{ width: `${props.total > 0 ? (props.value / props.total) * 100 : 0}%` }} />
      <span>{share(props.value, props.total)}</span>
    </span>
  );
}
