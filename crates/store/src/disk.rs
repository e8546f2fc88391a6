//! The one door to the local disk.
//!
//! Enters: paths, bytes. Leaves: bytes, and what is durable. Must hold: nothing in this crate touches a
//! local file but through [`Disk`], so that a test can forget what was not synced. The calls block; async
//! code makes them from a thread of its own or from `spawn_blocking`.

#[cfg(any(test, feature = "simulation"))]
mod chance;
#[cfg(target_os = "linux")]
mod direct;
#[cfg(any(test, feature = "simulation"))]
mod forgetful;
mod local;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "simulation"))]
mod world;

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
#[cfg(any(test, feature = "simulation"))]
pub use chance::Chance;
#[cfg(any(test, feature = "simulation"))]
pub use forgetful::{Faults, ForgetfulDisk};
pub use local::LocalDisk;

/// What a disk writes as one piece, in bytes.
pub const BLOCK: usize = 4096;

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// Its name, without the directory.
    pub name: String,
    /// Its size in bytes; 0 for a directory.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// A file system, as far as the store needs one.
///
/// A name (created, renamed or removed) is durable after [`Disk::sync_dir`] of its directory, content after
/// [`File::sync_data`]. A sync that failed must not be tried again: the kernel may have dropped the pages
/// and would call the second attempt a success.
pub trait Disk: Send + Sync {
    /// Creates the directory and those above it; they are durable on return, also those that were there.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// The entries of a directory, sorted by name; those whose names are not UTF-8 are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    /// Opens an existing file to write at its end.
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Creates a file, or empties an existing one, to write at its end.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Creates a file, or empties an existing one, that is written once and not read soon: its bytes need
    /// not stay in memory. It is written after each call that ends at a multiple of [`BLOCK`], and to its
    /// last byte by [`File::end`]; it is cut only at such multiples.
    fn create_direct(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.create(path)
    }
    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Exactly `len` bytes from `offset`; `UnexpectedEof` when the file has fewer.
    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// As [`Disk::read_at`], several parts of one file.
    fn read_parts(&self, path: &Path, parts: &[Range<u64>]) -> io::Result<Vec<Bytes>> {
        let read = |part: &Range<u64>| {
            let len = usize::try_from(part.end.saturating_sub(part.start)).map_err(io::Error::other)?;
            self.read_at(path, part.start, len).map(Bytes::from)
        };
        parts.iter().map(read).collect()
    }
    /// Begins to read parts of a file that are asked for next, all at the same time, and does not wait for
    /// them. Where that is not possible they are only read later.
    fn read_ahead(&self, path: &Path, parts: &[Range<u64>]) {
        let _ = (path, parts);
    }
    /// As [`Disk::read_at`], of what is read once: it need not stay in memory.
    fn read_once_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Bytes> {
        self.read_at(path, offset, len).map(Bytes::from)
    }
    /// Gives a file another name, replacing a file of that name in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// The size of a file in bytes.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// Takes a file, created if need be, for this process alone until the returned value is dropped;
    /// `WouldBlock` when another process has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
    /// How many bytes can still be written below a directory.
    fn available_bytes(&self, dir: &Path) -> io::Result<u64>;
}

/// A file that is open for writing at its end.
pub trait File: Send {
    /// Appends all parts in order, copying none of them together first.
    ///
    /// On an error any prefix may have been written: the caller cuts it off with [`File::set_len`].
    fn write_all_vectored(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()>;
    /// Writes what was held back of a file of [`Disk::create_direct`], to which nothing is appended any
    /// more.
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
    /// Makes the content, and the length needed to read it, durable.
    fn sync_data(&mut self) -> io::Result<()>;
    /// Cuts the file (or fills it with zeros) to this length; the next write goes to its new end.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> u64;

    /// Whether nothing is in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the bytes.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all_vectored(&mut [IoSlice::new(bytes)])
    }
}
