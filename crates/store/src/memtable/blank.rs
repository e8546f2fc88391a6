//! Columns of numbers in which nothing is said take no memory: mostly nobody tells when a series began, and
//! hardly any point has a flag. They are 20 of the 40 bytes of a sample.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, RecordBatch};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use bytes::Bytes;

/// Most rows of a blank column; hardly any request has more.
const ROWS_MAX: usize = 1 << 16;
/// What all blank columns lie in: a part of the program, of which that is in memory that was looked at.
static ZEROS: Zeros = Zeros([0; ROWS_MAX * size_of::<u64>()]);

/// As arrays want it.
#[repr(align(64))]
struct Zeros([u8; ROWS_MAX * size_of::<u64>()]);

/// Whether it is a column of numbers without any value, or with none but zeros.
pub(super) fn is_blank(column: &ArrayRef) -> bool {
    if column.len() > ROWS_MAX {
        return false;
    }
    match column.data_type() {
        DataType::Int32 => has_nothing::<Int32Type>(column, |value| *value == 0),
        DataType::Int64 => has_nothing::<Int64Type>(column, |value| *value == 0),
        DataType::Float64 => has_nothing::<Float64Type>(column, |value| value.to_bits() == 0),
        _ => false,
    }
}

fn has_nothing<T: ArrowPrimitiveType>(column: &ArrayRef, is_zero: impl Fn(&T::Native) -> bool) -> bool {
    match column.null_count() {
        0 => column.as_primitive::<T>().values().iter().all(is_zero),
        nulls => nulls == column.len(),
    }
}

/// The same rows, with blank columns that take no memory.
pub(super) fn without_blanks(rows: &RecordBatch) -> RecordBatch {
    let column = |column: &ArrayRef| if is_blank(column) { blank(column) } else { Arc::clone(column) };
    let columns = rows.columns().iter().map(column).collect();
    RecordBatch::try_new(rows.schema(), columns).expect("as long as before and of the same types")
}

/// The same as this one, which is blank.
fn blank(column: &ArrayRef) -> ArrayRef {
    let len = column.len();
    let nulls = (column.null_count() > 0)
        .then(|| NullBuffer::new(BooleanBuffer::new(zeros(len.div_ceil(8)), 0, len)));
    match column.data_type() {
        DataType::Int32 => Arc::new(numbers::<Int32Type>(len, nulls)),
        DataType::Float64 => Arc::new(numbers::<Float64Type>(len, nulls)),
        _ => Arc::new(numbers::<Int64Type>(len, nulls)),
    }
}

fn numbers<T: ArrowPrimitiveType>(len: usize, nulls: Option<NullBuffer>) -> PrimitiveArray<T> {
    PrimitiveArray::new(ScalarBuffer::new(zeros(len * size_of::<T::Native>()), 0, len), nulls)
}

/// So many of the bytes, which nobody frees.
fn zeros(bytes: usize) -> Buffer {
    Buffer::from(Bytes::from_static(&ZEROS.0[..bytes]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow_array::{Float64Array, Int32Array, Int64Array, StringArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        let field = |column: &ArrayRef| Field::new("it", column.data_type().clone(), true);
        let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    #[test]
    fn columns_that_say_nothing_stay_the_same_and_share_their_memory() {
        let rows = batch(vec![
            Arc::new(Int64Array::new_null(1000)),
            Arc::new(Int32Array::from(vec![0; 1000])),
            Arc::new(Float64Array::from(vec![0.0; 1000])),
        ]);
        let thin = without_blanks(&rows);
        assert_eq!(thin, rows);
        for column in thin.columns() {
            assert!(is_blank(column));
            let data = column.to_data();
            assert!(ZEROS.0.as_ptr_range().contains(&data.buffers()[0].as_ptr()), "{}", column.data_type());
        }
    }

    #[test]
    fn columns_that_say_something_stay_as_they_are() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![None, Some(0)])),
            Arc::new(Int32Array::from(vec![0, 1])),
            // It is zero as well, and has other bits.
            Arc::new(Float64Array::from(vec![0.0, -0.0])),
            Arc::new(Float64Array::from(vec![0.0, f64::NAN])),
            Arc::new(StringArray::from(vec![None::<&str>, None])),
        ];
        for column in columns {
            let rows = batch(vec![Arc::clone(&column)]);
            assert!(Arc::ptr_eq(without_blanks(&rows).column(0), &column), "{}", column.data_type());
        }
        let long: ArrayRef = Arc::new(Int64Array::new_null(ROWS_MAX + 1));
        assert!(Arc::ptr_eq(without_blanks(&batch(vec![Arc::clone(&long)])).column(0), &long));
    }
}
