use std::collections::BTreeMap;

use model::{Signal, Table, Tenant};
use parking_lot::Mutex;

use crate::manifest::SetAside;
use crate::wal::{Histogram, HistogramSnapshot, WalStats};

/// How the store is doing.
#[derive(Clone, Debug)]
pub struct Status {
    /// The write-ahead log.
    pub wal: WalStats,
    /// Bytes of records in memory.
    pub memtable_bytes: u64,
    /// Rows of records in memory.
    pub memtable_rows: u64,
    /// Active series of each tenant that has some.
    pub series: Vec<(Tenant, u64)>,
    /// Bytes of memory that the index of them takes.
    pub series_bytes: Vec<(Tenant, u64)>,
    /// How many a tenant may have.
    pub series_max: u64,
    /// Files.
    pub segments: u64,
    /// Their size.
    pub segment_bytes: u64,
    /// Replaced and expired files that are still on disk.
    pub removed_segments: u64,
    /// What could not be read and was moved away.
    pub set_aside: Vec<SetAside>,
    /// When records last became a file.
    pub last_seal_unix_ms: Option<i64>,
    /// Per table, in the order of [`Table::ALL`].
    pub tables: Vec<TableStatus>,
    /// Downsampled samples by their resolution, the finest first.
    pub tiers: Vec<TierStatus>,
    /// Work in the background that failed last time and is tried again.
    pub problems: Vec<Problem>,
    /// Why the store cannot go on, if it cannot.
    pub fatal: Option<String>,
    /// What the background did since the start.
    pub work: WorkStats,
}

/// A table of all tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStatus {
    /// Which.
    pub table: Table,
    /// Its files.
    pub segments: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their size.
    pub bytes: u64,
}

/// What samples were downsampled to, of all tenants and rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierStatus {
    /// The length of a window.
    pub resolution_ms: u64,
    /// Its files.
    pub segments: u64,
    /// Rows in them: windows of series.
    pub rows: u64,
    /// Their size.
    pub bytes: u64,
}

/// The [`Problem`] that the log cannot be written: nothing that is sent is taken then.
pub const APPEND: &str = "append";

/// Work that failed and is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is done: [`APPEND`], `seal`, `compact`, `upkeep`.
    pub work: &'static str,
    /// What went wrong the last time, with its causes.
    pub error: String,
    /// When it went wrong first.
    pub since_unix_ms: i64,
    /// How often in a row.
    pub attempts: u32,
}

/// What the background did since the start.
#[derive(Clone, Debug, Default)]
pub struct WorkStats {
    /// Seals: one a tenant, signal and generation.
    pub seals: u64,
    /// Nanoseconds of a seal.
    pub seal: HistogramSnapshot,
    /// Rows that were written by seals.
    pub sealed_rows: u64,
    /// Bytes of files that were written by seals.
    pub sealed_bytes: u64,
    /// Compactions: one a new file.
    pub compactions: u64,
    /// Nanoseconds of a compaction.
    pub compact: HistogramSnapshot,
    /// Bytes of files that were replaced by compactions.
    pub compacted_bytes: u64,
    /// Files that retention removed.
    pub expired_segments: u64,
}

/// What [`Status`] reports of the background.
#[derive(Debug, Default)]
pub(crate) struct Work {
    state: Mutex<WorkState>,
    seal: Histogram,
    compact: Histogram,
}

#[derive(Debug, Default)]
struct WorkState {
    stats: WorkStats,
    seals_of_metrics: u64,
    last_seal_unix_ms: Option<i64>,
    problems: BTreeMap<&'static str, Problem>,
}

impl Work {
    pub(crate) fn sealed(&self, signal: Signal, now_unix_ms: i64, nanos: u64, rows: u64, bytes: u64) {
        self.seal.record(nanos);
        let mut state = self.state.lock();
        state.last_seal_unix_ms = Some(now_unix_ms);
        state.seals_of_metrics += u64::from(signal == Signal::Metrics);
        state.stats.seals += 1;
        state.stats.sealed_rows += rows;
        state.stats.sealed_bytes += bytes;
    }

    pub(crate) fn compacted(&self, nanos: u64, bytes: u64) {
        self.compact.record(nanos);
        let mut state = self.state.lock();
        state.stats.compactions += 1;
        state.stats.compacted_bytes += bytes;
    }

    /// Compactions, and seals of metrics, since the start.
    pub(crate) fn large(&self) -> u64 {
        let state = self.state.lock();
        state.seals_of_metrics + state.stats.compactions
    }

    pub(crate) fn expired(&self, segments: u64) {
        self.state.lock().stats.expired_segments += segments;
    }

    /// Notes a failure; how often in a row it is now.
    pub(crate) fn failed(&self, work: &'static str, error: &dyn std::error::Error, now_unix_ms: i64) -> u32 {
        let error = chain(error);
        let mut state = self.state.lock();
        let fresh = Problem { work, error: String::new(), since_unix_ms: now_unix_ms, attempts: 0 };
        let problem = state.problems.entry(work).or_insert(fresh);
        problem.attempts = problem.attempts.saturating_add(1);
        tracing::error!(work, attempts = problem.attempts, %error, "background work of the store failed");
        problem.error = error;
        problem.attempts
    }

    pub(crate) fn succeeded(&self, work: &'static str) {
        self.state.lock().problems.remove(work);
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.state.lock().problems.values().cloned().collect()
    }

    pub(crate) fn last_seal_unix_ms(&self) -> Option<i64> {
        self.state.lock().last_seal_unix_ms
    }

    pub(crate) fn stats(&self) -> WorkStats {
        let stats = self.state.lock().stats.clone();
        WorkStats { seal: self.seal.snapshot(), compact: self.compact.snapshot(), ..stats }
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
