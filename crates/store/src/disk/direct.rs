//! A file that is written past the page cache.
//!
//! What is written once and not read again has no place there: copying it in, finding pages for it and
//! writing them back took a fifth of the processor time of a log that is fed with uncompressed bodies
//! (docs/adr/003). Bytes are collected in blocks, in memory that is used again and again.

use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::{BLOCK, File};

/// What is handed to the system at once: small enough to stay in the processor's cache.
const BUFFER: usize = 1 << 20;

pub(super) struct DirectFile {
    file: fs::File,
    /// The next byte of the file to be written; a multiple of a block.
    end: u64,
    memory: Vec<u8>,
    /// Where the aligned part of `memory` begins, and how much of it is filled.
    start: usize,
    filled: usize,
}

impl DirectFile {
    /// Creates or empties a file. Nothing where the file system knows no such writes.
    pub(super) fn create(path: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let direct = i32::try_from(OFlags::DIRECT.bits()).expect("flags of open are an int");
        match options.custom_flags(direct).open(path) {
            Ok(file) => {
                let memory = vec![0; BUFFER + BLOCK];
                let start = memory.as_ptr().align_offset(BLOCK).min(BLOCK);
                Ok(Some(Self { file, end: 0, memory, start, filled: 0 }))
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes what has been collected: whole blocks.
    fn flush(&mut self) -> io::Result<()> {
        let block = &self.memory[self.start..self.start + self.filled];
        let written = self.file.write_all_at(block, self.end);
        match written {
            // Some file systems take the flag and refuse the write; they get an ordinary one.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let flags = fcntl_getfl(&self.file)?;
                fcntl_setfl(&self.file, flags - OFlags::DIRECT)?;
                self.file.write_all_at(block, self.end)?;
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
        self.filled = 0;
        for part in parts {
            let mut rest: &[u8] = part;
            while !rest.is_empty() {
                let take = rest.len().min(BUFFER - self.filled);
                let (now, later) = rest.split_at(take);
                let at = self.start + self.filled;
                self.memory[at..at + take].copy_from_slice(now);
                self.filled += take;
                rest = later;
                if self.filled == BUFFER {
                    self.flush()?;
                }
            }
        }
        if !self.filled.is_multiple_of(BLOCK) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "what is written is no whole block"));
        }
        if self.filled > 0 { self.flush() } else { Ok(()) }
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
