use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice, Write};
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

#[cfg(target_os = "linux")]
use super::BLOCK;
use super::{DirEntry, Disk, File};

/// The file system of the operating system.
///
/// Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct LocalDisk {
    /// Directories that are known to be durable.
    durable: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl LocalDisk {
    /// Begins with nothing that is known to be durable.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Whether a folder is not ours to sync, or its file system does not sync folders.
fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), PermissionDenied | InvalidInput | ReadOnlyFilesystem | Unsupported)
}

struct LocalFile {
    file: fs::File,
    /// Where the next write goes. Kept here, because a failed write leaves the descriptor's own position
    /// anywhere.
    end: u64,
}

impl Disk for LocalDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let existed = dir.is_dir();
        if existed && self.durable.lock().contains(dir) {
            return Ok(());
        }
        let parent =
            dir.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
        // The root, or where we are.
        let Some(parent) = parent.filter(|parent| *parent != dir) else { return Ok(()) };
        self.create_dir_all(parent)?;
        match fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // One that is there already may be of a process that ended before it had synced the name.
        match self.sync_dir(parent) {
            // Where that cannot be, we did not make it.
            Err(error) if existed && is_refused(&error) => {}
            synced => synced?,
        }
        self.durable.lock().insert(dir.to_owned());
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = match entry.metadata() {
                // Removed since the directory was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            let is_dir = metadata.is_dir();
            entries.push(DirEntry { name, len: if is_dir { 0 } else { metadata.len() }, is_dir });
        }
        entries.sort();
        Ok(entries)
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = OpenOptions::new().write(true).open(path)?;
        let end = file.metadata()?.len();
        Ok(Box::new(LocalFile { file, end }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
        Ok(Box::new(LocalFile { file, end: 0 }))
    }

    #[cfg(target_os = "linux")]
    fn create_direct(&self, path: &Path) -> io::Result<Box<dyn File>> {
        match super::direct::DirectFile::create(path)? {
            Some(file) => Ok(Box::new(file)),
            None => self.create(path),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; len];
        fs::File::open(path)?.read_exact_at(&mut buffer, offset)?;
        Ok(buffer)
    }

    fn read_parts(&self, path: &Path, parts: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        let file = fs::File::open(path)?;
        let read = |part: &Range<u64>| {
            let len = usize::try_from(part.end.saturating_sub(part.start)).map_err(io::Error::other)?;
            let mut buffer = Vec::with_capacity(len);
            while buffer.len() < len {
                let at = part.start + buffer.len() as u64;
                // The room is not written before it is read into; there may be more of it than is wanted.
                match rustix::io::pread(&file, rustix::buffer::spare_capacity(&mut buffer), at) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => buffer.truncate(len),
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(Bytes::from(buffer))
        };
        parts.iter().map(read).collect()
    }

    #[cfg(target_os = "linux")]
    fn read_ahead(&self, path: &Path, parts: &[Range<u64>]) {
        // Whoever reads them is told what is wrong with the file.
        let Ok(file) = fs::File::open(path) else { return };
        // What is less than a block apart is one piece.
        let near = |one: &Range<u64>, next: &Range<u64>| {
            (one.start..one.end.saturating_add(BLOCK as u64)).contains(&next.start)
        };
        for pieces in parts.chunk_by(near) {
            let start = pieces.iter().map(|part| part.start).min().unwrap_or(0);
            let end = pieces.iter().map(|part| part.end).max().unwrap_or(0);
            let Some(len) = NonZeroU64::new(end.saturating_sub(start)) else { continue };
            let _ = rustix::fs::fadvise(&file, start, Some(len), rustix::fs::Advice::WillNeed);
        }
    }

    #[cfg(target_os = "linux")]
    fn read_once_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Bytes> {
        match super::direct::read_at(path, offset, len)? {
            Some(bytes) => Ok(bytes),
            None => self.read_at(path, offset, len).map(Bytes::from),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.try_lock()?;
        Ok(Box::new(file))
    }

    fn available_bytes(&self, dir: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

impl File for LocalFile {
    fn write_all_vectored(&mut self, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        use std::io::Seek;
        self.file.seek(io::SeekFrom::Start(self.end))?;
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match self.file.write_vectored(parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.end += written as u64;
                    IoSlice::advance_slices(&mut parts, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.end = len;
        Ok(())
    }

    fn len(&self) -> u64 {
        self.end
    }
}
