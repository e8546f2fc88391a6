// Sends logs, spans and metrics with OpenTelemetry's exporters for JavaScript.
//
// usage: send.mjs (http|proto|grpc) ENDPOINT SERVICE COUNT (none|gzip)
// The packages are those of the working directory.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.cwd(), 'package.json'));
const { SeverityNumber } = require('@opentelemetry/api-logs');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
const { MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');

const [transport, endpoint, service, count, compression] = process.argv.slice(2);
const results = [];

/** The same exporter, which also remembers what became of each batch. */
function checked(exporter) {
  const send = exporter.export.bind(exporter);
  exporter.export = (batch, done) =>
    send(batch, (result) => {
      results.push(result.error ? String(result.error) : result.code);
      done(result);
    });
  return exporter;
}

function exporterOf(signal, kind, path) {
  const exporters = require(`@opentelemetry/exporter-${signal}-otlp-${transport}`);
  const url = transport === 'grpc' ? endpoint : `${endpoint}${path}`;
  return checked(new exporters[kind]({ url, compression }));
}

const resource = resourceFromAttributes({ 'service.name': service });
const logs = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: exporterOf('logs', 'OTLPLogExporter', '/v1/logs') })],
});
const spans = new BasicTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(exporterOf('trace', 'OTLPTraceExporter', '/v1/traces'))],
});
const metrics = new MeterProvider({
  resource,
  readers: [
    new PeriodicExportingMetricReader({
      exporter: exporterOf('metrics', 'OTLPMetricExporter', '/v1/metrics'),
      exportIntervalMillis: 60_000,
    }),
  ],
});

const orders = metrics.getMeter('shop').createCounter('shop.orders', { unit: '{order}' });
for (let number = 0; number < Number(count); number++) {
  const span = spans.getTracer('shop').startSpan(`order ${number}`, { attributes: { 'order.number': number } });
  logs.getLogger('shop').emit({
    severityNumber: SeverityNumber.WARN,
    severityText: 'WARN',
    body: `order ${number} is late`,
    attributes: { 'order.number': number, nested: { list: [1, 'two', true] } },
  });
  orders.add(1, { shop: 'berlin' });
  span.end();
}
for (const provider of [logs, spans, metrics]) {
  await provider.forceFlush();
  await provider.shutdown();
}
assert.ok(results.length >= 3, `three signals, but ${results.length} batches`);
assert.deepEqual([...new Set(results)], [0], String(results));
console.log('sent');
