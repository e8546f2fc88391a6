//! Sweeping: files that nobody needs any more are deleted, files that cannot be read are set aside.

use std::sync::Arc;

use crate::error::{ReadError, WorkError};
use crate::manifest::{Commit, Removal, RemovalReason, SegmentMeta, SetAside};
use crate::metrics::chain;
use crate::segment::{SegmentFile, parse_path};
use crate::store::{Inner, Store, blocking};

impl Store {
    /// A query could not decode the segment at this path: reads it through, and sets it aside when
    /// it is damaged. Whether it is out of the way now; the query is then to be made again, on a new
    /// snapshot, which says that it is not complete.
    ///
    /// # Errors
    /// When the disk or object store does not answer, or the manifest could not be written.
    pub async fn examine(&self, path: &str) -> Result<bool, WorkError> {
        let Some((table, tenant, ..)) = parse_path(path) else { return Ok(false) };
        let state = self.inner().state();
        let Some(segment) = state.segments_of(&tenant, table).iter().find(|segment| segment.path == path)
        else {
            // Somebody else has set it aside, or it was merged: a new snapshot has others.
            return Ok(true);
        };
        let (inner, segment) = (Arc::clone(self.inner()), Arc::clone(segment));
        blocking("examine", move || inner.examine(&segment)).await
    }
}

impl Inner {
    /// What is done once, at the start. A failure costs space or a later surprise, but no start.
    pub(crate) fn tidy(&self) {
        if let Err(error) = self.check_segments() {
            tracing::warn!(error = %chain(&error), "cannot check the segments");
        }
    }

    /// Deletes the files of segments that were removed long enough ago and are not being read.
    pub(crate) fn sweep(&self, now_unix_nano: i64) -> Result<(), WorkError> {
        let now = now_unix_nano.div_euclid(1_000_000);
        let grace = self.grace_ms();
        let state = self.state();
        let mut deleted = Vec::new();
        let mut failed = None;
        for removed in &state.removed {
            let segment = &removed.segment;
            if now.saturating_sub(removed.at_unix_ms) < grace || self.pins.is_pinned(&segment.id) {
                continue;
            }
            match self.objects.remove(&segment.path) {
                Ok(()) => deleted.push(segment.id.clone()),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if !deleted.is_empty() {
            self.commit(Commit { deleted, ..Commit::default() }, None)?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Sets aside every segment that is missing, shorter than it was, or has no footer.
    pub(crate) fn check_segments(&self) -> Result<(), WorkError> {
        let state = self.state();
        let segments: Vec<_> = state.segments.values().flat_map(|segments| segments.iter()).collect();
        // In a bucket many at once: each is a round trip, and the start waits for all of them.
        let ends = self.objects.ends(segments.iter().map(|segment| segment.path.as_str()));
        for (segment, end) in segments.iter().zip(ends) {
            match SegmentFile::new(&self.objects, segment).check_end(end) {
                Ok(()) => {}
                Err(ReadError::Damaged { reason, .. }) => self.set_aside_segment(segment, &reason)?,
                // The disk may answer when it is needed.
                Err(error) => tracing::warn!(path = segment.path, %error, "cannot check a segment"),
            }
        }
        Ok(())
    }

    /// Reads a segment through; sets it aside when it cannot be read. Whether it was.
    fn examine(&self, segment: &Arc<SegmentMeta>) -> Result<bool, WorkError> {
        match SegmentFile::new(&self.objects, segment).verify() {
            Ok(()) => Ok(false),
            Err(ReadError::Damaged { reason, .. }) => {
                self.set_aside_segment(segment, &reason)?;
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a segment that cannot be read out of every later snapshot.
    pub(crate) fn set_aside_segment(&self, segment: &SegmentMeta, reason: &str) -> Result<(), WorkError> {
        let live = self.state();
        let live = live.segments_of(&segment.tenant, segment.table);
        if !live.iter().any(|there| there.id == segment.id) {
            return Ok(());
        }
        let path = self.objects.set_aside(&segment.path)?;
        tracing::error!(path, rows = segment.rows, reason, "set aside a segment that cannot be read");
        let at_unix_ms = crate::clock::unix_ms(&*self.clock);
        let removal = Removal { id: segment.id.clone(), reason: RemovalReason::SetAside, at_unix_ms };
        let set_aside = SetAside {
            path,
            reason: reason.to_owned(),
            rows: Some(segment.rows),
            times: Some((segment.min_time, segment.max_time)),
            whose: None,
        };
        self.commit(
            Commit {
                remove: vec![removal],
                deleted: vec![segment.id.clone()],
                set_aside: vec![set_aside],
                // What is missing may have been merged, by a commit that is lost.
                doubted: !self.looked,
                ..Commit::default()
            },
            None,
        )
        .map(drop)
    }

    pub(crate) fn grace_ms(&self) -> i64 {
        i64::try_from(self.config.compact.grace.get().as_millis()).unwrap_or(i64::MAX)
    }
}
