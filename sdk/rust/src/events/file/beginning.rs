//! What a file of events begins with: its name, the version of its form, and the position of the last
//! event that was deleted from it, with a checksum. The first version, from which nothing was ever
//! deleted, has only the name.

const FIRST: &[u8; 8] = b"FRSNEVT1";
const SECOND: &[u8; 8] = b"FRSNEVT2";
/// Name, position, checksum.
const LENGTH: usize = 8 + 8 + 4;

/// How a file begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// As one of events: the position of the last that was deleted, and where the first append is.
    Whole { deleted: u64, length: u64 },
    /// A crash came before it was written; there is nothing in it.
    CutOff,
    /// It is one of events, and not as it was written.
    Damaged,
    /// It is something else.
    Foreign,
}

/// As it is written.
pub(super) fn bytes_of(deleted: u64) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(SECOND);
    bytes[8..16].copy_from_slice(&deleted.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..16]);
    bytes[16..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

pub(super) fn beginning(bytes: &[u8]) -> Beginning {
    if bytes.starts_with(FIRST) {
        return Beginning::Whole { deleted: 0, length: FIRST.len() as u64 };
    }
    let Some((own, _)) = bytes.split_first_chunk::<LENGTH>() else {
        // Nothing is acknowledged before the whole of it is on disk.
        let begun = bytes.len().min(8);
        let ours = bytes[..begun] == FIRST[..begun] || bytes[..begun] == SECOND[..begun];
        return if ours { Beginning::CutOff } else { Beginning::Foreign };
    };
    if own[..8] != *SECOND {
        return Beginning::Foreign;
    }
    let deleted = u64::from_le_bytes(own[8..16].try_into().unwrap_or_default());
    if bytes_of(deleted) == *own {
        return Beginning::Whole { deleted, length: LENGTH as u64 };
    }
    Beginning::Damaged
}
