//! The columns: what is stored in files and what a decoder produces.
//!
//! A *stored schema* is what other engines read (`docs/reference/schema.md`). A *file schema* is
//! what our readers see of it: the same, but that the values of samples are one column. A *row
//! schema* is what decoding makes: the same columns in the same order, but what all records of a sender share
//! (resource and scope) is kept once in [`streams`] and referred to by an index, `stream`; points
//! of a metric refer to [`series_rows`] by `series`.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};

use crate::{Table, scaled};

/// Index of a row's stream, first column of the row schemas of logs, spans and series.
pub const STREAM: &str = "stream";
/// Index of a point's series, first column of the row schemas of samples, histograms, exemplars.
pub const SERIES: &str = "series";

/// Columns of a stream that are stored with each record. `stream_id` is not: it orders rows.
const STREAM_COLUMNS: usize = 9;

/// A map of text to text, as Arrow and Parquet name it.
pub fn attributes_type() -> DataType {
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]);
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries), false)), false)
}

/// The type of `spans.events`: a list of time, name, attributes and how many were dropped.
pub fn events_type() -> DataType {
    list(DataType::Struct(Fields::from(vec![
        required("time_unix_nano", DataType::Int64),
        required("name", DataType::Utf8),
        required("attributes", attributes_type()),
        required("dropped_attributes_count", DataType::Int32),
    ])))
}

/// The type of `spans.links`.
pub fn links_type() -> DataType {
    list(DataType::Struct(Fields::from(vec![
        required("trace_id", DataType::Binary),
        required("span_id", DataType::Binary),
        required("trace_state", DataType::Utf8),
        required("flags", DataType::Int32),
        required("attributes", attributes_type()),
        required("dropped_attributes_count", DataType::Int32),
    ])))
}

/// The type of a histogram's spans of non-empty buckets: gap to the previous span, and length.
pub fn bucket_spans_type() -> DataType {
    list(DataType::Struct(Fields::from(vec![
        required("offset", DataType::Int32),
        required("length", DataType::Int32),
    ])))
}

/// A list with elements that are never null.
pub fn list(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", element, false)))
}

/// What the records of one sender share: resource and scope. One row a (resource, scope).
pub fn streams() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let mut fields = stream_fields();
        // xxh3-128 of the resource and scope as sent; orders and de-duplicates, is not stored.
        fields.push(required("stream_id", DataType::Binary).into());
        Arc::new(Schema::new(fields))
    });
    Arc::clone(&SCHEMA)
}

/// What decoding makes of a table's records.
pub fn rows(table: Table) -> SchemaRef {
    static SCHEMAS: LazyLock<[SchemaRef; Table::ALL.len()]> = LazyLock::new(|| {
        Table::ALL.map(|table| {
            let index = if has_streams(table) { STREAM } else { SERIES };
            let mut fields: Vec<FieldRef> = vec![required(index, DataType::UInt32).into()];
            fields.extend(own_fields(table));
            Arc::new(Schema::new(fields))
        })
    });
    Arc::clone(&SCHEMAS[table as usize])
}

/// What the Parquet files of a table hold.
///
/// Logs, spans and series: the stream's columns after the record's own. Samples, histograms and
/// exemplars: `metric_name` and `series_id` before their own.
pub fn file(table: Table) -> SchemaRef {
    static SCHEMAS: LazyLock<[SchemaRef; Table::ALL.len()]> = LazyLock::new(|| {
        Table::ALL.map(|table| {
            let fields: Vec<FieldRef> = if has_streams(table) {
                own_fields(table).into_iter().chain(stream_fields()).collect()
            } else {
                let series =
                    [required("metric_name", DataType::Utf8), required("series_id", DataType::Binary)];
                series.into_iter().map(Arc::new).chain(own_fields(table)).collect()
            };
            Arc::new(Schema::new(fields))
        })
    });
    Arc::clone(&SCHEMAS[table as usize])
}

/// What stands in the Parquet files of a table.
///
/// The file schema; of samples with the columns of [`scaled::COLUMNS`] instead of the value alone.
pub fn stored(table: Table) -> SchemaRef {
    static SCHEMAS: LazyLock<[SchemaRef; Table::ALL.len()]> = LazyLock::new(|| Table::ALL.map(new_stored));
    Arc::clone(&SCHEMAS[table as usize])
}

fn new_stored(table: Table) -> SchemaRef {
    let file = file(table);
    if table != Table::Samples {
        return file;
    }
    let own = file.fields().iter().map(|field| match field.name().as_str() {
        // Null where the value is scaled.
        scaled::RAW => Arc::new(optional(scaled::RAW, DataType::Float64)),
        _ => Arc::clone(field),
    });
    let scale = [
        optional(scaled::SCALED, DataType::Int64),
        optional(scaled::BASE, DataType::Int64),
        optional(scaled::UNIT, DataType::Int64),
        optional(scaled::DIVISOR, DataType::Float64),
    ];
    Arc::new(Schema::new(own.chain(scale.map(Arc::new)).collect::<Fields>()))
}

/// Row schema of [`Table::Series`], by its name because points refer to it.
pub fn series_rows() -> SchemaRef {
    rows(Table::Series)
}

/// Whether the table's rows refer to a stream (else to a series).
pub fn has_streams(table: Table) -> bool {
    matches!(table, Table::Logs | Table::Spans | Table::Series)
}

fn stream_fields() -> Vec<FieldRef> {
    let fields = vec![
        // `service.name` of the resource; `unknown_service` when it has none, as OpenTelemetry says.
        required("service_name", DataType::Utf8),
        required("resource_attributes", attributes_type()),
        required("resource_dropped_attributes_count", DataType::Int32),
        required("resource_schema_url", DataType::Utf8),
        required("scope_name", DataType::Utf8),
        required("scope_version", DataType::Utf8),
        required("scope_attributes", attributes_type()),
        required("scope_dropped_attributes_count", DataType::Int32),
        required("scope_schema_url", DataType::Utf8),
    ];
    debug_assert_eq!(fields.len(), STREAM_COLUMNS);
    fields.into_iter().map(Arc::new).collect()
}

fn own_fields(table: Table) -> Vec<FieldRef> {
    let fields = match table {
        Table::Logs => logs(),
        Table::Spans => spans(),
        Table::Samples => samples(),
        Table::Series => series(),
        Table::Histograms => histograms(),
        Table::Exemplars => exemplars(),
        Table::Downsampled => downsampled(),
        Table::DownsampledHistograms => downsampled_histograms(),
    };
    fields.into_iter().map(Arc::new).collect()
}

fn logs() -> Vec<Field> {
    vec![
        // The record's time; its observed time where it has none; the receive time where it has neither.
        required("time_unix_nano", DataType::Int64),
        // 0 where the sender gave none.
        required("observed_time_unix_nano", DataType::Int64),
        required("severity_number", DataType::Int32),
        required("severity_text", DataType::Utf8),
        // Text as it is; other values as JSON; null where the record has no body.
        optional("body", DataType::Utf8),
        required("event_name", DataType::Utf8),
        // 16 and 8 bytes; null where the record belongs to no trace.
        optional("trace_id", DataType::Binary),
        optional("span_id", DataType::Binary),
        required("flags", DataType::Int32),
        required("attributes", attributes_type()),
        required("dropped_attributes_count", DataType::Int32),
    ]
}

fn spans() -> Vec<Field> {
    vec![
        required("start_time_unix_nano", DataType::Int64),
        required("end_time_unix_nano", DataType::Int64),
        // end - start; negative where the sender's clock went back.
        required("duration_nano", DataType::Int64),
        required("trace_id", DataType::Binary),
        required("span_id", DataType::Binary),
        // Null for a root span.
        optional("parent_span_id", DataType::Binary),
        required("trace_state", DataType::Utf8),
        required("flags", DataType::Int32),
        required("name", DataType::Utf8),
        // OTLP's numbers: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
        required("kind", DataType::Int32),
        // 0 unset, 1 ok, 2 error.
        required("status_code", DataType::Int32),
        required("status_message", DataType::Utf8),
        required("attributes", attributes_type()),
        required("events", events_type()),
        required("links", links_type()),
        required("dropped_attributes_count", DataType::Int32),
        required("dropped_events_count", DataType::Int32),
        required("dropped_links_count", DataType::Int32),
    ]
}

fn samples() -> Vec<Field> {
    vec![
        required("time_unix_nano", DataType::Int64),
        // Null where the sender gave none.
        optional("start_time_unix_nano", DataType::Int64),
        required("value", DataType::Float64),
        // Only where the sender's integer does not fit a double exactly.
        optional("value_int", DataType::Int64),
        required("flags", DataType::Int32),
    ]
}

fn series() -> Vec<Field> {
    vec![
        // When the series was first seen on that day.
        required("time_unix_nano", DataType::Int64),
        // xxh3-128 of what identifies the series: name, unit, kind, temporality, monotonic, service and all attributes, sorted.
        required("series_id", DataType::Binary),
        required("metric_name", DataType::Utf8),
        required("unit", DataType::Utf8),
        required("description", DataType::Utf8),
        // gauge, sum, histogram, exponential_histogram, summary; of Prometheus also gaugehistogram, info,
        // stateset, and unknown where its type did not come with it. A row of the kind metadata is no series:
        // it says what a metric is.
        required("kind", DataType::Utf8),
        // cumulative, delta; null where it means nothing.
        optional("temporality", DataType::Utf8),
        // Sums only.
        optional("is_monotonic", DataType::Boolean),
        required("attributes", attributes_type()),
    ]
}

fn histograms() -> Vec<Field> {
    vec![
        required("time_unix_nano", DataType::Int64),
        optional("start_time_unix_nano", DataType::Int64),
        required("flags", DataType::Int32),
        required("count", DataType::Int64),
        optional("sum", DataType::Float64),
        optional("min", DataType::Float64),
        optional("max", DataType::Float64),
        // Exponential: OTLP's scale or Prometheus' schema. Explicit bounds: -53, as Prometheus' custom buckets. Null: a summary.
        optional("schema", DataType::Int32),
        required("zero_threshold", DataType::Float64),
        required("zero_count", DataType::Int64),
        // Non-empty buckets as spans; counts are absolute, one for each bucket of the spans.
        required("positive_spans", bucket_spans_type()),
        required("positive_buckets", list(DataType::Int64)),
        required("negative_spans", bucket_spans_type()),
        required("negative_buckets", list(DataType::Int64)),
        required("custom_bounds", list(DataType::Float64)),
        // A summary's quantiles (0 to 1) and their values.
        required("quantiles", list(DataType::Float64)),
        required("quantile_values", list(DataType::Float64)),
        // Prometheus': 0 unknown, 1 reset, 2 no reset, 3 gauge; null where the protocol has none.
        optional("reset_hint", DataType::Int32),
        // Only where counts are doubles; the integers above are these, rounded.
        optional("count_double", DataType::Float64),
        optional("zero_count_double", DataType::Float64),
        optional("positive_buckets_double", list(DataType::Float64)),
        optional("negative_buckets_double", list(DataType::Float64)),
    ]
}

fn exemplars() -> Vec<Field> {
    vec![
        required("time_unix_nano", DataType::Int64),
        required("value", DataType::Float64),
        optional("value_int", DataType::Int64),
        optional("trace_id", DataType::Binary),
        optional("span_id", DataType::Binary),
        required("attributes", attributes_type()),
    ]
}

fn downsampled() -> Vec<Field> {
    vec![
        // Of the last sample; of the marker of staleness where there is nothing else.
        required("time_unix_nano", DataType::Int64),
        // Windows end at its multiples since 1970 and are open at their start.
        required("resolution_ms", DataType::Int64),
        required("first_time_unix_nano", DataType::Int64),
        // Samples; markers of staleness are none.
        required("count", DataType::Int64),
        required("sum", DataType::Float64),
        required("min", DataType::Float64),
        required("max", DataType::Float64),
        required("first", DataType::Float64),
        required("last", DataType::Float64),
        // What a counter lost by resets: last - first + reset_sum is by how much it grew.
        required("reset_sum", DataType::Float64),
        // Of the marker after the last sample, where there is one.
        optional("stale_time_unix_nano", DataType::Int64),
    ]
}

/// The columns of histograms behind those of the window.
fn downsampled_histograms() -> Vec<Field> {
    let window = [
        // Of the last point; of the marker of staleness where there is nothing else.
        required("time_unix_nano", DataType::Int64),
        // Windows as those of `downsampled`.
        required("resolution_ms", DataType::Int64),
        required("first_time_unix_nano", DataType::Int64),
        // Histograms or summaries; markers of staleness are none.
        required("points", DataType::Int64),
        // Of the marker after the last point, where there is one.
        optional("stale_time_unix_nano", DataType::Int64),
        // What of the window the row is: first, last, sum, resets; of a summary also min, max.
        required("part", DataType::Utf8),
    ];
    let own = histograms().into_iter().filter(|field| field.name() != "time_unix_nano");
    window.into_iter().chain(own).collect()
}

fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}
