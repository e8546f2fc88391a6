"""What an OTLP/gRPC server owes, asked with raw calls.

usage: grpc_duties.py ADDRESS
"""

import sys

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

channel = grpc.insecure_channel(sys.argv[1], options=[("grpc.max_send_message_length", -1)])
logs = LogsServiceStub(channel)


def attribute(key, value):
    return KeyValue(key=key, value=AnyValue(string_value=value))


def request(records, value_bytes=10, attributes=1):
    message = ExportLogsServiceRequest()
    resource = message.resource_logs.add()
    resource.resource.attributes.append(attribute("service.name", "grpc-duties"))
    scope = resource.scope_logs.add()
    for number in range(records):
        record = scope.log_records.add(time_unix_nano=1_700_000_000_000_000_000 + number)
        record.body.string_value = "x" * value_bytes
        record.attributes.extend(attribute(f"key.{n}", "v") for n in range(attributes))
    return message


def refusal(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("it was not refused")


# An empty request is a success, for each signal.
assert not logs.Export(ExportLogsServiceRequest()).HasField("partial_success")
assert not TraceServiceStub(channel).Export(ExportTraceServiceRequest()).HasField("partial_success")
assert not MetricsServiceStub(channel).Export(ExportMetricsServiceRequest()).HasField("partial_success")

# Full success leaves partial_success unset; compressed or not.
assert not logs.Export(request(3)).HasField("partial_success")
assert not logs.Export(request(3), compression=grpc.Compression.Gzip).HasField("partial_success")

# Partial success counts and says why.
mixed = request(2)
mixed.resource_logs[0].scope_logs[0].log_records[0].attributes.extend(attribute(f"more.{n}", "v") for n in range(20))
partial = logs.Export(mixed).partial_success
assert partial.rejected_log_records == 1 and "attributes" in partial.error_message, partial

# Bytes that are no message.
raw = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
code, details = refusal(lambda: raw(b"\xff\xff\xff\xff"))
assert code == grpc.StatusCode.INVALID_ARGUMENT and details, (code, details)

# Too large, as sent and after decompression.
for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
    code, details = refusal(lambda: logs.Export(request(400, value_bytes=10_000), compression=compression))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED and details, (code, details)

# A service that is not there, and a tenant that is none.
unknown = channel.unary_unary("/opentelemetry.proto.collector.nothing.v1.NothingService/Export")
code, _ = refusal(lambda: unknown(b""))
assert code == grpc.StatusCode.UNIMPLEMENTED, code
code, _ = refusal(lambda: logs.Export(request(1), metadata=[("x-scope-orgid", "../etc")]))
assert code == grpc.StatusCode.INVALID_ARGUMENT, code

# The tenant of the metadata.
logs.Export(request(5), metadata=[("x-scope-orgid", "grpc")])
print("stored 7 for default, 5 for grpc")
