#![allow(clippy::unwrap_used)]

//! The decoders against an independent, row-wise reading of what prost decodes of the same bytes.

mod differential;
mod expect;
mod expect_metrics;
pub(crate) mod generate;
mod golden;
mod mutate;

use super::*;
use crate::{Decide, Limits, Rejection};

/// Limits low enough for random requests to reach them.
pub(super) const LIMITS: Limits = Limits {
    records_max: 1000,
    attributes_max: 12,
    value_bytes_max: 300,
    events_max: 4,
    links_max: 3,
    buckets_max: 20,
    exemplars_max: 3,
    age_max_nanos: i64::MAX,
    ahead_max_nanos: i64::MAX,
};

/// When the requests of these tests are received.
pub(super) const RECEIVED: i64 = 1_700_000_000_000_000_001;

pub(super) fn context(limits: &Limits) -> Context<'_> {
    Context { received_unix_nano: RECEIVED, decide: Decide::Apply(limits) }
}
