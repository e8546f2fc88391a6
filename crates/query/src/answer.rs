use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::Table;
use parking_lot::Mutex;

/// Keys and values of a resource, scope or record, in the order they were stored; a value is
/// `None` where the sender sent an empty one.
pub type Attributes = Vec<(String, Option<String>)>;

/// From (inclusive) to (exclusive), in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// First nanosecond.
    pub from: i64,
    /// First nanosecond after.
    pub to: i64,
}

/// All times.
impl Default for TimeRange {
    fn default() -> Self {
        Self { from: i64::MIN, to: i64::MAX }
    }
}

/// What an answer took and whether it is complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// False when records that may belong to the answer could not be read; `warnings` say which.
    pub complete: bool,
    /// Sentences for the asker.
    pub warnings: Vec<String>,
    /// What else the asker should know.
    pub infos: Vec<String>,
    /// The coarsest resolution of downsampled samples that were read, milliseconds; 0 for none.
    pub resolution_ms: u64,
    /// Rows of the answer.
    pub rows: u64,
    /// Rows that were looked at, in memory and in segments.
    pub scanned_rows: u64,
    /// Bytes read of segments.
    pub scanned_bytes: u64,
    /// Segments that could hold rows of the answer by their table and tenant.
    pub segments: u64,
    /// Those of them that no row was read of.
    pub segments_skipped: u64,
    /// The most memory the query held.
    pub memory_peak: u64,
    /// From the start of planning to the end of the answer.
    pub elapsed: Duration,
}

/// A direct reader's answer.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// What it took and whether it is complete.
    pub summary: Summary,
}

/// What a query's scans have read so far.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Rows in memory that were looked at; those in segments are in the plan's metrics.
    rows: AtomicU64,
    bytes: AtomicU64,
    /// Of each table, however often it is scanned.
    segments: Mutex<BTreeMap<Table, usize>>,
    /// Read by the store's own index and not by a scan.
    read_by_index: AtomicU64,
    read: Mutex<HashSet<Arc<str>>>,
    warnings: Mutex<BTreeSet<String>>,
    infos: Mutex<BTreeSet<String>>,
    resolution_ms: AtomicU64,
}

impl Scan {
    /// So many more rows were looked at.
    pub(crate) fn add_rows(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// So many segments of a table may hold rows of the answer.
    pub(crate) fn has_segments(&self, table: Table, segments: usize) {
        let mut counts = self.segments.lock();
        let count = counts.entry(table).or_default();
        *count = segments.max(*count);
    }

    /// Of so many segments the store's own index read rows.
    pub(crate) fn add_read_by_index(&self, segments: usize) {
        self.read_by_index.fetch_add(segments as u64, Ordering::Relaxed);
    }

    /// Bytes of a segment were read, of its `rows` or of its footer.
    pub(crate) fn add_bytes(&self, path: &Arc<str>, bytes: u64, rows: bool) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if rows {
            let mut read = self.read.lock();
            if !read.contains(path) {
                read.insert(Arc::clone(path));
            }
        }
    }

    /// A segment that cannot be understood is to be examined, though no row of it was read.
    pub(crate) fn suspect(&self, path: &Arc<str>) {
        self.read.lock().insert(Arc::clone(path));
    }

    /// Segments of which rows were read, or that are suspect.
    pub(crate) fn segments_read(&self) -> Vec<Arc<str>> {
        self.read.lock().iter().cloned().collect()
    }

    /// Records that may belong to the answer cannot be read.
    pub(crate) fn incomplete(&self, warning: String) {
        self.warnings.lock().insert(warning);
    }

    /// Something that the asker should know of a complete answer.
    pub(crate) fn note(&self, info: String) {
        self.infos.lock().insert(info);
    }

    /// Samples were read that were downsampled so.
    pub(crate) fn downsampled(&self, resolution_ms: u64) {
        self.resolution_ms.fetch_max(resolution_ms, Ordering::Relaxed);
    }

    /// The part of the summary that scans know.
    pub(crate) fn summary(&self) -> Summary {
        let segments = self.segments.lock().values().sum::<usize>() as u64;
        let read = self.read_by_index.load(Ordering::Relaxed) + self.read.lock().len() as u64;
        let warnings: Vec<_> = self.warnings.lock().iter().cloned().collect();
        Summary {
            complete: warnings.is_empty(),
            warnings,
            infos: self.infos.lock().iter().cloned().collect(),
            resolution_ms: self.resolution_ms.load(Ordering::Relaxed),
            scanned_rows: self.rows.load(Ordering::Relaxed),
            scanned_bytes: self.bytes.load(Ordering::Relaxed),
            segments,
            segments_skipped: segments.saturating_sub(read),
            ..Summary::default()
        }
    }
}
