//! Reads one file of the log, entry by entry, over damaged places.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Lsn;

use super::entry::Entry;
use super::error::WalError;
use super::format::{
    ENTRY_HEADER_LEN, EntryHeader, FILE_HEADER_LEN, FileHeader, PAYLOAD_LEN_MAX, VERSION, block_end,
    decode_payload,
};
use crate::disk::Disk;

/// How much is read at once.
const WINDOW: usize = 1 << 20;
/// What is read at once where the disk reports errors.
const PAGE: usize = 4096;

/// The next thing in a file.
pub(super) enum Found {
    /// An entry that is whole; its content only when it was asked for.
    Entry { header: EntryHeader, entry: Option<Entry> },
    /// A place where entries were.
    Damaged(Hole),
    /// No entry comes any more.
    End,
}

/// A damaged place.
#[derive(Clone, Debug)]
pub(super) struct Hole {
    /// The first LSN that is lost.
    pub(super) first_lsn: Lsn,
    /// The first that is not.
    pub(super) next_lsn: Lsn,
    /// Where it was; empty when there is not even damage.
    pub(super) range: Range<u64>,
    pub(super) reason: &'static str,
    /// Whether it has the shape of one entry, only with another content.
    pub(super) altered: bool,
}

impl Hole {
    pub(super) fn new(first_lsn: Lsn, next_lsn: Lsn, range: Range<u64>, reason: &'static str) -> Self {
        Self { first_lsn, next_lsn, range, reason, altered: false }
    }
}

/// A position in a file of the log.
pub(super) struct FileScan {
    window: Window,
    /// Nothing when neither the file's header nor its first entry can be read.
    marker: Option<[u8; 8]>,
    pub(super) offset: u64,
    /// The LSN that should come next.
    pub(super) expected: Lsn,
}

impl FileScan {
    /// Opens a file that should begin with an LSN and is `len` bytes long.
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        path: &Path,
        first_lsn: Lsn,
        len: u64,
    ) -> Result<Self, WalError> {
        let mut window = Window::new(Arc::clone(disk), path.to_owned(), len);
        let header = FileHeader::decode(window.at(0, FILE_HEADER_LEN));
        if let Some(FileHeader { version, .. }) = header
            && version > VERSION
        {
            return Err(WalError::Version { path: path.to_owned(), version, known: VERSION });
        }
        let marker = header.map(|header| header.marker).or_else(|| {
            let places = [FILE_HEADER_LEN as u64, block_end(FILE_HEADER_LEN as u64)];
            let mut firsts = places.iter().map(|at| EntryHeader::decode(window.at(*at, ENTRY_HEADER_LEN)));
            firsts.find_map(|first| first.map(|first| first.marker))
        });
        let offset = if marker.is_some() { FILE_HEADER_LEN as u64 } else { 0 };
        let mut scan = Self { window, marker, offset, expected: first_lsn };
        if scan.marker.is_some() {
            scan.skip_fill();
        }
        Ok(scan)
    }

    /// The length of the file.
    pub(super) fn len(&self) -> u64 {
        self.window.len
    }

    /// The next entry or damaged place. Entries below `from` are passed over without looking into them.
    pub(super) fn next(&mut self, from: Lsn) -> Found {
        if self.offset >= self.window.len {
            return Found::End;
        }
        let start = self.offset;
        let Some((at, header)) = self.find_header() else {
            return Found::End;
        };
        // Between two entries that follow each other there can be nothing but fill, whatever became of it.
        if header.lsn > self.expected {
            let reason = if at > start { "no entry can be read there" } else { "entries are missing there" };
            let hole = Hole::new(self.expected, header.lsn, start..at, reason);
            (self.offset, self.expected) = (at, header.lsn);
            return Found::Damaged(hole);
        }
        self.offset = at + header.entry_len() as u64;
        self.expected = header.lsn + 1;
        self.skip_fill();
        if header.lsn < from {
            return Found::Entry { header, entry: None };
        }
        let payload = self.window.at(at + ENTRY_HEADER_LEN as u64, header.payload_len());
        match decode_payload(header, payload) {
            Ok(entry) => Found::Entry { header, entry: Some(entry) },
            Err(reason) => {
                let hole = Hole::new(header.lsn, header.lsn + 1, at..self.offset, reason);
                Found::Damaged(Hole { altered: true, ..hole })
            }
        }
    }

    /// Goes over the zeros that fill the last block of a group, as far as there are any. An entry may begin
    /// with the last bytes of a block, and its marker with zeros.
    fn skip_fill(&mut self) {
        let left = block_end(self.offset).min(self.window.len).saturating_sub(self.offset);
        let left = usize::try_from(left).expect("less than a block");
        let zeros = self.window.at(self.offset, left).iter().all(|byte| *byte == 0);
        let (marker, offset) = (self.marker, self.offset);
        if zeros && marker.is_none_or(|marker| self.header_at(offset, marker).is_none()) {
            self.offset += left as u64;
        }
    }

    /// The first entry at or after the offset.
    fn find_header(&mut self) -> Option<(u64, EntryHeader)> {
        let marker = self.marker?;
        let mut at = self.offset;
        loop {
            if let Some(header) = self.header_at(at, marker) {
                return Some((at, header));
            }
            at = self.find_marker(at + 1, marker)?;
        }
    }

    fn header_at(&mut self, at: u64, marker: [u8; 8]) -> Option<EntryHeader> {
        let header = EntryHeader::decode(self.window.at(at, ENTRY_HEADER_LEN))?;
        let fits = header.payload_len() <= PAYLOAD_LEN_MAX
            && header.entry_len() as u64 <= self.window.len.saturating_sub(at);
        (header.marker == marker && header.lsn >= self.expected && fits).then_some(header)
    }

    fn find_marker(&mut self, mut from: u64, marker: [u8; 8]) -> Option<u64> {
        while from + ENTRY_HEADER_LEN as u64 <= self.window.len {
            let len = usize::try_from(self.window.len - from).unwrap_or(WINDOW).min(WINDOW);
            let bytes = self.window.at(from, len);
            if let Some(at) = bytes.windows(marker.len()).position(|bytes| bytes == marker) {
                return Some(from + at as u64);
            }
            // A marker may begin in the last bytes.
            from += (len - (marker.len() - 1)) as u64;
        }
        None
    }
}

/// A moving view of a file.
struct Window {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn new(disk: Arc<dyn Disk>, path: PathBuf, len: u64) -> Self {
        Self { disk, path, len, start: 0, bytes: Vec::new() }
    }

    /// The bytes from an offset; fewer at the end of the file.
    fn at(&mut self, offset: u64, len: usize) -> &[u8] {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = len.min(left);
        let inside = offset >= self.start && offset + len as u64 <= self.start + self.bytes.len() as u64;
        if !inside {
            self.bytes = read_what_can_be(&*self.disk, &self.path, offset, len.max(WINDOW).min(left));
            self.start = offset;
        }
        let at = usize::try_from(offset - self.start).expect("it is inside of a buffer");
        &self.bytes[at..at + len]
    }
}

/// Reads a range; where the disk cannot, there are zeros, which no checksum takes for an entry.
fn read_what_can_be(disk: &dyn Disk, path: &Path, offset: u64, len: usize) -> Vec<u8> {
    let error = match disk.read_at(path, offset, len) {
        Ok(bytes) => return bytes,
        Err(error) => error,
    };
    tracing::warn!(path = %path.display(), offset, len, %error, "cannot read a part of the write-ahead log");
    let mut bytes = vec![0; len];
    if error.kind() == io::ErrorKind::NotFound {
        return bytes;
    }
    for (page, chunk) in bytes.chunks_mut(PAGE).enumerate() {
        if let Ok(read) = disk.read_at(path, offset + (page * PAGE) as u64, chunk.len()) {
            chunk.copy_from_slice(&read);
        }
    }
    bytes
}
