// Pictures of every page in both themes, to look at: node e2e/shots.mjs [folder]
import { mkdir } from "node:fs/promises";
import { launch, openPage, target } from "./browser.mjs";

const folder = process.argv[2] ?? "/tmp/shots";
const only = process.argv[3];
await mkdir(folder, { recursive: true });
const server = await target();
const browser = await launch();
const views = {
  overview: "/",
  logs: "/logs",
  "logs-filtered": `/logs?service=${server.service}&severity=13`,
  traces: "/traces",
  trace: `/traces/${server.trace}`,
  metrics: "/metrics/explore",
  metric: `/metrics/explore?name=${server.histogram}`,
  "metric-grouped": `/metrics/explore?name=${server.histogram}&by=http_route`,
  heatmap: "/metrics/explore?q=sum(rate(http_server_request_duration_seconds[2m]))",
  "metric-series": "/metrics/explore?q=sum(rate(http_server_request_duration_seconds_count[2m]))&tab=series",
  cardinality: "/metrics/cardinality",
  "metric-one": `/metrics/explore?name=app.queue.depth&from=now-1h&to=now`,
};
if (server.mock) {
  views["trace-large"] = "/traces/ffffffffffffffffffffffff000186a0";
  views["logs-empty"] = "/logs?mock=empty";
  views["logs-error"] = "/logs?mock=error";
  views["overview-empty"] = "/?mock=empty";
  views["logs-incomplete"] = "/logs?mock=incomplete";
}
const clicks = {
  logs: async (page) => page.locator(".loglist .vrow").nth(4).click(),
  trace: async (page) => {
    await page.locator(".waterfall canvas").click({ position: { x: 120, y: 90 } });
    await page.waitForTimeout(400);
  },
};
for (const colorScheme of ["light", "dark"]) {
  const { page, errors, close } = await openPage(browser, { colorScheme });
  for (const [name, path] of Object.entries(views)) {
    if (only && !name.startsWith(only)) continue;
    await page.goto(server.url + path);
    await page.waitForTimeout(name === "trace-large" ? 4000 : 900);
    await clicks[name]?.(page).catch((error) => console.log(name, String(error).split("\n")[0]));
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${folder}/${name}-${colorScheme}.png` });
  }
  for (const error of errors) console.log(colorScheme, error);
  await close();
}
await browser.close();
server.stop();
