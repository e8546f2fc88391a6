//! Checksums of the blocks of a file that is written once: whoever reads a part of it reads whole blocks,
//! and learns whether they are what was written before anything is made of them.

use std::ops::Range;

use crc32fast::Hasher;

/// Bytes of a block: what a disk reads at least.
pub const BLOCK: u64 = 4096;

/// The footer's key of a segment; its value is `1 <offset> <block> <end>`: where the sums are (up to there they
/// cover the file), of how many bytes a block is, and the CRC-32 of the file's end, which begins with the sums,
/// in eight hexadecimal digits. While that is computed they are zeros. A sum is a CRC-32 of four bytes,
/// little-endian.
pub const KEY: &str = "fresnel.sums";
const NO_DIGITS: &[u8; 8] = b"00000000";

/// Makes the sums of what is written, in its order.
#[derive(Debug, Default)]
pub struct Summing {
    sums: Vec<u8>,
    block: Hasher,
    /// Bytes that are in the block.
    len: usize,
}

impl Summing {
    /// Adds what is written next.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK as usize - self.len));
            self.block.update(now);
            self.len += now.len();
            if self.len == BLOCK as usize {
                self.end_block();
            }
            bytes = later;
        }
    }

    fn end_block(&mut self) {
        let sum = std::mem::take(&mut self.block).finalize();
        self.sums.extend_from_slice(&sum.to_le_bytes());
        self.len = 0;
    }

    /// The sums of all blocks, as they are in the file.
    pub fn finish(mut self) -> Vec<u8> {
        if self.len > 0 {
            self.end_block();
        }
        self.sums
    }
}

/// The value of [`KEY`] for sums that begin there, in an end that is not [sealed](seal).
pub fn place(offset: u64) -> String {
    format!("1 {offset} {BLOCK} {}", String::from_utf8_lossy(NO_DIGITS))
}

/// Writes into a file's end, in which this value of [`KEY`] is, what the checksum of that end is.
pub fn seal(place: &str, end: &mut [u8]) {
    let sum = crc32fast::hash(end);
    if let Some(digits) = digits(place, end) {
        end[digits].copy_from_slice(format!("{sum:08x}").as_bytes());
    }
}

/// Where a file's end begins, of which this is the value of [`KEY`].
pub fn end_from(place: &str) -> Option<u64> {
    place.split(' ').nth(1)?.parse().ok()
}

/// Whether a file's end, in which this value of [`KEY`] is, is what was written.
pub fn is_sealed(place: &str, end: &[u8]) -> bool {
    let Some(digits) = digits(place, end) else { return false };
    let mut sum = Hasher::new();
    for part in [&end[..digits.start], NO_DIGITS, &end[digits.end..]] {
        sum.update(part);
    }
    format!("{:08x}", sum.finalize()).as_bytes() == &end[digits]
}

/// Where the digits of the value are. The footer is the last thing in a file, and the value ends it.
fn digits(place: &str, end: &[u8]) -> Option<Range<usize>> {
    let before = place.len().checked_sub(NO_DIGITS.len())?;
    let at = end.windows(place.len()).rposition(|part| part == place.as_bytes())?;
    Some(at + before..at + place.len())
}

/// The sums of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Where the bytes end that have sums.
    end: u64,
    sums: Vec<[u8; 4]>,
}

impl Sums {
    /// From the value of [`KEY`] and the end of the file, which begins at `from`. Nothing where they are not
    /// in it, or of another version.
    pub fn parse(place: &str, end: &[u8], from: u64) -> Option<Self> {
        let mut parts = place.split(' ').map(|part| part.parse::<u64>().ok());
        let (version, offset, block) = (parts.next()??, parts.next()??, parts.next()??);
        if version != 1 || block != BLOCK {
            return None;
        }
        let len = usize::try_from(offset.div_ceil(BLOCK)).ok()?.checked_mul(4)?;
        let sums = end.get(usize::try_from(offset.checked_sub(from)?).ok()?..)?.get(..len)?;
        Some(Self { end: offset, sums: sums.as_chunks().0.to_vec() })
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.sums.len() * 4
    }

    /// The whole blocks in which a range is, as far as they have sums.
    pub fn blocks(&self, range: &Range<u64>) -> Range<u64> {
        let start = range.start / BLOCK * BLOCK;
        let end = range.end.div_ceil(BLOCK).saturating_mul(BLOCK).min(self.end);
        start..end.max(range.end)
    }

    /// Where the first block begins that is not what was written, of the bytes of [`Sums::blocks`] that begin
    /// at `start`.
    pub fn altered(&self, start: u64, bytes: &[u8]) -> Option<u64> {
        let first = usize::try_from(start / BLOCK).unwrap_or(usize::MAX);
        let covered = usize::try_from(self.end.saturating_sub(start)).unwrap_or(usize::MAX);
        let blocks = bytes[..bytes.len().min(covered)].chunks(BLOCK as usize);
        let known = self.sums.get(first..).unwrap_or_default().iter();
        let (at, _) = (0..)
            .zip(blocks.zip(known))
            .find(|(_, (block, sum))| crc32fast::hash(block) != u32::from_le_bytes(**sum))?;
        Some(start + at * BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summed(content: &[u8], piece: usize) -> Sums {
        let mut summing = Summing::default();
        content.chunks(piece).for_each(|piece| summing.update(piece));
        let offset = content.len() as u64;
        // With a little of what is before.
        let from = content.len().saturating_sub(2);
        let end = [&content[from..], &summing.finish(), b"footer"].concat();
        Sums::parse(&place(offset), &end, from as u64).expect("it is whole")
    }

    #[test]
    fn what_changed_is_in_its_block() {
        for len in [1, 4095, 4096, 4097, 20_000] {
            let content: Vec<u8> = (0..len).map(|at: u32| (at / 7) as u8).collect();
            let sums = summed(&content, 1000);
            assert_eq!(sums, summed(&content, 5000));
            assert_eq!(sums.altered(0, &content), None, "{len}");
            for at in (0..content.len()).step_by(611) {
                let mut altered = content.clone();
                altered[at] ^= 16;
                assert_eq!(sums.altered(0, &altered), Some(at as u64 / BLOCK * BLOCK), "{len}: {at}");
                // Of a part of it only where it is in the blocks of that.
                let asked = (at as u64).saturating_sub(5000)..(at as u64 + 1).saturating_sub(4500).max(1);
                let blocks = sums.blocks(&asked);
                let bytes = &altered[blocks.start as usize..blocks.end as usize];
                assert_eq!(sums.altered(blocks.start, bytes).is_some(), blocks.contains(&(at as u64)));
            }
        }
    }

    #[test]
    fn ranges_become_whole_blocks_as_far_as_there_are_sums() {
        let sums = summed(&[0; 10_000], 10_000);
        assert_eq!(sums.blocks(&(5000..5001)), 4096..8192);
        assert_eq!(sums.blocks(&(4096..8193)), 4096..10_000);
        assert_eq!(sums.blocks(&(9000..11_000)), 8192..11_000);
        assert_eq!(sums.blocks(&(10_500..11_000)), 8192..11_000);
        assert_eq!(sums.altered(8192, &[0; 3000]), None);
    }

    #[test]
    fn an_end_says_whether_it_is_what_was_written() {
        let mut end = [&b"sums, indexes, "[..], KEY.as_bytes(), place(4711).as_bytes(), b"PAR1"].concat();
        assert!(!is_sealed(&place(4711), &end));
        seal(&place(4711), &mut end);
        let text = String::from_utf8(end.clone()).expect("it is text");
        let place = &text[text.find("1 4711").expect("it is there")..text.len() - 4];
        assert_eq!(end_from(place), Some(4711));
        assert!(is_sealed(place, &end), "{text}");
        for bit in 0..end.len() * 8 {
            let mut altered = end.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sealed(place, &altered), "{bit}");
            // As a reader sees it that takes the value out of what is altered.
            let at = text.len() - 4 - place.len();
            if let Ok(place) = std::str::from_utf8(&altered[at..at + place.len()]) {
                assert!(!is_sealed(place, &altered), "{bit}");
            }
        }
        for place in ["", "1", "1 x 4096 00000000", "no such thing"] {
            assert!(!is_sealed(place, &end), "{place}");
        }
    }

    #[test]
    fn what_is_no_place_of_sums_is_none() {
        for text in ["", "1 5", "2 5 4096", "1 5 512", "1 x 4096", "1 5 4096", "1 99999999 4096"] {
            assert_eq!(Sums::parse(text, b"0123456789", 10), None, "{text}");
        }
    }
}
