//! Where the spans of each trace are in a segment.
//!
//! Between the last row group and the footer, found by the footer's key [`KEY`], unseen by other
//! readers: first the fences (per block the first hash in it and where it begins), then the
//! blocks: per trace the hash, as difference to the one before, and its row numbers, ascending, as
//! differences. Behind the fences and behind each block is its CRC-32: where bytes have changed
//! nobody could tell a trace that is not there from one that is not found. Hashes are 40 bits of the
//! trace id's xxh3: two traces may share one, so readers compare ids.

use xxhash_rust::xxh3::xxh3_64;

/// The footer's key; its value is `2 <offset> <length> <blocks>`.
pub(crate) const KEY: &str = "fresnel.trace_index";

/// Bytes at which a block is full: what a look-up reads and decodes.
const BLOCK_BYTES: usize = 4 << 10;
const FENCE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;

/// Collects the rows of a segment's traces.
#[derive(Debug, Default)]
pub(crate) struct TraceIndexBuilder(Vec<(u64, u32)>);

/// The fences of a segment's index.
#[derive(Debug)]
pub(crate) struct TraceIndex {
    /// The first hash of each block, and where the block begins in the file.
    fences: Vec<(u64, u64)>,
    end: u64,
}

pub(crate) fn hash(trace_id: &[u8]) -> u64 {
    xxh3_64(trace_id) >> 24
}

impl TraceIndexBuilder {
    pub(crate) fn push(&mut self, hash: u64, row: u32) {
        self.0.push((hash, row));
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u64, u32)>()
    }

    /// The index as it is in the file, and its number of blocks.
    pub(crate) fn encode(mut self) -> (Vec<u8>, usize) {
        // What comes from other files is sorted already: runs, which this sort finds and merges.
        self.0.sort();
        let mut fences: Vec<(u64, u32)> = Vec::new();
        let mut blocks = Vec::with_capacity(self.0.len() * 4);
        let mut block_start = 0;
        let mut last = 0;
        for trace in self.0.chunk_by(|a, b| a.0 == b.0) {
            let hash = trace[0].0;
            if fences.is_empty() || blocks.len() - block_start >= BLOCK_BYTES {
                put_crc(&mut blocks, block_start);
                block_start = blocks.len();
                fences.push((hash, u32::try_from(block_start).expect("an index is smaller than 4 GiB")));
                last = hash;
            }
            put(&mut blocks, hash - last);
            put(&mut blocks, trace.len() as u64);
            let mut before = 0;
            for (_, row) in trace {
                put(&mut blocks, u64::from(row - before));
                before = *row;
            }
            last = hash;
        }
        put_crc(&mut blocks, block_start);
        let mut index = Vec::with_capacity(fences.len() * FENCE_BYTES + CRC_BYTES + blocks.len());
        for (hash, start) in &fences {
            index.extend_from_slice(&hash.to_le_bytes());
            index.extend_from_slice(&start.to_le_bytes());
        }
        let crc = crc32fast::hash(&index);
        index.extend_from_slice(&crc.to_le_bytes());
        index.extend_from_slice(&blocks);
        (index, fences.len())
    }
}

/// Where an index is in its file, as the footer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) blocks: u64,
}

impl Place {
    pub(crate) fn format(self) -> String {
        format!("2 {} {} {}", self.offset, self.len, self.blocks)
    }

    /// Nothing when it is of another version, or does not fit into `file_len` bytes.
    pub(crate) fn parse(text: &str, file_len: u64) -> Option<Self> {
        let mut parts = text.split(' ').map(|part| part.parse::<u64>().ok());
        let (version, offset, len, blocks) = (parts.next()??, parts.next()??, parts.next()??, parts.next()??);
        let fits = offset.checked_add(len).is_some_and(|end| end <= file_len)
            && fences_len(blocks).is_some_and(|fences| fences <= len);
        (version == 2 && fits).then_some(Self { offset, len, blocks })
    }

    /// Where the fences are.
    pub(crate) fn fences(self) -> std::ops::Range<u64> {
        self.offset..self.offset + fences_len(self.blocks).unwrap_or(self.len)
    }
}

impl TraceIndex {
    /// From the bytes at [`Place::fences`]; nothing where they are not what was written.
    pub(crate) fn new(place: Place, fences: &[u8]) -> Option<Self> {
        let blocks = place.fences().end;
        let (fences, _) = without_crc(fences)?.as_chunks::<FENCE_BYTES>();
        let fence = |bytes: &[u8; FENCE_BYTES]| {
            let (hash, start) = bytes.split_at(8);
            let start = start.try_into().map_or(0, u32::from_le_bytes);
            (hash.try_into().map_or(0, u64::from_le_bytes), blocks + u64::from(start))
        };
        Some(Self { fences: fences.iter().map(fence).collect(), end: place.offset + place.len })
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.fences.len() * size_of::<(u64, u64)>()) as u64
    }

    /// The bytes of the file in which a trace of this hash is, if it is in it.
    pub(crate) fn block(&self, hash: u64) -> Option<(u64, std::ops::Range<u64>)> {
        let after = self.fences.partition_point(|(first, _)| *first <= hash);
        let (first, start) = *self.fences.get(after.checked_sub(1)?)?;
        let end = self.fences.get(after).map_or(self.end, |(_, start)| *start);
        (start <= end).then_some((first, start..end))
    }
}

/// All hashes and rows of an index, of which these are the bytes; nothing where they are not what was
/// written.
pub(crate) fn all(place: Place, index: &[u8]) -> Option<Vec<(u64, u32)>> {
    let (fences, blocks) = index.split_at_checked(usize::try_from(fences_len(place.blocks)?).ok()?)?;
    let (fences, _) = without_crc(fences)?.as_chunks::<FENCE_BYTES>();
    let firsts = fences.iter().map(|fence| {
        let (hash, start) = fence.split_at(8);
        (hash.try_into().map_or(0, u64::from_le_bytes), start.try_into().map_or(0, u32::from_le_bytes))
    });
    let ends = firsts.clone().skip(1).map(|(_, start)| start as usize).chain([blocks.len()]);
    // Most rows take four bytes.
    let mut rows = Vec::with_capacity(blocks.len() / 4);
    for ((mut hash, start), end) in firsts.zip(ends) {
        let mut input = without_crc(blocks.get(start as usize..end)?)?;
        while !input.is_empty() {
            hash = hash.checked_add(get(&mut input)?)?;
            let mut row = 0u64;
            for _ in 0..get(&mut input)? {
                row = row.checked_add(get(&mut input)?)?;
                rows.push((hash, u32::try_from(row).ok()?));
            }
        }
    }
    Some(rows)
}

/// The rows of a hash in its block, which begins with the hash `first`; nothing where the block is not what
/// was written.
pub(crate) fn rows_in(block: &[u8], first: u64, wanted: u64) -> Option<Vec<u32>> {
    let mut input = without_crc(block)?;
    let mut hash = first;
    let mut rows = Vec::new();
    while let (Some(difference), Some(count)) = (get(&mut input), get(&mut input)) {
        hash = hash.wrapping_add(difference);
        if hash > wanted {
            break;
        }
        let mut row = 0u64;
        for _ in 0..count {
            row = row.checked_add(get(&mut input)?)?;
            if hash == wanted {
                rows.push(u32::try_from(row).ok()?);
            }
        }
    }
    Some(rows)
}

/// The length of so many fences with their checksum.
fn fences_len(blocks: u64) -> Option<u64> {
    blocks.checked_mul(FENCE_BYTES as u64)?.checked_add(CRC_BYTES as u64)
}

/// Ends what began there, if anything did, with its checksum.
fn put_crc(out: &mut Vec<u8>, from: usize) {
    if out.len() > from {
        let crc = crc32fast::hash(&out[from..]);
        out.extend_from_slice(&crc.to_le_bytes());
    }
}

/// What is in front of its checksum, if that is right.
fn without_crc(bytes: &[u8]) -> Option<&[u8]> {
    let (content, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
    (crc32fast::hash(content) == u32::from_le_bytes(*crc)).then_some(content)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn get(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
