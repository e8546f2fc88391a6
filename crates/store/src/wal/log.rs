//! The files of the log, without threads: groups of entries in, durable bytes out.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use model::Lsn;
use parking_lot::Mutex;

use super::WalOptions;
use super::end::{find_end, list_files};
use super::error::WalError;
use super::format::{
    Encoded, FILE_HEADER_LEN, FileHeader, VERSION, block_end, file_name, set_aside_dir, wal_dir,
};
use super::replay::{Recovery, Unread};
use super::stats::Counters;
use crate::disk::{BLOCK, Disk, File};
use crate::fatal::Fatal;

/// The end of the log, where entries are written.
pub(super) struct Log {
    files: Files,
    file_size: u64,
    /// Nothing until the first group: a start writes nothing, so that it succeeds on a full disk.
    current: Option<Current>,
    next_lsn: Lsn,
    fatal: Fatal,
    counters: Arc<Counters>,
}

struct Current {
    file: Box<dyn File>,
    path: PathBuf,
    marker: [u8; 8],
}

/// The files that exist; shared with whoever deletes.
#[derive(Clone)]
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    dir: Arc<Path>,
    list: Arc<Mutex<VecDeque<Known>>>,
    unread: Unread,
    deleting: Arc<Mutex<()>>,
}

struct Known {
    first_lsn: Lsn,
    len: u64,
}

impl Log {
    /// Opens the directory and takes away what an interrupted write left at the end.
    pub(super) fn open(options: &WalOptions, counters: Arc<Counters>) -> Result<(Self, Recovery), WalError> {
        let disk = &options.disk;
        let dir = wal_dir(&options.dir);
        for dir in [&dir, &set_aside_dir(&options.dir)] {
            disk.create_dir_all(dir).map_err(WalError::io(dir))?;
        }
        let mut replay = list_files(&**disk, &dir)?;
        let end = find_end(options, &mut replay)?;
        let known = replay.iter().map(|file| Known { first_lsn: file.first_lsn, len: file.len });
        let list = Arc::new(Mutex::new(known.collect()));
        let next_lsn = end.next_lsn;
        let recovery = Recovery::new(options, replay, end);
        let files = Files {
            disk: Arc::clone(disk),
            dir: dir.into(),
            list,
            unread: recovery.unread(),
            deleting: Arc::default(),
        };
        let log = Self {
            files,
            file_size: options.file_size,
            current: None,
            next_lsn,
            fatal: options.fatal.clone(),
            counters,
        };
        Ok((log, recovery))
    }

    pub(super) fn files(&self) -> Files {
        self.files.clone()
    }

    pub(super) fn dir(&self) -> &Path {
        &self.files.dir
    }

    /// The LSN of the next entry.
    #[cfg(test)]
    pub(super) fn next_lsn(&self) -> Lsn {
        self.next_lsn
    }

    /// Writes the entries and syncs once. On success they are durable and have the LSNs from the returned
    /// one on; on an error nothing of them is in the log, or the store cannot go on.
    pub(super) fn append_group<'a>(
        &mut self,
        group: impl Iterator<Item = &'a mut Encoded>,
        now: fn() -> Instant,
    ) -> Result<Lsn, WalError> {
        let group: Vec<&mut Encoded> = group.collect();
        let first_lsn = self.next_lsn;
        let mut current = match self.current.take().filter(|current| current.file.len() < self.file_size) {
            Some(current) => current,
            None => self.begin_file()?,
        };
        let written = self.write(&mut current, group, now);
        // Kept also after an error: it was cut back to what it was.
        self.current = Some(current);
        self.next_lsn += written? as u64;
        Ok(first_lsn)
    }

    fn write(
        &self,
        current: &mut Current,
        mut group: Vec<&mut Encoded>,
        now: fn() -> Instant,
    ) -> Result<usize, WalError> {
        let good_len = current.file.len();
        for (lsn, encoded) in (self.next_lsn..).zip(group.iter_mut()) {
            encoded.place(current.marker, lsn, self.next_lsn);
        }
        let mut parts: Vec<IoSlice<'_>> =
            group.iter().flat_map(|encoded| encoded.parts()).map(IoSlice::new).collect();
        let end = good_len + parts.iter().map(|part| part.len() as u64).sum::<u64>();
        parts.push(IoSlice::new(fill(end)));
        if let Err(error) = current.file.write_all_vectored(&mut parts) {
            self.take_back(current, good_len)?;
            return Err(WalError::io(&current.path)(error));
        }
        let begin = now();
        current.file.sync_data().map_err(|error| self.fatal("sync", &current.path, &error))?;
        self.counters.sync.record_duration(now().duration_since(begin));
        self.counters.group_entries.record(group.len() as u64);
        self.counters.entries.fetch_add(group.len() as u64, Relaxed);
        self.counters.bytes_written.fetch_add(current.file.len() - good_len, Relaxed);
        self.files.grown_to(current.file.len());
        Ok(group.len())
    }

    /// Takes a half-written group away again, durably: its senders are about to be told that it failed, so
    /// it must not come back at the next start.
    fn take_back(&self, current: &mut Current, good_len: u64) -> Result<(), WalError> {
        let taken = current.file.set_len(good_len).and_then(|()| current.file.sync_data());
        taken.map_err(|error| self.fatal("take back a failed write to", &current.path, &error))
    }

    /// Creates the next file; it and its name are durable before anything is written to it.
    fn begin_file(&mut self) -> Result<Current, WalError> {
        let disk = &self.files.disk;
        let path = self.files.dir.join(file_name(self.next_lsn));
        let header = FileHeader { version: VERSION, first_lsn: self.next_lsn, marker: new_marker() };
        let mut file = disk.create_direct(&path).map_err(WalError::io(&path))?;
        // What a failure leaves behind holds no entry, and the next attempt begins it anew.
        let header_bytes = header.encode();
        let mut parts = [IoSlice::new(&header_bytes), IoSlice::new(fill(FILE_HEADER_LEN as u64))];
        file.write_all_vectored(&mut parts).map_err(WalError::io(&path))?;
        file.sync_data().map_err(|error| self.fatal("sync", &path, &error))?;
        disk.sync_dir(&self.files.dir).map_err(|error| self.fatal("sync the directory of", &path, &error))?;
        self.files.begun(self.next_lsn);
        Ok(Current { file, path, marker: header.marker })
    }

    fn fatal(&self, what: &str, path: &Path, error: &io::Error) -> WalError {
        raise(&self.fatal, what, path, error)
    }
}

impl Files {
    /// How many there are, and their size together.
    pub(super) fn totals(&self) -> (usize, u64) {
        let list = self.list.lock();
        (list.len(), list.iter().map(|file| file.len).sum())
    }

    /// Removes the oldest files as long as all in them is below the LSN. The newest stays: its name says
    /// which LSNs have been given out. So does what has not been replayed yet: nobody can know that it is
    /// not needed.
    pub(super) fn delete_below(&self, lsn: Lsn, fatal: &Fatal) -> Result<(), WalError> {
        // Two that delete must not interleave; the list itself is not locked while the disk works.
        let _one = self.deleting.lock();
        let lsn = lsn.min(self.unread.from());
        loop {
            let oldest = {
                let list = self.list.lock();
                let superseded = list.get(1).is_some_and(|second| second.first_lsn <= lsn);
                list.front().filter(|_| superseded).map(|file| file.first_lsn)
            };
            let Some(first_lsn) = oldest else { return Ok(()) };
            let path = self.dir.join(file_name(first_lsn));
            if let Err(error) = self.disk.remove(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(WalError::io(&path)(error));
            }
            // One by one, so that a power cut never leaves a gap between files.
            let synced = self.disk.sync_dir(&self.dir);
            synced.map_err(|error| raise(fatal, "sync the directory of", &path, &error))?;
            self.list.lock().pop_front();
        }
    }

    fn begun(&self, first_lsn: Lsn) {
        let mut list = self.list.lock();
        // One that held no entry has been begun again.
        if list.back().is_some_and(|last| last.first_lsn == first_lsn) {
            list.pop_back();
        }
        list.push_back(Known { first_lsn, len: block_end(FILE_HEADER_LEN as u64) });
    }

    fn grown_to(&self, len: u64) {
        if let Some(last) = self.list.lock().back_mut() {
            last.len = len;
        }
    }
}

pub(super) fn raise(fatal: &Fatal, what: &str, path: &Path, error: &io::Error) -> WalError {
    let reason: Arc<str> = format!("cannot {what} `{}`: {error}", path.display()).into();
    fatal.raise(Arc::clone(&reason));
    WalError::Fatal { reason }
}

/// Zeros from here to the end of the block.
fn fill(end: u64) -> &'static [u8] {
    static ZEROS: [u8; BLOCK] = [0; BLOCK];
    &ZEROS[..(block_end(end) - end) as usize]
}

/// Eight bytes that no sender can guess.
fn new_marker() -> [u8; 8] {
    uuid::Uuid::now_v7().as_u64_pair().1.to_le_bytes()
}
