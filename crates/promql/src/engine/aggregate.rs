//! Aggregations.

mod count_values;
mod fold;
mod fold_histogram;
mod grouping;
mod limit;
mod quantile;
mod rank;

use super::QueryError;
use super::grid::Grid;
use super::plan::{Aggregate, AggregateParam};
use super::query::Query;
use super::scalar::{self, ScalarColumn};
use super::stream::Sink;
use crate::ast::{AggregateOp, Span};

pub(super) fn evaluate(
    query: &Query<'_>,
    plan: &Aggregate,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    match plan.op {
        AggregateOp::Sum
        | AggregateOp::Avg
        | AggregateOp::Count
        | AggregateOp::Min
        | AggregateOp::Max
        | AggregateOp::Group
        | AggregateOp::Stddev
        | AggregateOp::Stdvar => fold::evaluate(query, plan, grid, sink),
        AggregateOp::Quantile => quantile::evaluate(query, plan, grid, sink),
        AggregateOp::Topk | AggregateOp::Bottomk => rank::evaluate(query, plan, grid, sink),
        AggregateOp::Limitk | AggregateOp::LimitRatio => limit::evaluate(query, plan, grid, sink),
        AggregateOp::CountValues => count_values::evaluate(query, plan, grid, sink),
    }
}

/// The number that an aggregation takes, at each step.
fn parameter(query: &Query<'_>, plan: &Aggregate, grid: &Grid) -> Result<(ScalarColumn, Span), QueryError> {
    match &plan.param {
        Some(AggregateParam::Scalar { plan, span }) => Ok((scalar::evaluate(query, plan, grid)?, *span)),
        _ => Err(QueryError::Invalid("an aggregation lacks its parameter".into())),
    }
}

/// Smallest and largest of the parameter's values, and whether one is NaN.
struct Extent {
    min: f64,
    max: f64,
    any_nan: bool,
}

impl Extent {
    fn of(column: &ScalarColumn, steps: usize) -> Self {
        let start = Self { min: f64::INFINITY, max: f64::NEG_INFINITY, any_nan: false };
        column.values(steps).fold(start, |extent, value| Self {
            min: if value < extent.min { value } else { extent.min },
            max: if value > extent.max { value } else { extent.max },
            any_nan: extent.any_nan || value.is_nan(),
        })
    }
}

/// How many to keep of each group at a step; `k` as Prometheus takes it.
fn check_k(extent: &Extent) -> Result<(), QueryError> {
    let fail = |text: String| Err(QueryError::Execution(text));
    if extent.any_nan {
        return fail("Parameter value is NaN".into());
    }
    if extent.min <= i64::MIN as f64 {
        return fail(format!("Scalar value {} underflows int64", crate::histogram::go_float(extent.min)));
    }
    if extent.max >= i64::MAX as f64 {
        return fail(format!("Scalar value {} overflows int64", crate::histogram::go_float(extent.max)));
    }
    Ok(())
}
