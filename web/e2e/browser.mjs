// A headless Chromium and what to point it at: a running server, or the mock.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { startMock } from "../mock/server.mjs";
import { trace, traceOf } from "../mock/traces.mjs";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where the browser is: told, or where Debian puts it. */
export const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

export const browserMissing = existsSync(executablePath)
  ? false
  : `no browser at ${executablePath}: apt-get install chromium, or set CHROMIUM`;

/** The mock serves the page that was built. */
export const pageMissing = existsSync(new URL("../dist/index.html", import.meta.url))
  ? false
  : "the page is not built: npm run build";

/** The server under test and records that somebody sent to it before; the mock knows its own. */
export async function target() {
  const { FRESNEL_URL: url, FRESNEL_E2E_SERVICE: service, FRESNEL_E2E_BODY: body } = process.env;
  const { FRESNEL_E2E_TRACE: trace, FRESNEL_E2E_METRIC: metric } = process.env;
  const { FRESNEL_E2E_HISTOGRAM: histogram, FRESNEL_E2E_GROWN: grown } = process.env;
  const { FRESNEL_E2E_TIERED: tiered } = process.env;
  if (url) {
    const known = { service, body, trace, metric, histogram, grown, tiered };
    return { url: url.replace(/\/$/, ""), ...known, mock: false, stop: () => {} };
  }
  const mock = await startMock(0);
  return {
    ...{ url: mock.url, stop: mock.stop, mock: true, service: "checkout", body: "id=" },
    ...{ trace: telling(), metric: "app.queue.depth", histogram: "http.server.request.duration" },
    tiered: "app_queue_depth",
  };
}

/** A recent trace of the mock with errors and a part that never arrived. */
function telling() {
  for (let back = 60_000; ; back += 2000) {
    const id = traceOf(Date.now() - back);
    const { spans } = trace(id);
    const known = new Set(spans.map((span) => span.span_id));
    const orphans = spans.some((span) => span.parent_span_id && !known.has(span.parent_span_id));
    if (orphans && spans.length > 12 && spans.some((span) => span.status_code === "error")) return id;
  }
}

export const launch = () => chromium.launch({ executablePath, args: FLAGS, headless: true });

/** A page that remembers everything that went wrong in it. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 850 }, ...options });
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("requestfailed", (request) => {
    // Leaving a page aborts what it asked for: that is meant.
    const failure = request.failure()?.errorText ?? "";
    if (!failure.includes("ERR_ABORTED")) errors.push(`${request.url()}: ${failure}`);
  });
  return { page, errors, close: () => context.close() };
}
