/** Attributes as a table; a click on a value filters by it. */
import type { Attributes } from "../api/types";
import { CopyButton } from "./CopyButton";
import { Name } from "./Name";
import { LongText } from "./Value";

/** Longer values do not fit into a filter. */
const FILTER_CHARS_MAX = 256;
/** About ten lines: the next attribute stays in sight. */
const PREVIEW_CHARS = 640;
/** A value of more lines than this stands below its key, in the whole width. */
const BESIDE_CHARS_MAX = 120;

const isTall = (value: string): boolean => value.length > BESIDE_CHARS_MAX || value.includes("\n");

interface Props {
  readonly title?: string;
  readonly attributes: Attributes;
  readonly onFilter?: ((key: string, value: string) => void) | undefined;
}

export function AttributeTable(props: Props) {
  const entries = Object.entries(props.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return null;
  return (
    <section class="attributes">
      {props.title && (
        <h3>
          {props.title} <span class="muted">{entries.length}</span>
        </h3>
      )}
      <table>
        <tbody>
          {entries.map(([key, value]) => (
            <tr key={key} class={isTall(value) ? "tall" : ""}>
              <th scope="row">
                <Name text={key} />
              </th>
              <td>
                <Cell name={key} value={value} onFilter={props.onFilter} />
              </td>
              <td class="actions">
                <CopyButton text={value} label={`Copy ${key}`} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Cell(props: { name: string; value: string; onFilter: Props["onFilter"] }) {
  const text = props.value;
  const { onFilter, name } = props;
  if (!onFilter || text === "" || text.length > FILTER_CHARS_MAX)
    return <LongText text={text} preview={PREVIEW_CHARS} />;
  return (
    <button
      type="button"
      class="value"
      title={`Filter by ${name}:${text}`}
      onClick={() => onFilter(name, text)}
    >
      {text}
    </button>
  );
}
