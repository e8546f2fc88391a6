//! The write-ahead log: what makes "acknowledged" mean "on disk".
//!
//! Enters: entries (a request's body as received, and what was decided about it) with a payload for the
//! memtables. Leaves: after one write and one sync for all that waited, the payloads in the order of their
//! LSNs, then the acknowledgements; at the next start, the entries again. Must hold: an acknowledged entry
//! is replayed exactly once, whatever stops the machine; an entry that was answered with an error never.
//!
//! Whoever arrives while a sync runs is in the next group. There is no preallocation: measured on ext4 it
//! saves nothing (the extents still have to be converted), and filling with zeros costs every byte twice.

mod committer;
mod end;
mod entry;
mod error;
mod format;
mod log;
mod replay;
mod scan;
mod stats;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use model::Lsn;
use parking_lot::Mutex;
use tokio::sync::oneshot;

pub use entry::{Entry, EntryMeta, RefusedSeries, Rejection};
pub use error::WalError;
pub use replay::{Damage, DamageKind, Recovery};
pub use stats::{Failing, Histogram, HistogramSnapshot, WalStats};

use crate::disk::Disk;
use crate::fatal::Fatal;
use committer::{Pending, Shared};
use log::Log;
use stats::Counters;

/// What becomes of an entry when it is durable: called on the committer's thread, in the order of the LSNs,
/// before the sender is answered. It must be quick, since every sender waits for it.
pub type Publish<P> = Box<dyn FnMut(Lsn, EntryMeta, P) + Send>;

/// How to open a log.
#[derive(Clone)]
pub struct WalOptions {
    /// Where its files are.
    pub disk: Arc<dyn Disk>,
    /// The store's directory; the log is in `wal/`, what is damaged goes to `set-aside/`.
    pub dir: PathBuf,
    /// From this size on a new file is begun.
    pub file_size: u64,
    /// How many bytes of entries may wait for the disk; more are refused.
    pub queue_bytes_max: usize,
    /// Entries below were sealed long ago and are not replayed.
    pub replay_from: Lsn,
    /// No entry gets a smaller LSN: one more than the greatest that the manifest knows. Keeps a log that
    /// lost its end from giving out LSNs that count as sealed.
    pub lsn_min: Lsn,
    /// Raised when the disk can no longer be trusted.
    pub fatal: Fatal,
    /// The clock for the durations in [`WalStats`].
    pub now: fn() -> Instant,
}

/// The first entry that the log's files can hold; nothing when there is no file.
///
/// # Errors
/// When the directory cannot be read.
pub(crate) fn first_lsn(disk: &dyn Disk, dir: &Path) -> Result<Option<Lsn>, WalError> {
    let dir = format::wal_dir(dir);
    match end::list_files(disk, &dir) {
        Ok(files) => Ok(files.first().map(|file| file.first_lsn)),
        Err(WalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a damaged entry says of itself, where its header and its metadata are what was written.
pub(crate) fn meta_of(damaged: &[u8], lsn: Lsn) -> Option<EntryMeta> {
    let header = format::EntryHeader::decode(damaged).filter(|header| header.lsn == lsn)?;
    let (_, payload) = damaged.split_at_checked(format::ENTRY_HEADER_LEN)?;
    EntryMeta::decode_found(payload.get(..header.meta_len as usize)?)
}

/// The log, open for appending. `P` is what travels along with an entry until it is durable.
pub struct Wal<P> {
    shared: Arc<Shared<P>>,
    files: log::Files,
    counters: Arc<Counters>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl<P: Send + 'static> Wal<P> {
    /// Opens the log, cutting off what an interrupted write left at its end, and starts its thread.
    ///
    /// The entries that are there come out of [`Recovery`]; new ones may be appended meanwhile.
    ///
    /// # Errors
    /// When the directory cannot be read or written, or is of a newer version. Damage is no error.
    pub fn open(options: WalOptions, publish: Publish<P>) -> Result<(Self, Recovery), WalError> {
        let counters = Arc::new(Counters::default());
        let (log, recovery) = Log::open(&options, Arc::clone(&counters))?;
        let files = log.files();
        let shared = Arc::new(Shared::new(&options, Arc::clone(&counters)));
        let committer = committer::spawn(log, Arc::clone(&shared), publish)?;
        Ok((Self { shared, files, counters, committer: Mutex::new(Some(committer)) }, recovery))
    }

    /// Puts the entry in the queue, at once; the future waits until it is durable and published.
    ///
    /// Dropping the future does not take the entry back. An entry that was refused was not and will not be
    /// written.
    pub fn append(
        &self,
        entry: Entry,
        payload: P,
    ) -> impl Future<Output = Result<Lsn, WalError>> + Send + 'static + use<P> {
        let (done, answer) = oneshot::channel();
        let refused = self.shared.enqueue(Pending::new(entry, payload, done, (self.shared.now)())).err();
        let fatal = self.shared.fatal.clone();
        async move {
            if let Some(error) = refused {
                return Err(error);
            }
            // The committer answers everybody, unless it panicked.
            answer.await.unwrap_or_else(|_| Err(WalError::Fatal { reason: committer::fatal_reason(&fatal) }))
        }
    }

    /// Removes the files that hold only entries below this LSN. Blocks.
    ///
    /// # Errors
    /// When a file cannot be removed; it is tried again at the next call.
    pub fn delete_below(&self, lsn: Lsn) -> Result<(), WalError> {
        self.files.delete_below(lsn, &self.shared.fatal)
    }

    /// How the log is doing.
    pub fn stats(&self) -> WalStats {
        let (files, bytes) = self.files.totals();
        let (queue_bytes, queue_bytes_max) = self.shared.queue_usage();
        self.counters.snapshot(files, bytes, queue_bytes, queue_bytes_max, (self.shared.now)())
    }

    /// Accepts nothing more, writes what waits, and ends the thread. Blocks.
    pub fn close(&self) {
        self.shared.close();
        if let Some(committer) = self.committer.lock().take() {
            // A panic in it has already been made fatal.
            drop(committer.join());
        }
    }
}

impl<P> Drop for Wal<P> {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(committer) = self.committer.lock().take() {
            drop(committer.join());
        }
    }
}
