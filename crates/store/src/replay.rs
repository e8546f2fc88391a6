use std::sync::Arc;

use model::Lsn;

use crate::store::Inner;
use crate::wal::{Damage, Entry, Recovery};

/// The acknowledged entries that are not in files, in the order of the log.
///
/// Each goes back through [`crate::Store::restore`], decoded, or through
/// [`crate::Store::restore_failed`]; then [`crate::Store::ready`]. An iterator that reads the disk
/// as it goes: one file of the log is in view at a time.
pub struct Replay {
    inner: Arc<Inner>,
    recovery: Recovery,
}

impl Replay {
    pub(crate) fn new(inner: Arc<Inner>, recovery: Recovery) -> Self {
        Self { inner, recovery }
    }

    /// What was damaged in the log, as far as it has been read; complete at the end. All of it has
    /// been logged and is in the status.
    pub fn damage(&self) -> &[Damage] {
        self.recovery.damage()
    }

    /// Bytes of the log that were read, and bytes that there are.
    pub fn progress(&self) -> (u64, u64) {
        self.recovery.progress()
    }
}

impl Iterator for Replay {
    type Item = (Lsn, Entry);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((lsn, entry)) = self.recovery.next() else {
                self.inner.note_damage(self.recovery.damage());
                return None;
            };
            if !self.inner.is_sealed(&entry.meta, lsn) {
                return Some((lsn, entry));
            }
        }
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("progress", &self.progress()).finish_non_exhaustive()
    }
}
