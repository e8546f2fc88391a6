use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::Instant;

use model::Lsn;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::entry::{Entry, EntryMeta};
use super::error::WalError;
use super::format::Encoded;
use super::log::Log;
use super::stats::Counters;
use super::{Publish, WalOptions};
use crate::fatal::Fatal;

/// What an entry costs in memory beside its bytes.
const OVERHEAD: usize = 256;

/// An entry that waits for the disk.
pub(super) struct Pending<P> {
    encoded: Encoded,
    meta: EntryMeta,
    payload: P,
    since: Instant,
    done: oneshot::Sender<Result<Lsn, WalError>>,
}

impl<P> Pending<P> {
    /// Encodes the entry, on the caller's thread.
    pub(super) fn new(
        entry: Entry,
        payload: P,
        done: oneshot::Sender<Result<Lsn, WalError>>,
        since: Instant,
    ) -> Self {
        let encoded = Encoded::new(&entry.meta, entry.body);
        Self { encoded, meta: entry.meta, payload, since, done }
    }

    fn cost(&self) -> usize {
        self.encoded.len() + OVERHEAD
    }
}

/// What senders and the committer share.
pub(super) struct Shared<P> {
    queue: Mutex<Queue<P>>,
    arrived: Condvar,
    bytes_max: usize,
    counters: Arc<Counters>,
    pub(super) fatal: Fatal,
    pub(super) now: fn() -> Instant,
}

struct Queue<P> {
    waiting: Vec<Pending<P>>,
    /// Of those waiting and of the group that is being written.
    bytes: usize,
    closed: bool,
}

impl<P> Shared<P> {
    pub(super) fn new(options: &WalOptions, counters: Arc<Counters>) -> Self {
        Self {
            queue: Mutex::new(Queue { waiting: Vec::new(), bytes: 0, closed: false }),
            arrived: Condvar::new(),
            bytes_max: options.queue_bytes_max,
            counters,
            fatal: options.fatal.clone(),
            now: options.now,
        }
    }

    pub(super) fn enqueue(&self, pending: Pending<P>) -> Result<(), WalError> {
        pending.encoded.check()?;
        if let Some(reason) = self.fatal.reason() {
            return Err(WalError::Fatal { reason });
        }
        let mut queue = self.queue.lock();
        if queue.closed {
            return Err(WalError::Closed);
        }
        // One that is greater than the whole queue may pass when nothing else waits.
        if queue.bytes > 0 && queue.bytes + pending.cost() > self.bytes_max {
            return Err(WalError::Full { limit: self.bytes_max });
        }
        queue.bytes += pending.cost();
        queue.waiting.push(pending);
        drop(queue);
        self.arrived.notify_one();
        Ok(())
    }

    pub(super) fn close(&self) {
        self.queue.lock().closed = true;
        self.arrived.notify_one();
    }

    pub(super) fn queue_usage(&self) -> (usize, usize) {
        (self.queue.lock().bytes, self.bytes_max)
    }

    /// All that waits; nothing when the log is closed and empty.
    fn next_group(&self) -> Option<Vec<Pending<P>>> {
        let mut queue = self.queue.lock();
        while queue.waiting.is_empty() {
            if queue.closed {
                return None;
            }
            self.arrived.wait(&mut queue);
        }
        Some(std::mem::take(&mut queue.waiting))
    }

    fn release(&self, bytes: usize) {
        self.queue.lock().bytes -= bytes;
    }
}

/// Starts the thread that writes.
pub(super) fn spawn<P: Send + 'static>(
    log: Log,
    shared: Arc<Shared<P>>,
    publish: Publish<P>,
) -> Result<JoinHandle<()>, WalError> {
    let path = log.dir().to_owned();
    std::thread::Builder::new()
        .name("wal".to_owned())
        .spawn(move || run(log, &shared, publish))
        .map_err(WalError::io(&path))
}

fn run<P>(mut log: Log, shared: &Shared<P>, mut publish: Publish<P>) {
    let _guard = PanicGuard(shared);
    while let Some(mut group) = shared.next_group() {
        let bytes = group.iter().map(Pending::cost).sum();
        let committed = commit(&mut log, shared, &mut group);
        // Before the answers: who has one may send again at once.
        shared.release(bytes);
        match committed {
            Ok(first) => {
                shared.counters.succeeded();
                let durable = (shared.now)();
                for (lsn, pending) in (first..).zip(group) {
                    shared.counters.append.record_duration(durable.duration_since(pending.since));
                    publish(lsn, pending.meta, pending.payload);
                    shared.counters.last_lsn.store(lsn, Relaxed);
                    // The sender may be gone; the entry stays.
                    drop(pending.done.send(Ok(lsn)));
                }
            }
            Err(error) => {
                shared.counters.failed(&error, (shared.now)());
                for pending in group {
                    drop(pending.done.send(Err(error.clone())));
                }
            }
        }
    }
}

fn commit<P>(log: &mut Log, shared: &Shared<P>, group: &mut [Pending<P>]) -> Result<Lsn, WalError> {
    if let Some(reason) = shared.fatal.reason() {
        return Err(WalError::Fatal { reason });
    }
    log.append_group(group.iter_mut().map(|pending| &mut pending.encoded), shared.now)
}

/// Why an entry got no answer.
pub(super) fn fatal_reason(fatal: &Fatal) -> Arc<str> {
    fatal.reason().unwrap_or_else(|| "the write-ahead log's thread ended".into())
}

/// A panic while publishing leaves memory and log apart: nobody may go on from there.
struct PanicGuard<'a, P>(&'a Shared<P>);

impl<P> Drop for PanicGuard<'_, P> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fatal.raise("the write-ahead log's thread panicked");
            let mut queue = self.0.queue.lock();
            queue.closed = true;
            queue.waiting.clear();
        }
    }
}
