//! Direct readers: what a page shows, as plain structs.

mod columns;
mod groups;
mod labels;
mod line;
mod log_histogram;
mod logs;
mod metrics;
mod series;
mod services;
mod steps;
mod trace;
mod traces;

pub use labels::{LabelValue, MetricLabels};
pub use log_histogram::{LogBucket, LogHistogram, SeverityCounts};
pub use logs::{LogFilter, LogRecord, Logs};
pub use metrics::{Metric, MetricFilter};
pub use series::{MetricSeries, Series, SeriesRequest};
pub use trace::{Event, Link, Span, Trace};
pub use traces::{TraceFilter, TraceSummary};

#[cfg(test)]
pub(crate) use columns::newest_first as pieces;
