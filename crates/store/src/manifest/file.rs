//! Lines of a manifest file: `<crc-32 of the json, 8 hex digits> <json>\n`.

use super::record::Record;

/// `<generation, 20 digits>.manifest`
pub(super) fn file_name(generation: u64) -> String {
    format!("{generation:020}.manifest")
}

/// The reverse of [`file_name`].
pub(super) fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".manifest")?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

pub(super) fn encode_line(record: &Record) -> Vec<u8> {
    let json = serde_json::to_vec(record).expect("records have only text keys and no failing values");
    let mut line = format!("{:08x} ", crc32fast::hash(&json)).into_bytes();
    line.extend_from_slice(&json);
    line.push(b'\n');
    line
}

/// A line, without its end.
fn decode_line(line: &[u8]) -> Option<Record> {
    let (crc, json) = line.split_at_checked(9)?;
    let crc = u32::from_str_radix(std::str::from_utf8(crc).ok()?.strip_suffix(' ')?, 16).ok()?;
    if crc32fast::hash(json) != crc {
        return None;
    }
    serde_json::from_slice(json).ok()
}

/// What can be read of a file.
pub(super) struct Lines {
    /// The sound records in order.
    pub(super) records: Vec<Record>,
    /// The end of the last sound line.
    pub(super) sound_len: u64,
    /// Lines before it that are not sound.
    pub(super) unsound: usize,
    /// Whether something is behind the last sound line: a write that was interrupted, or altered.
    pub(super) torn: bool,
}

impl Lines {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut lines = Self { records: Vec::new(), sound_len: 0, unsound: 0, torn: false };
        let mut unsound = 0;
        let mut end = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            end += line.len() as u64;
            match line.strip_suffix(b"\n").and_then(decode_line) {
                Some(record) => {
                    lines.records.push(record);
                    lines.sound_len = end;
                    // Only now are the unsound ones before it in the middle.
                    lines.unsound += std::mem::take(&mut unsound);
                }
                None => unsound += 1,
            }
        }
        lines.torn = lines.sound_len < end;
        lines
    }
}
