//! The form of a record: a mark, the length of what follows, its checksum, the checksum of this
//! header, and then the events, each with its length. Numbers are little-endian, checksums CRC-32.

use std::io;

use crate::events::Event;

/// Bytes before the events.
pub(super) const HEADER: usize = 16;

/// Where in the file the JSON of an event is: offset and length.
pub(super) type Place = (u64, u32);

/// Looked for when something is damaged.
const MARK: [u8; 4] = [0xfe, b'r', b'e', b'c'];

/// What is at a place of the file.
pub(super) enum Scan<'a> {
    /// Events as they were written.
    Record(&'a [u8]),
    /// Nothing.
    End,
    /// Something that is no record, and no record after it: a write that was cut off.
    CutOff,
    /// Something that is no record, and a record after it.
    Damaged,
}

/// What is at `offset`. One append is not acknowledged before it is synced, and the next one begins
/// after that: so a good record behind a bad one means that the bad one was once good.
pub(super) fn scan(bytes: &[u8], offset: usize) -> Scan<'_> {
    let rest = &bytes[offset..];
    if rest.is_empty() {
        return Scan::End;
    }
    match record(rest) {
        Some(payload) => Scan::Record(payload),
        None if (1..rest.len()).any(|from| record(&rest[from..]).is_some()) => Scan::Damaged,
        None => Scan::CutOff,
    }
}

fn record(bytes: &[u8]) -> Option<&[u8]> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    if header[..4] != MARK || crc32fast::hash(&header[..12]) != number(header, 12) {
        return None;
    }
    let payload = rest.get(..number(header, 4) as usize)?;
    (crc32fast::hash(payload) == number(header, 8)).then_some(payload)
}

fn number(header: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

/// A record at `offset`, and where in the file each event of it is.
pub(super) fn encode(events: &[Event], offset: u64) -> io::Result<(Vec<u8>, Vec<Place>)> {
    let mut record = vec![0; HEADER];
    let mut places = Vec::with_capacity(events.len());
    let too_long = |_| io::Error::from(io::ErrorKind::FileTooLarge);
    for event in events {
        let json = serde_json::to_vec(event)?;
        let length = u32::try_from(json.len()).map_err(too_long)?;
        record.extend_from_slice(&length.to_le_bytes());
        places.push((offset + record.len() as u64, length));
        record.extend_from_slice(&json);
    }
    let length = u32::try_from(record.len() - HEADER).map_err(too_long)?;
    record[..4].copy_from_slice(&MARK);
    record[4..8].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32fast::hash(&record[HEADER..]);
    record[8..12].copy_from_slice(&checksum.to_le_bytes());
    let checksum = crc32fast::hash(&record[..12]);
    record[12..HEADER].copy_from_slice(&checksum.to_le_bytes());
    Ok((record, places))
}
