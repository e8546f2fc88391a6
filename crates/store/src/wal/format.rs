//! The layout of the log's files. Numbers are little-endian.
//!
//! A file begins with a header in a block of its own. Entries that were written together follow each other
//! without gaps and are filled up with zeros to a whole block, so that what was synced is never written
//! again with what comes after it. Every entry begins with the file's marker, eight bytes that no sender
//! can know: a body that looks like an entry is not taken for one when a damaged place is skipped.
//!
//! Files of version 1 have a header of one sector and nothing to fill up; they are read by the same rules.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use model::Lsn;

use super::entry::{Entry, EntryMeta};
use super::error::WalError;
use crate::disk::BLOCK;

const MAGIC: [u8; 8] = *b"FRESNWAL";
/// The version that is written.
pub(super) const VERSION: u32 = 4;
/// One sector, so that a sector that goes bad never takes both the header and the first entry.
pub(super) const FILE_HEADER_LEN: usize = 512;
/// Marker, LSN, first LSN of the group, length of metadata and of body, CRC of both, CRC of the header.
pub(super) const ENTRY_HEADER_LEN: usize = 40;
/// The greatest metadata and body together.
pub(super) const PAYLOAD_LEN_MAX: usize = 1 << 30;

/// Where the next block begins.
pub(super) fn block_end(offset: u64) -> u64 {
    offset.next_multiple_of(BLOCK as u64)
}

/// `<first lsn, 20 digits>.wal`
pub(super) fn file_name(first_lsn: Lsn) -> String {
    format!("{first_lsn:020}.wal")
}

/// The reverse of [`file_name`].
pub(super) fn parse_file_name(name: &str) -> Option<Lsn> {
    let digits = name.strip_suffix(".wal")?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

pub(super) fn wal_dir(dir: &Path) -> PathBuf {
    dir.join("wal")
}

pub(super) fn set_aside_dir(dir: &Path) -> PathBuf {
    dir.join("set-aside")
}

/// What a file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) version: u32,
    pub(super) first_lsn: Lsn,
    pub(super) marker: [u8; 8],
}

impl FileHeader {
    pub(super) fn encode(self) -> [u8; FILE_HEADER_LEN] {
        let mut bytes = [0; FILE_HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.version.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.first_lsn.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.marker);
        let crc = crc32fast::hash(&bytes[..28]);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let sound = bytes.len() >= FILE_HEADER_LEN
            && bytes[..8] == MAGIC
            && crc32fast::hash(&bytes[..28]) == u32_at(bytes, 28);
        sound.then(|| Self {
            version: u32_at(bytes, 8),
            first_lsn: u64_at(bytes, 12),
            marker: bytes[20..28].try_into().expect("it is a range of 8"),
        })
    }
}

/// What stands before an entry's metadata and body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryHeader {
    pub(super) marker: [u8; 8],
    pub(super) lsn: Lsn,
    /// The first LSN that was written and synced together with this one: all before it were durable when
    /// this entry was written.
    pub(super) group_first: Lsn,
    pub(super) meta_len: u32,
    pub(super) body_len: u32,
    pub(super) payload_crc: u32,
}

impl EntryHeader {
    pub(super) fn encode(self) -> [u8; ENTRY_HEADER_LEN] {
        let mut bytes = [0; ENTRY_HEADER_LEN];
        bytes[..8].copy_from_slice(&self.marker);
        bytes[8..16].copy_from_slice(&self.lsn.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.group_first.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.meta_len.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.body_len.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.payload_crc.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..36]);
        bytes[36..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; nothing when the bytes are none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let sound = bytes.len() >= ENTRY_HEADER_LEN && crc32fast::hash(&bytes[..36]) == u32_at(bytes, 36);
        sound.then(|| Self {
            marker: bytes[..8].try_into().expect("it is a range of 8"),
            lsn: u64_at(bytes, 8),
            group_first: u64_at(bytes, 16),
            meta_len: u32_at(bytes, 24),
            body_len: u32_at(bytes, 28),
            payload_crc: u32_at(bytes, 32),
        })
    }

    pub(super) fn payload_len(self) -> usize {
        self.meta_len as usize + self.body_len as usize
    }

    pub(super) fn entry_len(self) -> usize {
        ENTRY_HEADER_LEN + self.payload_len()
    }
}

/// An entry encoded but for its place in the log; made on the sender's thread.
pub(super) struct Encoded {
    /// Room for the header, then the metadata.
    head: Vec<u8>,
    body: Bytes,
    payload_crc: u32,
}

impl Encoded {
    pub(super) fn new(meta: &EntryMeta, body: Bytes) -> Self {
        let mut head = Vec::with_capacity(160);
        head.resize(ENTRY_HEADER_LEN, 0);
        meta.encode(&mut head);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head[ENTRY_HEADER_LEN..]);
        crc.update(&body);
        Self { head, body, payload_crc: crc.finalize() }
    }

    pub(super) fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    pub(super) fn check(&self) -> Result<(), WalError> {
        if self.len() - ENTRY_HEADER_LEN <= PAYLOAD_LEN_MAX {
            Ok(())
        } else {
            Err(WalError::TooLarge { limit: PAYLOAD_LEN_MAX })
        }
    }

    /// Fills in the header; the parts of [`Encoded::parts`] are then what is written.
    pub(super) fn place(&mut self, marker: [u8; 8], lsn: Lsn, group_first: Lsn) {
        let len = |bytes: usize| u32::try_from(bytes).expect("`check` bounds it");
        let header = EntryHeader {
            marker,
            lsn,
            group_first,
            meta_len: len(self.head.len() - ENTRY_HEADER_LEN),
            body_len: len(self.body.len()),
            payload_crc: self.payload_crc,
        };
        self.head[..ENTRY_HEADER_LEN].copy_from_slice(&header.encode());
    }

    pub(super) fn parts(&self) -> [&[u8]; 2] {
        [&self.head, &self.body]
    }
}

/// Reads the metadata and body that follow a header.
pub(super) fn decode_payload(header: EntryHeader, payload: &[u8]) -> Result<Entry, &'static str> {
    if crc32fast::hash(payload) != header.payload_crc {
        return Err("its checksum does not match");
    }
    let (meta, body) = payload.split_at(header.meta_len as usize);
    let meta = EntryMeta::decode(meta).ok_or("its metadata cannot be read")?;
    Ok(Entry { meta, body: Bytes::copy_from_slice(body) })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("it is a range of 4"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("it is a range of 8"))
}
