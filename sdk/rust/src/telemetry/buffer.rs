use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::sync::{AtomicU64, Mutex, Ordering};

/// Encoded records that wait for the next request, grouped by scope. What does not fit is counted
/// and dropped.
pub(super) struct Buffer {
    waiting: Mutex<Waiting>,
    records_max: usize,
    bytes_max: usize,
    counts: Arc<Counts>,
}

/// What became of the records of one signal.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Put into the buffer.
    pub(super) accepted: AtomicU64,
    /// Did not fit into it, or came too late.
    pub(super) dropped: AtomicU64,
    /// Delivered.
    pub(super) exported: AtomicU64,
    /// Taken from it, but not delivered.
    pub(super) failed: AtomicU64,
}

impl Counts {
    /// Did not get in, or not out.
    pub(super) fn lost(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }

    /// Adds what became of records that were taken: so many of them were delivered.
    pub(super) fn settle(&self, delivered: usize, records: usize) {
        self.exported.fetch_add(delivered as u64, Ordering::Relaxed);
        self.failed.fetch_add((records - delivered) as u64, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Waiting {
    /// By scope, the fields of the scope's message.
    scopes: BTreeMap<&'static str, Vec<u8>>,
    /// The scope that was put into last, beside the others: mostly it is the next one, too.
    last: Option<(&'static str, Vec<u8>)>,
    records: usize,
    bytes: usize,
    /// Nothing is taken any more.
    closed: bool,
}

/// Records taken out together. Dropped, they are lost, and counted as such.
pub(super) struct Batch {
    /// By scope, the fields of the scope's message.
    pub(super) scopes: BTreeMap<&'static str, Vec<u8>>,
    pub(super) records: usize,
    counts: Arc<Counts>,
    delivered: usize,
}

impl Batch {
    /// So many of them were.
    pub(super) fn delivered(mut self, records: usize) {
        self.delivered = records;
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.counts.settle(self.delivered, self.records);
    }
}

impl Waiting {
    fn put(&mut self, scope: &'static str, record: &[u8]) {
        match &mut self.last {
            // The same text at the same place: names of scopes are static.
            Some((last, fields)) if std::ptr::eq(*last, scope) => fields.extend_from_slice(record),
            _ => {
                self.settle();
                let mut fields = self.scopes.remove(scope).unwrap_or_default();
                fields.extend_from_slice(record);
                self.last = Some((scope, fields));
            }
        }
    }

    /// Puts the last scope to the others, among which it is not: it was taken from there by its name.
    fn settle(&mut self) {
        self.scopes.extend(self.last.take());
    }
}

impl Buffer {
    pub(super) fn new(records_max: usize, bytes_max: usize) -> Self {
        Self { waiting: Mutex::default(), records_max, bytes_max, counts: Arc::default() }
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn weak_counts(&self) -> Weak<Counts> {
        Arc::downgrade(&self.counts)
    }

    /// Adds a record. True when the buffer just became half full: time to take from it.
    pub(super) fn push(&self, scope: &'static str, record: &[u8]) -> bool {
        let mut waiting = self.waiting.lock();
        let closed = waiting.closed;
        if closed || waiting.records >= self.records_max || waiting.bytes + record.len() > self.bytes_max {
            drop(waiting);
            self.drop_one();
            return false;
        }
        let was_half = self.is_half(&waiting);
        waiting.put(scope, record);
        waiting.records += 1;
        waiting.bytes += record.len();
        self.counts.accepted.fetch_add(1, Ordering::Relaxed);
        !was_half && self.is_half(&waiting)
    }

    fn is_half(&self, waiting: &Waiting) -> bool {
        waiting.records * 2 >= self.records_max || waiting.bytes * 2 >= self.bytes_max
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.lock().records == 0
    }

    /// Whether there is no room, for a record as long as those that wait.
    pub(super) fn is_full(&self) -> bool {
        let waiting = self.waiting.lock();
        let usual = waiting.bytes.checked_div(waiting.records).unwrap_or(0);
        waiting.records >= self.records_max || waiting.bytes + usual > self.bytes_max
    }

    /// Counts a record that could not even be made.
    pub(super) fn drop_one(&self) {
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes out what waits. After the last time everything that comes is dropped.
    pub(super) fn take(&self, last: bool) -> Batch {
        let mut waiting = self.waiting.lock();
        let empty = Waiting { closed: last || waiting.closed, ..Waiting::default() };
        let mut taken = std::mem::replace(&mut *waiting, empty);
        drop(waiting);
        taken.settle();
        let Waiting { scopes, records, .. } = taken;
        Batch { scopes, records, counts: self.counts.clone(), delivered: 0 }
    }
}
