// The four pages in a real browser: against a running server (FRESNEL_URL) or against the mock.
//
// With FRESNEL_URL these name records that were sent before, within the last hours:
//   FRESNEL_E2E_SERVICE  a service with logs and spans     FRESNEL_E2E_BODY    part of a log body of it
//   FRESNEL_E2E_TRACE    a trace of it                     FRESNEL_E2E_METRIC  a metric of it
//   FRESNEL_E2E_HISTOGRAM  a histogram of it in seconds, by http.route, /cart among them, with exemplars
//   FRESNEL_E2E_GROWN  a metric in PromQL with three series by queue: a, of a week ago too, b and c
//   FRESNEL_E2E_TIERED  a gauge in PromQL, whose samples of the day before yesterday were downsampled to 5m
// What is not named is not looked for.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browserMissing, launch, openPage, target } from "./browser.mjs";

const RANGE = "from=now-6h&to=now";
let server;
let browser;

before(async () => {
  if (browserMissing) return;
  server = await target();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

/** A test with a page of its own that must end without an error in the console. */
function check(name, run, { needs = null, options = {} } = {}) {
  test(name, { skip: browserMissing, timeout: 90_000 }, async (context) => {
    if (needs && !server[needs]) {
      context.skip(`FRESNEL_E2E_${needs.toUpperCase()} is not set`);
      return;
    }
    const { page, errors, close } = await openPage(browser, options);
    page.setDefaultTimeout(20_000);
    try {
      await run(page, (path) => page.goto(server.url + path), errors);
      assert.deepEqual(errors, [], "the console must stay clean");
    } finally {
      await close();
    }
  });
}

const heading = (page) => page.locator(".bar h1").innerText();

/** A drag over the middle of a chart, from one share of its width to another; `midway` runs with the button down. */
async function brush(page, chart, { from = 0.3, to = 0.6, midway = () => {} } = {}) {
  const over = chart.locator(".u-over");
  await over.waitFor();
  const { width, height } = await over.boundingBox();
  // Waits until the chart stands still, as a hand does.
  await over.hover({ position: { x: width * from, y: height / 2 } });
  const box = await over.boundingBox();
  const y = box.y + height / 2;
  await page.mouse.down();
  await page.mouse.move(box.x + width * ((from + to) / 2), y, { steps: 4 });
  await midway();
  await page.mouse.move(box.x + width * to, y, { steps: 4 });
  await page.mouse.up();
}

/** Waits until the address satisfies a condition. */
async function addressed(page, condition, what) {
  await page
    .waitForURL((url) => condition(url.searchParams, url), { timeout: 10_000 })
    .catch(() => {
      assert.fail(`${what}; the address is ${page.url()}`);
    });
}

check("the overview shows data, not a form", async (page, go) => {
  await go("/");
  assert.equal(await heading(page), "Overview");
  await page.locator('section[aria-label="Server health"] .components li').first().waitFor();
  await page.locator('section[aria-label="Ledger"] .sign.ok', { hasText: "balanced" }).waitFor();
  await page.locator('section[aria-label="Records received"] canvas').waitFor();
  for (const name of ["Processor", "Memory", "Network", "Disk", "File systems"])
    await page.locator(`section[aria-label="${name}"] canvas`).waitFor();
  await page.getByRole("meter", { name: "Memory budget used" }).waitFor();
  assert.equal(await page.locator(".banner.bad").count(), 0);
});

check(
  "logs are found by service and text, and opened",
  async (page, go) => {
    const text = server.body ? `&q=${encodeURIComponent(server.body)}` : "";
    await go(`/logs?${RANGE}&service=${encodeURIComponent(server.service)}${text}`);
    const row = page.locator(".loglist .vrow").first();
    await row.waitFor();
    assert.match(await row.innerText(), new RegExp(server.service));
    if (server.body) assert.ok((await row.innerText()).includes(server.body));
    await page.locator('.histogram [role="img"]').waitFor();
    await row.click();
    const drawer = page.getByRole("complementary", { name: "Log record" });
    await drawer.waitFor();
    assert.ok((await drawer.innerText()).includes(server.service));
    await page.keyboard.press("j");
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "detached" });
  },
  { needs: "service" },
);

check(
  "a click on a value filters by it, and back takes it away",
  async (page, go) => {
    await go(`/logs?${RANGE}&service=${encodeURIComponent(server.service)}`);
    await page.locator(".loglist .vrow").first().click();
    const value = page.locator('.drawer .attributes button.value:not([title^="Filter by service"])').first();
    await value.waitFor();
    await value.click();
    await addressed(page, (params) => params.has("attr"), "a filter is in the address");
    await page.goBack();
    await addressed(page, (params) => !params.has("attr"), "back removes the filter");
  },
  { needs: "service" },
);

check(
  "traces are listed by service and open as a waterfall",
  async (page, go) => {
    await go(`/traces?${RANGE}&service=${encodeURIComponent(server.service)}`);
    const link = page.locator(".tracelist .vrow a").first();
    await link.waitFor();
    await link.click();
    await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
    await page.locator(".waterfall canvas").waitFor();
    await page.goBack();
    await page.locator(".tracelist .vrow").first().waitFor();
  },
  { needs: "service" },
);

check(
  "a trace is walked by keyboard and tells everything about a span",
  async (page, go) => {
    await go(`/traces/${server.trace}`);
    await page.locator(".waterfall canvas").waitFor();
    assert.ok(Number(await page.locator(".waterfall").getAttribute("data-rows")) > 0);
    await page.locator(".waterfall").focus();
    await page.keyboard.press("j");
    const drawer = page.locator(".drawer");
    await drawer.waitFor();
    await addressed(page, (params) => params.has("span"), "the span is in the address");
    if ((await drawer.getAttribute("aria-label")) === "Span") {
      const words = await drawer.innerText();
      for (const word of ["service", "duration", "self time", "Attributes", "Resource"]) {
        assert.ok(words.includes(word), `${word} in the details`);
      }
    }
    const said = await page.locator('.trace-panel [role="status"]').innerText();
    assert.match(said, /level 1/);
    const logs = page.getByRole("link", { name: "Logs of this trace" });
    assert.match(await logs.getAttribute("href"), new RegExp(`trace_id=${server.trace}`));
    await logs.click();
    await page.locator(".chip", { hasText: server.trace }).waitFor();
  },
  { needs: "trace" },
);

check(
  "a log record leads to its trace, and back leads to the record",
  async (page, go) => {
    await go(`/logs?${RANGE}&trace_id=${server.trace}`);
    const row = page.locator(".loglist .vrow").first();
    const none = page.getByText("No record matches in this range");
    await row.or(none).waitFor();
    // Logs that were sent before may belong to no trace.
    if ((await none.count()) > 0) return;
    await row.click();
    await page.getByRole("link", { name: "Open the trace" }).click();
    await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
    await page.goBack();
    await addressed(page, (params) => params.has("at"), "back leads to the record");
    await page.locator(".drawer").waitFor();
  },
  { needs: "trace" },
);

/** A metric's name as Prometheus writes it, with whatever is appended to it. */
const translated = (name) => name.replaceAll(".", "_");

check(
  "a metric is picked, drawn and described",
  async (page, go) => {
    await go(`/metrics/explore?${RANGE}`);
    const search = page.getByRole("searchbox", { name: "Search metrics" });
    await search.waitFor();
    await search.fill(server.metric);
    const name = translated(server.metric);
    await page.locator(".metric-list .vrow", { hasText: name }).first().click();
    await addressed(page, (params) => params.get("name")?.startsWith(name), "the metric is in the address");
    const query = page.getByRole("textbox", { name: "Query A" });
    await page.locator(".graph canvas").first().waitFor();
    assert.match(await query.inputValue(), new RegExp(name), "its query is written");
    await page.locator(".legend-table tbody tr").first().waitFor();
    await page.reload();
    await page.locator('.metric-list .vrow[aria-selected="true"]', { hasText: name }).waitFor();
    await page.locator(".label-value").first().click();
    await addressed(page, (params) => params.has("match"), "the label is in the address");
    await page.locator(".graph canvas").first().waitFor();
    assert.match(await query.inputValue(), /\{\w+="/, "the query is narrowed");
    await page.locator(".chip").first().waitFor();
  },
  { needs: "metric" },
);

check(
  "PromQL is written with proposals for metrics, labels and values",
  async (page, go, errors) => {
    await go(`/metrics/explore?${RANGE}`);
    const query = page.getByRole("textbox", { name: "Query A" });
    const proposals = page.getByRole("listbox", { name: "Proposals" });
    const name = translated(server.histogram);
    const chosen = proposals.locator('[aria-selected="true"]');
    await query.click();
    // Typed as a person does: what is proposed follows.
    await page.keyboard.type("sum(rate(");
    await page.keyboard.type(name.slice(0, -3));
    await chosen.filter({ hasText: name }).waitFor();
    assert.match(await chosen.innerText(), /histogram\s*\d+ series/, "with its kind and its series");
    while (!(await chosen.locator("b").innerText()).endsWith("_count"))
      await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.keyboard.type("{http_ro");
    await chosen.filter({ hasText: "http_route" }).waitFor();
    assert.match(await chosen.innerText(), /\d+ values/, "a label says how many values it has");
    await page.keyboard.press("Tab");
    const value = proposals.getByRole("option", { name: "/cart" }).first();
    await value.waitFor();
    assert.match(await value.innerText(), /\d+ series/, "a value says how many series it has");
    await value.click();
    await page.keyboard.press("End");
    await page.keyboard.type("}[");
    await chosen.filter({ hasText: "1m" }).waitFor();
    await page.keyboard.type("5m]))");
    await page.keyboard.press("Enter");
    const written = new RegExp(
      `^sum\\(rate\\(${name}_seconds_count\\{http_route="/cart[^}]*"\\}\\[5m\\]\\)\\)$`,
    );
    assert.match(await query.inputValue(), written);
    await addressed(page, (params) => written.test(params.get("q")), "the query is in the address");
    await page.locator(".graph canvas").first().waitFor();
    assert.match(await page.locator(".graph .panel-line").innerText(), /step \d/);
    // What stood there unfinished for a moment was asked about, and the browser reports the 400 itself.
    errors.length = 0;
  },
  { needs: "histogram" },
);

check(
  "what is wrong with a query is marked where it is, and the others go on",
  async (page, go, errors) => {
    const name = `${translated(server.histogram)}_seconds_count`;
    await go(`/metrics/explore?${RANGE}&q=sum(${name}&q=sum(${name})`);
    await page
      .getByRole("alert")
      .filter({ hasText: /column \d+: unclosed left parenthesis/ })
      .waitFor();
    assert.equal(await page.locator(".query").first().locator(".pq-wrong").count(), 1, "the place is marked");
    await page.locator('.graph[aria-label="Graph of B"] canvas').waitFor();
    const query = page.getByRole("textbox", { name: "Query A" });
    await query.press("End");
    await page.keyboard.type(")");
    await page.keyboard.press("Enter");
    await page.locator(".legend-table tbody tr").nth(1).waitFor();
    assert.equal(await page.getByRole("alert").count(), 0);
    await query.fill(`sum  by(job)(${name})`);
    await query.press("Enter");
    await addressed(page, (params) => params.get("q") === `sum  by(job)(${name})`, "it is in the address");
    await page.getByRole("button", { name: "Format query A" }).click();
    await addressed(
      page,
      (params) => /^sum by ?\(job\) ?\(/.test(params.get("q")),
      "the query is put into form",
    );
    // The browser reports the 400 itself.
    errors.length = 0;
  },
  { needs: "histogram" },
);

check(
  "several queries are added, hidden and removed, one series is isolated, all of it in the address",
  async (page, go) => {
    const name = `${translated(server.histogram)}_seconds_count`;
    await go(`/metrics/explore?${RANGE}&q=sum by (http_route) (${name})`);
    await page.locator(".legend-table tbody tr").nth(1).waitFor();
    await page.getByRole("button", { name: "Add query B" }).click();
    await page.getByRole("textbox", { name: "Query B" }).fill(`max(${name})`);
    await page.keyboard.press("Enter");
    await page.locator(".legend-table tbody tr", { hasText: "B " }).waitFor();
    await page.locator(".series-name").first().click();
    await addressed(
      page,
      (params) => params.get("only")?.startsWith("A:http_route="),
      "the series is in the address",
    );
    await page.reload();
    await page.locator('.series-name[aria-pressed="true"]').waitFor();
    await page.getByRole("button", { name: "Show all series" }).click();
    await addressed(page, (params) => !params.has("only"), "all are shown again");
    await page.getByRole("button", { name: "Show query A" }).click();
    await addressed(page, (params) => params.get("hide") === "A", "what is hidden is in the address");
    await page
      .locator(".legend-table tbody tr", { hasText: "http_route" })
      .first()
      .waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Remove query A" }).click();
    await addressed(page, (params) => params.getAll("q").length === 1 && !params.has("hide"), "A is gone");
    await page.locator(".legend-table tbody tr").first().waitFor();
    await page.goBack();
    await addressed(page, (params) => params.getAll("q").length === 2, "back brings it back");
  },
  { needs: "histogram" },
);

check(
  "values are a table, and the series that make them up have shares",
  async (page, go) => {
    const name = `${translated(server.histogram)}_seconds_count`;
    await go(`/metrics/explore?${RANGE}&q=sum(rate(${name}{job="${server.service}"}[10m]))&tab=table`);
    await page.getByRole("table", { name: "Values of A" }).locator("tbody tr").first().waitFor();
    await page.getByRole("button", { name: "Series", exact: true }).click();
    await addressed(page, (params) => params.get("tab") === "series", "the tab is in the address");
    const rows = page.getByRole("table", { name: "Series of A" }).locator("tbody tr");
    await rows.nth(1).waitFor();
    const shares = await rows.locator(".share").allInnerTexts();
    const sum = shares.reduce((total, text) => total + Number.parseFloat(text), 0);
    assert.ok(Math.abs(sum - 100) < 2, `shares add up to 100 %: ${shares}`);
    const sizes = shares.map((text) => Number.parseFloat(text));
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => b - a),
      "the largest is first",
    );
    await rows.first().getByRole("button", { name: "graph it" }).click();
    await addressed(
      page,
      (params) => /http_route="/.test(params.getAll("q")[1] ?? ""),
      "it is a query of its own",
    );
    await page.locator(".legend-table tbody tr").nth(1).waitFor();
  },
  { needs: "histogram" },
);

check(
  "a histogram is seen as a heatmap",
  async (page, go) => {
    await go(`/metrics/explore?${RANGE}&name=${server.histogram}`);
    await page.getByRole("button", { name: "Show as a heatmap" }).click();
    await addressed(
      page,
      (params) => /^sum\(rate\(/.test(params.get("q") ?? ""),
      "its query is in the address",
    );
    const heat = page.locator(".heat .chart");
    await heat.locator("canvas").waitFor();
    // Cells are drawn: the canvas has more than its axes.
    await page.waitForFunction(() => {
      const canvas = document.querySelector(".heat canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let pixels = 0;
      // Blue, as the first colour of both themes is.
      for (let i = 0; i < data.length; i += 4)
        if (data[i + 2] > data[i] + 20 && data[i + 3] > 20) pixels += 1;
      return pixels > 200;
    });
    await brush(page, heat);
    await addressed(
      page,
      (params) => /^\d{4}-/.test(params.get("from") ?? ""),
      "a drag sets the range here, too",
    );
  },
  { needs: "histogram" },
);

check(
  "an exemplar leads to its trace, and a span back to the metrics of its service",
  async (page, go) => {
    await go(`/metrics/explore?${RANGE}&name=${server.histogram}`);
    const exemplar = page.locator(".mark-link").first();
    await exemplar.waitFor();
    assert.match(await exemplar.getAttribute("href"), /\/traces\/[0-9a-f]{32}/);
    await page.locator(".exemplars summary").click();
    const listed = page.locator(".exemplars tbody a").first();
    await listed.click();
    await page.waitForURL(/\/traces\/[0-9a-f]{32}/);
    await page.locator(".waterfall canvas").waitFor();
    await page.goBack();
    await page.locator(".mark-link").first().waitFor();
    await go(`/traces/${server.trace}`);
    await page.locator(".waterfall").focus();
    await page.keyboard.press("j");
    const back = page.getByRole("link", { name: /^Metrics of .* at this time$/ });
    // The first row may be a span that never arrived.
    while ((await back.count()) === 0) await page.keyboard.press("j");
    await back.click();
    await addressed(
      page,
      (params) => params.get("match")?.startsWith("job:"),
      "the service is in the address",
    );
    await page.locator(".metric-list .vrow").first().waitFor();
  },
  { needs: "histogram" },
);

check(
  "an answer from downsampled samples says so, and can be asked of the samples alone",
  async (page, go) => {
    await go(`/metrics/explore?from=now-4d&to=now&q=avg_over_time(${server.tiered}[1h])`);
    const said = page.locator(".graph .sign", { hasText: "downsampled to 5 min" });
    await said.waitFor();
    await page.locator(".banner.info", { hasText: "samples downsampled to 5m" }).waitFor();
    const alone = page.getByRole("button", { name: "Only samples as they came" });
    assert.equal(await alone.getAttribute("aria-pressed"), "false");
    const rows = page.locator(".legend-table tbody tr");
    const before = await rows.allInnerTexts();
    await alone.click();
    await addressed(page, (params) => params.get("raw") === "1", "it is in the address");
    await said.waitFor({ state: "detached" });
    assert.equal(await alone.getAttribute("aria-pressed"), "true");
    assert.equal(await page.locator(".banner.info").count(), 0);
    assert.deepEqual(await rows.allInnerTexts(), before, "the values are the same");
    await page.reload();
    await rows.first().waitFor();
    assert.equal(await said.count(), 0, "the address alone says it");
    await alone.click();
    await addressed(page, (params) => !params.has("raw"), "and back");
    await said.waitFor();
  },
  { needs: "tiered" },
);

check(
  "cardinality is narrowed by metric, label and value",
  async (page, go) => {
    await go(`/metrics/cardinality?${RANGE}`);
    const metrics = page.locator('section[aria-label="Series by metrics"]');
    await metrics.locator("tbody tr").first().waitFor();
    const totals = await page.locator('section[aria-label="Totals"]').innerText();
    assert.match(totals, /\d+\s+series of/);
    assert.match(totals, /too many series of a metric \(store\.series_max_per_metric\): 3 points/);
    await metrics.getByRole("searchbox").fill(translated(server.histogram));
    await metrics
      .getByRole("button", { name: new RegExp(`^${translated(server.histogram)}\\w*$`) })
      .first()
      .click();
    await addressed(page, (params) => params.has("metric"), "the metric is in the address");
    const labels = page.locator('section[aria-label="Series by labels"]');
    await labels.getByRole("button", { name: "http_route" }).click();
    await addressed(page, (params) => params.get("label") === "http_route", "the label is in the address");
    const values = page.locator('section[aria-label="Series by values of http_route"]');
    await values.locator("tbody tr").nth(1).waitFor();
    await values.getByRole("button", { name: "/cart" }).first().click();
    await addressed(page, (params) => params.get("match")?.startsWith("http_route:/cart"), "so is the value");
    await page.goBack();
    await values.waitFor();
  },
  { needs: "histogram" },
);

check(
  "growth against an earlier day is told by metric and by value, and orders them",
  async (page, go) => {
    await go(`/metrics/cardinality?${RANGE}`);
    await page.getByRole("combobox", { name: "against" }).selectOption("7d");
    await addressed(page, (params) => params.get("against") === "7d", "the earlier day is in the address");
    const totals = page.locator('section[aria-label="Totals"]');
    await totals.getByText(/^\+[\d\s]+ against 1 of/).waitFor();
    const texts = (row) => row.locator("td").allInnerTexts();
    const metrics = page.locator('section[aria-label="Series by metrics"]');
    await metrics.getByRole("searchbox").fill(server.grown);
    const grown = metrics.locator("tbody tr", { hasText: server.grown });
    assert.deepEqual((await texts(grown)).slice(1, 2), ["3"]);
    assert.ok((await texts(grown)).includes("+2"), `${await texts(grown)}`);

    await grown.getByRole("button", { name: server.grown }).click();
    const labels = page.locator('section[aria-label="Series by labels"]');
    await labels.getByRole("button", { name: "queue" }).click();
    const values = page.locator('section[aria-label="Series by values of queue"]');
    await values.locator("tbody tr").nth(2).waitFor();
    const changes = async () =>
      Object.fromEntries(
        (await Promise.all((await values.locator("tbody tr").all()).map(texts))).map((cells) => [
          cells[0],
          cells.find((cell) => /^(new|=)$/.test(cell)),
        ]),
      );
    assert.deepEqual(await changes(), { a: "=", b: "new", c: "new" });
    await values.getByRole("button", { name: "growth" }).click();
    assert.equal((await texts(values.locator("tbody tr").nth(2)))[0], "a", "what did not grow is last");
  },
  { needs: "grown" },
);

check("a drag sets the range, a double click widens it, back restores it", async (page, go) => {
  await go("/?from=now-1h&to=now");
  const chart = page.locator('section[aria-label="Processor"] .chart');
  const entries = () => page.evaluate(() => history.length);
  const before = await entries();
  await brush(page, chart);
  await addressed(
    page,
    (params) => /^\d{4}-/.test(params.get("from") ?? "") && params.get("to") !== "now",
    "the drag is in the address",
  );
  await page.waitForTimeout(300);
  assert.equal(
    await entries(),
    before + 1,
    "one drag is one entry of the history, whatever charts follow the pointer",
  );
  const brushed = new URL(page.url()).searchParams;
  const width = Date.parse(brushed.get("to")) - Date.parse(brushed.get("from"));
  assert.ok(width > 10 * 60_000 && width < 30 * 60_000, `a third of an hour, not ${width} ms`);
  await page.getByRole("button", { name: /Time range: .*–/ }).waitFor();
  await page.goBack();
  await addressed(page, (params) => params.get("from") === "now-1h", "back restores the range");
  await chart.locator(".u-over").dblclick();
  await addressed(
    page,
    (params) => params.get("from") === "now-2h" && params.get("to") === "now",
    "twice as wide",
  );
});

check("live data that comes in during a drag does not end it", async (page, go) => {
  await go("/?from=now-15m&to=now");
  const chart = page.locator('section[aria-label="Processor"] .chart');
  const select = chart.locator(".u-select");
  const series = (response) => response.url().includes("system.cpu.utilization/series");
  // Every answer has a series more than the one before: the chart is made anew for each.
  let answers = 0;
  await page.route("**/system.cpu.utilization/series*", async (route) => {
    const response = await route.fetch();
    const answer = await response.json();
    answers += 1;
    // A range that was dragged out of a young server may hold nothing.
    const [first] = answer.series ?? [];
    for (let extra = 0; first && extra < answers; extra += 1) {
      answer.series.push({ labels: { ...first.labels, "cpu.mode": `mode ${extra}` }, points: first.points });
    }
    await route.fulfill({ response, json: answer });
  });
  await brush(page, chart, {
    midway: async () => {
      const before = await select.boundingBox();
      assert.ok(before.width > 20, "the selection is seen");
      await page.waitForResponse(series, { timeout: 15_000 });
      await page.waitForTimeout(500);
      assert.deepEqual(await select.boundingBox(), before, "the selection stays where it is");
    },
  });
  await addressed(page, (params) => /^\d{4}-/.test(params.get("from") ?? ""), "the drag is in the address");
  // With the button up the page goes on.
  await page.keyboard.press(".");
  await addressed(page, (params) => params.get("to") === "now", "the range follows the clock again");
  await page.waitForResponse(series, { timeout: 15_000 });
  await page.unrouteAll({ behavior: "ignoreErrors" });
});

check("a range is typed", async (page, go) => {
  await go("/logs");
  await page.locator(".bar").waitFor();
  await page.keyboard.press("r");
  const input = page.getByRole("dialog", { name: "Time range" }).getByRole("textbox");
  await input.fill("whenever");
  await input.press("Enter");
  await page.getByRole("alert").filter({ hasText: "not a time range" }).waitFor();
  await input.fill("last 3h");
  await input.press("Enter");
  await addressed(
    page,
    (params) => params.get("from") === "now-3h" && params.get("to") === "now",
    "three hours",
  );
  await page.keyboard.press("r");
  await input.fill("yesterday 14:00 to 15:00");
  await input.press("Enter");
  await addressed(
    page,
    (params) => Date.parse(params.get("to")) - Date.parse(params.get("from")) === 3_600_000,
    "an hour of yesterday",
  );
});

check("keys lead everywhere, and ? lists them", async (page, go) => {
  await go("/?from=now-3h&to=now");
  await page.locator(".bar").waitFor();
  for (const [key, title] of [
    ["l", "Logs"],
    ["t", "Traces"],
    ["m", "Metrics"],
    ["o", "Overview"],
  ]) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.locator(".bar h1", { hasText: title }).waitFor();
    assert.equal(new URL(page.url()).searchParams.get("from"), "now-3h", "the range travels along");
  }
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keys" });
  await help.waitFor();
  assert.match(await help.innerText(), /Go to Logs/);
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "detached" });
});

check("/ leads to the search, Escape leaves it as it is, and back takes it away", async (page, go) => {
  await go("/logs?from=now-3h&to=now");
  const search = page.locator("input[data-search]");
  await search.waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("e");
  await addressed(page, (params) => params.get("q") === "e", "what is typed is in the address");
  await page.keyboard.press("Escape");
  await page.waitForTimeout(700);
  assert.equal(await search.inputValue(), "e", "the field says what filters the list");
  assert.equal(new URL(page.url()).searchParams.get("q"), "e");
  await page.goBack();
  await addressed(page, (params) => !params.has("q"), "back takes the search away");
  // The page is drawn after the address has changed.
  await page.waitForFunction(() => document.querySelector("input[data-search]").value === "");
});

check("Ctrl-K goes anywhere", async (page, go) => {
  await go("/");
  await page.locator(".bar").waitFor();
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Go anywhere" });
  await palette.getByRole("combobox").fill("traces");
  await palette.getByRole("option", { name: "Traces page" }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".bar h1", { hasText: "Traces" }).waitFor();
  await page.keyboard.press("Control+k");
  await palette.getByRole("combobox").fill("last 3h");
  await palette.getByRole("option", { name: "last 3h time range" }).click();
  await addressed(page, (params) => params.get("from") === "now-3h", "the range is set");
});

check("dark and light follow the system and the switch", async (page, go) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await go("/");
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.locator(".rail").waitFor();
  const dark = await background();
  await page.getByRole("button", { name: "Light theme" }).click();
  const light = await background();
  assert.notEqual(dark, light);
  await page.reload();
  await page.locator(".rail").waitFor();
  assert.equal(await background(), light, "the choice outlives a reload");
  await page.getByRole("button", { name: "Dark theme" }).click();
  assert.equal(await background(), dark);
});

check(
  "on a phone nothing is wider than the screen, and details lie over the list",
  async (page, go) => {
    const fits = async (what) => {
      const wide = await page.evaluate(
        () =>
          [...document.querySelectorAll("main *")]
            .filter((element) => !element.closest(".table-scroll, .legend-scroll, canvas, .u-wrap, .vlist"))
            .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
            .map((element) => element.outerHTML.slice(0, 120))[0],
      );
      assert.equal(wide, undefined, what);
    };
    const metric = server.metric ? [`/metrics/explore?name=${server.metric}`] : [];
    for (const path of ["/", "/logs", "/traces", "/metrics/explore", ...metric, "/metrics/cardinality"]) {
      await go(path);
      await page.locator(".page").waitFor();
      await page.waitForTimeout(800);
      await fits(path);
    }
    await go(`/logs?${RANGE}`);
    await page.locator(".loglist .vrow").first().click();
    await page.locator(".drawer").waitFor();
    await fits("/logs with a record");
    const drawer = await page.locator(".drawer").boundingBox();
    assert.ok(drawer.height > 300 && drawer.y + drawer.height <= 844, "the details have room");
    await page.getByRole("button", { name: "Close the details" }).click();
    await page.locator(".drawer").waitFor({ state: "detached" });
  },
  { options: { viewport: { width: 390, height: 844 } } },
);

check("every control has a name", async (page, go) => {
  for (const path of ["/", "/logs", "/traces", "/metrics/explore", "/metrics/cardinality"]) {
    await go(path);
    await page.locator(".page").waitFor();
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll("button, a, input, select, textarea")]
        .filter((element) => {
          const label = element.closest("label")?.textContent ?? "";
          const name = element.getAttribute("aria-label") ?? element.textContent ?? "";
          return (name + label).trim() === "";
        })
        .map((element) => element.outerHTML.slice(0, 120)),
    );
    assert.deepEqual(nameless, [], path);
  }
});

check("an unknown trace says so", async (page, go, errors) => {
  await go(`/traces/${"0".repeat(31)}1`);
  await page.getByText("This trace is not known").waitFor();
  // The browser itself reports the 404.
  errors.length = 0;
});

check("an unknown page leads back", async (page, go) => {
  await go("/nowhere");
  await page.getByText("There is no such page").waitFor();
});
