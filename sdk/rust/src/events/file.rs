mod record;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::RwLock;
use uuid::Uuid;

use self::record::{HEADER, Place, Scan, encode, scan};
use super::event::Event;
use super::index::{Index, admit};
use super::query::{Condition, Page, Query};
use super::store::{AppendError, ReadError, Store};

/// What the file begins with: the name, and the version of the form.
const MAGIC: &[u8; 8] = b"FRSNEVT1";
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
    file: File,
    /// Up to here everything is as it was written.
    end: u64,
    index: Index,
    /// Of each event, in order.
    places: Vec<Place>,
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
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let bytes = fs::read(path).map_err(io)?;
        let begun = bytes.len().min(MAGIC.len());
        if bytes[..begun] != MAGIC[..begun] {
            return Err(OpenError::Foreign(path.to_owned()));
        }
        let mut inner = Inner {
            file,
            end: MAGIC.len() as u64,
            index: Index::default(),
            places: Vec::new(),
            failure: None,
        };
        if bytes.len() < MAGIC.len() {
            inner.begin(path).map_err(io)?;
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
    fn begin(&mut self, path: &Path) -> io::Result<()> {
        self.file.set_len(0)?;
        write_at(&self.file, MAGIC, 0)?;
        self.file.sync_all()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
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
        let Some((offset, length)) = self.places.get(position as usize - 1) else { return Ok(None) };
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
                return Err(self.fail(&repair));
            }
            return Err(AppendError::Io(error));
        }
        // What a failed sync left on disk is not known, and a second one may lie.
        self.file.sync_data().map_err(|error| self.fail(&error))
    }

    fn fail(&mut self, error: &io::Error) -> AppendError {
        let failure = error.to_string();
        self.failure = Some(failure.clone());
        AppendError::Failed(failure)
    }
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
        if inner.index.head() + fresh.len() as u64 > self.options.events_max {
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
