use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Attributes, Summary};

/// A query that runs now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunningQuery {
    /// For `DELETE /api/v1/queries/{id}`.
    pub id: String,
    /// Whose records it reads.
    pub tenant: String,
    /// The statement.
    pub text: String,
    /// Since its start, in milliseconds.
    pub elapsed_ms: f64,
    /// Memory it holds.
    pub memory_bytes: u64,
    /// Rows it has produced.
    pub rows: u64,
}

/// Names of services.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Services {
    /// In alphabetical order.
    pub services: Vec<String>,
    /// Completeness and cost.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A log record.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Log {
    /// When it happened.
    pub time_unix_nano: String,
    /// When it was seen by the sender; `0` when not told.
    pub observed_time_unix_nano: String,
    /// OpenTelemetry's number, 1 to 24; 0 when not told.
    pub severity_number: i32,
    /// The sender's word for it.
    pub severity_text: String,
    /// The message.
    pub body: Option<String>,
    /// Name of the event that it is, if it is one.
    pub event_name: String,
    /// Who sent it.
    pub service_name: String,
    /// The trace it belongs to.
    pub trace_id: Option<String>,
    /// The span it belongs to.
    pub span_id: Option<String>,
    /// Its own attributes.
    pub attributes: Attributes,
    /// Its sender's attributes.
    pub resource_attributes: Attributes,
    /// The logger.
    pub scope_name: String,
    /// The logger's version.
    pub scope_version: String,
}

/// Log records, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Logs {
    /// The records.
    pub logs: Vec<Log>,
    /// For `before` of the next request; null when there are no more.
    pub next: Option<String>,
    /// Completeness and cost.
    #[serde(flatten)]
    pub summary: Summary,
}

/// Log records counted by time and severity.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LogHistogram {
    /// Width of a bucket.
    pub step_ms: i64,
    /// In order of time, without gaps.
    pub buckets: Vec<LogBucket>,
    /// Completeness and cost.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A bucket of a histogram of log records.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LogBucket {
    /// Its start, in Unix milliseconds.
    pub time_ms: i64,
    /// Records by severity.
    pub counts: SeverityCounts,
}

/// Records by severity range of OpenTelemetry.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct SeverityCounts {
    /// 1 to 4
    pub trace: u64,
    /// 5 to 8
    pub debug: u64,
    /// 9 to 12
    pub info: u64,
    /// 13 to 16
    pub warn: u64,
    /// 17 to 20
    pub error: u64,
    /// 21 to 24
    pub fatal: u64,
    /// 0, or out of range
    pub unset: u64,
}

/// A trace in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TraceSummary {
    /// 32 hex digits.
    pub trace_id: String,
    /// Service of the root span, or of the earliest one where the root is missing.
    pub root_service: String,
    /// Name of that span.
    pub root_name: String,
    /// Start of the earliest span.
    pub start_unix_nano: String,
    /// From the first start to the last end.
    pub duration_nano: i64,
    /// How many spans.
    pub spans: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Who took part.
    pub services: Vec<String>,
}

/// Traces, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Traces {
    /// The traces.
    pub traces: Vec<TraceSummary>,
    /// Completeness and cost.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A trace with all its spans.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Trace {
    /// 32 hex digits.
    pub trace_id: String,
    /// In order of start.
    pub spans: Vec<Span>,
    /// Completeness and cost.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A span.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Span {
    /// 16 hex digits.
    pub span_id: String,
    /// Null for a root.
    pub parent_span_id: Option<String>,
    /// What was done.
    pub name: String,
    /// unspecified, internal, server, client, producer, consumer
    pub kind: String,
    /// By whom.
    pub service_name: String,
    /// Start.
    pub start_unix_nano: String,
    /// End.
    pub end_unix_nano: String,
    /// End minus start.
    pub duration_nano: i64,
    /// unset, ok, error
    pub status_code: String,
    /// Why it failed.
    pub status_message: String,
    /// Its own attributes.
    pub attributes: Attributes,
    /// Its sender's attributes.
    pub resource_attributes: Attributes,
    /// The instrumentation.
    pub scope_name: String,
    /// What happened meanwhile.
    pub events: Vec<SpanEvent>,
    /// Spans of other traces it has to do with.
    pub links: Vec<SpanLink>,
}

/// Something that happened during a span.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SpanEvent {
    /// When.
    pub time_unix_nano: String,
    /// What.
    pub name: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A span of another trace.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SpanLink {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// Metrics by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Metrics {
    /// In alphabetical order.
    pub metrics: Vec<Metric>,
    /// Completeness and cost.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A metric.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Metric {
    /// OpenTelemetry's name.
    pub name: String,
    /// UCUM.
    pub unit: String,
    /// gauge, sum, histogram, exponential_histogram, summary, unknown; of Prometheus also gaugehistogram, info, stateset
    pub kind: String,
    /// What it measures.
    pub description: String,
    /// Whether a sum only grows.
    pub monotonic: Option<bool>,
    /// cumulative or delta
    pub temporality: Option<String>,
    /// How many series.
    pub series: u64,
}

/// Labels of a metric.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MetricLabels {
    /// Values by label, the most frequent first, at most 100 each.
    pub labels: BTreeMap<String, Vec<LabelValue>>,
    /// Completeness and cost.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A label's value.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LabelValue {
    /// The value.
    pub value: String,
    /// How many series have it.
    pub series: u64,
}

/// A metric's series over time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MetricSeries {
    /// Distance of points.
    pub step_ms: i64,
    /// UCUM; of a counter the unit of what is counted, the points are per second.
    pub unit: String,
    /// gauge, sum, histogram, exponential_histogram, summary, unknown
    pub kind: String,
    /// The series, the largest first.
    pub series: Vec<Series>,
    /// How many there are; `series` may hold fewer.
    pub total_series: u64,
    /// Completeness and cost.
    #[serde(flatten)]
    pub summary: Summary,
}

/// A series over time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Series {
    /// What tells it from the others.
    pub labels: Attributes,
    /// Unix milliseconds and value; null where there is none.
    #[schema(value_type = Vec<Vec<f64>>)]
    pub points: Vec<(i64, Option<f64>)>,
}
