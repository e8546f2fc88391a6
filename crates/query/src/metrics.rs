use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Summary;

/// What the engine has done since its start, for whoever exports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Questions that ended, whatever came of them.
    pub queries: u64,
    /// Those of them that ended with an error.
    pub failed: u64,
    /// Questions that were refused because too many run and wait. They are not in `queries`.
    pub refused: u64,
    /// Questions that run or wait.
    pub running: u64,
    /// Rows that were looked at.
    pub scanned_rows: u64,
    /// Bytes read of segments.
    pub scanned_bytes: u64,
    /// How long the questions that ended took, added up.
    pub elapsed: Duration,
    /// Bytes of footers that are kept.
    pub footer_bytes: u64,
    /// Bytes of series that are kept for PromQL.
    pub series_bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    queries: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    scanned_rows: AtomicU64,
    scanned_bytes: AtomicU64,
    nanos: AtomicU64,
}

impl Counters {
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, summary: &Summary, failed: bool) {
        self.queries.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.scanned_rows.fetch_add(summary.scanned_rows, Ordering::Relaxed);
        self.scanned_bytes.fetch_add(summary.scanned_bytes, Ordering::Relaxed);
        let nanos = u64::try_from(summary.elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self, running: u64, (footer_bytes, series_bytes): (u64, u64)) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            queries: read(&self.queries),
            failed: read(&self.failed),
            refused: read(&self.refused),
            running,
            scanned_rows: read(&self.scanned_rows),
            scanned_bytes: read(&self.scanned_bytes),
            elapsed: Duration::from_nanos(read(&self.nanos)),
            footer_bytes,
            series_bytes,
        }
    }
}
