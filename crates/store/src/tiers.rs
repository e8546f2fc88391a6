//! Tiers: points of some metrics are kept as they came for a while, and what they come to for longer.
//!
//! Enters: the rules of the configuration, sealed samples and histograms. Leaves: segments of the tables
//! `downsampled` and `downsampled_histograms`, one a UTC day, rule and resolution, and another one for
//! what came later; segments of samples and histograms without those that have expired. What is said
//! of samples here holds for histograms. Must hold: what a segment of samples holds is in each tier
//! once or not at all, and the manifest says which, by the entries of the log that both cover: segments
//! of samples are merged only with those that are in the same tiers. Samples are removed only when they
//! are in all tiers that are still kept of their day; the ledger counts them as expired. One commit
//! each, so that a kill in between leaves a file that nobody names.

mod config;
mod downsample;
mod histogram;
mod histograms;
mod numbers;
mod rules;
mod thin;
mod window;

use model::{NANOS_PER_DAY, Table, Tenant};

pub(crate) use self::config::check;
pub use self::config::{DownsampleConfig, TierConfig};
pub(crate) use self::rules::Rules;
use self::rules::{Kept, Level, Rule};
use crate::manifest::{SegmentMeta, State, TierOf};
use crate::metrics::TierStatus;
use crate::retain::is_over;
use crate::segment::{covers, union};

/// In which tiers the samples of a day are.
pub(crate) struct Tiers<'a> {
    /// The segments of what the table is downsampled to, of that tenant.
    of_tenant: &'a [std::sync::Arc<SegmentMeta>],
}

impl<'a> Tiers<'a> {
    /// Of what is in this table.
    pub(crate) fn of(state: &'a State, tenant: &Tenant, table: Table) -> Self {
        let of_tenant = table.downsampled().map_or(&[][..], |table| state.segments_of(tenant, table));
        Self { of_tenant }
    }

    /// Whether all samples of a segment, as far as the rule names them, are in the tier.
    fn have(&self, samples: &SegmentMeta, tier: TierOf) -> bool {
        let own =
            |segment: &&std::sync::Arc<SegmentMeta>| segment.day == samples.day && segment.tier == Some(tier);
        let mut segments = self.of_tenant.iter().filter(own).peekable();
        if segments.peek().is_none() {
            return false;
        }
        covers(&union(segments.flat_map(|segment| segment.lsns.iter().copied())), &samples.lsns)
    }

    /// All tiers that a segment of samples is in, ascending.
    pub(crate) fn with(&self, samples: &SegmentMeta) -> Vec<TierOf> {
        let of_day = self.of_tenant.iter().filter(|segment| segment.day == samples.day);
        let mut tiers: Vec<_> = of_day.filter_map(|segment| segment.tier).collect();
        tiers.sort_unstable();
        tiers.dedup();
        tiers.retain(|tier| self.have(samples, *tier));
        tiers
    }
}

/// The last nanosecond of a UTC day.
pub(crate) fn end_of_day(day: i32) -> i64 {
    (i64::from(day) + 1).saturating_mul(NANOS_PER_DAY).saturating_sub(1)
}

/// Whether windows of a day that are kept so long are too old: all of a day at once. If they went file
/// by file, samples that are still there would be downsampled again beside the windows that are.
pub(crate) fn is_day_over(day: i32, keep: Kept, now_unix_nano: i64) -> bool {
    is_over(end_of_day(day), keep, now_unix_nano)
}

/// Whether it is time to downsample the samples of a day, and what comes of it would be kept.
fn is_due(samples: &SegmentMeta, level: &Level, now_unix_nano: i64) -> bool {
    let due = end_of_day(samples.day).saturating_add(level.after_nanos) < now_unix_nano;
    due && !is_day_over(samples.day, level.keep, now_unix_nano)
}

/// Whether samples of a rule have expired: they are too old, and in all tiers in which they are to be.
pub(crate) fn has_expired(
    (samples, tiers): (&SegmentMeta, &Tiers<'_>),
    rule: &Rule,
    general: Kept,
    now_unix_nano: i64,
) -> bool {
    let done = |level: &Level| {
        let tier = TierOf { resolution_ms: level.resolution_ms, rule: rule.key };
        is_day_over(samples.day, level.keep, now_unix_nano) || tiers.have(samples, tier)
    };
    is_over(samples.max_time, rule.raw(general), now_unix_nano) && rule.levels.iter().all(done)
}

/// What there is of each resolution, the finest first.
pub(crate) fn status(state: &State) -> Vec<TierStatus> {
    let mut tiers: std::collections::BTreeMap<u64, TierStatus> = std::collections::BTreeMap::new();
    for segment in state.segments.values().flat_map(|segments| segments.iter()) {
        let Some(tier) = segment.tier else { continue };
        let fresh = TierStatus { resolution_ms: tier.resolution_ms, segments: 0, rows: 0, bytes: 0 };
        let sum = tiers.entry(tier.resolution_ms).or_insert(fresh);
        sum.segments += 1;
        sum.rows += segment.rows;
        sum.bytes += segment.bytes;
    }
    tiers.into_values().collect()
}
