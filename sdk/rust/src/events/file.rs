mod beginning;
mod record;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use uuid::Uuid;

use self::beginning::{Beginning, beginning, bytes_of};
use self::record::{HEADER, Place, Scan, encode, scan};
use super::event::Event;
use super::index::{Index, admit};
use super::query::{Condition, Page, Query};
use super::store::{AppendError, DeleteError, ReadError, Store};

/// More in one append is refused.
const APPEND_BYTES_MAX: usize = 64 << 20;

/// How much a file takes.
#[derive(Clone, Copy, Debug)]
pub struct FileOptions {
    /// So many events; each takes some hundred bytes of memory for finding it. 1,000,000.
    pub events_max: u64,
    /// So many bytes, all of which are read by an open; 256 MiB.
    pub bytes_max: u64,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self { events_max: 1_000_000, bytes_max: 256 << 20 }
    }
}

/// Why a file of events cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system does not let it.
    #[error("cannot open {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// Another store has it open.
    #[error("{0} is in use by another store")]
    InUse(PathBuf),
    /// It is a file of something else.
    #[error("{0} is no file of events")]
    Foreign(PathBuf),
    /// Something in the middle is not as it was written, so it is not the tail of a write that was
    /// cut off. Nothing was changed; restore the file from a copy.
    #[error("{path} is damaged at byte {offset}, and there are good events after it")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: u64,
    },
}

/// Events in one file that only grows: every append is one record with checksums, synced before it
/// is acknowledged. A record that was cut off by a crash is at the end and is removed by the next
/// open; damage anywhere else is refused. One process at a time.
///
/// Where the first events are deleted, the appends that stay are written to a file beside it, named
/// `….new`, that takes its place: a crash leaves the one or the other. Appends and reads wait meanwhile.
///
/// ```
/// use fresnel_sdk::events::{Events, FileStore, NewEvent, Page, Query};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("events");
/// let events = Events::new(FileStore::open(&path, Default::default())?, Default::default());
/// events.emit(NewEvent::new("SHOP.OPENED"))?.wait(std::time::Duration::from_secs(5))?;
/// drop(events);
/// let events = Events::new(FileStore::open(&path, Default::default())?, Default::default());
/// assert_eq!(events.read(&Query::everything(), &Page::default())?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileStore {
    inner: RwLock<Inner>,
    options: FileOptions,
    truncated: u64,
}

struct Inner {
    path: PathBuf,
    file: File,
    /// Up to here everything is as it was written.
    end: u64,
    index: Index,
    /// Of each event, in order.
    places: Vec<Place>,
    /// Of each append: the position of its first event, and where it begins.
    appends: VecDeque<(u64, u64)>,
    failure: Option<String>,
}

impl FileStore {
    /// Opens a file, or makes it. Reads all of it once.
    ///
    /// # Errors
    /// It cannot be opened, or not be trusted.
    pub fn open(path: impl AsRef<Path>, options: FileOptions) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        let file = open_locked(path)?;
        let bytes = fs::read(path).map_err(io)?;
        let begun = match beginning(&bytes) {
            Beginning::Whole { deleted, length } => Some((deleted, length)),
            Beginning::CutOff => None,
            Beginning::Damaged => return Err(OpenError::Damaged { path: path.to_owned(), offset: 0 }),
            Beginning::Foreign => return Err(OpenError::Foreign(path.to_owned())),
        };
        let (deleted, length) = begun.unwrap_or_default();
        let mut inner = Inner {
            path: path.to_owned(),
            file,
            end: length,
            index: Index::after(deleted),
            places: Vec::new(),
            appends: VecDeque::new(),
            failure: None,
        };
        if begun.is_none() {
            inner.begin().map_err(io)?;
            return Ok(Self { inner: RwLock::new(inner), options, truncated: 0 });
        }
        let damaged = |offset| OpenError::Damaged { path: path.to_owned(), offset };
        inner.load(&bytes).map_err(damaged)?;
        let truncated = bytes.len() as u64 - inner.end;
        if truncated > 0 {
            tracing::warn!(path = %path.display(), bytes = truncated, "remove an append that was cut off");
            inner.file.set_len(inner.end).and_then(|()| inner.file.sync_all()).map_err(io)?;
        }
        Ok(Self { inner: RwLock::new(inner), options, truncated })
    }

    /// How many bytes of an append that was cut off were removed by the open.
    pub fn truncated(&self) -> u64 {
        self.truncated
    }
}

impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStore").field("head", &self.head()).finish_non_exhaustive()
    }
}

impl Inner {
    /// Writes the beginning of a file, so that it outlives a crash as a whole or not at all.
    fn begin(&mut self) -> io::Result<()> {
        let beginning = bytes_of(0);
        self.file.set_len(0)?;
        write_at(&self.file, &beginning, 0)?;
        self.end = beginning.len() as u64;
        self.file.sync_all()?;
        sync_folder(&self.path)
    }

    /// Takes in what is in the file. Fails with the place where it is damaged.
    fn load(&mut self, bytes: &[u8]) -> Result<(), u64> {
        loop {
            let offset = self.end as usize;
            match scan(bytes, offset) {
                Scan::Record(payload) => {
                    self.take(payload, offset as u64).ok_or(offset as u64)?;
                    self.end = (offset + HEADER + payload.len()) as u64;
                }
                Scan::End | Scan::CutOff => return Ok(()),
                Scan::Damaged => return Err(offset as u64),
            }
        }
    }

    /// The events of a record: each is a length and its JSON.
    fn take(&mut self, payload: &[u8], offset: u64) -> Option<()> {
        let mut rest = payload;
        let mut place = offset + HEADER as u64;
        self.appends.push_back((self.index.head() + 1, offset));
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = u32::from_le_bytes(*length);
            let (json, after) = after.split_at_checked(length as usize)?;
            let event: Event = serde_json::from_slice(json).ok()?;
            if event.position != self.index.head() + 1 {
                return None;
            }
            self.index.push(&event);
            self.places.push((place + 4, length));
            place += 4 + u64::from(length);
            rest = after;
        }
        Some(())
    }

    fn event(&self, position: u64) -> Result<Option<Event>, ReadError> {
        let place = self.index.place(position).and_then(|place| self.places.get(place));
        let Some((offset, length)) = place else { return Ok(None) };
        let mut bytes = vec![0; *length as usize];
        read_at(&self.file, &mut bytes, *offset).map_err(ReadError::Io)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|_| ReadError::Damaged { position })
    }

    /// Writes and syncs. After a failure the file is as before, or nothing is written any more.
    fn write(&mut self, record: &[u8]) -> Result<(), AppendError> {
        if let Err(error) = write_at(&self.file, record, self.end) {
            // Half of it may be there: it must not stay before the next one.
            let repaired = self.file.set_len(self.end).and_then(|()| self.file.sync_all());
            if let Err(repair) = repaired {
                return Err(AppendError::Failed(self.fail(&repair)));
            }
            return Err(AppendError::Io(error));
        }
        // What a failed sync left on disk is not known, and a second one may lie.
        self.file.sync_data().map_err(|error| AppendError::Failed(self.fail(&error)))
    }

    /// Nothing is written from here on. Returns why.
    fn fail(&mut self, error: &io::Error) -> String {
        self.failure.insert(error.to_string()).clone()
    }

    /// Deletes so many of the first appends.
    fn delete(&mut self, appends: usize) -> Result<u64, DeleteError> {
        let (first, from) = self.appends.get(appends).copied().unwrap_or((self.index.head() + 1, self.end));
        let count = first - 1 - self.index.deleted();
        let (file, length) = self.rewritten(first - 1, from).map_err(DeleteError::Io)?;
        // What follows goes to the new file, and a crash must not bring back the old one.
        sync_folder(&self.path).map_err(|error| DeleteError::Failed(self.fail(&error)))?;
        let moved = |offset: u64| offset - from + length;
        self.file = file;
        self.end = moved(self.end);
        self.index.delete(count as usize);
        self.places.drain(..count as usize);
        self.places.iter_mut().for_each(|(offset, _)| *offset = moved(*offset));
        self.appends.drain(..appends);
        self.appends.iter_mut().for_each(|(_, offset)| *offset = moved(*offset));
        Ok(count)
    }

    /// Puts a file in the place of this one that has what is in it from `from` on, without the events
    /// up to `deleted`. Returns it, and where that begins. After an error it is as before.
    fn rewritten(&self, deleted: u64, from: u64) -> io::Result<(File, u64)> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".new");
        let path = PathBuf::from(name);
        let written = self.write_to(&path, deleted, from);
        let renamed = written.and_then(|it| fs::rename(&path, &self.path).map(|()| it));
        renamed.inspect_err(|_| drop(fs::remove_file(&path)))
    }

    fn write_to(&self, path: &Path, deleted: u64, from: u64) -> io::Result<(File, u64)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
            TryLockError::Error(error) => error,
        })?;
        file.set_permissions(self.file.metadata()?.permissions())?;
        let beginning = bytes_of(deleted);
        file.write_all(&beginning)?;
        let mut rest = self.file.try_clone()?;
        rest.seek(SeekFrom::Start(from))?;
        let copied = io::copy(&mut io::Read::take(rest, self.end - from), &mut file)?;
        if copied != self.end - from {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.sync_all()?;
        Ok((file, beginning.len() as u64))
    }
}

/// Opens a file, or makes it, for nobody else.
fn open_locked(path: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    loop {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        // Whoever had it may have put another in its place since.
        if is_at(&file, path).map_err(io)? {
            return Ok(file);
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let (own, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
}

/// An open file cannot be replaced there.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

impl Store for FileStore {
    fn append(&self, events: Vec<Event>, condition: Option<&Condition>) -> Result<Vec<u64>, AppendError> {
        let mut inner = self.inner.write();
        if let Some(failure) = &inner.failure {
            return Err(AppendError::Failed(failure.clone()));
        }
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        let fresh =
            admit(&inner.index, events, condition).map_err(|position| AppendError::Conflict { position })?;
        if fresh.is_empty() {
            return Ok(inner.index.positions_of(&ids));
        }
        if (inner.index.len() + fresh.len()) as u64 > self.options.events_max {
            return Err(AppendError::Full(format!("at most {} events are kept", self.options.events_max)));
        }
        let (record, places) = encode(&fresh, inner.end).map_err(AppendError::Io)?;
        if record.len() > APPEND_BYTES_MAX {
            return Err(AppendError::Full(format!("one append takes at most {APPEND_BYTES_MAX} bytes")));
        }
        if inner.end + record.len() as u64 > self.options.bytes_max {
            return Err(AppendError::Full(format!(
                "the file takes at most {} bytes",
                self.options.bytes_max
            )));
        }
        inner.write(&record)?;
        let begin = (inner.index.head() + 1, inner.end);
        inner.appends.push_back(begin);
        inner.end += record.len() as u64;
        inner.places.extend(places);
        fresh.iter().for_each(|event| inner.index.push(event));
        Ok(inner.index.positions_of(&ids))
    }

    fn read(&self, query: &Query, page: &Page) -> Result<Vec<Event>, ReadError> {
        let inner = self.inner.read();
        let positions = inner.index.page(query, page).into_iter();
        positions.filter_map(|position| inner.event(position).transpose()).collect()
    }

    fn get(&self, id: Uuid) -> Result<Option<Event>, ReadError> {
        let inner = self.inner.read();
        inner.index.position(id).map_or(Ok(None), |position| inner.event(position))
    }

    fn head(&self) -> u64 {
        self.inner.read().index.head()
    }

    fn delete_before(&self, time_unix_nano: u64) -> Result<u64, DeleteError> {
        let mut inner = self.inner.write();
        if let Some(failure) = &inner.failure {
            return Err(DeleteError::Failed(failure.clone()));
        }
        // What stays is copied as it was written: whole appends.
        let first = inner.index.deleted() + 1 + inner.index.count_before(time_unix_nano) as u64;
        let end = inner.index.head() + 1;
        let nexts = inner.appends.iter().skip(1).map(|(next, _)| *next).chain([end]);
        match nexts.take_while(|next| *next <= first).count().min(inner.appends.len()) {
            0 => Ok(0),
            appends => inner.delete(appends),
        }
    }

    fn failure(&self) -> Option<String> {
        self.inner.read().failure.clone()
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                bytes = &mut bytes[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}
