use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_buffer::{Buffer, NullBuffer};

use super::{NotUtf8, Offsets, Rest, Validity};
use crate::proto::{BLOCK, Reader, equal};

/// A column of text, unchecked while it is filled.
#[derive(Default)]
pub(crate) struct Text {
    data: Vec<u8>,
    ends: Offsets,
    /// Rows that are known to be UTF-8, where rows are checked one by one.
    checked: usize,
}

impl Text {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Makes room for what the rest has if it is like the first `records`.
    pub(crate) fn reserve_like(&mut self, records: usize, rest: Rest) {
        let expected = |so_far: usize| {
            let expected = so_far.saturating_mul(rest.records) / records.max(1);
            (expected + expected / 8).min(rest.bytes)
        };
        self.ends.reserve(expected(self.len()));
        self.data.reserve(expected(self.data.len()) + 2 * BLOCK);
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, text: Reader<'_>) {
        text.copy_to(&mut self.data);
        self.ends.push(self.data.len());
    }

    /// Appends the same row again until there are `rows`.
    #[inline(always)]
    pub(crate) fn fill(&mut self, text: Reader<'_>, rows: usize) {
        let count = rows.saturating_sub(self.len());
        text.copy_repeated(&mut self.data, count);
        self.ends.repeat(count, text.len());
    }

    #[inline(always)]
    pub(crate) fn push_bytes(&mut self, text: &[u8]) {
        self.data.extend_from_slice(text);
        self.ends.push(self.data.len());
    }

    /// A row that `write` appends to the bytes it is given.
    #[inline(always)]
    pub(crate) fn push_with<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let result = write(&mut self.data);
        self.ends.push(self.data.len());
        result
    }

    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &[u8] {
        self.data.get(self.ends.range(row)).unwrap_or_default()
    }

    /// Whether there is a row of that number and it is `text`.
    #[inline(always)]
    pub(crate) fn is_row(&self, row: usize, text: &[u8]) -> bool {
        row < self.len() && equal(self.row(row), text)
    }

    /// Appends rows of another column.
    #[inline(always)]
    pub(crate) fn extend(&mut self, other: &Self, rows: Range<usize>) {
        let (from, to) = (other.ends.end_of(rows.start), other.ends.end_of(rows.end));
        let start = self.data.len();
        self.data.extend_from_slice(other.data.get(from..to).unwrap_or_default());
        self.ends.extend(&other.ends, rows, from, start);
    }

    /// Appends all rows of another column `count` times.
    #[inline(never)]
    pub(crate) fn repeat(&mut self, other: &Self, count: usize) {
        if count == 0 {
            return;
        }
        let (start, length) = (self.data.len(), other.data.len());
        let end = start + length * count;
        self.data.reserve(end - start);
        self.data.extend_from_slice(&other.data);
        // What is there already is copied as a whole: it doubles each time.
        while self.data.len() < end {
            let more = (self.data.len() - start).min(end - self.data.len());
            self.data.extend_from_within(start..start + more);
        }
        self.ends.repeat_all(&other.ends, count, length, start);
    }

    /// Bytes in it.
    pub(crate) fn bytes(&self) -> usize {
        self.data.len()
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        if rows < self.len() {
            self.ends.truncate(rows);
            self.data.truncate(self.ends.end_of(rows));
            self.checked = self.checked.min(rows);
        }
    }

    /// Checks the rows that were added since the last time.
    pub(crate) fn check_tail(&mut self) -> Result<(), NotUtf8> {
        let unchecked = self.checked..self.len();
        self.checked = self.len();
        let valid = unchecked.into_iter().all(|row| simdutf8::basic::from_utf8(self.row(row)).is_ok());
        if valid { Ok(()) } else { Err(NotUtf8) }
    }

    /// Checks the whole at once: the bytes are UTF-8 and no row begins within a character.
    fn check(&self) -> Result<(), NotUtf8> {
        if self.data.is_ascii() {
            return Ok(());
        }
        simdutf8::basic::from_utf8(&self.data).map_err(|_| NotUtf8)?;
        let continues = |end: usize| self.data.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
        if self.ends.iter().any(continues) { Err(NotUtf8) } else { Ok(()) }
    }

    pub(crate) fn finish(self) -> Result<ArrayRef, NotUtf8> {
        self.finish_with(None)
    }

    #[expect(
        unsafe_code,
        reason = "Arrow would check the same bytes and offsets once more, a quarter of the time"
    )]
    fn finish_with(self, nulls: Option<NullBuffer>) -> Result<ArrayRef, NotUtf8> {
        self.check()?;
        assert!(nulls.as_ref().is_none_or(|nulls| nulls.len() == self.len()), "one bit for each row");
        let offsets = self.ends.finish();
        // SAFETY: the last offset is the length of the bytes (`push` and `truncate` keep it so) and
        // offsets never decrease; the bytes are UTF-8 and every offset is at a character's
        // beginning (`check`); there is one validity bit for each row.
        let array = unsafe { StringArray::new_unchecked(offsets, Buffer::from_vec(self.data), nulls) };
        Ok(Arc::new(array))
    }
}

/// A column of text with rows that have none.
#[derive(Default)]
pub(crate) struct OptionalText {
    pub(crate) text: Text,
    pub(crate) validity: Validity,
}

impl OptionalText {
    /// Appends the same row again until there are `rows`.
    pub(crate) fn fill(&mut self, text: Option<Reader<'_>>, rows: usize) {
        let count = rows.saturating_sub(self.text.len());
        self.validity.push_n(self.text.len(), count, text.is_some());
        self.text.fill(text.unwrap_or(Reader::EMPTY), rows);
    }

    #[inline(always)]
    pub(crate) fn push_null(&mut self) {
        self.validity.push(self.text.len(), false);
        self.text.push_bytes(&[]);
    }

    /// A row that `write` appends to the bytes it is given.
    #[inline(always)]
    pub(crate) fn push_text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.validity.push(self.text.len(), true);
        self.text.push_with(write);
    }

    /// A row that `write` appends to the bytes it is given; null if it returns false.
    #[inline(always)]
    pub(crate) fn push_with<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let row = self.text.len();
        let present = self.text.push_with(write)?;
        self.validity.push(row, present);
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> Option<&[u8]> {
        self.validity.is_valid(row).then(|| self.text.row(row))
    }

    /// Appends rows of another column.
    #[inline(always)]
    pub(crate) fn extend(&mut self, other: &Self, rows: Range<usize>) {
        if other.validity.has_nulls() || self.validity.has_nulls() {
            for row in rows.clone() {
                self.validity.push(self.text.len() + row - rows.start, other.validity.is_valid(row));
            }
        }
        self.text.extend(&other.text, rows);
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.text.truncate(rows);
        self.validity.truncate(rows);
    }

    pub(crate) fn finish(self) -> Result<ArrayRef, NotUtf8> {
        self.text.finish_with(self.validity.finish())
    }
}
