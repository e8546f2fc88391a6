//! Columns while they are filled: plain vectors that become Arrow arrays without a copy.
//!
//! Every column can be cut back to a number of rows, so that a record that turns out to be
//! unacceptable leaves no trace. Texts are checked for UTF-8 all at once when the column is done.

mod attributes;
mod ids;
mod list;
mod nulls;
mod text;

use std::sync::Arc;

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{ArrayRef, PrimitiveArray, RecordBatch};
use arrow_schema::SchemaRef;

pub(crate) use attributes::Attributes;
pub(crate) use ids::{Id, Ids, OptionalIds};
pub(crate) use list::{List, Offsets, SparseLists, list_of_structs};
pub(crate) use nulls::{NonZero, Nullable, Sparse, Validity};
pub(crate) use text::{OptionalText, Text};

/// A text column holds bytes that are not UTF-8; which row it is must be found record by record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotUtf8;

/// What of a message is still to be read.
#[derive(Clone, Copy)]
pub(crate) struct Rest {
    /// How many records were read of it.
    pub(crate) sample: usize,
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

/// An array of numbers that are never null.
pub(crate) fn numbers<T: ArrowPrimitiveType>(values: Vec<T::Native>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(values.into(), None))
}

/// The batch of a schema that these columns were made for.
pub(crate) fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(schema, columns).expect("the columns are made for this schema")
}

#[cfg(test)]
mod tests;
