//! Where segments lie: in the store's directory, or in an S3-compatible bucket.
//!
//! Enters: finished drafts (local files). Leaves: durable objects; a reader for everybody else.
//! Must hold: on return of `publish` the object is durable under its name, whole. The calls block.

mod local;
mod s3;

use std::future::Future;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use object_store::ObjectStoreExt;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange};
use tokio::runtime::Handle;

use self::local::LocalObjects;
use crate::config::Config;
use crate::disk::{Disk, File};
use crate::error::{OpenError, WorkError};
use crate::fatal::Fatal;
use crate::segment::SEGMENTS;

/// Where drafts are written that will be uploaded.
const DRAFTS: &str = "drafts";
/// Where what cannot be read is moved.
pub(crate) const SET_ASIDE: &str = "set-aside";

/// The place of the segments.
pub(crate) struct Objects {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    fatal: Fatal,
    reader: Arc<dyn ObjectStore>,
    remote: Option<Handle>,
}

/// How many objects of a bucket are looked at together.
const ENDS_AT_ONCE: usize = 32;

/// The end of an object.
pub(crate) struct End {
    /// Its size.
    pub(crate) len: u64,
    /// The last four bytes.
    pub(crate) bytes: Bytes,
}

/// A segment that is being written.
pub(crate) struct Draft {
    pub(crate) file: Box<dyn File>,
    pub(crate) path: PathBuf,
}

impl Objects {
    /// Where the configuration says.
    ///
    /// # Errors
    /// When a setting or the directory cannot be used.
    pub(crate) fn open(
        config: &Config,
        disk: Arc<dyn Disk>,
        dir: &Path,
        fatal: Fatal,
    ) -> Result<Self, OpenError> {
        let opened = match &config.s3 {
            None => Self::local(disk, dir, fatal),
            Some(s3) => {
                let runtime = Handle::try_current()
                    .map_err(|error| OpenError::Config { key: "s3", reason: error.to_string() })?;
                Self::remote(disk, dir, fatal, s3::open(s3)?, runtime)
            }
        };
        opened.map_err(|source| OpenError::Io { path: dir.to_owned(), source })
    }

    /// In the store's directory.
    ///
    /// # Errors
    /// When the directory for drafts cannot be created.
    pub(crate) fn local(disk: Arc<dyn Disk>, dir: &Path, fatal: Fatal) -> io::Result<Self> {
        let reader = Arc::new(LocalObjects::new(Arc::clone(&disk), dir));
        Self::new(disk, dir, fatal, reader, None)
    }

    /// In an object store; `runtime` is where its requests run.
    ///
    /// # Errors
    /// When the directory for drafts cannot be created.
    pub(crate) fn remote(
        disk: Arc<dyn Disk>,
        dir: &Path,
        fatal: Fatal,
        store: Arc<dyn ObjectStore>,
        runtime: Handle,
    ) -> io::Result<Self> {
        Self::new(disk, dir, fatal, store, Some(runtime))
    }

    fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        fatal: Fatal,
        reader: Arc<dyn ObjectStore>,
        remote: Option<Handle>,
    ) -> io::Result<Self> {
        let objects = Self { disk, dir: dir.to_owned(), fatal, reader, remote };
        objects.disk.create_dir_all(&objects.dir.join(DRAFTS))?;
        Ok(objects)
    }

    /// Whether they lie in a bucket, which others can reach, too.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// The whole content of a small object of the bucket; nothing when it is not there.
    pub(crate) fn get(&self, object: &str) -> Result<Option<Bytes>, object_store::Error> {
        let Some(runtime) = &self.remote else { return Ok(None) };
        let get = async { self.reader.get(&ObjectPath::from(object)).await?.bytes().await };
        match wait(runtime, get) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a small object of the bucket.
    pub(crate) fn put(&self, object: &str, content: String) -> Result<(), object_store::Error> {
        let Some(runtime) = &self.remote else { return Ok(()) };
        wait(runtime, self.reader.put(&ObjectPath::from(object), content.into())).map(drop)
    }

    /// Reads, and lists, every object by its path.
    pub(crate) fn reader(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.reader)
    }

    /// Begins a segment under a name that nobody looks for: in the directory where it will be, so
    /// that one sync of that directory makes its name durable.
    pub(crate) fn draft(&self, object: &str) -> Result<Draft, WorkError> {
        let target = self.dir.join(object);
        let (dir, name) = match (&self.remote, target.parent(), target.file_name()) {
            (None, Some(parent), Some(name)) => (parent.to_owned(), name.to_owned()),
            _ => (self.dir.join(DRAFTS), object.replace('/', "_").into()),
        };
        let path = dir.join(name).with_extension("draft");
        let created = self.disk.create_dir_all(&dir).and_then(|()| match &self.remote {
            // Nobody reads it before a question does, or a merge.
            None => self.disk.create_direct(&path),
            Some(_) => self.disk.create(&path),
        });
        let file = created.map_err(|error| failed(object, error))?;
        Ok(Draft { file, path })
    }

    /// Makes the draft, whose content is synced, durable as `object`.
    pub(crate) fn publish(&self, draft: &Path, object: &str) -> Result<(), WorkError> {
        if let Some(runtime) = &self.remote {
            wait(runtime, self.upload(draft, object))?;
            return self.discard(draft);
        }
        let target = self.dir.join(object);
        let parent = target.parent().unwrap_or(&self.dir);
        self.disk.rename(draft, &target).map_err(|error| failed(object, error))?;
        self.disk.sync_dir(parent).map_err(|error| {
            self.fatal.raise(format!("cannot sync `{}`: {error}", parent.display()));
            failed(object, error)
        })
    }

    /// Makes durable that this object is there: after a kill it may have been found in memory only.
    pub(crate) fn keep(&self, object: &str) -> Result<(), WorkError> {
        if self.is_remote() {
            return Ok(());
        }
        let path = self.dir.join(object);
        let file = self.disk.open_append(&path).and_then(|mut file| file.sync_data());
        let mut above = path.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.dir));
        let synced = file.and_then(|()| above.try_for_each(|dir| self.disk.sync_dir(dir)));
        synced.map_err(|error| {
            self.fatal.raise(format!("cannot sync `{}`: {error}", path.display()));
            failed(object, error)
        })
    }

    async fn upload(&self, draft: &Path, object: &str) -> Result<(), WorkError> {
        const PART_BYTES: usize = 8 << 20;
        let path = ObjectPath::from(object);
        let len = self.disk.len(draft).map_err(|error| failed(object, error))?;
        let read = |from: u64| {
            let part = usize::try_from(len - from).map_or(PART_BYTES, |left| left.min(PART_BYTES));
            self.disk.read_at(draft, from, part).map_err(|error| failed(object, error))
        };
        if len <= PART_BYTES as u64 {
            let put = self.reader.put(&path, read(0)?.into()).await;
            return put.map(drop).map_err(|error| failed(object, error));
        }
        let mut upload = self.reader.put_multipart(&path).await.map_err(|error| failed(object, error))?;
        for from in (0..len).step_by(PART_BYTES) {
            // One after the other: memory stays at one part.
            if let Err(error) = upload.put_part(read(from)?.into()).await {
                drop(upload.abort().await);
                return Err(failed(object, error));
            }
        }
        upload.complete().await.map(drop).map_err(|error| failed(object, error))
    }

    /// Removes a draft that is not needed.
    pub(crate) fn discard(&self, draft: &Path) -> Result<(), WorkError> {
        absent_is_fine(self.disk.remove(draft)).map_err(|error| failed(&draft.display().to_string(), error))
    }

    /// Removes what was going to be uploaded: nobody is writing yet.
    pub(crate) fn discard_all(&self) -> io::Result<()> {
        let drafts = self.dir.join(DRAFTS);
        self.disk.list(&drafts)?.iter().try_for_each(|entry| self.disk.remove(&drafts.join(&entry.name)))
    }

    /// Removes an object, if it is there.
    pub(crate) fn remove(&self, object: &str) -> Result<(), WorkError> {
        match &self.remote {
            None => absent_is_fine(self.disk.remove(&self.dir.join(object)))
                .map_err(|error| failed(object, error)),
            Some(runtime) => match wait(runtime, self.reader.delete(&ObjectPath::from(object))) {
                Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
                Err(error) => Err(failed(object, error)),
            },
        }
    }

    /// Moves an object that cannot be read away, and says where it is now. One that is missing
    /// stays missing.
    pub(crate) fn set_aside(&self, object: &str) -> Result<String, WorkError> {
        let target = format!("{SET_ASIDE}/{object}");
        if let Some(runtime) = &self.remote {
            let (from, to) = (ObjectPath::from(object), ObjectPath::from(target.as_str()));
            return match wait(runtime, self.reader.rename(&from, &to)) {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(target),
                Err(error) => Err(failed(object, error)),
            };
        }
        let path = self.dir.join(&target);
        let parent = path.parent().unwrap_or(&self.dir);
        self.disk.create_dir_all(parent).map_err(|error| failed(object, error))?;
        absent_is_fine(self.disk.rename(&self.dir.join(object), &path))
            .map_err(|error| failed(object, error))?;
        self.disk.sync_dir(parent).map_err(|error| {
            self.fatal.raise(format!("cannot sync `{}`: {error}", parent.display()));
            failed(object, error)
        })?;
        Ok(target)
    }

    /// What was set aside that may hold records: segments, and pieces of the log.
    pub(crate) fn all_set_aside(&self) -> Result<Vec<String>, WorkError> {
        let mut found = self.list(&format!("{SET_ASIDE}/{SEGMENTS}"))?;
        let here = match self.disk.list(&self.dir.join(SET_ASIDE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed.map_err(|error| failed(SET_ASIDE, error))?,
        };
        let of_log = |name: &str| ["wal-", "entry-"].iter().any(|kind| name.starts_with(kind));
        let pieces = here.iter().filter(|entry| !entry.is_dir && of_log(&entry.name));
        found.extend(pieces.map(|entry| format!("{SET_ASIDE}/{}", entry.name)));
        Ok(found)
    }

    /// Removes what was set aside at this path, if it was copied or moved there.
    pub(crate) fn remove_set_aside(&self, path: &str) -> Result<(), WorkError> {
        let Some(object) = path.strip_prefix(SET_ASIDE).and_then(|rest| rest.strip_prefix('/')) else {
            return Ok(());
        };
        if object.starts_with(SEGMENTS) {
            return self.remove(path);
        }
        // Parts of the log are on the local disk.
        absent_is_fine(self.disk.remove(&self.dir.join(path))).map_err(|error| failed(path, error))
    }

    /// Paths of all objects below `prefix`.
    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<String>, WorkError> {
        let prefix = ObjectPath::from(prefix);
        let mut objects = Vec::new();
        let listed = match &self.remote {
            None => {
                let dir = self.dir.join(prefix.as_ref());
                absent_is_fine(local::walk(&*self.disk, &dir, &prefix, &mut objects))
                    .map_err(|error| local::not_read(prefix.as_ref(), error))
            }
            Some(runtime) => wait(runtime, self.reader.list(Some(&prefix)).try_collect())
                .map(|listed: Vec<_>| objects = listed),
        };
        listed.map_err(|error| failed(prefix.as_ref(), error))?;
        Ok(objects.into_iter().map(|object| object.location.to_string()).collect())
    }

    /// The size of an object; `None` when it is not there.
    pub(crate) fn len(&self, object: &str) -> Result<Option<u64>, object_store::Error> {
        let len = match &self.remote {
            None => self.disk.len(&self.dir.join(object)).map_err(|error| local::not_read(object, error)),
            Some(runtime) => wait(runtime, self.reader.head(&ObjectPath::from(object))).map(|meta| meta.size),
        };
        match len {
            Ok(len) => Ok(Some(len)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The size and the last four bytes of objects, in their order, read as they are taken; nothing of
    /// one that is not there.
    pub(crate) fn ends<'a>(
        &'a self,
        objects: impl Iterator<Item = &'a str> + 'a,
    ) -> Box<dyn Iterator<Item = Result<Option<End>, object_store::Error>> + 'a> {
        let Some(runtime) = &self.remote else {
            return Box::new(objects.map(|object| self.end(object)));
        };
        let mut ends = stream::iter(objects).map(|object| self.remote_end(object)).buffered(ENDS_AT_ONCE);
        Box::new(std::iter::from_fn(move || wait(runtime, ends.next())))
    }

    /// The size and the last four bytes of an object; nothing when it is not there.
    pub(crate) fn end(&self, object: &str) -> Result<Option<End>, object_store::Error> {
        if let Some(runtime) = &self.remote {
            return wait(runtime, self.remote_end(object));
        }
        let Some(len) = self.len(object)? else { return Ok(None) };
        let bytes = self.read(object, len.saturating_sub(4)..len)?;
        Ok(Some(End { len, bytes }))
    }

    async fn remote_end(&self, object: &str) -> Result<Option<End>, object_store::Error> {
        let options = GetOptions { range: Some(GetRange::Suffix(4)), ..GetOptions::default() };
        match self.reader.get_opts(&ObjectPath::from(object), options).await {
            Ok(found) => {
                let len = found.meta.size;
                Ok(Some(End { len, bytes: found.bytes().await? }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A large part of an object that is read once.
    pub(crate) fn read_once(&self, object: &str, range: Range<u64>) -> Result<Bytes, object_store::Error> {
        if self.remote.is_some() {
            return self.read(object, range);
        }
        let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let bytes = self.disk.read_once_at(&self.dir.join(object), range.start, len);
        bytes.map_err(|error| local::not_read(object, error))
    }

    /// Parts of an object, if it is a file.
    pub(crate) fn read_here(
        &self,
        object: &str,
        ranges: &[Range<u64>],
    ) -> Option<Result<Vec<Bytes>, object_store::Error>> {
        if self.remote.is_some() {
            return None;
        }
        let read = self.disk.read_parts(&self.dir.join(object), ranges);
        Some(read.map_err(|error| local::not_read(object, error)))
    }

    /// Begins to read parts of an object that are asked for next, if it is a file.
    pub(crate) fn read_ahead(&self, object: &str, parts: &[Range<u64>]) {
        if self.remote.is_none() {
            self.disk.read_ahead(&self.dir.join(object), parts);
        }
    }

    /// A part of an object.
    pub(crate) fn read(&self, object: &str, range: Range<u64>) -> Result<Bytes, object_store::Error> {
        match &self.remote {
            None => {
                let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                let bytes = self.disk.read_at(&self.dir.join(object), range.start, len);
                bytes.map(Bytes::from).map_err(|error| local::not_read(object, error))
            }
            Some(runtime) => wait(runtime, self.reader.get_range(&ObjectPath::from(object), range)),
        }
    }
}

/// Removing or moving what is not there is no failure.
fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

pub(crate) fn failed(path: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> WorkError {
    WorkError::Write { path: path.to_owned(), source: source.into() }
}

/// Waits for an object store. Works on every thread but that of a runtime which has only one.
fn wait<T>(runtime: &Handle, answer: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| runtime.block_on(answer))
}
