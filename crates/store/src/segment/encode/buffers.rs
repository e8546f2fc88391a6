use std::io::Read;
use std::sync::Arc;

use bytes::buf::{Buf, Reader};
use bytes::{Bytes, BytesMut};
use model::{Budget, Reservation};
use parking_lot::Mutex;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// Bytes that are kept for the next segment at most: what the longest columns of a seal take.
const KEPT_MAX: u64 = 8 << 20;
/// And this part of the memory budget.
const KEPT_PART: u64 = 64;
/// Shorter ones are not worth it.
const KEPT_LEN: usize = 4 << 10;

/// Buffers of the segments that are written, kept from one to the next: memory that is touched for the first
/// time costs more than what is written to it. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Buffers(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    buffers: Vec<Vec<u8>>,
    limit: u64,
    memory: Reservation,
}

impl Buffers {
    /// None yet, and never more than a small part of the budget.
    pub(crate) fn new(budget: &Budget) -> Self {
        let limit = KEPT_MAX.min(budget.limit() / KEPT_PART);
        Self(Arc::new(Mutex::new(Kept { buffers: Vec::new(), limit, memory: budget.take(0) })))
    }

    /// What is kept, for one who writes a segment; another one who does so meanwhile begins with none.
    pub(super) fn borrow(&self) -> Spare {
        let mut kept = self.0.lock();
        kept.memory.settle(0);
        Spare { buffers: std::mem::take(&mut kept.buffers), home: self.clone() }
    }

    fn keep(&self, buffers: &mut Vec<Vec<u8>>) {
        let mut kept = self.0.lock();
        buffers.append(&mut kept.buffers);
        buffers.sort_unstable_by_key(Vec::capacity);
        // The largest that there is room for.
        let mut left = kept.limit;
        let mut fits = |buffer: &mut Vec<u8>| {
            let rest = left.checked_sub(buffer.capacity() as u64);
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let mut largest: Vec<_> = buffers.drain(..).rev().collect();
        largest.retain_mut(&mut fits);
        buffers.extend(largest.into_iter().rev());
        kept.memory.settle(bytes(buffers));
        kept.buffers = std::mem::take(buffers);
    }
}

/// Buffers of one segment that is being written.
pub(super) struct Spare {
    /// The largest last.
    buffers: Vec<Vec<u8>>,
    home: Buffers,
}

impl Spare {
    pub(super) fn bytes(&self) -> usize {
        self.buffers.iter().map(Vec::capacity).sum()
    }

    /// An empty buffer for what grows: the largest.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    /// An empty buffer for so many bytes: the smallest that has room.
    pub(super) fn take_for(&mut self, len: usize) -> Vec<u8> {
        let place = self.buffers.partition_point(|buffer| buffer.capacity() < len);
        if place < self.buffers.len() { self.buffers.remove(place) } else { Vec::with_capacity(len) }
    }

    pub(super) fn put(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() < KEPT_LEN {
            return;
        }
        buffer.clear();
        let place = self.buffers.partition_point(|other| other.capacity() < buffer.capacity());
        self.buffers.insert(place, buffer);
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.home.clone().keep(&mut self.buffers);
    }
}

fn bytes(buffers: &[Vec<u8>]) -> u64 {
    buffers.iter().map(|buffer| buffer.capacity() as u64).sum()
}

/// The bytes of a column of a row group: its dictionary page, and its data pages.
pub(in crate::segment) struct ColumnBytes {
    dictionary: Bytes,
    pages: Bytes,
}

impl ColumnBytes {
    pub(super) fn new(dictionary: Vec<u8>, pages: Vec<u8>) -> Self {
        Self { dictionary: dictionary.into(), pages: pages.into() }
    }

    pub(in crate::segment) fn len(&self) -> usize {
        self.dictionary.len() + self.pages.len()
    }

    /// Where its data pages begin.
    pub(super) fn first_page(&self) -> usize {
        self.dictionary.len()
    }

    /// The buffers that it was made of.
    pub(super) fn into_buffers(self) -> impl Iterator<Item = Vec<u8>> {
        [self.dictionary, self.pages].into_iter().map(Vec::from)
    }
}

impl Length for ColumnBytes {
    fn len(&self) -> u64 {
        ColumnBytes::len(self) as u64
    }
}

impl ChunkReader for ColumnBytes {
    type T = std::io::Chain<Reader<Bytes>, Reader<Bytes>>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let start = usize::try_from(start)?;
        let of_pages = start.saturating_sub(self.dictionary.len());
        if of_pages > self.pages.len() {
            return Err(ParquetError::EOF(format!("a column of {} bytes has none at {start}", self.len())));
        }
        let dictionary = self.dictionary.slice(start.min(self.dictionary.len())..);
        Ok(dictionary.reader().chain(self.pages.slice(of_pages..).reader()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = BytesMut::zeroed(length);
        self.get_read(start)?.read_exact(&mut bytes)?;
        Ok(bytes.freeze())
    }
}
