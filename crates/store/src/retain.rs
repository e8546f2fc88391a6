//! Retention: whole segments whose newest record is too old are removed.

use crate::error::WorkError;
use crate::manifest::{Commit, Removal, RemovalReason, SegmentMeta};
use crate::store::Inner;

impl Inner {
    /// Removes the segments that are too old at `now`. Their files live on for running queries.
    pub(crate) fn retain(&self, now_unix_nano: i64) -> Result<(), WorkError> {
        let state = self.state();
        let old = |segment: &SegmentMeta| {
            let keep = self.config.retention.of(&segment.tenant, segment.table.signal());
            keep.and_then(|keep| i64::try_from(keep.as_nanos()).ok())
                .and_then(|keep| now_unix_nano.checked_sub(keep))
                .is_some_and(|oldest| segment.max_time < oldest)
        };
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
}
