use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use model::Lsn;

use super::WalOptions;
use super::end::End;
use super::entry::Entry;
use super::format::set_aside_dir;
use super::scan::{FileScan, Found, Hole};
use crate::disk::Disk;
use crate::fatal::Fatal;

/// How much is copied at once.
const CHUNK: u64 = 1 << 20;

/// Something in the log that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What it is.
    pub kind: DamageKind,
    /// Where it is now: the copy in `set-aside/`, or the file of the log when there is no copy.
    pub path: PathBuf,
    /// The first LSN that it touches.
    pub first_lsn: Lsn,
    /// How many entries it touches; 0 when that is not known.
    pub entries: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// What is wrong with it.
    pub reason: String,
    /// Whether it is in the last thing that was written: then its sender may never have had an answer.
    pub last_write: bool,
}

/// What [`Damage`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// A write that was interrupted, at the end of the log. Normal after a power cut; cut off.
    TornTail,
    /// A place in the middle; what is after it was kept.
    SetAside,
    /// Entries of which nothing is there: a file is missing or shorter than it was.
    Missing,
}

/// A file of the log as it was when the log was opened.
#[derive(Clone, Debug)]
pub(super) struct ReplayFile {
    pub(super) path: PathBuf,
    pub(super) first_lsn: Lsn,
    pub(super) len: u64,
}

/// From which LSN on entries still wait to be replayed.
#[derive(Clone)]
pub(super) struct Unread(Arc<AtomicU64>);

impl Unread {
    pub(super) fn from(&self) -> Lsn {
        self.0.load(Relaxed)
    }
}

/// The entries that were in the log when it was opened, in order, one file in view at a time.
pub struct Recovery {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    fatal: Fatal,
    from: Lsn,
    files: VecDeque<ReplayFile>,
    current: Option<(ReplayFile, FileScan)>,
    unread: Unread,
    /// Below, entries should be there.
    replayed_to: Lsn,
    /// From here on nothing proves that an entry was synced.
    unproven_from: Lsn,
    damage: Vec<Damage>,
    bytes_total: u64,
    bytes_done: u64,
}

impl Recovery {
    pub(super) fn new(options: &WalOptions, files: Vec<ReplayFile>, end: End) -> Self {
        let mut files = VecDeque::from(files);
        while files.get(1).is_some_and(|second| second.first_lsn <= options.replay_from) {
            files.pop_front();
        }
        let unread = files.front().map_or(Lsn::MAX, |file| file.first_lsn);
        let bytes_total = files.iter().map(|file| file.len).sum();
        Self {
            disk: Arc::clone(&options.disk),
            dir: options.dir.clone(),
            fatal: options.fatal.clone(),
            from: options.replay_from,
            files,
            current: None,
            unread: Unread(Arc::new(AtomicU64::new(unread))),
            replayed_to: end.replayed_to,
            unproven_from: end.unproven_from,
            damage: end.damage,
            bytes_total,
            bytes_done: 0,
        }
    }

    pub(super) fn unread(&self) -> Unread {
        self.unread.clone()
    }

    /// What was found to be damaged so far; complete when the iterator has ended.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Bytes read so far, and bytes that there are.
    pub fn progress(&self) -> (u64, u64) {
        let here = self.current.as_ref().map_or(0, |(_, scan)| scan.offset);
        (self.bytes_done + here, self.bytes_total)
    }

    /// Opens the next file that can be opened.
    fn advance(&mut self) -> bool {
        while let Some(file) = self.files.pop_front() {
            self.unread.0.store(file.first_lsn, Relaxed);
            match FileScan::open(&self.disk, &file.path, file.first_lsn, file.len) {
                Ok(scan) => {
                    self.current = Some((file, scan));
                    return true;
                }
                Err(error) => {
                    let next_lsn = self.next_file_lsn();
                    let lost = Hole::new(file.first_lsn, next_lsn, 0..0, "its file cannot be read");
                    tracing::error!(path = %file.path.display(), %error, "skip file of the write-ahead log");
                    self.report(&file.path, &lost);
                }
            }
        }
        // Who asks for one more has dealt with the last.
        self.unread.0.store(Lsn::MAX, Relaxed);
        false
    }

    fn next_file_lsn(&self) -> Lsn {
        self.files.front().map_or(self.replayed_to, |file| file.first_lsn)
    }

    /// What the end of a file says: was there more, that should have been read?
    fn finish(&mut self, file: &ReplayFile, scan: &FileScan) {
        self.bytes_done += file.len;
        let next_lsn = self.next_file_lsn();
        if scan.expected < next_lsn {
            let range = scan.offset..scan.len();
            let reason =
                if range.is_empty() { "the file ends too early" } else { "no entry can be read there" };
            self.report(&file.path, &Hole::new(scan.expected, next_lsn, range, reason));
        }
    }

    fn report(&mut self, file: &Path, hole: &Hole) {
        if hole.next_lsn <= self.from {
            return;
        }
        let mut damage = Damage {
            kind: DamageKind::Missing,
            path: file.to_owned(),
            first_lsn: hole.first_lsn,
            entries: hole.next_lsn - hole.first_lsn,
            bytes: hole.range.end - hole.range.start,
            reason: hole.reason.to_owned(),
            last_write: hole.first_lsn >= self.unproven_from,
        };
        if !hole.range.is_empty() {
            damage.kind = DamageKind::SetAside;
            match set_aside(&*self.disk, &self.dir, file, hole, &self.fatal) {
                Ok(copy) => damage.path = copy,
                Err(error) => damage.reason = format!("{}; and it could not be copied: {error}", hole.reason),
            }
        }
        self.damage.push(damage);
    }
}

impl Iterator for Recovery {
    type Item = (Lsn, Entry);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.current.is_none() && !self.advance() {
                return None;
            }
            let (_, scan) = self.current.as_mut()?;
            match scan.next(self.from) {
                Found::Entry { header, entry: Some(entry) } => return Some((header.lsn, entry)),
                Found::Entry { entry: None, .. } => {}
                Found::Damaged(hole) => {
                    let path = self.current.as_ref()?.0.path.clone();
                    self.report(&path, &hole);
                }
                Found::End => {
                    let (file, scan) = self.current.take()?;
                    self.finish(&file, &scan);
                }
            }
        }
    }
}

/// Copies a damaged place to `set-aside/wal-<lsn>.bin`. A copy from an earlier start is kept.
pub(super) fn set_aside(
    disk: &dyn Disk,
    dir: &Path,
    file: &Path,
    hole: &Hole,
    fatal: &Fatal,
) -> io::Result<PathBuf> {
    let target_dir = set_aside_dir(dir);
    let target = target_dir.join(format!("wal-{:020}.bin", hole.first_lsn));
    let range = hole.range.clone();
    if disk.len(&target).is_ok_and(|len| len == range.end - range.start) {
        return Ok(target);
    }
    let mut copy = disk.create(&target)?;
    let mut at = range.start;
    while at < range.end {
        let len = usize::try_from((range.end - at).min(CHUNK)).expect("a chunk is small");
        copy.write_all(&disk.read_at(file, at, len)?)?;
        at += len as u64;
    }
    copy.sync_data().and_then(|()| disk.sync_dir(&target_dir)).inspect_err(|error| {
        fatal.raise(format!("cannot sync `{}`: {error}", target.display()));
    })?;
    Ok(target)
}
