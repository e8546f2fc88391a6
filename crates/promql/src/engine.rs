//! Evaluates a query.
//!
//! Enters: a tree, times, options, a [`Source`], and a check that is called now and then and may
//! end the query. Leaves: an [`Outcome`] or a [`QueryError`]. Must hold: no clock, no I/O of its
//! own; the answer is the same whatever the parallelism.

use crate::annotations::Annotations;
use crate::ast::Expr;
use crate::limits::Options;
use crate::source::{Source, SourceError};
use crate::value::Value;

/// Why somebody ends a query before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    Canceled,
    TimedOut,
}

/// Asked now and then while a query runs, from any of its threads.
pub type Check<'a> = &'a (dyn Fn() -> Result<(), Interrupted> + Sync);

/// When a query is evaluated, milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub start_ms: i64,
    /// Included where a step falls on it.
    pub end_ms: i64,
    pub step_ms: i64,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub value: Value,
    pub annotations: Annotations,
    pub statistics: Statistics,
}

/// What a query took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Samples that were looked at, those of overlapping ranges each time.
    pub samples_read: u64,
    /// The most that were held at a time.
    pub samples_peak: usize,
    /// Series that selectors gave.
    pub series: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    #[error("query would touch more than {limit} series")]
    TooManySeries { limit: usize },
    #[error("query was canceled in query execution")]
    Canceled,
    #[error("query timed out in query execution")]
    TimedOut,
    #[error("{0}")]
    Storage(#[from] SourceError),
    /// The query cannot be answered with this data; the text is Prometheus'.
    #[error("{0}")]
    Execution(String),
}

impl From<Interrupted> for QueryError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Canceled => Self::Canceled,
            Interrupted::TimedOut => Self::TimedOut,
        }
    }
}

/// One evaluation at `time_ms`.
pub fn query_instant(
    expr: &Expr,
    time_ms: i64,
    options: &Options,
    source: &dyn Source,
    check: Check<'_>,
) -> Result<Outcome, QueryError> {
    let _ = (expr, time_ms, options, source, check);
    Err(QueryError::Execution("not yet".into()))
}

/// An evaluation at every step; gives a matrix.
pub fn query_range(
    expr: &Expr,
    steps: Steps,
    options: &Options,
    source: &dyn Source,
    check: Check<'_>,
) -> Result<Outcome, QueryError> {
    let _ = (expr, steps, options, source, check);
    Err(QueryError::Execution("not yet".into()))
}
