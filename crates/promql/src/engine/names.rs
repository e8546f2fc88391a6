//! When a series loses its name, and that no two become the same by it.

use std::collections::HashMap;

use super::QueryError;
use super::bits::Bits;
use super::column::{Claim, Row};
use crate::labels::{Labels, LabelsBuilder, METRIC_NAME};

/// The labels that say what a metric is; they go where its values become something else.
const METADATA: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

pub(super) fn has_metadata(labels: &Labels) -> bool {
    METADATA.iter().any(|name| !labels.get(name).is_empty())
}

pub(super) fn without_metadata(labels: &Labels) -> Labels {
    if !has_metadata(labels) {
        return labels.clone();
    }
    let kept = labels.pairs().iter().filter(|(name, _)| !METADATA.contains(&&**name));
    Labels::from_sorted(kept.cloned())
}

pub(super) fn remove_metadata(labels: &mut LabelsBuilder) {
    METADATA.iter().for_each(|name| {
        labels.remove(name);
    });
}

/// Drops the name now, or marks it to go at the end. `reject`: two series that become the same are
/// an error even if they share no step.
pub(super) fn drop_name(row: &mut Row, delayed: bool, reject: bool) {
    if delayed {
        row.drop_name = true;
        return;
    }
    row.labels = without_metadata(&row.labels);
    if matches!(row.claim, Claim::None) {
        let steps = row.column.steps();
        row.claim = Claim::Steps(if reject { Bits::all(steps) } else { row.column.present.clone() });
    }
}

/// The same where a selector takes only this name: then only type and unit can make series the
/// same.
pub(super) fn drop_known_name(row: &mut Row, delayed: bool, reject: bool) {
    if !delayed && METADATA[1..].iter().all(|name| row.labels.get(name).is_empty()) {
        row.claim = Claim::Unneeded;
    }
    drop_name(row, delayed, reject);
}

pub(super) fn same_labelset() -> QueryError {
    QueryError::Execution("vector cannot contain metrics with the same labelset".into())
}

/// Which steps of which labels are taken.
#[derive(Debug, Default)]
pub(super) struct Claims {
    taken: HashMap<Labels, Bits>,
}

impl Claims {
    /// Fails where another series with these labels has one of the steps.
    pub(super) fn claim(&mut self, labels: &Labels, steps: &Bits) -> Result<(), QueryError> {
        match self.taken.get_mut(labels) {
            Some(taken) if taken.intersects(steps) => Err(same_labelset()),
            Some(taken) => {
                taken.unite(steps);
                Ok(())
            }
            None => {
                self.taken.insert(labels.clone(), steps.clone());
                Ok(())
            }
        }
    }
}

/// Makes one of rows that have the same labels and share no step.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) rows: Vec<Row>,
    places: HashMap<Labels, usize>,
}

impl Merged {
    pub(super) fn add(&mut self, row: Row) -> Result<(), QueryError> {
        let Some(&place) = self.places.get(&row.labels) else {
            self.places.insert(row.labels.clone(), self.rows.len());
            self.rows.push(row);
            return Ok(());
        };
        let known = &mut self.rows[place];
        if known.column.present.intersects(&row.column.present) {
            return Err(same_labelset());
        }
        known.column.overlay(&row.column);
        Ok(())
    }
}
