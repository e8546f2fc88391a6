use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray};
use arrow_buffer::Buffer;

use super::{Offsets, Validity};

/// An id of `N` bytes, as it is in the message.
pub(crate) type Id<const N: usize> = [u8; N];

/// A column of ids of `N` bytes.
#[derive(Default)]
pub(crate) struct Ids<const N: usize>(Vec<Id<N>>);

impl<const N: usize> Ids<N> {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.0.reserve(rows);
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> &Id<N> {
        &self.0[row]
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, id: &Id<N>) {
        self.0.push(*id);
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.0.truncate(rows);
    }

    pub(crate) fn finish(self) -> ArrayRef {
        let mut ends = Offsets::default();
        let rows = self.0.len();
        ends.reserve(rows);
        (1..=rows).for_each(|row| ends.push(row * N));
        Arc::new(BinaryArray::new(ends.finish(), Buffer::from_vec(self.0.into_flattened()), None))
    }
}

/// A column of ids of `N` bytes with rows that have none.
#[derive(Default)]
pub(crate) struct OptionalIds<const N: usize> {
    data: Vec<u8>,
    ends: Offsets,
    validity: Validity,
}

impl<const N: usize> OptionalIds<N> {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.data.reserve(rows * N);
        self.ends.reserve(rows);
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, id: Option<&Id<N>>) {
        self.validity.push(self.ends.len(), id.is_some());
        if let Some(id) = id {
            self.data.extend_from_slice(id);
        }
        self.ends.push(self.data.len());
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.data.truncate(self.ends.end_of(rows));
        self.validity.truncate(rows);
    }

    pub(crate) fn finish(self) -> ArrayRef {
        let nulls = self.validity.finish();
        Arc::new(BinaryArray::new(self.ends.finish(), Buffer::from_vec(self.data), nulls))
    }
}
