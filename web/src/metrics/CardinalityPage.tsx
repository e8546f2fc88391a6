/**
 * Which metrics, labels and values the series come from, and which of them grow.
 *
 * Enters: the URL, see `cardinality`. Leaves: changes of the URL: every row narrows to itself.
 */
import { useSignal } from "@preact/signals";
import { api, pair } from "../api/client";
import { type Answered, type Counted, prometheus, type Statistics } from "../api/prometheus";
import { count, day, number, plural } from "../format";
import { Chip } from "../logs/LogFilterBar";
import { Empty, Failure, Pending } from "../parts/Notice";
import { range, rangeKey, resolve, type Window } from "../range/range";
import { useResource } from "../resource";
import { href, location, setParams } from "../router";
import { selector } from "./build";
import {
  AGAINST,
  type Against,
  earlier,
  type Growing,
  growing,
  growthText,
  isEmpty,
  type Narrowed,
  type Refused,
  readNarrowed,
  refusedOf,
  selectorOf,
  splitPair,
} from "./cardinality";
import { Sections } from "./MetricsPage";
import { Remarks } from "./Remarks";
import { Share } from "./RowTable";

/** Entries of a list, here and earlier. */
const LIMIT = 1000;
const ROWS_SHOWN = 15;

interface Counts {
  readonly window: Window;
  readonly before: Window;
  readonly now: Answered<Statistics>;
  readonly then: Answered<Statistics>;
  /** Points that were rejected for the number of series, by reason. */
  readonly refused: Refused;
}

export function CardinalityPage() {
  const narrowed = readNarrowed(location.value.params);
  const selected = selectorOf(narrowed);
  const key = `cardinality ${selected} ${narrowed.label} ${narrowed.against} ${rangeKey.value}`;
  const counts = useResource(key, async (signal): Promise<Counts> => {
    const window = resolve(range.peek(), Date.now());
    const before = earlier(window, narrowed.against);
    const asked = {
      match: selected === null ? [] : [selected],
      limit: LIMIT,
      ...(narrowed.label !== null && { label: narrowed.label }),
    };
    const [now, then, ledger] = await Promise.all([
      prometheus.statistics(window, asked, signal),
      prometheus.statistics(before, asked, signal),
      api.ledger(signal),
    ]);
    return { window, before, now, then, refused: refusedOf(ledger.entries) };
  });
  const { data } = counts;
  return (
    <div class="page cardinality">
      <div class="cardinality-head">
        <Sections />
        <Path narrowed={narrowed} />
        <span class="grow" />
        <label class="against">
          against{" "}
          <select
            value={narrowed.against}
            onChange={(event) => setParams({ against: event.currentTarget.value })}
          >
            {Object.entries(AGAINST).map(([value, title]) => (
              <option key={value} value={value}>
                {title}
              </option>
            ))}
          </select>
        </label>
      </div>
      {data ? (
        <>
          <Failure error={counts.error} what="Cardinality" />
          <Remarks
            of={[
              { letter: "", ...data.now },
              { letter: "", ...data.then },
            ]}
          />
          <Totals counts={data} narrowed={narrowed} />
          <div class={counts.stale ? "grid counts stale" : "grid counts"}>
            <Lists counts={data} narrowed={narrowed} />
          </div>
        </>
      ) : (
        <Pending error={counts.error} what="the counts" title="Cardinality" />
      )}
    </div>
  );
}

function Path(props: { narrowed: Narrowed }) {
  const { metric, match, label } = props.narrowed;
  if (metric === null && match.length === 0 && label === null) return null;
  return (
    <div class="chips">
      {metric !== null && <Chip label={metric} onRemove={() => setParams({ metric: null })} />}
      {match.map((one) => (
        <Chip
          key={one}
          label={one}
          onRemove={() => setParams({ match: match.filter((other) => other !== one) })}
        />
      ))}
      {label !== null && <Chip label={`values of ${label}`} onRemove={() => setParams({ label: null })} />}
    </div>
  );
}

/** Days of UTC: by them series are known. */
function daysOf({ from, to }: Window): string {
  const utc = (ms: number) => day(ms + new Date(ms).getTimezoneOffset() * 60_000);
  return utc(from) === utc(to) ? utc(from) : `${utc(from)} – ${utc(to)}`;
}

function Totals(props: { counts: Counts; narrowed: Narrowed }) {
  const { counts, narrowed } = props;
  const { numSeries: series, numLabelPairs: pairs } = counts.now.data.headStats;
  const known = !isEmpty(counts.then.data);
  const change = growthText(
    { name: "", value: series, before: known ? counts.then.data.headStats.numSeries : null },
    count,
  );
  return (
    <section class="panel" aria-label="Totals">
      <div class="panel-line">
        <span class="figure">{count(series)}</span> series of {daysOf(counts.window)}
        <span class="muted">{count(pairs)} pairs of label and value</span>
        {known ? (
          <span>
            <b class={change.startsWith("+") ? "warn-text" : ""}>{change === "=" ? "as many as" : change}</b>{" "}
            {change === "=" ? "" : "against "}
            {count(counts.then.data.headStats.numSeries)} of {daysOf(counts.before)}
          </span>
        ) : (
          <span class="muted">
            nothing is known of {daysOf(counts.before)}, {AGAINST[narrowed.against as Against]}
          </span>
        )}
      </div>
      <Beyond refused={counts.refused} />
      <p class="muted small">
        Series are known by the day (UTC). A histogram counts once for itself, its buckets, its sum and its
        count.
      </p>
    </section>
  );
}

/** What the limits on series kept out since the store was made. */
function Beyond(props: { refused: Refused }) {
  const { tenant, metric } = props.refused;
  if (tenant + metric === 0) return null;
  return (
    <p class="warn-text small" role="status">
      {tenant > 0 && `Rejected for too many series (store.series_max): ${plural(tenant, "point")}. `}
      {metric > 0 &&
        `Rejected for too many series of a metric (store.series_max_per_metric): ${plural(metric, "point")}.`}
    </p>
  );
}

function Lists(props: { counts: Counts; narrowed: Narrowed }) {
  const { counts, narrowed } = props;
  const [now, then] = [counts.now.data, counts.then.data];
  const total = now.headStats.numSeries;
  const grown = (list: readonly Counted[], before: readonly Counted[] | undefined) =>
    growing(list, isEmpty(then) ? undefined : before, LIMIT);
  if (total === 0) {
    return (
      <Empty title="No series in this range">
        <p>Nothing fits on these days. Remove what narrows, or widen the range.</p>
      </Empty>
    );
  }
  const explore = (name: string, match: readonly string[]) =>
    href("/metrics/explore", name === "" ? { q: selector("", match), tab: "table" } : { name, match });
  return (
    <>
      {narrowed.label !== null && (
        <CountList
          title={`values of ${narrowed.label}`}
          unit="series"
          rows={grown(now.seriesCountByFocusLabelValue ?? [], then.seriesCountByFocusLabelValue ?? [])}
          total={total}
          onPick={(value) =>
            setParams({ match: [...narrowed.match, pair(narrowed.label ?? "", value)], label: null })
          }
        />
      )}
      {narrowed.metric === null && (
        <CountList
          title="metrics"
          unit="series"
          rows={grown(now.seriesCountByMetricName, then.seriesCountByMetricName)}
          total={total}
          onPick={(metric) => setParams({ metric, label: null })}
          link={(metric) => explore(metric, narrowed.match)}
        />
      )}
      <CountList
        title="labels"
        unit="values"
        rows={grown(now.labelValueCountByLabelName, then.labelValueCountByLabelName).filter(
          ({ name }) => name !== "__name__",
        )}
        total={null}
        onPick={(label) => setParams({ label })}
      />
      <CountList
        title="labels with values"
        unit="series"
        rows={grown(now.seriesCountByLabelValuePair, then.seriesCountByLabelValuePair).filter(
          ({ name }) => !name.startsWith("__name__="),
        )}
        total={total}
        onPick={(text) => {
          const [label, value] = splitPair(text);
          const own = pair(label, value);
          setParams({ match: narrowed.match.includes(own) ? [...narrowed.match] : [...narrowed.match, own] });
        }}
      />
    </>
  );
}

function CountList(props: {
  title: string;
  unit: string;
  rows: readonly Growing[];
  /** What shares are of; `null` where they would mean nothing. */
  total: number | null;
  onPick: (name: string) => void;
  link?: (name: string) => string;
}) {
  const { title, unit, rows, total, link } = props;
  const text = useSignal("");
  const all = useSignal(false);
  const byGrowth = useSignal(false);
  const found = rows.filter(({ name }) => name.toLowerCase().includes(text.value.toLowerCase()));
  const change = ({ value, before }: Growing) =>
    before === null ? Number.NEGATIVE_INFINITY : value - before;
  const ordered = byGrowth.value ? found.toSorted((a, b) => change(b) - change(a)) : found;
  const shown = all.value ? ordered : ordered.slice(0, ROWS_SHOWN);
  const grows = rows.some(({ before }) => before !== null);
  return (
    <section class="panel" aria-label={`Series by ${title}`}>
      <div class="panel-line">
        <h2>{title}</h2>
        <span class="muted">{rows.length >= LIMIT ? `the first ${count(LIMIT)}` : count(rows.length)}</span>
        <span class="grow" />
        <input
          type="search"
          class="count-search"
          aria-label={`Search ${title}`}
          placeholder="search"
          value={text.value}
          onInput={(event) => (text.value = event.currentTarget.value)}
        />
      </div>
      <div class="table-scroll">
        <table class="rows-table">
          <thead>
            <tr>
              <th scope="col">name</th>
              <th scope="col" class="right">
                {unit}
              </th>
              {total !== null && (
                <th scope="col" class="share-head">
                  share
                </th>
              )}
              {grows && (
                <th scope="col" class="right">
                  <button
                    type="button"
                    class={`small ${byGrowth.value ? "active" : "ghost"}`}
                    aria-pressed={byGrowth.value}
                    onClick={() => (byGrowth.value = !byGrowth.value)}
                  >
                    growth
                  </button>
                </th>
              )}
              {link && <th scope="col" aria-label="Explore" />}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={row.name}>
                <td class="count-name">
                  <button
                    type="button"
                    class="value"
                    title={`Narrow to ${row.name}`}
                    onClick={() => props.onPick(row.name)}
                  >
                    {row.name || "(none)"}
                  </button>
                </td>
                <td class="right">{count(row.value)}</td>
                {total !== null && (
                  <td>
                    <Share value={row.value} total={total} />
                  </td>
                )}
                {grows && (
                  <td class={`right ${/^(\+|new)/.test(growthText(row, number)) ? "warn-text" : "muted"}`}>
                    {growthText(row, number)}
                  </td>
                )}
                {link && (
                  <td class="right">
                    <a href={link(row.name)}>explore</a>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {found.length === 0 && <p class="muted small">Nothing is called that.</p>}
      {found.length > ROWS_SHOWN && (
        <button type="button" class="link small pad" onClick={() => (all.value = !all.value)}>
          {all.value ? "fewer" : `all ${count(found.length)}`}
        </button>
      )}
    </section>
  );
}
