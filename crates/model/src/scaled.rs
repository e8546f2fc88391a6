//! Numbers as integers of a common scale, as the files of `samples` may have them.
//!
//! A value is `(base + scaled * unit) / divisor`, or, where that cannot be, itself. Few bits change
//! from one integer to the next, which is what compresses; the value comes back bit for bit, since
//! the sum and the divisor are doubles without a rounding, and a division of doubles is rounded
//! correctly everywhere.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{ArrowError, Schema, SchemaRef};

/// The values that have no scale.
pub const RAW: &str = "value";
/// The integer; null where the value is in [`RAW`].
pub const SCALED: &str = "value_scaled";
/// What is added to the integer times its unit.
pub const BASE: &str = "value_base";
/// What the integer counts.
pub const UNIT: &str = "value_unit";
/// A power of ten.
pub const DIVISOR: &str = "value_divisor";

/// All that a value may be made of.
pub const COLUMNS: [&str; 5] = [RAW, SCALED, BASE, UNIT, DIVISOR];

/// The value that these stand for.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "what is written has no rounding")]
pub fn value(scaled: i64, base: i64, unit: i64, divisor: f64) -> f64 {
    base.wrapping_add(scaled.wrapping_mul(unit)) as f64 / divisor
}

/// The values of arrays that are given in the order of [`COLUMNS`].
///
/// # Errors
/// When they are of other types, or a row has no value: the file is not one of ours.
pub fn values(columns: [&dyn Array; 5]) -> Result<Float64Array, ArrowError> {
    let [raw, scaled, base, unit, divisor] = columns;
    let raw = raw.as_primitive_opt::<Float64Type>().ok_or_else(|| misfit(RAW))?;
    let scaled = scaled.as_primitive_opt::<Int64Type>().ok_or_else(|| misfit(SCALED))?;
    if raw.null_count() == 0 {
        return Ok(raw.clone());
    }
    let base = base.as_primitive_opt::<Int64Type>().ok_or_else(|| misfit(BASE))?;
    let unit = unit.as_primitive_opt::<Int64Type>().ok_or_else(|| misfit(UNIT))?;
    let divisor = divisor.as_primitive_opt::<Float64Type>().ok_or_else(|| misfit(DIVISOR))?;
    let of = |row: usize| {
        value(scaled.values()[row], base.values()[row], unit.values()[row], divisor.values()[row])
    };
    let rows = 0..raw.len();
    let scale_nulls = [base.null_count(), unit.null_count(), divisor.null_count(), scaled.null_count()];
    if scale_nulls == [0; 4] && raw.null_count() == raw.len() {
        return Ok(Float64Array::from_iter_values(rows.map(of)));
    }
    let row = |row: usize| {
        if raw.is_valid(row) {
            return Ok(raw.value(row));
        }
        let known = scaled.is_valid(row) && base.is_valid(row) && unit.is_valid(row);
        if known && divisor.is_valid(row) { Ok(of(row)) } else { Err(misfit(RAW)) }
    };
    Ok(Float64Array::from(rows.map(row).collect::<Result<Vec<_>, _>>()?))
}

/// The values of a batch that has the columns that its file has, but for those without any value: of a
/// scale all or none is there.
///
/// # Errors
/// As [`values`].
pub fn values_of(batch: &RecordBatch) -> Result<ArrayRef, ArrowError> {
    let raw = batch.column_by_name(RAW);
    if batch.column_by_name(SCALED).is_none() {
        return raw.cloned().ok_or_else(|| misfit(RAW));
    }
    let column = |name: &str| batch.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| misfit(name));
    let [_, scaled, base, unit, divisor] = COLUMNS;
    let none: ArrayRef;
    let raw = match raw {
        Some(raw) => raw,
        None => {
            none = Arc::new(Float64Array::new_null(batch.num_rows()));
            &none
        }
    };
    let columns = [raw.as_ref(), column(scaled)?, column(base)?, column(unit)?, column(divisor)?];
    Ok(Arc::new(values(columns)?))
}

/// Rows as they are stored, with the columns of `whole`, which has each value in [`RAW`].
///
/// # Errors
/// As [`values`].
pub fn restored(stored: &RecordBatch, whole: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |name: &str| match name {
        RAW => values_of(stored),
        name => stored.column_by_name(name).cloned().ok_or_else(|| misfit(name)),
    };
    let columns = whole.fields().iter().map(|field| column(field.name())).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(whole), columns)
}

/// Whether rows of this schema may have scaled values.
pub fn may_be_scaled(schema: &Schema) -> bool {
    schema.index_of(SCALED).is_ok()
}

fn misfit(name: &str) -> ArrowError {
    ArrowError::SchemaError(format!("the column `{name}` is not what it should be"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow_array::Int64Array;

    use super::*;

    #[test]
    fn columns_without_any_value_may_be_missing() {
        let raw: ArrayRef = Arc::new(Float64Array::from(vec![0.1, -3.0]));
        let ints = |values: [i64; 2]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
        let divisor: ArrayRef = Arc::new(Float64Array::from(vec![10.0, 10.0]));
        let scale = [(SCALED, ints([1, -6])), (BASE, ints([0, 0])), (UNIT, ints([1, 5])), (DIVISOR, divisor)];
        let values =
            |columns: Vec<(&str, ArrayRef)>| values_of(&RecordBatch::try_from_iter(columns).unwrap());
        assert_eq!(&values(scale.to_vec()).unwrap(), &raw);
        assert_eq!(&values(vec![(RAW, Arc::clone(&raw))]).unwrap(), &raw);
        // Of a scale only a part, or nothing at all: not one of our files.
        assert!(values(scale[..3].to_vec()).is_err());
        assert!(values(vec![("flags", ints([0, 0]))]).is_err());
    }
}
