/** Values at one moment: a row for each series, its labels as columns. */
import { count, share } from "../format";
import { type Row, tellingLabels, totalOf } from "./result";

/** More rows than this are counted: a table is read, not scrolled for minutes. */
const ROWS_MAX = 200;
/** Labels with columns of their own; the rest stands in one. */
const COLUMNS_MAX = 6;

interface Props {
  readonly rows: readonly Row[];
  readonly format: (value: number) => string;
  readonly label: string;
  /** Shows what each row is of their sum. */
  readonly shares?: boolean;
  /** What can be done with a row. */
  readonly action?: { readonly title: string; readonly run: (row: Row) => void };
}

export function RowTable(props: Props) {
  const { rows, format, action } = props;
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
              <td class="right">{sums ? count(row.value) : format(row.value)}</td>
              {sums && <td class="right">{row.sum === undefined ? "" : format(row.sum / row.value)}</td>}
              {total !== null && (
                <td>
                  <Share value={row.value} total={total} />
                </td>
              )}
              {action && (
                <td class="right">
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
