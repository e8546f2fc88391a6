use std::path::Path;
use std::sync::Arc;

use model::Lsn;

use super::{Inner, Store};
use crate::error::WorkError;
use crate::manifest::{Commit, SetAside};
use crate::memtable::Prepared;
use crate::metrics::chain;
use crate::objects::SET_ASIDE;
use crate::wal::{Damage, DamageKind, Entry, Rejection};

/// Why the records of an entry that cannot be decoded any more count as rejected.
const UNREADABLE: &str = "unreadable at replay";

impl Store {
    /// An entry that came out of [`crate::Replay`] cannot be decoded: its body is kept in
    /// `set-aside/`, its records are counted as rejected, and the start goes on.
    ///
    /// # Errors
    /// When the body cannot be kept; the entry stays in the log then.
    pub async fn restore_failed(&self, lsn: Lsn, entry: Entry, reason: &str) -> Result<(), WorkError> {
        let inner = Arc::clone(&self.0);
        let reason = reason.to_owned();
        super::run::blocking("set aside", move || inner.set_aside_entry(lsn, &entry, &reason)).await
    }
}

impl Inner {
    fn set_aside_entry(&self, lsn: Lsn, entry: &Entry, reason: &str) -> Result<(), WorkError> {
        let path = format!("{SET_ASIDE}/entry-{lsn:020}.bin");
        self.keep(&self.dir.join(&path), &entry.body)
            .map_err(|error| crate::objects::failed(&path, error))?;
        tracing::error!(lsn, path, reason, "set aside an entry of the log that cannot be decoded");
        let rejected = entry.meta.rejected.iter().map(|rejection| rejection.indices.len()).sum::<usize>();
        let left = entry.meta.records.saturating_sub(u32::try_from(rejected).unwrap_or(u32::MAX));
        let mut meta = entry.meta.clone();
        meta.rejected.push(Rejection { reason: UNREADABLE.into(), indices: (0..left).collect() });
        self.ledger.count(&meta);
        let nothing = Prepared { signal: meta.signal, chunks: Vec::new(), series: None };
        self.memory.publish(lsn, &meta, nothing);
        let rows = Some(u64::from(left));
        self.remember(vec![SetAside { path, reason: reason.to_owned(), rows, times: None }]);
        Ok(())
    }

    fn keep(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = self.disk.create(path)?;
        file.write_all(bytes)?;
        let dir = path.parent().unwrap_or(&self.dir);
        file.sync_data().and_then(|()| self.disk.sync_dir(dir)).inspect_err(|error| {
            self.fatal.raise(format!("cannot sync `{}`: {error}", path.display()));
        })
    }

    /// Damage of the log, once all of it is known.
    pub(crate) fn note_damage(&self, damage: &[Damage]) {
        let mut kept = Vec::new();
        for damage in damage {
            let Damage { kind, path, first_lsn, entries, bytes, reason, last_write } = damage;
            let path = self.relative(path);
            if matches!(kind, DamageKind::TornTail) || *last_write {
                tracing::info!(path, first_lsn, bytes, reason, "the log's last write was interrupted");
                continue;
            }
            tracing::error!(path, first_lsn, entries, bytes, reason, "a part of the log cannot be read");
            let path = match kind {
                // A place of its own for what has no copy.
                DamageKind::Missing => format!("{path}#{first_lsn}"),
                _ => path,
            };
            kept.push(SetAside {
                path,
                reason: format!("{entries} requests: {reason}"),
                rows: None,
                times: None,
            });
        }
        self.remember(kept);
    }

    /// Notes damage in the manifest, so that the status shows it from now on.
    pub(crate) fn remember(&self, set_aside: Vec<SetAside>) {
        if set_aside.is_empty() {
            return;
        }
        let commit = Commit { set_aside, ..Commit::default() };
        if let Err(error) = self.commit(commit, None) {
            tracing::error!(error = %chain(&error), "cannot note damage in the manifest");
        }
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.dir).unwrap_or(path).display().to_string()
    }
}
