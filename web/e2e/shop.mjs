// The example of the SDK on the page (examples/shop): a server (FRESNEL_URL) that a shop and its payments
// have sent to, whose charges failed for a while and work again, and the trace of an order (FRESNEL_E2E_TRACE).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browserMissing, launch, openPage } from "./browser.mjs";

const { FRESNEL_URL: url, FRESNEL_E2E_TRACE: trace } = process.env;
const RANGE = "from=now-1h&to=now";
let browser;

before(async () => {
  if (!browserMissing) browser = await launch();
});
after(() => browser?.close());

function check(name, run) {
  test(name, { skip: browserMissing, timeout: 90_000 }, async () => {
    const { page, errors, close } = await openPage(browser);
    page.setDefaultTimeout(20_000);
    try {
      await run(page, (path) => page.goto(url + path));
      assert.deepEqual(errors, [], "the console must stay clean");
    } finally {
      await close();
    }
  });
}

/** Every span of the waterfall as the page tells it: name, service, duration, level. */
async function walked(page) {
  const waterfall = page.locator(".waterfall");
  await page.locator(".waterfall canvas").waitFor();
  const rows = Number(await waterfall.getAttribute("data-rows"));
  const status = page.locator('.trace-panel p[role="status"]');
  await waterfall.focus();
  const told = [];
  for (let row = 0; row < rows; row++) {
    const before = await page.evaluate(() => new URL(location.href).searchParams.get("span"));
    await page.keyboard.press("j");
    await page.waitForFunction(
      (before) => new URL(location.href).searchParams.get("span") !== before,
      before,
    );
    told.push(await status.innerText());
  }
  return told;
}

check(
  "an order is a waterfall through both services, the database, Redis and the queue",
  async (page, go) => {
    await go(`/traces/${trace}`);
    const spans = await walked(page);
    for (const [name, service] of [
      ["POST /orders", "shop"],
      ["GET", "shop"],
      ["SELECT products", "shop"],
      ["SETEX", "shop"],
      ["POST", "shop"],
      ["POST /payments/charge", "payments"],
      ["INSERT orders", "shop"],
      ["send shop:orders", "shop"],
      ["LPUSH", "shop"],
      ["process shop:orders", "shop"],
      ["UPDATE orders", "shop"],
    ]) {
      assert.ok(
        spans.some((span) => span.startsWith(`${name}, ${service}, `)),
        `${name} of ${service} in ${JSON.stringify(spans)}`,
      );
    }
    assert.match(await page.locator(".trace-summary").innerText(), /POST \/orders/);
    await page.getByRole("searchbox", { name: "Search within the trace" }).fill("sqlite");
    await page.locator('.trace-search [role="status"]', { hasText: /[1-9]\d* found/ }).waitFor();
  },
);

check("the logs of an order are those of its trace", async (page, go) => {
  await go(`/logs?${RANGE}&trace_id=${trace}`);
  for (const body of ["placed", "charged", "packed"])
    await page.locator(".loglist .vrow", { hasText: body }).first().waitFor();
});

check("what failed, the breaker and the escalation are in the logs", async (page, go) => {
  for (const body of [
    "the request failed",
    "an error is handled",
    "an error is escalated",
    "fault injection is switched",
  ]) {
    await go(`/logs?${RANGE}&service=shop&q=${encodeURIComponent(body)}`);
    const row = page.locator(".loglist .vrow", { hasText: body }).first();
    await row.waitFor();
    if (body !== "an error is escalated") continue;
    await row.click();
    const drawer = page.getByRole("complementary", { name: "Log record" });
    await drawer.getByText("payments.charge").first().waitFor();
    const words = await drawer.innerText();
    for (const word of ["resilience.escalation", "high", "circuit breaker `payments.charge` is open"])
      assert.ok(words.includes(word), `${word} in ${words}`);
  }
});

check("metrics tell orders, faults, the breaker's states, health and the alert", async (page, go) => {
  const rows = page.getByRole("table", { name: "Values of A" }).locator("tbody tr");
  for (const [query, ...wanted] of [
    ["shop_orders_total", /tea/],
    ["db_client_operation_duration_seconds_count", /redis/, /sqlite/],
    ["resilience_fault_injected_total", /payments\.charge/],
    ['max_over_time(resilience_circuit_breaker_state_ratio{job="shop"}[30m]) == 1', /open/, /closed/],
    ['resilience_circuit_breaker_state_ratio{job="shop"} == 1', /closed/],
    ['health_check_status_ratio{job="shop"} == 1', /database/, /redis/],
    ['max_over_time(ALERTS{alertname="Escalation",alertstate="firing"}[30m])', /high/],
  ]) {
    await go(`/metrics/explore?${RANGE}&tab=table&q=${encodeURIComponent(query)}`);
    for (const words of wanted) await rows.filter({ hasText: words }).first().waitFor();
  }
});
