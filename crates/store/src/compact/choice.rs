//! What is worth merging.
//!
//! While records come in, segments of about the same size, so that a row is rewritten once a size. Once
//! a day is over and nothing is added to it any more, or when somebody asks for it, all small ones of a
//! day, also when there are only two; and samples that were never merged also alone, since only a
//! merge gives their values a scale.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Table, day_of};

use super::{Inputs, place};
use crate::manifest::{SegmentMeta, State, TierOf};
use crate::store::Inner;
use crate::tiers::Tiers;

/// About what a sample takes that was sealed and not merged.
const SEALED_SAMPLE_BYTES: u64 = 4;
/// Most segments that are merged at once.
const INPUTS_MAX: usize = 64;
/// Segments below are of the lowest tier.
const TIER_BYTES: u64 = 64 << 10;

/// What segments of a table and tenant have to have in common to be merged: the day, and of points
/// and what they were downsampled to, that the same was and will be done with them.
type Alike = (i32, Option<TierOf>, Vec<u64>, Vec<TierOf>);

fn alike(segment: &SegmentMeta, tiers: Option<&Tiers<'_>>) -> Alike {
    let tiers = tiers.filter(|_| segment.table.downsampled().is_some());
    let with = tiers.map(|tiers| tiers.with(segment)).unwrap_or_default();
    (segment.day, segment.tier, segment.thinned.clone(), with)
}

/// The segments of a table and tenant that `wanted` lets through, those together that may be merged.
fn groups<'a>(
    state: &State,
    segments: &'a [Arc<SegmentMeta>],
    wanted: impl Fn(&SegmentMeta) -> bool + 'a,
) -> BTreeMap<Alike, Inputs> {
    let tiers = segments.first().map(|first| Tiers::of(state, &first.tenant, first.table));
    let mut groups: BTreeMap<Alike, Inputs> = BTreeMap::new();
    for segment in segments.iter().filter(|segment| wanted(segment)) {
        groups.entry(alike(segment, tiers.as_ref())).or_default().push(Arc::clone(segment));
    }
    groups
}

impl Inner {
    /// What the background merges next.
    pub(super) fn next_inputs(&self) -> Option<Inputs> {
        let (state, today) = (self.state(), day_of(self.clock.now_unix_nano()));
        let (files_min, size) = (self.config.compact.files_min as usize, self.config.compact.size.bytes());
        let quiet_ms = i64::try_from(self.config.compact.quiet.get().as_millis()).unwrap_or(i64::MAX);
        let now_ms = crate::clock::unix_ms(&*self.clock);
        let paused = self.paused.at(now_ms);
        state.segments.values().find_map(|segments| {
            let wanted = |segment: &SegmentMeta| !paused.contains(&place(segment));
            groups(&state, segments, wanted).into_iter().find_map(|((day, ..), group)| {
                let newest = group.iter().map(|segment| segment.created_unix_ms).max().unwrap_or(now_ms);
                let is_over = day < today && now_ms.saturating_sub(newest) > quiet_ms;
                tiered(&group, files_min, size).or_else(|| is_over.then(|| rest(&group, size)).flatten())
            })
        })
    }

    /// What is to be merged next until each table, tenant and day has as few segments as the size permits,
    /// of those that are `wanted`.
    pub(super) fn next_rest(&self, wanted: impl Fn(&SegmentMeta) -> bool) -> Option<Inputs> {
        let (state, size) = (self.state(), self.config.compact.size.bytes());
        state.segments.values().find_map(|segments| {
            groups(&state, segments, &wanted).into_values().find_map(|group| rest(&group, size))
        })
    }
}

fn is_small(segment: &SegmentMeta, size: u64) -> bool {
    segment.bytes < size / 2
}

/// Segments of about the same size, neighbours in time: a row is rewritten once a tier.
fn tiered(segments: &[Arc<SegmentMeta>], files_min: usize, size: u64) -> Option<Inputs> {
    let mut tiers: BTreeMap<u32, Inputs> = BTreeMap::new();
    for segment in segments.iter().filter(|segment| is_small(segment, size)) {
        let tier = (tier_bytes(segment) / TIER_BYTES).max(1).ilog(4);
        tiers.entry(tier).or_default().push(Arc::clone(segment));
    }
    tiers.into_values().find_map(|mut tier| {
        if tier.len() < files_min {
            return None;
        }
        tier.sort_by(|a, b| (a.min_time, &a.id).cmp(&(b.min_time, &b.id)));
        fitting(tier, size)
    })
}

/// The size by which a segment is among others. Samples become several times smaller when they are
/// merged, and would be merged again and again with what was just sealed.
fn tier_bytes(segment: &SegmentMeta) -> u64 {
    match segment.table {
        Table::Samples => segment.rows.saturating_mul(SEALED_SAMPLE_BYTES),
        _ => segment.bytes,
    }
}

/// All that nothing more is expected for: the small ones together, and then samples as they were sealed,
/// each alone.
fn rest(segments: &[Arc<SegmentMeta>], size: u64) -> Option<Inputs> {
    let mut small: Inputs = segments.iter().filter(|segment| is_small(segment, size)).cloned().collect();
    small.sort_by(|a, b| (a.bytes, &a.id).cmp(&(b.bytes, &b.id)));
    let sealed = |segment: &&Arc<SegmentMeta>| segment.table == Table::Samples && segment.level == 0;
    fitting(small, size).or_else(|| segments.iter().find(sealed).map(|segment| vec![Arc::clone(segment)]))
}

/// As many of the first as make one segment of at most `size`; nothing when that is only one.
fn fitting(mut segments: Inputs, size: u64) -> Option<Inputs> {
    let mut sum = 0;
    let fit = segments.iter().take(INPUTS_MAX).take_while(|segment| {
        sum += segment.bytes;
        sum <= size
    });
    let fit = fit.count();
    segments.truncate(fit);
    (fit >= 2).then_some(segments)
}
