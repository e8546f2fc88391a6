//! Requests like those of real senders: one resource, one scope, 1,000 records.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use crate::run::RECORDS;

const START: u64 = 1_700_000_000_000_000_000;

fn kv(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    kv(key, Value::StringValue(value.into()))
}

fn resource() -> Option<Resource> {
    let attributes = vec![
        text("service.name", "checkout"),
        text("host.name", "node-17"),
        text("k8s.namespace.name", "prod"),
        text("telemetry.sdk.language", "rust"),
    ];
    Some(Resource { attributes, ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "checkout::http".into(),
        version: "1.2.3".into(),
        ..Default::default()
    })
}

fn id(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_add(1);
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| byte()).collect()
}

/// 9 attributes, a body of some 60 bytes, a trace.
pub(crate) fn logs() -> ExportLogsServiceRequest {
    let record = |index: u64| LogRecord {
        time_unix_nano: START + index * 1_000_003,
        observed_time_unix_nano: START + index * 1_000_003 + 500,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: Some(AnyValue {
            value: Some(Value::StringValue(format!(
                "order {} accepted, payment of {} cents pending",
                index * 7919,
                index % 9973
            ))),
        }),
        attributes: vec![
            text("k8s.pod.name", format!("checkout-7d9f8b6c5-{:05}", index % 50)),
            text("http.request.method", "GET"),
            text("url.path", format!("/api/v1/items/{index}")),
            text("thread.name", "worker-3"),
            kv("http.response.status_code", Value::IntValue(200)),
            text("code.function.name", "checkout::accept"),
            text("user.id", format!("{:08x}", index * 2_654_435_761 % 0xffff_ffff)),
            kv("retry", Value::BoolValue(false)),
            kv("duration_ms", Value::DoubleValue(index as f64 * 0.37)),
        ],
        trace_id: id(16, index / 8),
        span_id: id(8, index),
        flags: 1,
        ..LogRecord::default()
    };
    let log_records = (0..RECORDS as u64).map(record).collect();
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: resource(), scope_logs, ..ResourceLogs::default() }],
    }
}

/// 8 attributes.
pub(crate) fn spans() -> ExportTraceServiceRequest {
    let span = |index: u64| Span {
        trace_id: id(16, index / 8),
        span_id: id(8, index),
        parent_span_id: if index.is_multiple_of(8) { Vec::new() } else { id(8, index - 1) },
        name: format!("GET /api/v1/item/{}", index % 20),
        kind: 2,
        start_time_unix_nano: START + index * 100_003,
        end_time_unix_nano: START + index * 100_003 + 1_234_567,
        attributes: vec![
            text("http.request.method", "GET"),
            text("url.path", format!("/api/v1/item/{index}")),
            text("server.address", "checkout.prod.svc"),
            text("network.peer.address", format!("10.1.{}.{}", index % 7, index % 250)),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
            kv("http.response.status_code", Value::IntValue(200)),
            text("thread.name", "tokio-runtime-worker"),
            text("k8s.pod.name", "checkout-7d9f8b6c5-abcde"),
        ],
        status: Some(Status { code: 1, ..Status::default() }),
        ..Span::default()
    };
    let spans = (0..RECORDS as u64).map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(), scope_spans, ..ResourceSpans::default() }],
    }
}

fn metrics(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(),
            scope_metrics,
            ..ResourceMetrics::default()
        }],
    }
}

/// Attributes as SDKs send them, which is not sorted.
fn point_attributes(point: u64) -> Vec<KeyValue> {
    vec![
        text("http.request.method", ["GET", "POST"][point as usize % 2]),
        text("http.route", format!("/api/v1/items/{}", point / 4)),
        kv("http.response.status_code", Value::IntValue([200, 404][point as usize / 2 % 2])),
        text("server.address", "checkout.prod.svc"),
    ]
}

/// 50 metrics with 20 points, a gauge and a sum in turn.
pub(crate) fn numbers() -> ExportMetricsServiceRequest {
    let metric = |index: u64| {
        let point = |point: u64| NumberDataPoint {
            attributes: point_attributes(point),
            start_time_unix_nano: START,
            time_unix_nano: START + 60_000_000_000,
            value: Some(if index.is_multiple_of(2) {
                number_data_point::Value::AsDouble(point as f64 * 0.1)
            } else {
                number_data_point::Value::AsInt(point.cast_signed() * 1000)
            }),
            ..NumberDataPoint::default()
        };
        let data_points = (0..20).map(point).collect();
        Metric {
            name: format!("http.server.active_requests.{index}"),
            description: "Number of requests that are served now.".into(),
            unit: "{request}".into(),
            data: Some(if index.is_multiple_of(2) {
                Data::Gauge(Gauge { data_points })
            } else {
                Data::Sum(Sum { data_points, aggregation_temporality: 2, is_monotonic: true })
            }),
            ..Metric::default()
        }
    };
    metrics((0..RECORDS as u64 / 20).map(metric).collect())
}

/// 50 metrics with 20 points of 15 buckets.
pub(crate) fn histograms() -> ExportMetricsServiceRequest {
    let metric = |index: u64| {
        let point = |point: u64| HistogramDataPoint {
            attributes: point_attributes(point),
            start_time_unix_nano: START,
            time_unix_nano: START + 60_000_000_000,
            count: 75,
            sum: Some(12.5),
            min: Some(0.001),
            max: Some(3.5),
            bucket_counts: (0..15)
                .map(|bucket| if (2..9).contains(&bucket) { bucket + point } else { 0 })
                .collect(),
            explicit_bounds: [
                0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
            ]
            .into(),
            ..HistogramDataPoint::default()
        };
        Metric {
            name: format!("http.server.request.duration.{index}"),
            description: "Duration of HTTP server requests.".into(),
            unit: "s".into(),
            data: Some(Data::Histogram(Histogram {
                data_points: (0..20).map(point).collect(),
                aggregation_temporality: 2,
            })),
            ..Metric::default()
        }
    };
    metrics((0..RECORDS as u64 / 20).map(metric).collect())
}
