//! `sort`, `sort_desc`, `sort_by_label` and `sort_by_label_desc`.

use std::cmp::Ordering;

use super::natural;
use crate::annotations::Remark;
use crate::ast::Span;
use crate::engine::QueryError;
use crate::engine::column::Row;
use crate::engine::grid::Grid;
use crate::engine::plan::{SortOrder, VectorPlan};
use crate::engine::query::{Held, Query};
use crate::engine::stream::{Sink, stream};

pub(in crate::engine) fn evaluate(
    query: &Query<'_>,
    (input, order, span): (&VectorPlan, &SortOrder, Span),
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let by_value = matches!(order, SortOrder::Value { .. });
    if grid.steps > 1 {
        query.remark(&Remark::IneffectiveSort, span);
    }
    let mut held = Held::new(query);
    stream(query, input, grid, &mut |mut row| {
        if by_value {
            row.column.drop_histograms();
        }
        if !row.column.present.any() {
            return Ok(());
        }
        if grid.steps > 1 { sink(row) } else { held.push(row) }
    })?;
    match order {
        SortOrder::Value { descending } => {
            held.rows.sort_by(|left, right| by_first_value(left, right, *descending))
        }
        SortOrder::Labels { labels, descending } => held.rows.sort_by(|left, right| {
            let order = by_labels(left, right, labels);
            if *descending { order.reverse() } else { order }
        }),
    }
    std::mem::take(&mut held.rows).into_iter().try_for_each(sink)
}

/// NaN last, in either direction.
fn by_first_value(left: &Row, right: &Row, descending: bool) -> Ordering {
    let (left, right) = (left.column.values[0], right.column.values[0]);
    let order = left.partial_cmp(&right).unwrap_or(Ordering::Equal);
    let order = if descending { order.reverse() } else { order };
    left.is_nan().cmp(&right.is_nan()).then(order)
}

fn by_labels(left: &Row, right: &Row, labels: &[String]) -> Ordering {
    let by_label = |label: &String| {
        let (left, right) = (left.labels.get(label), right.labels.get(label));
        if left == right {
            Ordering::Equal
        } else {
            natural::compare(left, right).then_with(|| left.cmp(right))
        }
    };
    let order = labels.iter().map(by_label).find(|order| *order != Ordering::Equal);
    order.unwrap_or_else(|| left.labels.cmp(&right.labels))
}
