//! `quantile`: the rows have to be kept, for their values are sorted at each step.

use super::grouping::Groups;
use super::{Extent, parameter};
use crate::annotations::Remark;
use crate::engine::QueryError;
use crate::engine::column::{Cell, Column, Row};
use crate::engine::function::over_time::quantile_of;
use crate::engine::grid::Grid;
use crate::engine::plan::Aggregate;
use crate::engine::query::{Held, Query};
use crate::engine::stream::{Sink, stream};

pub(super) fn evaluate(
    query: &Query<'_>,
    plan: &Aggregate,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let (q, span) = parameter(query, plan, grid)?;
    let extent = Extent::of(&q, grid.steps);
    if extent.any_nan {
        query.remark(&Remark::InvalidQuantile(f64::NAN), span);
    }
    if extent.max > 1.0 {
        query.remark(&Remark::InvalidQuantile(extent.max), span);
    }
    if extent.min < 0.0 {
        query.remark(&Remark::InvalidQuantile(extent.min), span);
    }
    let mut groups = Groups::default();
    let mut members: Vec<Vec<usize>> = Vec::new();
    let mut held = Held::new(query);
    stream(query, &plan.input, grid, &mut |row| {
        let place = groups.place(plan, &row.labels);
        members.resize(groups.labels.len(), Vec::new());
        members[place].push(held.rows.len());
        held.push(row)
    })?;
    let mut values = Vec::new();
    for (labels, members) in groups.sorted(members) {
        let mut column = Column::none(grid.steps);
        let mut ignored = false;
        for step in 0..grid.steps {
            if step % 64 == 0 {
                query.check()?;
            }
            values.clear();
            for cell in members.iter().filter_map(|row| held.rows[*row].column.get(step)) {
                match cell {
                    Cell::Float(value) => values.push(value),
                    Cell::Histogram(_) => ignored = true,
                }
            }
            if !values.is_empty() {
                column.set(step, quantile_of(q.get(step), &mut values));
            }
        }
        if ignored {
            query.remark(&Remark::HistogramIgnoredInAggregation("quantile"), plan.input_span);
        }
        if column.present.any() {
            let mut row = Row::new(labels, column);
            row.drop_name = members.iter().any(|row| held.rows[*row].drop_name);
            sink(row)?;
        }
    }
    Ok(())
}
