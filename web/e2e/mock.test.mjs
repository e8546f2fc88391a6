// What only made-up data can show: errors, incomplete and empty answers, huge traces, a list that follows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startMock } from "../mock/server.mjs";
import { LARGE_PREFIX } from "../mock/traces.mjs";
import { browserMissing, launch, openPage, pageMissing } from "./browser.mjs";

let server;
let browser;

before(async () => {
  if (browserMissing || pageMissing) return;
  server = await startMock(0);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

function check(name, run) {
  test(name, { skip: browserMissing || pageMissing, timeout: 120_000 }, async (context) => {
    const { page, errors, close } = await openPage(browser);
    page.setDefaultTimeout(30_000);
    try {
      await run(page, (path) => page.goto(server.url + path), errors, context);
      assert.deepEqual(errors, []);
    } finally {
      await close();
    }
  });
}

check("an incomplete answer has a banner", async (page, go) => {
  await go("/logs?mock=incomplete");
  await page.getByText("incomplete: segment 0193-logs-7 could not be read").first().waitFor();
  await go("/traces?mock=incomplete");
  await page.getByText("incomplete: segment 0193-logs-7 could not be read").first().waitFor();
  await go("/metrics/explore?mock=incomplete&name=system.cpu.utilization");
  await page.getByText(/may not be complete.*A: segment 0193-logs-7 could not be read/).waitFor();
  await go("/metrics/cardinality?mock=incomplete");
  await page.getByText(/may not be complete.*segment 0193-logs-7 could not be read/).waitFor();
});

check("an error shows the server's own words", async (page, go, errors) => {
  await go("/logs?mock=error");
  await page.getByRole("alert").filter({ hasText: "the memory budget is used up" }).first().waitFor();
  await page.getByText("Hint: raise memory.limit or narrow the time range").first().waitFor();
  errors.length = 0;
});

check("a server that is away is missed once, and the page goes on by itself", async (page, _, errors) => {
  let own = await startMock(0);
  const { port } = new URL(own.url);
  const now = Date.now();
  for (const path of [
    "/",
    "/logs",
    `/logs?from=${now - 60_000}&to=${now}`,
    "/metrics/explore?name=app.queue.depth",
  ]) {
    await page.goto(own.url + path);
    await page.locator("canvas").first().waitFor();
    own.stop();
    // A range that is held asks for nothing by itself.
    await page.keyboard.press("-");
    const banner = page.getByRole("alert").filter({ hasText: "The server does not answer since" });
    await banner.waitFor();
    await page.waitForTimeout(500);
    assert.equal(await page.getByRole("alert").count(), 1, `one sentence on ${path}`);
    assert.ok((await page.locator("canvas").count()) > 0, "what was there stays");
    own = await startMock(Number(port));
    await banner.waitFor({ state: "detached", timeout: 6000 });
    await page.waitForFunction(() => document.querySelector(".stale") === null);
  }
  own.stop();
  errors.length = 0;
});

check("an empty page teaches how to send", async (page, go) => {
  await go("/logs?mock=empty");
  await page.getByText("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318").waitFor();
  await go("/?mock=empty");
  const received = page.getByRole("region", { name: "Records received" });
  await received.getByText("Nothing was counted in this range yet").waitFor();
  assert.equal(await received.locator(".figure").count(), 0, "no figure where nothing was counted");
  await page.getByText("Send your first data").waitFor();
});

check("live logs follow, hold still while scrolled, and load older ones", async (page, go) => {
  await go("/logs");
  const first = page.locator(".loglist .vrow").first();
  await first.waitFor();
  const before = await first.innerText();
  await page.waitForFunction((old) => document.querySelector(".loglist .vrow")?.innerText !== old, before, {
    timeout: 9000,
  });
  await page.getByText("following").waitFor();
  const rows = () => page.locator(".loglist").getAttribute("aria-rowcount").then(Number);
  const loaded = await rows();
  await page.locator(".loglist .vlist-scroll").evaluate((list) => list.scrollTo(0, list.scrollHeight));
  await page.getByRole("button", { name: /paused while scrolled/ }).waitFor();
  await page.waitForFunction(
    (old) => Number(document.querySelector(".loglist").getAttribute("aria-rowcount")) > old,
    loaded + 50,
  );
  assert.ok((await page.locator(".loglist .vrow").count()) < 80, "only rows in view are in the document");
  const held = await rows();
  await page.waitForTimeout(2600);
  assert.equal(await rows(), held, "nothing moves while scrolled");
  await page.getByRole("button", { name: /paused while scrolled/ }).click();
  await page.getByText("following").waitFor();
});

check("rows hold still for a hand that aims at one, and go on when it rests", async (page, go) => {
  await go("/logs");
  const list = page.locator(".loglist .vlist-scroll");
  await list.hover();
  const first = () => page.locator(".loglist .vrow").first().innerText();
  const aimed = await first();
  const box = await list.boundingBox();
  for (let step = 0; step < 25; step += 1) {
    await page.mouse.move(box.x + 60 + step * 4, box.y + 60);
    await page.waitForTimeout(200);
  }
  assert.equal(await first(), aimed);
  await page.waitForFunction((old) => document.querySelector(".loglist .vrow")?.innerText !== old, aimed, {
    timeout: 9000,
  });
});

check("a hidden tab asks nothing", async (page, go) => {
  await go("/logs");
  await page.locator(".loglist .vrow").first().waitFor();
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForTimeout(300);
  let asked = 0;
  page.on("request", () => {
    asked += 1;
  });
  await page.waitForTimeout(5000);
  // What was on its way may still end; nothing repeats.
  assert.ok(asked <= 1, `${asked} requests`);
});

check("a value of 64 KB is cut, with more on demand", async (page, go) => {
  // Record 997 × n carries a large attribute.
  const index = Math.floor(Date.now() / 250 / 997) * 997;
  const ms = index * 250;
  await go(`/logs?from=${ms - 100}&to=${ms + 200}`);
  await page.locator(".loglist .vrow").first().click();
  const more = page.getByRole("button", { name: /^more/ });
  await more.waitFor();
  const long = page.locator(".drawer .attributes .long-text").first();
  assert.ok((await long.innerText()).length < 10_400);
  await more.click();
  assert.ok((await long.innerText()).length > 60_000);
});

check("100,000 spans scroll smoothly, collapse and are searched", async (page, go, _, context) => {
  await go(`/traces/${LARGE_PREFIX}${(100_000).toString(16).padStart(8, "0")}`);
  const waterfall = page.locator(".waterfall");
  await waterfall.waitFor({ timeout: 60_000 });
  assert.equal(await waterfall.getAttribute("data-rows"), "100000");
  const frames = await waterfall.evaluate(async (element) => {
    const times = [];
    let last = performance.now();
    for (let i = 0; i < 60; i += 1) {
      element.scrollTop += 1371;
      await new Promise((done) => requestAnimationFrame(done));
      const now = performance.now();
      times.push(now - last);
      last = now;
    }
    return times.sort((a, b) => a - b);
  });
  context.diagnostic(
    `frame while scrolling: median ${frames[30].toFixed(1)} ms, slowest ${frames[59].toFixed(1)} ms`,
  );
  assert.ok(frames[30] < 100, "the median frame is far from a stall");
  assert.ok((await page.locator(".page *").count()) < 400, "the rows are drawn, not in the document");
  await page.getByRole("searchbox", { name: "Search within the trace" }).fill("redis cart");
  await page.locator(".trace-search", { hasText: "found" }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".drawer").waitFor();
  await page.getByRole("button", { name: "Close all" }).click();
  await page.waitForFunction(() => Number(document.querySelector(".waterfall").dataset.rows) < 100);
});

check("the strip and the waterfall choose a part of the time", async (page, go) => {
  await go(`/traces/${LARGE_PREFIX}00000200`);
  const strip = page.locator(".strip");
  await strip.waitFor();
  const box = await strip.boundingBox();
  await page.mouse.move(box.x + box.width * 0.25, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 20, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL((url) => url.searchParams.has("view"));
  const [start, end] = new URL(page.url()).searchParams.get("view").split("-").map(Number);
  const whole = 512 * 20_000;
  assert.ok(
    Math.abs(start / whole - 0.25) < 0.02 && Math.abs(end / whole - 0.5) < 0.02,
    `${start}-${end} of ${whole}`,
  );
  await strip.dblclick();
  await page.waitForURL((url) => !url.searchParams.has("view"));
});

check("missing parts are rows of their own", async (page, go) => {
  await go("/traces?from=now-1h&to=now");
  await page.locator(".tracelist .vrow a").first().waitFor();
  const links = await page
    .locator(".tracelist .vrow a")
    .evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  for (const link of links) {
    await go(link);
    await page.locator(".waterfall").waitFor();
    if ((await page.locator(".trace-summary .warn-text").count()) > 0) return;
  }
  assert.fail("no trace in the list has a missing part");
});
