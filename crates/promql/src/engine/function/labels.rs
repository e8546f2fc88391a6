//! `label_replace` and `label_join`.

use crate::engine::QueryError;
use crate::engine::column::Row;
use crate::engine::grid::Grid;
use crate::engine::names::Claims;
use crate::engine::plan::{Relabel, VectorPlan};
use crate::engine::query::Query;
use crate::engine::stream::{Sink, stream};
use crate::labels::{LabelsBuilder, METRIC_NAME};

pub(in crate::engine) fn evaluate(
    query: &Query<'_>,
    input: &VectorPlan,
    relabel: &Relabel,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let mut claims = Claims::default();
    stream(query, input, grid, &mut |mut row| {
        change(&mut row, relabel);
        claims.claim(&row.labels, &row.column.present)?;
        sink(row)
    })
}

fn change(row: &mut Row, relabel: &Relabel) {
    let (destination, value) = match relabel {
        Relabel::Replace { destination, replacement, source, regex } => {
            let Some(captures) = regex.captures(row.labels.get(source)) else { return };
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            (destination, value)
        }
        Relabel::Join { destination, separator, sources } => {
            let values: Vec<_> = sources.iter().map(|source| row.labels.get(source)).collect();
            (destination, values.join(separator))
        }
    };
    let mut labels = LabelsBuilder::new(&row.labels);
    labels.set(destination, &value);
    row.labels = labels.build();
    if destination == METRIC_NAME {
        // A name that was given on purpose stays.
        row.drop_name = false;
    }
}
