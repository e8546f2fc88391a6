"""Sends logs, spans and metrics with OpenTelemetry's SDK for Python, as an application would.

usage: send.py (http|grpc) ENDPOINT SERVICE COUNT (none|gzip)
"""

import logging
import sys

from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

transport, endpoint, service, count, compression = sys.argv[1:]
results = []


def checked(exporter):
    """The same exporter, which also remembers what became of each batch."""
    export = exporter.export

    def remember(*arguments, **options):
        result = export(*arguments, **options)
        results.append(result.name)
        return result

    exporter.export = remember
    return exporter


def http_exporters():
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    chosen = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    return (
        OTLPLogExporter(endpoint=f"{endpoint}/v1/logs", compression=chosen),
        OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", compression=chosen),
        OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics", compression=chosen),
    )


def grpc_exporters():
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    chosen = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
    options = {"endpoint": endpoint, "insecure": True, "compression": chosen}
    return OTLPLogExporter(**options), OTLPSpanExporter(**options), OTLPMetricExporter(**options)


exporters = http_exporters() if transport == "http" else grpc_exporters()
log_exporter, span_exporter, metric_exporter = map(checked, exporters)
resource = Resource.create({"service.name": service, "service.version": "1.2.3"})

logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.propagate = False
logger.addHandler(LoggingHandler(logger_provider=logs))

spans = TracerProvider(resource=resource)
spans.add_span_processor(BatchSpanProcessor(span_exporter))
tracer = spans.get_tracer("shop")

metrics = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(metric_exporter)])
meter = metrics.get_meter("shop")
orders = meter.create_counter("shop.orders", unit="{order}")
latency = meter.create_histogram("shop.latency", unit="s")

for number in range(int(count)):
    with tracer.start_as_current_span(f"order {number}", kind=trace.SpanKind.SERVER) as span:
        span.set_attribute("order.number", number)
        span.add_event("paid", {"amount": 9.5})
        logger.warning("order %d is late", number, extra={"order.number": number})
        orders.add(1, {"shop": "berlin"})
        latency.record(0.01 * number, {"shop": "berlin"})

flushed = [provider.force_flush() for provider in (logs, spans, metrics)]
for provider in (logs, spans, metrics):
    provider.shutdown()
assert all(flushed), flushed
assert results and set(results) == {"SUCCESS"}, results
print("sent")
