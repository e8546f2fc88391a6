//! Retention: whole segments whose newest record is too old are removed.

use std::time::Duration;

use model::{Table, Tenant};

use crate::error::WorkError;
use crate::manifest::{Commit, Removal, RemovalReason, SegmentMeta, SetAside, State};
use crate::segment::parse_path;
use crate::store::Inner;
use crate::tiers::{self, Tiers};

impl Inner {
    /// Removes the segments that are too old at `now`. Their files live on for running queries. What
    /// was set aside goes when its records would have gone.
    pub(crate) fn retain(&self, now_unix_nano: i64) -> Result<(), WorkError> {
        self.retain_segments(now_unix_nano)?;
        self.thin_all(now_unix_nano)?;
        self.retain_set_aside(now_unix_nano)
    }

    fn retain_segments(&self, now_unix_nano: i64) -> Result<(), WorkError> {
        let state = self.state();
        let old = |segment: &SegmentMeta| self.is_old(&state, segment, now_unix_nano);
        let segments = state.segments.values().flat_map(|segments| segments.iter());
        let removal = |segment: &SegmentMeta| Removal {
            id: segment.id.clone(),
            reason: RemovalReason::Expired,
            at_unix_ms: now_unix_nano.div_euclid(1_000_000),
        };
        let remove: Vec<_> =
            segments.filter(|segment| old(segment)).map(|segment| removal(segment)).collect();
        if remove.is_empty() {
            return Ok(());
        }
        let expired = remove.len() as u64;
        if !self.commit(Commit { remove, ..Commit::default() }, None)? {
            // One of them was compacted meanwhile: next time.
            return Ok(());
        }
        self.work.expired(expired);
        tracing::info!(segments = expired, "removed segments that are older than their retention");
        Ok(())
    }

    /// Whether nothing of a segment is to be kept any longer.
    fn is_old(&self, state: &State, segment: &SegmentMeta, now_unix_nano: i64) -> bool {
        let general = self.config.retention.of(&segment.tenant, segment.table);
        match (segment.table, segment.tier) {
            (Table::Samples | Table::Histograms, _) if !self.rules.is_empty() => {
                let own = (segment, &Tiers::of(state, &segment.tenant, segment.table));
                let expired = |rule| tiers::has_expired(own, rule, general, now_unix_nano);
                self.rules.all().iter().all(expired)
            }
            (_, Some(tier)) => {
                // Of a rule that is no more, as long as any.
                let keep = self.rules.keep(tier).unwrap_or_else(|| self.rules.longest(general));
                tiers::is_day_over(segment.day, keep, now_unix_nano)
            }
            _ => is_over(segment.max_time, self.kept(&segment.tenant, segment.table), now_unix_nano),
        }
    }

    /// How long records of a table are kept at most, with what they are downsampled to.
    fn kept(&self, tenant: &Tenant, table: Table) -> Option<Duration> {
        let general = self.config.retention.of(tenant, table);
        match table {
            Table::Series if !self.rules.is_empty() => {
                let of = |table| self.rules.longest(self.config.retention.of(tenant, table));
                Some(of(Table::Samples)?.max(of(Table::Histograms)?).max(general?))
            }
            Table::Samples | Table::Histograms | Table::Downsampled | Table::DownsampledHistograms => {
                self.rules.longest(general)
            }
            _ => general,
        }
    }

    fn retain_set_aside(&self, now_unix_nano: i64) -> Result<(), WorkError> {
        let state = self.state();
        let old = |damage: &&SetAside| {
            let keep = match (parse_path(&damage.path), &damage.whose) {
                (Some((table, tenant, ..)), _) => self.kept(&tenant, table),
                (None, Some(whose)) => self.config.retention.longest(whose.tenant.as_ref(), whose.signal),
                // No record was in it: it is there for somebody to look at.
                (None, None) => None,
            };
            is_over(damage.span().1, keep, now_unix_nano)
        };
        let forget: Vec<_> = state.set_aside.iter().filter(old).map(|damage| damage.path.clone()).collect();
        if forget.is_empty() {
            return Ok(());
        }
        // The files first: what is named is found again when that does not succeed.
        forget.iter().try_for_each(|path| self.objects.remove_set_aside(path))?;
        tracing::info!(places = forget.len(), "forget what was set aside and is older than its retention");
        self.commit(Commit { forget, ..Commit::default() }, None).map(drop)
    }
}

/// Whether records up to `newest` are to be kept no longer.
pub(crate) fn is_over(newest: i64, keep: Option<Duration>, now_unix_nano: i64) -> bool {
    keep.and_then(|keep| i64::try_from(keep.as_nanos()).ok())
        .and_then(|keep| now_unix_nano.checked_sub(keep))
        .is_some_and(|oldest| newest < oldest)
}
