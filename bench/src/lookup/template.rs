//! Messages that are encoded once and then overwritten in place: a body of thousands of records
//! costs about as much as copying it.
//!
//! Whoever builds the message puts marks where values of a fixed width will stand (`fixed64`,
//! `double`, ids, digits in a text); the marks are looked for in the encoded bytes.

use anyhow::{Result, ensure};

/// The upper half of a mark among eight bytes.
const NUMBER: u32 = 0xF1E2_D3C4;
/// Begins a mark in a text.
const TEXT: &[u8] = b"#@";
/// Digits of a number in a text, and width of such a mark in all.
const DIGITS: usize = 10;
/// Bytes of a mark in a text.
pub(crate) const TEXT_LEN: usize = TEXT.len() + DIGITS;

/// A place to be overwritten, by the number of its mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u32);

/// Gives out marks.
#[derive(Debug, Default)]
pub(crate) struct Marks(u32);

impl Marks {
    fn next(&mut self) -> Mark {
        let mark = Mark(self.0);
        self.0 += 1;
        mark
    }

    /// For a `fixed64`, or the bits of a `double`.
    pub(crate) fn number(&mut self) -> (Mark, u64) {
        let mark = self.next();
        (mark, (u64::from(NUMBER) << 32) | u64::from(mark.0))
    }

    /// For eight bytes of an id.
    pub(crate) fn bytes(&mut self) -> (Mark, [u8; 8]) {
        let (mark, number) = self.number();
        (mark, number.to_le_bytes())
    }

    /// For [`TEXT_LEN`] characters of a text.
    pub(crate) fn text(&mut self) -> (Mark, String) {
        let mark = self.next();
        (mark, format!("#@{:010}", mark.0))
    }
}

/// An encoded message with the places of its marks.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Template {
    /// Finds the marks.
    ///
    /// # Errors
    /// When a mark is missing, or is there more than once.
    pub(crate) fn new(bytes: Vec<u8>, marks: &Marks) -> Result<Self> {
        let mut places = vec![usize::MAX; marks.0 as usize];
        for at in 0..bytes.len() {
            let Some(mark) = mark_at(&bytes[at..]) else { continue };
            let place = places.get_mut(mark as usize);
            ensure!(place.as_ref().is_some_and(|place| **place == usize::MAX), "mark {mark} is there twice");
            place.into_iter().for_each(|place| *place = at);
        }
        ensure!(!places.contains(&usize::MAX), "a mark is missing");
        Ok(Self { bytes, places })
    }

    /// The message as it is now.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes a `fixed64`.
    pub(crate) fn number(&mut self, mark: Mark, value: u64) {
        self.put(mark, value.to_le_bytes());
    }

    /// Writes bytes.
    pub(crate) fn put<const LEN: usize>(&mut self, mark: Mark, value: [u8; LEN]) {
        let at = self.places[mark.0 as usize];
        self.bytes[at..at + LEN].copy_from_slice(&value);
    }

    /// Writes the last [`TEXT_LEN`] decimal digits of a number.
    pub(crate) fn digits(&mut self, mark: Mark, number: u64) {
        let mut rest = number;
        let mut digits = [b'0'; TEXT_LEN];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        self.put(mark, digits);
    }
}

/// The number of the mark at the beginning of these bytes, if one is there.
fn mark_at(bytes: &[u8]) -> Option<u32> {
    let text = || std::str::from_utf8(bytes.strip_prefix(TEXT)?.get(..DIGITS)?).ok()?.parse().ok();
    let number = || {
        let number = u64::from_le_bytes(*bytes.first_chunk()?);
        (number >> 32 == u64::from(NUMBER)).then_some((number & u64::from(u32::MAX)) as u32)
    };
    text().or_else(number)
}

/// A number that looks like chance and can be computed again: splitmix64. Different numbers give
/// different ones, and only the greatest gives 0.
pub(crate) fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn marks_are_found_and_overwritten() {
        let mut marks = Marks::default();
        let ((time, number), (id, bytes), (digits, text)) = (marks.number(), marks.bytes(), marks.text());
        let message = [b"ab".as_slice(), &number.to_le_bytes(), &bytes, b"c", text.as_bytes(), b"d"].concat();
        let mut template = Template::new(message, &marks).unwrap();
        template.number(time, 1);
        template.put(id, *b"12345678");
        template.digits(digits, 42);
        assert_eq!(template.bytes(), b"ab\x01\0\0\0\0\0\0\x0012345678c000000000042d");
    }

    #[test]
    fn a_missing_mark_is_an_error() {
        let mut marks = Marks::default();
        marks.number();
        assert!(Template::new(vec![0; 32], &marks).is_err());
    }
}
