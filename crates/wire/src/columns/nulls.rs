use std::sync::Arc;

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{ArrayRef, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, NullBuffer};

/// Which rows are not null. Costs a counter until the first null comes.
#[derive(Default)]
pub(crate) struct Validity(Option<BooleanBufferBuilder>);

impl Validity {
    /// Adds row number `row`.
    #[inline(always)]
    pub(crate) fn push(&mut self, row: usize, valid: bool) {
        match &mut self.0 {
            Some(bits) => bits.append(valid),
            None if valid => {}
            None => self.first_null(row),
        }
    }

    /// Adds `count` rows, of which the first is row number `row`.
    pub(crate) fn push_n(&mut self, row: usize, count: usize, valid: bool) {
        if let Some(bits) = &mut self.0 {
            bits.append_n(count, valid);
        } else if !valid && count > 0 {
            self.first_null(row);
            self.push_n(row + 1, count - 1, false);
        }
    }

    #[cold]
    fn first_null(&mut self, row: usize) {
        let mut bits = BooleanBufferBuilder::new(row.max(64) * 2);
        bits.append_n(row, true);
        bits.append(false);
        self.0 = Some(bits);
    }

    /// Whether there may be nulls.
    #[inline(always)]
    pub(crate) fn has_nulls(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn is_valid(&self, row: usize) -> bool {
        self.0.as_ref().is_none_or(|bits| bits.get_bit(row))
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        if let Some(bits) = &mut self.0 {
            bits.truncate(rows.min(bits.len()));
        }
    }

    pub(crate) fn finish(self) -> Option<NullBuffer> {
        self.0.map(|bits| NullBuffer::new(bits.build())).filter(|nulls| nulls.null_count() > 0)
    }
}

/// A column of numbers with rows that have none.
pub(crate) struct Nullable<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    validity: Validity,
}

impl<T: ArrowPrimitiveType> Default for Nullable<T> {
    fn default() -> Self {
        Self { values: Vec::new(), validity: Validity::default() }
    }
}

impl<T: ArrowPrimitiveType> Nullable<T> {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.values.reserve(rows);
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, value: Option<T::Native>) {
        self.validity.push(self.values.len(), value.is_some());
        self.values.push(value.unwrap_or_default());
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.validity.truncate(rows);
    }

    pub(crate) fn finish(self) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::new(self.values.into(), self.validity.finish()))
    }
}

/// A column of numbers in which zero means that there is none.
pub(crate) struct NonZero<T: ArrowPrimitiveType>(Vec<T::Native>);

impl<T: ArrowPrimitiveType> Default for NonZero<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: ArrowPrimitiveType> NonZero<T> {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.0.reserve(rows);
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, value: T::Native) {
        self.0.push(value);
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows);
    }

    pub(crate) fn finish(self) -> ArrayRef {
        let zero = T::Native::default();
        let valid = BooleanBuffer::collect_bool(self.0.len(), |row| self.0[row] != zero);
        let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
        Arc::new(PrimitiveArray::<T>::new(self.0.into(), nulls))
    }
}

/// A column of numbers of which hardly any row has one: only those cost anything.
pub(crate) struct Sparse<T: ArrowPrimitiveType>(Vec<(usize, T::Native)>);

impl<T: ArrowPrimitiveType> Default for Sparse<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: ArrowPrimitiveType> Sparse<T> {
    /// Sets the value of a row after those that are set.
    #[inline(always)]
    pub(crate) fn set(&mut self, row: usize, value: Option<T::Native>) {
        if let Some(value) = value {
            self.0.push((row, value));
        }
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.0.truncate(self.0.partition_point(|(row, _)| *row < rows));
    }

    pub(crate) fn finish(self, rows: usize) -> ArrayRef {
        let mut values = vec![T::Native::default(); rows];
        let mut valid = BooleanBufferBuilder::new(rows);
        valid.append_n(rows, false);
        for (row, value) in self.0 {
            values[row] = value;
            valid.set_bit(row, true);
        }
        let nulls = Some(NullBuffer::new(valid.build())).filter(|nulls| nulls.null_count() > 0);
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls))
    }
}
