use std::collections::VecDeque;
use std::sync::Arc;

use model::Lsn;

use crate::store::Inner;
use crate::wal::{Damage, Entry, Recovery};

/// The acknowledged entries that are not in files, in the order of the log.
///
/// Each goes back through [`crate::Store::restore`], decoded, or through
/// [`crate::Store::restore_failed`]; then [`crate::Store::ready`]. An iterator that reads the disk
/// as it goes: one file of the log is in view at a time. An entry of which only the counts could be
/// read has an empty body and all its records rejected.
pub struct Replay {
    inner: Arc<Inner>,
    recovery: Recovery,
    /// How much of the damage has been noted.
    noted: usize,
    /// When the entry before was received.
    received: Option<i64>,
    /// What was read already and comes next.
    next: VecDeque<(Lsn, Entry)>,
}

impl Replay {
    pub(crate) fn new(inner: Arc<Inner>, recovery: Recovery) -> Self {
        // What is known by now is at the end.
        inner.note_damage(recovery.damage(), (None, None));
        let noted = recovery.damage().len();
        Self { inner, recovery, noted, received: None, next: VecDeque::new() }
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

    /// Reads on to the next entry, and notes what is damaged before it: at once, since seals that
    /// go on meanwhile delete what has been read.
    fn read(&mut self) -> bool {
        let found = self.recovery.next();
        let received = found.as_ref().map(|(_, entry)| entry.meta.received_unix_nano);
        let damage = &self.recovery.damage()[self.noted..];
        if !damage.is_empty() {
            let counts = self.inner.note_damage(damage, (self.received, received));
            self.noted += damage.len();
            self.next.extend(counts);
        }
        self.received = received.or(self.received);
        let more = found.is_some();
        self.next.extend(found);
        more
    }
}

impl Iterator for Replay {
    type Item = (Lsn, Entry);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some((lsn, entry)) = self.next.pop_front() {
                if !self.inner.is_sealed(&entry.meta, lsn) {
                    return Some((lsn, entry));
                }
            }
            if !self.read() && self.next.is_empty() {
                return None;
            }
        }
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("progress", &self.progress()).finish_non_exhaustive()
    }
}
