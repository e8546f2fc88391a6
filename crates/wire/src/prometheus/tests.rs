#![allow(clippy::unwrap_used)]

//! The decoder against an independent, row-wise reading of what prost decodes of the same bytes.

mod differential;
mod expect;
mod generate;
mod golden;
mod messages;
mod mutate;

use super::*;
use crate::{Decide, Limits};

/// Limits low enough for random requests to reach them.
const LIMITS: Limits = Limits {
    records_max: 1000,
    attributes_max: 10,
    value_bytes_max: 200,
    events_max: 0,
    links_max: 0,
    buckets_max: 20,
    exemplars_max: 0,
    age_max_nanos: i64::MAX,
    ahead_max_nanos: i64::MAX,
};

/// When the requests of these tests are received.
const RECEIVED: i64 = 1_700_000_000_000_000_001;

fn context(limits: &Limits) -> Context<'_> {
    Context { received_unix_nano: RECEIVED, decide: Decide::Apply(limits) }
}
