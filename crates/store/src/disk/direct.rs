//! Files that are written, and read, past the page cache.
//!
//! What is written once and not read soon has no place there: copying it in, finding pages for it and
//! writing them back took a fifth of the processor time of a log that is fed with uncompressed bodies,
//! and a tenth of that of the segments (docs/adr/003). Bytes are collected in blocks, in memory that is
//! used again and again.

use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::{BLOCK, File};

/// What is handed to the system at once. The log's sync waits for what the device has taken from others
/// before it: behind pieces of 1 MiB its 99th percentile was four times as long (docs/adr/003).
const PIECE: usize = 128 << 10;

pub(super) struct DirectFile {
    file: fs::File,
    /// The next byte of the file to be written; a multiple of a block.
    end: u64,
    memory: Blocks,
    /// How much of `memory` is filled.
    filled: usize,
    /// How much of the last block is not the file's.
    padding: usize,
}

/// Memory that begins where the system wants it to.
struct Blocks {
    bytes: Vec<u8>,
    start: usize,
}

impl Blocks {
    fn new(len: usize) -> Self {
        let bytes = vec![0; len + BLOCK];
        let start = bytes.as_ptr().align_offset(BLOCK).min(BLOCK);
        Self { bytes, start }
    }

    fn range(&mut self, from: usize, len: usize) -> &mut [u8] {
        &mut self.bytes[self.start + from..][..len]
    }
}

impl DirectFile {
    /// Creates or empties a file. Nothing where the file system knows no such writes.
    pub(super) fn create(path: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let direct = i32::try_from(OFlags::DIRECT.bits()).expect("flags of open are an int");
        match options.custom_flags(direct).open(path) {
            Ok(file) => Ok(Some(Self { file, end: 0, memory: Blocks::new(PIECE), filled: 0, padding: 0 })),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes what has been collected: whole blocks.
    fn flush(&mut self) -> io::Result<()> {
        let blocks = self.memory.range(0, self.filled);
        let written = self.file.write_all_at(blocks, self.end);
        match written {
            // Some file systems take the flag and refuse the write; they get an ordinary one.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let flags = fcntl_getfl(&self.file)?;
                fcntl_setfl(&self.file, flags - OFlags::DIRECT)?;
                self.file.write_all_at(blocks, self.end)?;
            }
            other => other?,
        }
        self.end += self.filled as u64;
        self.filled = 0;
        Ok(())
    }
}

impl File for DirectFile {
    fn write_all_vectored(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        for part in parts {
            let mut rest: &[u8] = part;
            while !rest.is_empty() {
                let take = rest.len().min(PIECE - self.filled);
                let (now, later) = rest.split_at(take);
                self.memory.range(self.filled, take).copy_from_slice(now);
                self.filled += take;
                rest = later;
                if self.filled == PIECE {
                    self.flush()?;
                }
            }
        }
        // A group of the log ends here; the rest of a segment waits for more.
        if self.filled > 0 && self.filled.is_multiple_of(BLOCK) { self.flush() } else { Ok(()) }
    }

    fn end(&mut self) -> io::Result<()> {
        if self.filled == 0 {
            return Ok(());
        }
        self.padding = self.filled.next_multiple_of(BLOCK) - self.filled;
        self.memory.range(self.filled, self.padding).fill(0);
        self.filled += self.padding;
        self.flush()?;
        self.file.set_len(self.len())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        if self.filled > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a part of a block waits for its end"));
        }
        self.file.sync_data()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        (self.end, self.filled, self.padding) = (len, 0, 0);
        Ok(())
    }

    fn len(&self) -> u64 {
        self.end + self.filled as u64 - self.padding as u64
    }
}

/// Exactly `len` bytes from `offset`, past the page cache. Nothing where the file system knows no such
/// reads.
pub(super) fn read_at(path: &Path, offset: u64, len: usize) -> io::Result<Option<Bytes>> {
    let direct = i32::try_from(OFlags::DIRECT.bits()).expect("flags of open are an int");
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidInput => Ok(None),
        _ => Err(error),
    };
    let file = match OpenOptions::new().read(true).custom_flags(direct).open(path) {
        Ok(file) => file,
        Err(error) => return refused(error),
    };
    let before = usize::try_from(offset % BLOCK as u64).unwrap_or(0);
    let wanted = before + len;
    let mut memory = Blocks::new(wanted.next_multiple_of(BLOCK));
    let mut found = 0;
    while found < wanted {
        // The last block of a file may be a part of one; nothing is found behind it.
        let rest = wanted.next_multiple_of(BLOCK) - found;
        let rest = memory.range(found, rest.min(PIECE));
        match file.read_at(rest, offset - before as u64 + found as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => found += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return refused(error),
        }
        if !found.is_multiple_of(BLOCK) && found < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let start = memory.start + before;
    Ok(Some(Bytes::from(memory.bytes).slice(start..start + len)))
}
