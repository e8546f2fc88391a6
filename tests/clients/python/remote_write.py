"""Writes metrics with the remote-write exporter of OpenTelemetry's SDK for Python.

usage: remote_write.py ENDPOINT SERVICE COUNT
"""

import sys

from opentelemetry.exporter.prometheus_remote_write import PrometheusRemoteWriteMetricsExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

endpoint, service, count = sys.argv[1:]
results = []


class Remembering(PrometheusRemoteWriteMetricsExporter):
    """Also remembers what became of each batch."""

    def export(self, *arguments, **options):
        result = super().export(*arguments, **options)
        results.append(result.name)
        return result


exporter = Remembering(endpoint=endpoint, headers={"X-Scope-OrgID": service})
resource = Resource.create({"service.name": service, "service.version": "1.2.3"})
# Only what is flushed is sent.
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
provider = MeterProvider(resource=resource, metric_readers=[reader])
meter = provider.get_meter("shop")
orders = meter.create_counter("shop.orders", unit="orders")
stock = meter.create_up_down_counter("shop.stock")
latency = meter.create_histogram("shop.latency", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1])

flushed = []
for number in range(1, int(count) + 1):
    # The exporter sorts labels before it replaces what Prometheus' names cannot have: some come in
    # another order than they should.
    orders.add(1, {"shop": "berlin", "shop.kind": 'a "b" \\ ü', "shop_area": "north"})
    stock.add(-2, {"shop": "berlin"})
    latency.record(0.25 * number, {"shop": "berlin"})
    flushed.append(provider.force_flush())
provider.shutdown()
assert all(flushed), flushed
assert len(results) >= int(count) and set(results) == {"SUCCESS"}, results
print(len(results))
