/** The first page: what comes in, whether the server is well, how its host is. */
import { useSignal } from "@preact/signals";
import { api } from "../api/client";
import { SendHint } from "../parts/SendHint";
import { range, rangeKey, resolve } from "../range/range";
import { refreshMs } from "../refresh";
import { useResource } from "../resource";
import { HostCharts } from "./HostCharts";
import { LedgerPanel } from "./LedgerPanel";
import { RatesPanel } from "./RatesPanel";
import { ServerPanels } from "./ServerPanels";

/** Services that are there without anybody having sent anything. */
const OWN_SERVICES: ReadonlySet<string> = new Set(["fresnel", "host"]);

export function OverviewPage() {
  return (
    <div class="page overview">
      <div class="grid top">
        <RatesPanel />
        <LedgerPanel />
      </div>
      <FirstSteps />
      <div class="grid server">
        <ServerPanels />
      </div>
      <HostCharts />
    </div>
  );
}

/** How to send something, until somebody does. */
function FirstSteps() {
  const hidden = useSignal(false);
  const services = useResource(
    `services ${rangeKey.value}`,
    (signal) => api.services(resolve(range.peek(), Date.now()), signal),
    { refreshMs: refreshMs.value },
  );
  if (hidden.value || !services.data || services.data.services.some((name) => !OWN_SERVICES.has(name)))
    return null;
  return (
    <section class="panel first-steps" aria-label="Send your first data">
      <div class="panel-line">
        <h2>Send your first data</h2>
        <span class="grow" />
        <button type="button" class="ghost small" onClick={() => (hidden.value = true)}>
          Not now
        </button>
      </div>
      <SendHint />
    </section>
  );
}
