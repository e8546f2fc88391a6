use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use model::{ErrorKind, Tenant};

use crate::dto;
use crate::prometheus::Prometheus;

/// What the API asks; whoever answers is introduced by `server`.
pub trait Queries: Prometheus {
    /// Plans and starts a statement.
    fn sql(&self, request: SqlRequest) -> QueryFuture<'_, Box<dyn RecordStream>>;
    /// What runs now, for this tenant.
    fn running(&self, tenant: &Tenant) -> Vec<dto::RunningQuery>;
    /// Cancels; false when there is no such query of the tenant.
    fn cancel(&self, tenant: &Tenant, id: &str) -> bool;
    /// Names of services with logs or spans in the range.
    fn services(&self, tenant: Tenant, range: TimeRange) -> QueryFuture<'_, dto::Services>;
    /// Newest log records.
    fn logs(&self, tenant: Tenant, filter: LogFilter) -> QueryFuture<'_, dto::Logs>;
    /// Counts of log records by severity over the range.
    fn log_histogram(
        &self,
        tenant: Tenant,
        filter: LogFilter,
        buckets: u32,
    ) -> QueryFuture<'_, dto::LogHistogram>;
    /// Newest traces.
    fn traces(&self, tenant: Tenant, filter: TraceFilter) -> QueryFuture<'_, dto::Traces>;
    /// One trace.
    fn trace(&self, tenant: Tenant, id: [u8; 16]) -> QueryFuture<'_, dto::Trace>;
    /// Names of metrics.
    fn metrics(&self, tenant: Tenant, filter: MetricFilter) -> QueryFuture<'_, dto::Metrics>;
    /// Labels of a metric with their values.
    fn metric_labels(
        &self,
        tenant: Tenant,
        name: String,
        range: TimeRange,
    ) -> QueryFuture<'_, dto::MetricLabels>;
    /// A metric's series over time.
    fn metric_series(&self, tenant: Tenant, request: SeriesRequest) -> QueryFuture<'_, dto::MetricSeries>;
}

/// The future of a [`Queries`] method.
pub type QueryFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// The future of [`RecordStream::next`].
pub type NextBatch<'a> = Pin<Box<dyn Future<Output = Option<Result<RecordBatch, Failure>>> + Send + 'a>>;

/// Batches of a running statement. Dropping it cancels.
pub trait RecordStream: Send {
    /// Columns of every batch.
    fn schema(&self) -> SchemaRef;
    /// The query's id, for `DELETE /api/v1/queries/{id}`.
    fn id(&self) -> &str;
    /// The next batch; `None` at the end.
    fn next(&mut self) -> NextBatch<'_>;
    /// What it took and whether it is complete; after the end.
    fn summary(&self) -> dto::Summary;
}

/// A statement to run.
#[derive(Clone, Debug)]
pub struct SqlRequest {
    /// Whose records.
    pub tenant: Tenant,
    /// The statement.
    pub text: String,
    /// How long it may take; the server's `query.timeout` when `None`.
    pub timeout: Option<Duration>,
    /// An id of the client's choice; a new one when `None`.
    pub id: Option<String>,
}

/// From (inclusive) to (exclusive), nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// First nanosecond.
    pub from: i64,
    /// First nanosecond after.
    pub to: i64,
}

/// Which log records.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// When.
    pub range: TimeRange,
    /// Of this service.
    pub service: Option<String>,
    /// With at least this severity number.
    pub severity_min: Option<i32>,
    /// With this text in the body, letter case ignored.
    pub text: Option<String>,
    /// Of this trace.
    pub trace_id: Option<[u8; 16]>,
    /// With these attributes of the record or its resource.
    pub attributes: Vec<(String, String)>,
    /// At most so many.
    pub limit: u32,
    /// Only those before this cursor of an earlier answer.
    pub before: Option<String>,
}

/// Which traces.
#[derive(Clone, Debug)]
pub struct TraceFilter {
    /// When a span of it started.
    pub range: TimeRange,
    /// With a span of this service.
    pub service: Option<String>,
    /// With a span of this name.
    pub name: Option<String>,
    /// Only with an error.
    pub error: bool,
    /// Only as long as this at least.
    pub duration_min_nano: Option<i64>,
    /// Only as long as this at most.
    pub duration_max_nano: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// Which metrics.
#[derive(Clone, Debug)]
pub struct MetricFilter {
    /// With points then.
    pub range: TimeRange,
    /// With this text in the name.
    pub text: Option<String>,
}

/// Which series of a metric, and how to draw them.
#[derive(Clone, Debug)]
pub struct SeriesRequest {
    /// The metric's name.
    pub name: String,
    /// When.
    pub range: TimeRange,
    /// Distance of points; chosen from the range when `None`.
    pub step_ms: Option<i64>,
    /// Only series with these labels.
    pub matches: Vec<(String, String)>,
    /// Added up by these labels.
    pub by: Vec<String>,
    /// At most so many series.
    pub limit: u32,
}

/// Why a question was not answered. `message` is for the asker and holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}
