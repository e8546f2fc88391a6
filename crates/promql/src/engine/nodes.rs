//! What consumes whole vectors.

use super::column::{Column, Row};
use super::function::{absent, histogram, info, labels, sort};
use super::grid::Grid;
use super::plan::VectorPlan;
use super::query::Query;
use super::stream::Sink;
use super::{QueryError, aggregate, binary, scalar};
use crate::labels::Labels;

/// Evaluates what is no pipeline of single series.
pub(super) fn evaluate(
    query: &Query<'_>,
    plan: &VectorPlan,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    match plan {
        VectorPlan::FromScalar(scalar) => {
            let values = scalar::evaluate(query, scalar, grid)?.into_values(grid.steps);
            sink(Row::new(Labels::default(), Column::all(values)))
        }
        VectorPlan::Aggregate(aggregate) => aggregate::evaluate(query, aggregate, grid, sink),
        VectorPlan::Binary(operation) => {
            if binary::set::is_set(operation.op) {
                binary::set::evaluate(query, operation, grid, sink)
            } else {
                binary::matching::evaluate(query, operation, grid, sink)
            }
        }
        VectorPlan::Absent { input, labels } => absent::evaluate(query, input, labels, grid, sink),
        VectorPlan::Histogram(call) => histogram::evaluate(query, call, grid, sink),
        VectorPlan::Sort { input, order, span } => sort::evaluate(query, (input, order, *span), grid, sink),
        VectorPlan::Relabel { input, relabel } => labels::evaluate(query, input, relabel, grid, sink),
        VectorPlan::Info(info) => info::evaluate(query, info, grid, sink),
        // These are stages and leaves.
        VectorPlan::Select(_)
        | VectorPlan::SampleTime { .. }
        | VectorPlan::Smoothed(_)
        | VectorPlan::Range(_)
        | VectorPlan::Invariant(_)
        | VectorPlan::Map { .. } => Ok(()),
    }
}
