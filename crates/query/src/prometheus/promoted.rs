//! Which attributes of a resource are labels of its series, besides `job` and `instance`.
//!
//! Nothing of it is stored: series are read with the labels that the configuration says when a query
//! begins, whenever they were written.

use std::collections::BTreeSet;

use crate::PrometheusConfig;

/// Labels that a resource is thought to have where all its attributes are promoted.
const ALL_GUESS: usize = 20;

/// `promote_resource_attributes`, or with `promote_all_resource_attributes` all but
/// `ignore_resource_attributes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Promoted {
    These(BTreeSet<String>),
    AllBut(BTreeSet<String>),
}

impl Promoted {
    pub(super) fn new(config: &PrometheusConfig) -> Self {
        let keys = |list: &[String]| list.iter().map(|key| key.trim().to_owned()).collect();
        if config.promote_all_resource_attributes {
            Self::AllBut(keys(&config.ignore_resource_attributes))
        } else {
            Self::These(keys(&config.promote_resource_attributes))
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        match self {
            Self::These(keys) => keys.contains(key),
            Self::AllBut(keys) => !keys.contains(key),
        }
    }

    /// Whether there are none, whatever the resource has.
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::These(keys) if keys.is_empty())
    }

    /// How many labels they are thought to be before a series is looked at.
    pub(super) fn labels_guess(&self) -> usize {
        match self {
            Self::These(keys) => keys.len(),
            Self::AllBut(_) => ALL_GUESS,
        }
    }
}
