//! `absent` and `absent_over_time`: one where there is nothing.

use crate::engine::QueryError;
use crate::engine::bits::Bits;
use crate::engine::column::{Column, Row};
use crate::engine::grid::Grid;
use crate::engine::plan::VectorPlan;
use crate::engine::query::Query;
use crate::engine::stream::{Sink, stream};
use crate::labels::Labels;

pub(in crate::engine) fn evaluate(
    query: &Query<'_>,
    input: &VectorPlan,
    labels: &Labels,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let mut absent = Bits::all(grid.steps);
    stream(query, input, grid, &mut |row| {
        absent.subtract(&row.column.present);
        Ok(())
    })?;
    if !absent.any() {
        return Ok(());
    }
    let column = Column { values: vec![1.0; grid.steps], present: absent, histograms: Vec::new() };
    sink(Row::new(labels.clone(), column))
}
