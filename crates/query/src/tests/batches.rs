//! Records as batches in the file schema.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, MapArray,
    RecordBatch, StringArray, StructArray, new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Fields, Float64Type};
use model::{Table, scaled, schema};

use super::data::{Attributes, Histogram, Log, Sample, Series, Span, resource};

pub(super) fn logs(rows: &[Log]) -> RecordBatch {
    batch(Table::Logs, rows.len(), |name| {
        Some(match name {
            "time_unix_nano" => ints(rows.iter().map(|row| row.time)),
            "observed_time_unix_nano" => ints(rows.iter().map(|row| row.observed)),
            "severity_number" => Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.severity))),
            "severity_text" => texts(rows.iter().map(|row| Some(format!("S{}", row.severity)))),
            "body" => texts(rows.iter().map(|row| row.body.clone())),
            "event_name" => texts(rows.iter().map(|row| Some(row.event_name.clone()))),
            "trace_id" => ids(rows.iter().map(|row| row.trace.map(|id| id.to_vec()))),
            "span_id" => ids(rows.iter().map(|row| row.span.map(|id| id.to_vec()))),
            "attributes" => maps(rows.iter().map(|row| row.attributes.clone())),
            name => {
                return of_service(name, &rows.iter().map(|row| row.service.as_str()).collect::<Vec<_>>());
            }
        })
    })
}

pub(super) fn spans(rows: &[Span]) -> RecordBatch {
    batch(Table::Spans, rows.len(), |name| {
        Some(match name {
            "start_time_unix_nano" => ints(rows.iter().map(|row| row.start)),
            "end_time_unix_nano" => ints(rows.iter().map(|row| row.end)),
            "duration_nano" => ints(rows.iter().map(|row| row.end - row.start)),
            "trace_id" => ids(rows.iter().map(|row| Some(row.trace.to_vec()))),
            "span_id" => ids(rows.iter().map(|row| Some(row.id.to_vec()))),
            "parent_span_id" => ids(rows.iter().map(|row| row.parent.map(|id| id.to_vec()))),
            "name" => texts(rows.iter().map(|row| Some(row.name.clone()))),
            "kind" => Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.kind))),
            "status_code" => Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.status))),
            "attributes" => maps(rows.iter().map(|row| row.attributes.clone())),
            "events" => events(rows),
            "links" => links(rows),
            name => {
                return of_service(name, &rows.iter().map(|row| row.service.as_str()).collect::<Vec<_>>());
            }
        })
    })
}

pub(super) fn series(rows: &[Series]) -> RecordBatch {
    batch(Table::Series, rows.len(), |name| {
        Some(match name {
            "time_unix_nano" => ints(rows.iter().map(|row| row.time)),
            "series_id" => ids(rows.iter().map(|row| Some(row.id.to_vec()))),
            "metric_name" => texts(rows.iter().map(|row| Some(row.name.clone()))),
            "unit" => texts(rows.iter().map(|row| Some(row.unit.clone()))),
            "description" => texts(rows.iter().map(|row| Some(format!("about {}", row.name)))),
            "kind" => texts(rows.iter().map(|row| Some(row.kind.clone()))),
            "temporality" => texts(rows.iter().map(|row| row.temporality.clone())),
            "is_monotonic" => Arc::new(rows.iter().map(|row| row.monotonic).collect::<BooleanArray>()),
            "attributes" => maps(rows.iter().map(|row| row.attributes.clone())),
            name => {
                return of_service(name, &rows.iter().map(|row| row.service.as_str()).collect::<Vec<_>>());
            }
        })
    })
}

pub(super) fn samples(rows: &[Sample]) -> RecordBatch {
    batch(Table::Samples, rows.len(), |name| {
        Some(match name {
            "metric_name" => texts(rows.iter().map(|row| Some(row.name.clone()))),
            "series_id" => ids(rows.iter().map(|row| Some(row.series.to_vec()))),
            "time_unix_nano" => ints(rows.iter().map(|row| row.time)),
            "start_time_unix_nano" => Arc::new(rows.iter().map(|row| row.start).collect::<Int64Array>()),
            "value" => Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.value))),
            _ => return None,
        })
    })
}

/// Samples as they are stored when they are merged: most values as integers of a unit of a quarter,
/// each series on a scale of its own, some as they are.
pub(super) fn scaled(rows: &RecordBatch) -> RecordBatch {
    let values = rows.column_by_name(scaled::RAW).unwrap().as_primitive::<Float64Type>().values().to_vec();
    let ids = rows.column_by_name("series_id").unwrap().as_binary::<i32>().clone();
    let scale = |row: usize| {
        let series: i64 = ids.value(row).iter().map(|byte| i64::from(*byte)).sum();
        (series % 3 * 100 - 50, 25 * (series % 2 + 1), 100.0)
    };
    let integer = |row: usize| {
        let (base, unit, divisor) = scale(row);
        let scaled = (values[row] * divisor).round() as i64 - base;
        let exact = scaled % unit == 0 && scaled::value(scaled / unit, base, unit, divisor) == values[row];
        (exact && row % 11 != 3).then_some(scaled / unit)
    };
    let all = 0..values.len();
    let ints =
        |of: &dyn Fn(usize) -> Option<i64>| Arc::new(all.clone().map(of).collect::<Int64Array>()) as ArrayRef;
    let doubles = |of: &dyn Fn(usize) -> Option<f64>| {
        Arc::new(all.clone().map(of).collect::<Float64Array>()) as ArrayRef
    };
    let stored = schema::stored(Table::Samples);
    let columns = stored.fields().iter().map(|field| match field.name().as_str() {
        scaled::RAW => doubles(&|row| integer(row).is_none().then_some(values[row])),
        scaled::SCALED => ints(&integer),
        scaled::BASE => ints(&|row| Some(scale(row).0)),
        scaled::UNIT => ints(&|row| Some(scale(row).1)),
        scaled::DIVISOR => doubles(&|row| Some(scale(row).2)),
        name => Arc::clone(rows.column_by_name(name).unwrap()),
    });
    RecordBatch::try_new(Arc::clone(&stored), columns.collect()).unwrap()
}

pub(super) fn histograms(rows: &[Histogram]) -> RecordBatch {
    batch(Table::Histograms, rows.len(), |name| {
        Some(match name {
            "metric_name" => texts(rows.iter().map(|row| Some(row.name.clone()))),
            "series_id" => ids(rows.iter().map(|row| Some(row.series.to_vec()))),
            "time_unix_nano" => ints(rows.iter().map(|row| row.time)),
            "start_time_unix_nano" => Arc::new(rows.iter().map(|row| row.start).collect::<Int64Array>()),
            "count" => ints(rows.iter().map(|row| row.count)),
            "sum" => Arc::new(rows.iter().map(|row| row.sum).collect::<Float64Array>()),
            _ => return None,
        })
    })
}

/// What a column is without a value: 0, an empty text, an empty list; null where it may be.
fn batch(table: Table, rows: usize, column: impl Fn(&str) -> Option<ArrayRef>) -> RecordBatch {
    let file = schema::file(table);
    let columns = file.fields().iter().map(|field| {
        let none = || nothing(field.data_type(), field.is_nullable(), rows);
        column(field.name()).unwrap_or_else(none)
    });
    RecordBatch::try_new(Arc::clone(&file), columns.collect()).unwrap()
}

fn nothing(data_type: &DataType, nullable: bool, rows: usize) -> ArrayRef {
    if nullable {
        return arrow::array::new_null_array(data_type, rows);
    }
    match data_type {
        DataType::Int32 => Arc::new(Int32Array::from(vec![0; rows])),
        DataType::Int64 => ints(std::iter::repeat_n(0, rows)),
        DataType::Float64 => Arc::new(Float64Array::from(vec![0.0; rows])),
        DataType::Utf8 => texts(std::iter::repeat_n(Some(String::new()), rows)),
        DataType::Map(..) => maps(std::iter::repeat_n(Vec::new(), rows)),
        DataType::List(element) => {
            let values = new_empty_array(element.data_type());
            Arc::new(ListArray::new(Arc::clone(element), OffsetBuffer::new_zeroed(rows), values, None))
        }
        other => panic!("no value of {other}"),
    }
}

fn of_service(name: &str, services: &[&str]) -> Option<ArrayRef> {
    Some(match name {
        "service_name" => texts(services.iter().map(|service| Some((*service).to_owned()))),
        "resource_attributes" => maps(services.iter().map(|service| resource(service))),
        "scope_name" => texts(services.iter().map(|_| Some("shop".to_owned()))),
        "scope_version" => texts(services.iter().map(|_| Some("1.2".to_owned()))),
        _ => return None,
    })
}

fn events(rows: &[Span]) -> ArrayRef {
    let all: Vec<_> = rows.iter().flat_map(|row| row.events.clone()).collect();
    let columns = vec![
        ints(all.iter().map(|(time, _)| *time)),
        texts(all.iter().map(|(_, name)| Some(name.clone()))),
        maps(all.iter().map(|(_, name)| vec![("of".to_owned(), Some(name.clone()))])),
        Arc::new(Int32Array::from(vec![0; all.len()])) as ArrayRef,
    ];
    list(&schema::events_type(), columns, rows.iter().map(|row| row.events.len()))
}

fn links(rows: &[Span]) -> ArrayRef {
    let all: Vec<_> = rows.iter().flat_map(|row| row.links.clone()).collect();
    let columns = vec![
        ids(all.iter().map(|(trace, _)| Some(trace.to_vec()))),
        ids(all.iter().map(|(_, span)| Some(span.to_vec()))),
        texts(all.iter().map(|_| Some(String::new()))),
        Arc::new(Int32Array::from(vec![0; all.len()])) as ArrayRef,
        maps(all.iter().map(|_| Vec::new())),
        Arc::new(Int32Array::from(vec![0; all.len()])) as ArrayRef,
    ];
    list(&schema::links_type(), columns, rows.iter().map(|row| row.links.len()))
}

fn list(data_type: &DataType, columns: Vec<ArrayRef>, lengths: impl Iterator<Item = usize>) -> ArrayRef {
    let DataType::List(element) = data_type else { panic!("{data_type} is no list") };
    let DataType::Struct(fields) = element.data_type() else { panic!("{data_type} has no structs") };
    let values = StructArray::new(fields.clone(), columns, None);
    let offsets = OffsetBuffer::from_lengths(lengths);
    Arc::new(ListArray::new(Arc::clone(element), offsets, Arc::new(values), None))
}

fn ints(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn ids(values: impl Iterator<Item = Option<Vec<u8>>>) -> ArrayRef {
    Arc::new(values.collect::<BinaryArray>())
}

fn maps(rows: impl Iterator<Item = Attributes>) -> ArrayRef {
    let rows: Vec<_> = rows.collect();
    let DataType::Map(entry, sorted) = schema::attributes_type() else { panic!("attributes are a map") };
    let DataType::Struct(fields) = entry.data_type().clone() else { panic!("entries are structs") };
    let fields: Fields = fields;
    let keys = texts(rows.iter().flatten().map(|(key, _)| Some(key.clone())));
    let values = texts(rows.iter().flatten().map(|(_, value)| value.clone()));
    let entries = StructArray::new(fields, vec![keys, values], None);
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(Vec::len));
    Arc::new(MapArray::new(entry, offsets, entries, None, sorted))
}
