// Exposes metrics with prom-client, and says on which port.
//
// usage: expose.mjs (text|openmetrics)
// The packages are those of the working directory. It ends when its standard input does.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const { Counter, Gauge, Histogram, Registry, Summary, collectDefaultMetrics } = require('prom-client');

const open = process.argv[2] === 'openmetrics';
const registry = new Registry();
if (open) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
const registers = [registry];
collectDefaultMetrics({ register: registry });

const orders = new Counter({ name: 'orders_total', help: 'Orders "so far",\n\\ all.', labelNames: ['code'], registers });
orders.inc({ code: 'a "b" \\ c\nd {e}, ü' }, 7);
new Gauge({ name: 'temperature', help: 'Degrees.', registers }).set(-1.5);
const latency = new Histogram({
  name: 'latency_seconds',
  help: 'How long.',
  buckets: [0.1, 1],
  enableExemplars: open,
  registers,
});
const exemplarLabels = { trace_id: '0af7651916cd43dd8448eb211c80319c' };
for (const value of [0.05, 0.5, 5]) {
  if (open) latency.observe({ labels: {}, value, exemplarLabels });
  else latency.observe(value);
}
new Summary({ name: 'size_bytes', help: 'How much.', percentiles: [0.5], registers }).observe(3);

const server = createServer(async (_, response) => {
  const body = await registry.metrics();
  response.setHeader('content-type', registry.contentType);
  response.end(body);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
