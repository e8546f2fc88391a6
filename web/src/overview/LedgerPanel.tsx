/** The ledger: what became of every record that was received. */
import { api } from "../api/client";
import type { LedgerEntry } from "../api/types";
import { count } from "../format";
import { Failure } from "../parts/Notice";
import { useResource } from "../resource";

const REFRESH_MS = 3000;

const total = (reasons: Record<string, number>): number =>
  Object.values(reasons).reduce((sum, n) => sum + n, 0);

/** What is known to have become of an entry's records. */
export function accounted(entry: LedgerEntry): number {
  return entry.stored + total(entry.rejected) + total(entry.dropped) + entry.deduplicated + entry.expired;
}

function reasons(title: string, of: Record<string, number>): string {
  return Object.entries(of)
    .filter(([, n]) => n > 0)
    .map(([reason, n]) => `${title} ${reason}: ${count(n)}`)
    .join("\n");
}

export function LedgerPanel() {
  const ledger = useResource("ledger", (signal) => api.ledger(signal), { refreshMs: REFRESH_MS });
  const { data } = ledger;
  const entries = data?.entries ?? [];
  const tenants = new Set(entries.map((entry) => entry.tenant)).size > 1;
  return (
    <section class="panel ledger" aria-label="Ledger">
      <div class="panel-line">
        <h2>Ledger</h2>
        <span class="grow" />
        {data && (
          <span class={data.balanced ? "sign ok" : "sign bad"} role="status">
            {data.balanced ? "balanced" : "does not balance"}
          </span>
        )}
      </div>
      <Failure error={ledger.error} what="Ledger" />
      {data && entries.length === 0 && <p class="muted pad">Nothing has been received yet.</p>}
      {entries.length > 0 && (
        <div class="table-scroll">
          <table class="figures">
            <thead>
              <tr>
                {tenants && <th scope="col">tenant</th>}
                <th scope="col">signal</th>
                <th scope="col">received</th>
                <th scope="col">stored</th>
                <th scope="col">rejected</th>
                <th scope="col">dropped</th>
                <th scope="col">duplicates</th>
                <th scope="col">expired</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <Row key={`${entry.tenant} ${entry.signal}`} entry={entry} withTenant={tenants} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Row(props: { entry: LedgerEntry; withTenant: boolean }) {
  const { entry } = props;
  const rejected = total(entry.rejected);
  const dropped = total(entry.dropped);
  const open = entry.received - accounted(entry);
  return (
    <tr>
      {props.withTenant && <th scope="row">{entry.tenant}</th>}
      <th scope="row">{entry.signal}</th>
      <td>{count(entry.received)}</td>
      <td title={open === 0 ? undefined : `${count(open)} unaccounted for`}>{count(entry.stored)}</td>
      <td class={rejected > 0 ? "warn-text" : "muted"} title={reasons("rejected", entry.rejected)}>
        {count(rejected)}
      </td>
      <td class={dropped > 0 ? "" : "muted"} title={reasons("dropped", entry.dropped)}>
        {count(dropped)}
      </td>
      <td class={entry.deduplicated > 0 ? "" : "muted"}>{count(entry.deduplicated)}</td>
      <td class={entry.expired > 0 ? "" : "muted"}>{count(entry.expired)}</td>
    </tr>
  );
}
