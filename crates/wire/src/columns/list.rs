use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, FieldRef};

use super::numbers;

/// Where each row ends in the values below it; never decreasing.
///
/// An offset has 31 bits. [`crate::BODY_BYTES_MAX`] times the most that a byte of a message
/// can become in a column is less.
pub(crate) struct Offsets(Vec<i32>);

impl Default for Offsets {
    fn default() -> Self {
        Self(vec![0])
    }
}

impl Offsets {
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.0.len() - 1
    }

    pub(crate) fn reserve(&mut self, rows: usize) {
        self.0.reserve(rows);
    }

    /// Ends a row at `end`.
    #[inline(always)]
    pub(crate) fn push(&mut self, end: usize) {
        debug_assert!(end >= self.end_of(self.len()) && i32::try_from(end).is_ok(), "offsets only grow");
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "see the type")]
        self.0.push(end as i32);
    }

    /// Where the first `rows` rows end.
    #[inline(always)]
    pub(crate) fn end_of(&self, rows: usize) -> usize {
        #[expect(clippy::cast_sign_loss, reason = "an offset is not negative")]
        self.0.get(rows).map_or(0, |end| *end as usize)
    }

    #[inline(always)]
    pub(crate) fn range(&self, row: usize) -> Range<usize> {
        self.end_of(row)..self.end_of(row + 1)
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows + 1);
    }

    /// Appends the ends of rows of another column, whose values from `from` on are now from `to` on.
    #[inline(always)]
    pub(crate) fn extend(&mut self, other: &Self, rows: Range<usize>, from: usize, to: usize) {
        debug_assert!(i32::try_from(to + other.end_of(rows.end) - from).is_ok(), "see the type");
        let ends = other.0.get(rows.start + 1..=rows.end).unwrap_or_default();
        let first = self.0.len();
        self.0.extend_from_slice(ends);
        self.advance(first, to.wrapping_sub(from));
    }

    /// Appends the ends of `rows` rows of `length` values each.
    #[inline(always)]
    pub(crate) fn repeat(&mut self, rows: usize, length: usize) {
        let start = self.end_of(self.len());
        debug_assert!(i32::try_from(start + rows * length).is_ok(), "see the type");
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "see the type")]
        let (mut end, length) = (start as i32, length as i32);
        let first = self.0.len();
        self.0.resize(first + rows, 0);
        for to in self.0.get_mut(first..).unwrap_or_default() {
            end = end.wrapping_add(length);
            *to = end;
        }
    }

    /// Appends the ends of all rows of another column, which have `length` values, `count` times, at
    /// least once; the first time its values are from `to` on.
    pub(crate) fn repeat_all(&mut self, other: &Self, count: usize, length: usize, to: usize) {
        let (first, rows) = (self.0.len(), other.len());
        self.0.reserve(rows * count);
        self.extend(other, 0..rows, 0, to);
        let mut done = 1;
        while done < count {
            let more = done.min(count - done);
            let from = self.0.len();
            self.0.extend_from_within(first..first + more * rows);
            self.advance(from, done * length);
            done += more;
        }
    }

    /// Moves the ends from a row on.
    #[inline(always)]
    fn advance(&mut self, from: usize, by: usize) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "see the type")]
        let by = by as i32;
        // In place, because this loop is turned into one over vectors.
        self.0.get_mut(from..).unwrap_or_default().iter_mut().for_each(|end| *end = end.wrapping_add(by));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        #[expect(clippy::cast_sign_loss, reason = "an offset is not negative")]
        self.0.iter().map(|end| *end as usize)
    }

    #[expect(unsafe_code, reason = "Arrow would walk all offsets once more")]
    pub(crate) fn finish(self) -> OffsetBuffer<i32> {
        let last = self.0.last().copied().unwrap_or(-1);
        assert!(last >= 0, "offsets begin with 0 and fit 31 bits");
        // SAFETY: not empty; begins with 0 and never decreases, since rows are only appended at
        // the end of their values and only cut off at the end.
        unsafe { OffsetBuffer::new_unchecked(ScalarBuffer::from(self.0)) }
    }
}

/// A column of lists of numbers.
pub(crate) struct List<T: ArrowPrimitiveType> {
    pub(crate) values: Vec<T::Native>,
    ends: Offsets,
}

impl<T: ArrowPrimitiveType> Default for List<T> {
    fn default() -> Self {
        Self { values: Vec::new(), ends: Offsets::default() }
    }
}

impl<T: ArrowPrimitiveType> List<T> {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.ends.reserve(rows);
    }

    /// Where the values of the last row are.
    pub(crate) fn last_row(&self) -> Range<usize> {
        self.ends.len().checked_sub(1).map_or(0..0, |row| self.ends.range(row))
    }

    /// Ends a row; its values were pushed before.
    #[inline(always)]
    pub(crate) fn end_row(&mut self) {
        self.ends.push(self.values.len());
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.values.truncate(self.ends.end_of(rows));
    }

    pub(crate) fn finish(self, data_type: &DataType) -> ArrayRef {
        list(data_type, self.ends, None, |_| numbers::<T>(self.values))
    }
}

/// A column of lists of numbers of which hardly any row has one, the others are null: only those that
/// are there cost anything.
pub(crate) struct SparseLists<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    /// Rows that have a list, and where it ends.
    rows: Vec<(usize, usize)>,
}

impl<T: ArrowPrimitiveType> Default for SparseLists<T> {
    fn default() -> Self {
        Self { values: Vec::new(), rows: Vec::new() }
    }
}

impl<T: ArrowPrimitiveType> SparseLists<T> {
    /// Sets the list of a row after those that are set.
    pub(crate) fn set(&mut self, row: usize, values: impl IntoIterator<Item = T::Native>) {
        self.values.extend(values);
        self.rows.push((row, self.values.len()));
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.rows.truncate(self.rows.partition_point(|(row, _)| *row < rows));
        self.values.truncate(self.rows.last().map_or(0, |(_, end)| *end));
    }

    pub(crate) fn finish(self, data_type: &DataType, rows: usize) -> ArrayRef {
        let mut ends = Offsets::default();
        ends.reserve(rows);
        let mut valid = BooleanBufferBuilder::new(rows);
        let mut end_before = 0;
        for (row, end) in self.rows {
            let nulls = row - ends.len();
            ends.repeat(nulls, 0);
            valid.append_n(nulls, false);
            ends.push(end);
            valid.append(true);
            end_before = end;
        }
        debug_assert_eq!(end_before, self.values.len(), "the values are those of the rows");
        let nulls = rows - ends.len();
        ends.repeat(nulls, 0);
        valid.append_n(nulls, false);
        let nulls = Some(NullBuffer::new(valid.build())).filter(|nulls| nulls.null_count() > 0);
        list(data_type, ends, nulls, |_| numbers::<T>(self.values))
    }
}

/// The array of a list type, of its rows' ends and its elements.
fn list(
    data_type: &DataType,
    ends: Offsets,
    nulls: Option<NullBuffer>,
    elements: impl FnOnce(&FieldRef) -> ArrayRef,
) -> ArrayRef {
    let DataType::List(element) = data_type else { unreachable!("a list column has a list type") };
    let array = ListArray::try_new(Arc::clone(element), ends.finish(), elements(element), nulls);
    Arc::new(array.expect("the elements are made for this type"))
}

/// The array of a list type whose elements are structs of these columns.
pub(crate) fn list_of_structs(data_type: &DataType, ends: Offsets, columns: Vec<ArrayRef>) -> ArrayRef {
    list(data_type, ends, None, |element| Arc::new(struct_of(element, columns)))
}

/// The struct array of a field's type.
pub(super) fn struct_of(field: &FieldRef, columns: Vec<ArrayRef>) -> StructArray {
    let DataType::Struct(fields) = field.data_type() else {
        unreachable!("a struct column has a struct type")
    };
    StructArray::try_new(fields.clone(), columns, None).expect("the columns are made for this type")
}
