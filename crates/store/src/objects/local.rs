use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::disk::Disk;

/// Objects as files below a directory, for reading. Writing goes through [`super::Objects`], which
/// syncs what it writes.
#[derive(Clone)]
pub(super) struct LocalObjects(Arc<Root>);

struct Root {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl LocalObjects {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self(Arc::new(Root { disk, dir: dir.to_owned() }))
    }

    /// Runs `read` where it may block.
    async fn read<T: Send + 'static>(
        &self,
        location: &ObjectPath,
        read: impl FnOnce(&dyn Disk, &Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let root = Arc::clone(&self.0);
        let path = root.dir.join(location.as_ref());
        let done = tokio::task::spawn_blocking(move || read(&*root.disk, &path)).await;
        done.map_err(io::Error::other).flatten().map_err(|error| not_read(location.as_ref(), error))
    }
}

pub(super) fn not_read(location: &str, source: io::Error) -> Error {
    let path = location.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path, source: source.into() },
        _ => Error::Generic { store: "local", source: source.into() },
    }
}

fn meta(location: &ObjectPath, size: u64) -> ObjectMeta {
    // Objects never change: when one was written says nothing about its content.
    let last_modified = Default::default();
    ObjectMeta { location: location.clone(), last_modified, size, e_tag: None, version: None }
}

fn read_only(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.into(), implementer: "the store's local objects".into() }
}

#[async_trait]
impl ObjectStore for LocalObjects {
    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        let (wanted, head) = (options.range, options.head);
        let read = move |disk: &dyn Disk, path: &Path| {
            let size = disk.len(path)?;
            let range = match wanted {
                Some(wanted) => wanted.as_range(size).map_err(io::Error::other)?,
                None => 0..size,
            };
            let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
            let bytes = if head { Vec::new() } else { disk.read_at(path, range.start, len)? };
            Ok((Bytes::from(bytes), range, size))
        };
        let (bytes, range, size) = self.read(location, read).await?;
        let payload = GetResultPayload::Stream(stream::once(async { Ok(bytes) }).boxed());
        Ok(GetResult { payload, meta: meta(location, size), range, attributes: Default::default() })
    }

    /// All in one go, and nothing that was not asked for: a read costs a system call, not a round
    /// trip.
    async fn get_ranges(&self, location: &ObjectPath, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let ranges = ranges.to_vec();
        self.read(location, move |disk, path| disk.read_parts(path, &ranges)).await
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let files = async move {
            let from = prefix.clone();
            let read = move |disk: &dyn Disk, dir: &Path| {
                let mut files = Vec::new();
                walk(disk, dir, &from, &mut files)?;
                Ok(files)
            };
            match this.read(&prefix, read).await {
                Ok(files) => files.into_iter().map(Ok).collect(),
                Err(Error::NotFound { .. }) => Vec::new(),
                Err(error) => vec![Err(error)],
            }
        };
        stream::once(files).map(stream::iter).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        let from = prefix.clone();
        let read = move |disk: &dyn Disk, dir: &Path| {
            let mut result = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
            for entry in disk.list(dir)? {
                let location = from.clone().join(entry.name.as_str());
                match entry.is_dir {
                    true => result.common_prefixes.push(location),
                    false => result.objects.push(meta(&location, entry.len)),
                }
            }
            Ok(result)
        };
        self.read(&prefix, read).await
    }

    async fn put_opts(&self, _: &ObjectPath, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only("put"))
    }

    async fn put_multipart_opts(
        &self,
        _: &ObjectPath,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only("put_multipart"))
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<ObjectPath>>,
    ) -> BoxStream<'static, Result<ObjectPath>> {
        locations.map(|_| Err(read_only("delete"))).boxed()
    }

    async fn copy_opts(&self, _: &ObjectPath, _: &ObjectPath, _: CopyOptions) -> Result<()> {
        Err(read_only("copy"))
    }
}

/// All files below `dir`, which is at `at`.
pub(super) fn walk(
    disk: &dyn Disk,
    dir: &Path,
    at: &ObjectPath,
    files: &mut Vec<ObjectMeta>,
) -> io::Result<()> {
    for entry in disk.list(dir)? {
        let location = at.clone().join(entry.name.as_str());
        if entry.is_dir {
            walk(disk, &dir.join(&entry.name), &location, files)?;
        } else {
            files.push(meta(&location, entry.len));
        }
    }
    Ok(())
}

impl fmt::Display for LocalObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local objects in {}", self.0.dir.display())
    }
}

impl fmt::Debug for LocalObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
