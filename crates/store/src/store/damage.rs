use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use model::Lsn;

use super::{Inner, Store};
use crate::error::WorkError;
use crate::manifest::{Commit, SetAside, Whose};
use crate::memtable::Prepared;
use crate::metrics::chain;
use crate::objects::SET_ASIDE;
use crate::wal::{Damage, DamageKind, Entry, EntryMeta, Rejection};

/// Why the records of an entry that cannot be decoded any more count as rejected.
const UNREADABLE: &str = "unreadable at replay";

/// How much older than its receipt a record mostly is at most: senders wait and try again.
const BEFORE_RECEIVED: i64 = 3_600_000_000_000;
/// How much younger: clocks differ.
const AFTER_RECEIVED: i64 = 60_000_000_000;

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
        let rows = Some(u64::from(left(&entry.meta)));
        let meta = unreadable(entry.meta.clone());
        self.ledger.count(&meta);
        let nothing = Prepared { signal: meta.signal, chunks: Vec::new(), series: None };
        self.memory.publish(lsn, &meta, nothing);
        let received = meta.received_unix_nano;
        let times = (received.saturating_sub(BEFORE_RECEIVED), received.saturating_add(AFTER_RECEIVED));
        let (reason, times, whose) = (reason.to_owned(), Some(times), Some(whose(&meta)));
        self.remember(vec![SetAside { path, reason, rows, times, whose }]);
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

    /// Damage of the log, found between two entries of which is known when they were received.
    /// Returns those of which the counts can still be read, with all their records rejected.
    pub(crate) fn note_damage(
        &self,
        damage: &[Damage],
        received: (Option<i64>, Option<i64>),
    ) -> Vec<(Lsn, Entry)> {
        let (mut kept, mut counts) = (Vec::new(), Vec::new());
        let now = self.clock.now_unix_nano();
        for damage in damage {
            let Damage { kind, path, first_lsn, entries, bytes, reason, .. } = damage;
            let shown = self.relative(path);
            if matches!(kind, DamageKind::TornTail) && *entries == 0 {
                tracing::info!(
                    path = shown,
                    first_lsn,
                    bytes,
                    reason,
                    "the log's last write was interrupted"
                );
                continue;
            }
            let meta = self.counts_of(damage);
            if meta.as_ref().is_some_and(|meta| self.state().is_sealed(&meta.tenant, meta.signal, *first_lsn))
            {
                tracing::warn!(
                    path = shown,
                    first_lsn,
                    reason,
                    "a part of the log is damaged that was sealed"
                );
                continue;
            }
            tracing::error!(
                path = shown,
                first_lsn,
                entries,
                bytes,
                reason,
                "a part of the log cannot be read"
            );
            let from = received.0.map_or_else(|| self.last_sealed(), |at| at.saturating_sub(BEFORE_RECEIVED));
            let to = received.1.unwrap_or(now).saturating_add(AFTER_RECEIVED);
            kept.push(SetAside {
                path: match kind {
                    // A place of its own for what has no copy.
                    DamageKind::Missing => format!("{shown}#{first_lsn}"),
                    _ => shown,
                },
                reason: format!("{entries} requests: {reason}"),
                rows: meta.as_ref().map(|meta| u64::from(left(meta))),
                times: Some((from, to)),
                whose: Some(meta.as_ref().map_or_else(Whose::default, whose)),
            });
            counts
                .extend(meta.map(|meta| (*first_lsn, Entry { meta: unreadable(meta), body: Bytes::new() })));
        }
        self.remember(kept);
        counts
    }

    /// What a damaged entry says of itself, when it is one and its content is what is damaged.
    fn counts_of(&self, damage: &Damage) -> Option<EntryMeta> {
        // What was cut off at the end has no place in the log any more.
        if damage.kind != DamageKind::SetAside || damage.entries != 1 {
            return None;
        }
        crate::wal::meta_of(&self.disk.read(&damage.path).ok()?, damage.first_lsn)
    }

    /// What is not sealed has hardly an earlier time.
    fn last_sealed(&self) -> i64 {
        let state = self.state();
        let segments = state.segments.values().flat_map(|segments| segments.iter());
        let newest = segments.map(|segment| segment.created_unix_ms).max();
        newest.map_or(i64::MIN, |ms| ms.saturating_mul(1_000_000).saturating_sub(BEFORE_RECEIVED))
    }

    /// Notes that entries are gone which no commit covers: the log begins too late.
    pub(crate) fn note_lost_beginning(&self, log_from: Option<Lsn>) {
        let state = self.state();
        let (last, now) = (state.lsn_max(), self.clock.now_unix_nano());
        if log_from.is_some_and(|from| from <= last + 1) || (log_from.is_none() && last == 0) {
            return;
        }
        let reason = match log_from {
            Some(log_from) => format!("{} requests: the log begins behind them", log_from - last - 1),
            None => "the log is missing: what was not sealed is lost".to_owned(),
        };
        tracing::error!(last_sealed = last, log_from, reason, "a part of the log is missing");
        self.remember(vec![SetAside {
            path: format!("wal#{}", last + 1),
            reason,
            rows: None,
            times: Some((self.last_sealed(), now)),
            whose: Some(Whose::default()),
        }]);
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

/// Records of a request that were not rejected when it came.
fn left(meta: &EntryMeta) -> u32 {
    let rejected = meta.counts().map(|(_, records)| records).sum::<u64>();
    meta.records.saturating_sub(u32::try_from(rejected).unwrap_or(u32::MAX))
}

/// The counts of a request whose records cannot be read any more.
fn unreadable(mut meta: EntryMeta) -> EntryMeta {
    let indices = (0..left(&meta)).collect();
    meta.rejected.push(Rejection { reason: UNREADABLE.into(), indices });
    meta
}

fn whose(meta: &EntryMeta) -> Whose {
    Whose { tenant: Some(meta.tenant.clone()), signal: Some(meta.signal) }
}
