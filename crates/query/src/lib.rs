//! Answers questions about what the store holds: SQL over `logs`, `spans`, `samples`, `series`,
//! `histograms`, `exemplars` and the view `metrics`, direct readers for what a page shows, and PromQL.
//!
//! Enters: statements, PromQL and filters with a tenant, and snapshots of the store through [`Source`].
//! Leaves: Arrow batches, plain structs or PromQL's values, each answer with a [`Summary`] that says what was
//! scanned and whether it is complete.
//!
//! Must hold: the only crate that names DataFusion, and no type of it in a public signature; it
//! does not know HTTP; every query reads one snapshot, has a deadline, a share of the memory
//! budget and a cancel; nothing here writes, and SQL reaches no file that is not a segment.

mod answer;
mod cache;
mod checkpoint;
mod config;
mod engine;
mod error;
mod metrics;
mod pool;
mod prometheus;
mod read;
mod registry;
mod running;
mod session;
mod source;
mod sql;
mod table;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Attributes, Summary, TimeRange};
pub use config::{Config, PrometheusConfig};
pub use engine::Engine;
pub use error::QueryError;
pub use metrics::Stats;
pub use prometheus::{
    Exemplar, LabelsOf, MetricMetadata, PrometheusQuery, PrometheusSelection, SeriesExemplars,
    SeriesStatistics, When,
};
pub use read::{
    Event, LabelValue, Link, LogBucket, LogFilter, LogHistogram, LogRecord, Logs, Metric, MetricFilter,
    MetricLabels, MetricSeries, Series, SeriesRequest, SeverityCounts, Span, Trace, TraceFilter,
    TraceSummary,
};
pub use registry::RunningQuery;
pub use running::{Running, SqlRequest};
pub use source::{
    Chunk, Missing, Segment, SeriesOfRows, Snapshot, Source, SourceError, Tail, Tier, TraceResult, TraceSpans,
};
