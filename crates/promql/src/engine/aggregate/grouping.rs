//! Which series belong together.

use std::collections::HashMap;

use crate::engine::plan::Aggregate;
use crate::labels::{Labels, METRIC_NAME};

/// Groups in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Groups {
    places: HashMap<Labels, usize>,
    pub(super) labels: Vec<Labels>,
}

impl Groups {
    /// What was gathered for each group, in the order of their labels: in which order groups were
    /// met depends on steps that may not be those that matter.
    pub(super) fn sorted<T>(self, gathered: Vec<T>) -> Vec<(Labels, T)> {
        let mut sorted: Vec<_> = self.labels.into_iter().zip(gathered).collect();
        sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
        sorted
    }

    /// The place of a series' group.
    pub(super) fn place(&mut self, plan: &Aggregate, labels: &Labels) -> usize {
        let key = key(plan, labels);
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let place = self.labels.len();
        self.labels.push(key.clone());
        self.places.insert(key, place);
        place
    }
}

/// The labels of the group that a series belongs to.
pub(super) fn key(plan: &Aggregate, labels: &Labels) -> Labels {
    if plan.grouping.is_empty() && !plan.without {
        return Labels::default();
    }
    let listed = |name: &str| plan.grouping.binary_search_by(|listed| (**listed).cmp(name)).is_ok();
    let keep = |name: &str| if plan.without { !listed(name) && name != METRIC_NAME } else { listed(name) };
    Labels::from_sorted(labels.pairs().iter().filter(|(name, _)| keep(name)).cloned())
}
