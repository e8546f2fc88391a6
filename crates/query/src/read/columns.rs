//! Columns of answers by name, and parts of plans that readers share.

use std::sync::Arc;

use arrow::array::{
    Array, AsArray, BooleanArray, Float64Array, MapArray, RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType};
use datafusion::common::ScalarValue;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, col, lit};
use model::Table;

use crate::table::catalog::Tables;
use crate::table::columns::UTC;
use crate::{Attributes, QueryError, TimeRange};

/// Reads a batch's columns by name. Plans of ours have the columns that are asked for: a wrong
/// name or type is a bug, and reads as nothing.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a>(pub(super) &'a RecordBatch);

impl<'a> Columns<'a> {
    fn column(self, name: &str) -> Option<&'a dyn Array> {
        let column = self.0.column_by_name(name);
        debug_assert!(column.is_some(), "no column {name}");
        column.map(AsRef::as_ref)
    }

    fn texts(self, name: &str) -> Option<&'a StringArray> {
        self.column(name)?.as_string_opt()
    }

    pub(super) fn text(self, name: &str, row: usize) -> Option<&'a str> {
        self.texts(name).filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row))
    }

    pub(super) fn string(self, name: &str, row: usize) -> String {
        self.text(name, row).unwrap_or_default().to_owned()
    }

    pub(super) fn int(self, name: &str, row: usize) -> Option<i64> {
        let column = self.column(name)?;
        if column.is_null(row) {
            return None;
        }
        if let Some(column) = column.as_primitive_opt::<Int32Type>() {
            return Some(i64::from(column.value(row)));
        }
        if let Some(column) = column.as_primitive_opt::<TimestampNanosecondType>() {
            return Some(column.value(row));
        }
        column.as_primitive_opt::<Int64Type>().map(|column| column.value(row))
    }

    pub(super) fn double(self, name: &str, row: usize) -> Option<f64> {
        let column: &Float64Array = self.column(name)?.as_primitive_opt()?;
        column.is_valid(row).then(|| column.value(row))
    }

    pub(super) fn boolean(self, name: &str, row: usize) -> Option<bool> {
        let column: &BooleanArray = self.column(name)?.as_boolean_opt()?;
        column.is_valid(row).then(|| column.value(row))
    }

    pub(super) fn attributes(self, name: &str, row: usize) -> Attributes {
        self.column(name).and_then(AsArray::as_map_opt).map(|map| attributes(map, row)).unwrap_or_default()
    }

    /// The structs of a row of a list, as a batch.
    pub(super) fn elements(self, name: &str, row: usize) -> Option<RecordBatch> {
        let list = self.column(name)?.as_list_opt::<i32>()?;
        let elements: StructArray = list.value(row).as_struct_opt()?.clone();
        Some(RecordBatch::from(elements))
    }
}

fn attributes(map: &MapArray, row: usize) -> Attributes {
    if map.is_null(row) {
        return Attributes::new();
    }
    let entries = map.value(row);
    let (Some(keys), Some(values)) =
        (entries.column(0).as_string_opt::<i32>(), entries.column(1).as_string_opt::<i32>())
    else {
        return Attributes::new();
    };
    let pairs = keys.iter().zip(values);
    pairs.map(|(key, value)| (key.unwrap_or_default().to_owned(), value.map(str::to_owned))).collect()
}

/// Begins a plan with a table's columns.
pub(super) fn scan(tables: &Tables, table: Table) -> Result<LogicalPlanBuilder, QueryError> {
    let source = provider_as_source(Arc::new(tables.provider(table)));
    LogicalPlanBuilder::scan(table.as_str(), source, None).map_err(planning)
}

/// An error of building a plan of ours.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn planning(error: datafusion::common::DataFusionError) -> QueryError {
    QueryError::planning(&error, None)
}

/// A moment as a constant.
pub(super) fn moment(unix_nano: i64) -> Expr {
    lit(ScalarValue::TimestampNanosecond(Some(unix_nano), Some(Arc::clone(&UTC))))
}

/// A time column is within a range.
pub(super) fn within(column: &str, range: TimeRange) -> Expr {
    col(column).gt_eq(moment(range.from)).and(col(column).lt(moment(range.to)))
}

/// The range in pieces from the newest to the oldest, each several times as long as the one
/// before: what is asked for is mostly new, and a reader stops when it has enough.
pub(crate) fn newest_first(range: TimeRange) -> impl Iterator<Item = TimeRange> {
    const PIECES: i64 = 256;
    const SHORTEST: i64 = 5_000_000_000;
    const GROWTH: i64 = 4;
    let mut to = range.to;
    let mut width = (range.to.saturating_sub(range.from) / PIECES).max(SHORTEST);
    std::iter::from_fn(move || {
        if to <= range.from {
            return None;
        }
        let from = to.saturating_sub(width).max(range.from);
        let piece = TimeRange { from, to };
        to = from;
        width = width.saturating_mul(GROWTH);
        Some(piece)
    })
}
