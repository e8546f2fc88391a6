//! `count_values`: how many series of a group have each value.

use std::collections::HashMap;

use super::grouping::key;
use crate::engine::QueryError;
use crate::engine::column::{Cell, Column, Row};
use crate::engine::grid::Grid;
use crate::engine::plan::{Aggregate, AggregateParam};
use crate::engine::query::{Held, Query};
use crate::engine::stream::{Sink, stream};
use crate::labels::{Labels, LabelsBuilder};

pub(super) fn evaluate(
    query: &Query<'_>,
    plan: &Aggregate,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let Some(AggregateParam::Label(label)) = &plan.param else {
        return Err(QueryError::Invalid("count_values lacks its label".into()));
    };
    // `without` the very label that is to be set.
    let dropped = plan.without && plan.grouping.iter().any(|listed| **listed == *label.as_str());
    let mut held = Held::new(query);
    let mut places: HashMap<Labels, usize> = HashMap::new();
    stream(query, &plan.input, grid, &mut |row| {
        let group = group_labels(plan, label, &row.labels);
        // Neighbours often have the same value.
        let mut last: Option<(u64, usize)> = None;
        for (step, cell) in row.column.cells() {
            let bits = if let Cell::Float(value) = cell { Some(value.to_bits()) } else { None };
            let place = match (last, bits) {
                (Some((known, place)), Some(bits)) if known == bits => place,
                _ => {
                    let mut labels = LabelsBuilder::new(&group);
                    if !dropped {
                        labels.set(label, &text(cell));
                    }
                    let labels = labels.build();
                    match places.get(&labels) {
                        Some(place) => *place,
                        None => {
                            let mut new = Row::new(labels.clone(), Column::none(grid.steps));
                            new.drop_name = false;
                            held.push(new)?;
                            places.insert(labels, held.rows.len() - 1);
                            held.rows.len() - 1
                        }
                    }
                }
            };
            last = bits.map(|bits| (bits, place));
            let column = &mut held.rows[place].column;
            let count = if column.present.get(step) { column.values[step] } else { 0.0 };
            column.set(step, count + 1.0);
        }
        Ok(())
    })?;
    held.rows.sort_by(|left, right| left.labels.cmp(&right.labels));
    std::mem::take(&mut held.rows).into_iter().try_for_each(sink)
}

/// The value's label is set before series are grouped, so it can replace one of theirs.
fn group_labels(plan: &Aggregate, label: &str, labels: &Labels) -> Labels {
    let mut with_value = LabelsBuilder::new(labels);
    with_value.remove(label);
    key(plan, &with_value.build())
}

fn text(cell: Cell<'_>) -> String {
    match cell {
        Cell::Float(value) if value.is_nan() => "NaN".into(),
        Cell::Float(f64::INFINITY) => "+Inf".into(),
        Cell::Float(f64::NEG_INFINITY) => "-Inf".into(),
        // Without an exponent, as Go's 'f'.
        Cell::Float(value) => value.to_string(),
        Cell::Histogram(histogram) => histogram.to_string(),
    }
}
