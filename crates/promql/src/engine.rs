//! Evaluates a query.
//!
//! Enters: a tree, times, options, a [`Source`], and a check that is called now and then and may
//! end the query. Leaves: an [`Outcome`] or a [`QueryError`]. Must hold: no clock, no I/O of its
//! own; the answer is the same whatever the parallelism.

mod aggregate;
mod binary;
mod bits;
mod column;
mod depth;
mod function;
mod grid;
mod names;
mod nodes;
mod output;
mod plan;
mod query;
mod range;
mod scalar;
mod selector;
mod series;
mod stream;
#[cfg(test)]
mod tests;
mod windows;
mod workers;

pub(crate) use function::date::Date;

use column::Column;
use grid::Grid;
use plan::{Builder, Root};
use query::Query;

use crate::annotations::Annotations;
use crate::ast::Expr;
use crate::labels::Labels;
use crate::limits::Options;
use crate::source::{Source, SourceError};
use crate::value::{Matrix, Value};

/// Why somebody ends a query before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// The caller is no longer interested.
    Canceled,
    /// The caller's deadline has passed.
    TimedOut,
}

/// Asked now and then while a query runs, from any of its threads.
pub type Check<'a> = &'a (dyn Fn() -> Result<(), Interrupted> + Sync);

/// When a query is evaluated, milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The first step.
    pub start_ms: i64,
    /// Included where a step falls on it.
    pub end_ms: i64,
    /// From one step to the next; more than 0, else [`QueryError::Invalid`].
    pub step_ms: i64,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Of an instant query what the expression gives, of a range query a matrix.
    pub value: Value,
    /// What was noticed on the way; never a reason to withhold the value.
    pub annotations: Annotations,
    /// What it took.
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
    /// More than [`crate::Limits::samples_max`] would be held at a time. Prometheus' text.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// More than [`crate::Limits::series_max`] would be touched; Prometheus has no such limit.
    #[error("query would touch more than {limit} series")]
    TooManySeries {
        /// [`crate::Limits::series_max`] of this query.
        limit: usize,
    },
    /// The check said [`Interrupted::Canceled`]. Prometheus' text.
    #[error("query was canceled in query execution")]
    Canceled,
    /// The check said [`Interrupted::TimedOut`]. Prometheus' text.
    #[error("query timed out in query execution")]
    TimedOut,
    /// The source failed; the query itself may be fine.
    #[error("{0}")]
    Storage(#[from] SourceError),
    /// The query is not one that can be evaluated, whatever the data.
    #[error("{0}")]
    Invalid(String),
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

/// One evaluation at `time_ms`. A vector comes in the order that `sort` and `topk` gave it.
pub fn query_instant(
    expr: &Expr,
    time_ms: i64,
    options: &Options,
    source: &dyn Source,
    check: Check<'_>,
) -> Result<Outcome, QueryError> {
    depth::run(expr, || instant(expr, time_ms, Query::new(options, source, check)))
}

fn instant(expr: &Expr, time_ms: i64, query: Query<'_>) -> Result<Outcome, QueryError> {
    let times = Steps { start_ms: time_ms, end_ms: time_ms, step_ms: 0 };
    let plan = Builder::new(query.options, times).root(expr)?;
    let grid = Grid::instant(time_ms);
    let value = match &plan {
        Root::String(value) => Value::String { time_ms, value: value.clone() },
        Root::Scalar(plan) => Value::Scalar { time_ms, value: scalar::evaluate(&query, plan, &grid)?.get(0) },
        Root::Vector(plan) => Value::Vector(output::vector(&query, plan, &grid)?),
        Root::Range(input) => Value::Matrix(output::range(&query, input, &grid)?),
    };
    Ok(outcome(value, query))
}

/// An evaluation at every step; gives a matrix, sorted by labels.
pub fn query_range(
    expr: &Expr,
    steps: Steps,
    options: &Options,
    source: &dyn Source,
    check: Check<'_>,
) -> Result<Outcome, QueryError> {
    depth::run(expr, || range_of_steps(expr, steps, Query::new(options, source, check)))
}

fn range_of_steps(expr: &Expr, steps: Steps, query: Query<'_>) -> Result<Outcome, QueryError> {
    let invalid = |text: String| Err(QueryError::Invalid(text));
    if steps.step_ms <= 0 {
        return invalid("zero or negative query resolution step widths are not accepted".into());
    }
    let plan = Builder::new(query.options, steps).root(expr)?;
    let grid = Grid::new(steps.start_ms, steps.end_ms, steps.step_ms);
    query.allow_grid(&grid)?;
    let unfit = |kind: &str| {
        invalid(format!(
            "invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"
        ))
    };
    let value = match &plan {
        Root::String(_) => return unfit("string"),
        Root::Range(_) => return unfit("range vector"),
        _ if grid.steps == 0 => Matrix::new(),
        Root::Scalar(plan) => {
            let values = scalar::evaluate(&query, plan, &grid)?.into_values(grid.steps);
            query.hold(values.len())?;
            vec![output::to_series(Labels::default(), &Column::all(values), &grid)]
        }
        Root::Vector(plan) => output::matrix(&query, plan, &grid)?,
    };
    Ok(outcome(Value::Matrix(value), query))
}

fn outcome(value: Value, query: Query<'_>) -> Outcome {
    let (annotations, statistics) = query.finish();
    Outcome { value, annotations, statistics }
}
