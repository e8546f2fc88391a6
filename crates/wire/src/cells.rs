//! Batches as rows of plain values, so that tests can compare them one by one.

#![allow(clippy::unwrap_used)]

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type};
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::DataType;
use model::Batch;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    /// By its bits, so that NaN equals itself.
    Double(u64),
    Text(String),
    Bytes(Vec<u8>),
    Map(Vec<(String, Option<String>)>),
    List(Vec<Cell>),
    Row(Row),
}

pub(crate) type Row = Vec<(&'static str, Cell)>;

pub(crate) fn double(value: f64) -> Cell {
    Cell::Double(value.to_bits())
}

pub(crate) fn text(value: &str) -> Cell {
    Cell::Text(value.into())
}

/// Rows of a batch. Names are leaked: they are those of the schemas.
pub(crate) fn rows(batch: &RecordBatch) -> Vec<Row> {
    let schema = batch.schema();
    let row = |row: usize| {
        let cell = |(field, column): (&arrow_schema::FieldRef, &arrow_array::ArrayRef)| {
            (&*String::leak(field.name().clone()), cell(column.as_ref(), row))
        };
        schema.fields().iter().zip(batch.columns()).map(cell).collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

fn cell(array: &dyn Array, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Int32 => Cell::Int(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::UInt32 => Cell::Int(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => text(array.as_string::<i32>().value(row)),
        DataType::Binary => Cell::Bytes(array.as_binary::<i32>().value(row).to_vec()),
        DataType::Map(..) => Cell::Map(entries(&array.as_map().value(row))),
        DataType::List(_) => {
            let list = array.as_list::<i32>().value(row);
            Cell::List((0..list.len()).map(|element| cell(list.as_ref(), element)).collect())
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let named = fields.iter().zip(columns);
            Cell::Row(named.map(|(f, c)| (&*String::leak(f.name().clone()), cell(c.as_ref(), row))).collect())
        }
        other => panic!("no column has type {other}"),
    }
}

fn entries(map: &StructArray) -> Vec<(String, Option<String>)> {
    let (keys, values) = (map.column(0).as_string::<i32>(), map.column(1).as_string::<i32>());
    let entry =
        |row: usize| (keys.value(row).to_owned(), values.is_valid(row).then(|| values.value(row).to_owned()));
    (0..map.len()).map(entry).collect()
}

/// A row by its columns, the ones that it refers to inlined.
fn inline(rows: Vec<Row>, reference: &str, referred: &[Row]) -> Vec<Row> {
    let inline = |mut row: Row| {
        let (name, index) = row.remove(0);
        assert_eq!(name, reference);
        let Cell::Int(index) = index else { panic!("`{reference}` is {index:?}") };
        row.extend(referred[usize::try_from(index).unwrap()].clone());
        row
    };
    rows.into_iter().map(inline).collect()
}

/// The tables of a batch with everything inlined: streams into records and series, series into
/// points.
pub(crate) fn tables(batch: &Batch) -> Vec<Vec<Row>> {
    batch.check().unwrap();
    match batch {
        Batch::Logs(logs) => vec![inline(rows(&logs.records), "stream", &rows(&logs.streams))],
        Batch::Spans(spans) => vec![inline(rows(&spans.records), "stream", &rows(&spans.streams))],
        Batch::Metrics(metrics) => {
            let series = inline(rows(&metrics.series), "stream", &rows(&metrics.streams));
            let points = [&metrics.samples, &metrics.histograms, &metrics.exemplars];
            let mut tables: Vec<_> =
                points.map(|points| inline(rows(points), "series", &series)).into_iter().collect();
            tables.push(series);
            tables
        }
    }
}
