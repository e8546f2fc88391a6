use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use model::Lsn;
use parking_lot::Mutex;

use super::error::WalError;
use crate::metrics::chain;

const BUCKETS: usize = 65;

/// Counts values by their power of two; lock-free, for measuring on hot paths.
#[derive(Debug)]
pub struct Histogram {
    /// Bucket `n` holds the values of `n` bits: those below `2^n` and not in an earlier one.
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts a value.
    pub fn record(&self, value: u64) {
        self.buckets[(u64::BITS - value.leading_zeros()) as usize].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// Counts a duration in nanoseconds.
    pub fn record_duration(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// What has been counted.
    pub fn snapshot(&self) -> HistogramSnapshot {
        let mut buckets = Vec::new();
        let mut count = 0;
        for (bits, bucket) in self.buckets.iter().enumerate() {
            let here = bucket.load(Relaxed);
            count += here;
            if here > 0 {
                let bound = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
                buckets.push((bound, count));
            }
        }
        HistogramSnapshot { count, sum: self.sum.load(Relaxed), buckets }
    }
}

/// What a [`Histogram`] has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// Greatest value of a bucket that is not empty, and how many values are not above it.
    pub buckets: Vec<(u64, u64)>,
}

impl HistogramSnapshot {
    /// How many values are in each bucket between these bounds, which ascend: up to the first, above
    /// it and up to the second, and so on, and last those above all. A bound that is not one less
    /// than a power of two counts as the next such.
    pub fn counts(&self, bounds: &[u64]) -> Vec<u64> {
        let below = |bound: u64| {
            // All values of a bucket have as many bits as its greatest.
            let bits = u64::BITS - bound.leading_zeros();
            let inside = self.buckets.iter().take_while(|(most, _)| u64::BITS - most.leading_zeros() <= bits);
            inside.last().map_or(0, |(_, count)| *count)
        };
        let mut before = 0;
        let counts = bounds.iter().map(|bound| below(*bound)).chain([self.count]);
        counts.map(|count| count - std::mem::replace(&mut before, count)).collect()
    }

    /// A bound which this share of the values (0 to 1) does not exceed; 0 when there are none.
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = (self.count as f64 * share).ceil() as u64;
        self.buckets.iter().find(|(_, count)| *count >= rank).map_or(0, |(bound, _)| *bound)
    }
}

/// Groups that could not be written, one after the other, since one was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Why the last of them was not, with its causes.
    pub error: String,
    /// How long ago the first of them was not.
    pub elapsed: Duration,
    /// How many they are.
    pub groups: u32,
}

/// How the log is doing.
#[derive(Clone, Debug, Default)]
pub struct WalStats {
    /// Files on disk.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// The last LSN that was made durable and published; 0 before the first since the start.
    pub last_lsn: Lsn,
    /// Bytes of entries that wait for the disk.
    pub queue_bytes: usize,
    /// How many may wait.
    pub queue_bytes_max: usize,
    /// Entries written since the start.
    pub entries: u64,
    /// Bytes written since the start.
    pub bytes_written: u64,
    /// Groups that could not be written since the start.
    pub failed_groups: u64,
    /// Why nothing can be written at present; nothing when the last group was written.
    pub failing: Option<Failing>,
    /// Nanoseconds from the call of append until durable.
    pub append: HistogramSnapshot,
    /// Nanoseconds of one sync.
    pub sync: HistogramSnapshot,
    /// Entries that shared one sync.
    pub group_entries: HistogramSnapshot,
}

/// The counters behind [`WalStats`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) last_lsn: AtomicU64,
    pub(super) entries: AtomicU64,
    pub(super) bytes_written: AtomicU64,
    failed_groups: AtomicU64,
    /// Since when, and what.
    failing: Mutex<Option<(Instant, Failing)>>,
    /// Whether there is something in `failing`: spares the lock of who writes.
    fails: AtomicBool,
    pub(super) append: Histogram,
    pub(super) sync: Histogram,
    pub(super) group_entries: Histogram,
}

impl Counters {
    /// A group could not be written. The first of several is logged, the others are counted: on a full
    /// disk there is one for each request.
    pub(super) fn failed(&self, error: &WalError, now: Instant) {
        self.failed_groups.fetch_add(1, Relaxed);
        let error = chain(error);
        let mut failing = self.failing.lock();
        match &mut *failing {
            Some((_, known)) => {
                known.groups = known.groups.saturating_add(1);
                known.error = error;
            }
            None => {
                tracing::error!(%error, "cannot write the log; what is sent is refused until it can be written");
                *failing = Some((now, Failing { error, elapsed: Duration::ZERO, groups: 1 }));
                self.fails.store(true, Relaxed);
            }
        }
    }

    /// A group was written.
    pub(super) fn succeeded(&self) {
        if !self.fails.load(Relaxed) {
            return;
        }
        if let Some((_, failing)) = self.failing.lock().take() {
            tracing::info!(failed_groups = failing.groups, "the log can be written again");
        }
        self.fails.store(false, Relaxed);
    }

    pub(super) fn snapshot(
        &self,
        files: usize,
        bytes: u64,
        queue_bytes: usize,
        queue_bytes_max: usize,
        now: Instant,
    ) -> WalStats {
        let failing = self.failing.lock().clone();
        WalStats {
            files,
            bytes,
            last_lsn: self.last_lsn.load(Relaxed),
            queue_bytes,
            queue_bytes_max,
            entries: self.entries.load(Relaxed),
            bytes_written: self.bytes_written.load(Relaxed),
            failed_groups: self.failed_groups.load(Relaxed),
            failing: failing
                .map(|(since, failing)| Failing { elapsed: now.duration_since(since), ..failing }),
            append: self.append.snapshot(),
            sync: self.sync.snapshot(),
            group_entries: self.group_entries.snapshot(),
        }
    }
}
