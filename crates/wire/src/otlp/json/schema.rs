//! OTLP's messages as a table: names, numbers and types of their fields.

use model::Signal;

/// A message and its fields.
pub(super) struct Message(&'static [Field]);

/// A field of a message.
pub(super) struct Field {
    pub(super) number: u32,
    /// In snake case, as in the `.proto` files.
    pub(super) name: &'static str,
    pub(super) kind: Type,
    pub(super) repeated: bool,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Type {
    Message(&'static Message),
    Text,
    Bytes,
    /// Bytes that are hexadecimal in OTLP's JSON.
    Id,
    Bool,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Enum(&'static [(&'static str, i32)]),
}

impl Message {
    /// The field of a name in snake or camel case.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.0.iter().find(|field| field.is_named(name))
    }
}

impl Field {
    const fn one(number: u32, name: &'static str, kind: Type) -> Self {
        Self { number, name, kind, repeated: false }
    }

    const fn many(number: u32, name: &'static str, kind: Type) -> Self {
        Self { number, name, kind, repeated: true }
    }

    fn is_named(&self, name: &str) -> bool {
        name == self.name || self.is_camel(name)
    }

    fn is_camel(&self, name: &str) -> bool {
        let mut rest = name.bytes();
        let mut upper = false;
        for byte in self.name.bytes() {
            if byte == b'_' {
                upper = true;
                continue;
            }
            let wanted = if upper { byte.to_ascii_uppercase() } else { byte };
            upper = false;
            if rest.next() != Some(wanted) {
                return false;
            }
        }
        rest.next().is_none()
    }
}

/// The request of a signal.
pub(super) fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Logs => &LOGS_REQUEST,
        Signal::Spans => &TRACE_REQUEST,
        Signal::Metrics => &METRICS_REQUEST,
    }
}

use Type::{Bool, Bytes, Double, Enum, Fixed32, Fixed64, Id, Int64, Sfixed64, Sint32, Text, Uint32, Uint64};

const fn message(of: &'static Message) -> Type {
    Type::Message(of)
}

static ANY_VALUE: Message = Message(&[
    Field::one(1, "string_value", Text),
    Field::one(2, "bool_value", Bool),
    Field::one(3, "int_value", Int64),
    Field::one(4, "double_value", Double),
    Field::one(5, "array_value", message(&ARRAY_VALUE)),
    Field::one(6, "kvlist_value", message(&KEY_VALUE_LIST)),
    Field::one(7, "bytes_value", Bytes),
]);
static ARRAY_VALUE: Message = Message(&[Field::many(1, "values", message(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = Message(&[Field::many(1, "values", message(&KEY_VALUE))]);
static KEY_VALUE: Message =
    Message(&[Field::one(1, "key", Text), Field::one(2, "value", message(&ANY_VALUE))]);
static RESOURCE: Message = Message(&[
    Field::many(1, "attributes", message(&KEY_VALUE)),
    Field::one(2, "dropped_attributes_count", Uint32),
]);
static SCOPE: Message = Message(&[
    Field::one(1, "name", Text),
    Field::one(2, "version", Text),
    Field::many(3, "attributes", message(&KEY_VALUE)),
    Field::one(4, "dropped_attributes_count", Uint32),
]);

static LOGS_REQUEST: Message = Message(&[Field::many(1, "resource_logs", message(&RESOURCE_LOGS))]);
static RESOURCE_LOGS: Message = Message(&[
    Field::one(1, "resource", message(&RESOURCE)),
    Field::many(2, "scope_logs", message(&SCOPE_LOGS)),
    Field::one(3, "schema_url", Text),
]);
static SCOPE_LOGS: Message = Message(&[
    Field::one(1, "scope", message(&SCOPE)),
    Field::many(2, "log_records", message(&LOG_RECORD)),
    Field::one(3, "schema_url", Text),
]);
static LOG_RECORD: Message = Message(&[
    Field::one(1, "time_unix_nano", Fixed64),
    Field::one(11, "observed_time_unix_nano", Fixed64),
    Field::one(2, "severity_number", Enum(SEVERITIES)),
    Field::one(3, "severity_text", Text),
    Field::one(5, "body", message(&ANY_VALUE)),
    Field::many(6, "attributes", message(&KEY_VALUE)),
    Field::one(7, "dropped_attributes_count", Uint32),
    Field::one(8, "flags", Fixed32),
    Field::one(9, "trace_id", Id),
    Field::one(10, "span_id", Id),
    Field::one(12, "event_name", Text),
]);
const SEVERITIES: &[(&str, i32)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];

static TRACE_REQUEST: Message = Message(&[Field::many(1, "resource_spans", message(&RESOURCE_SPANS))]);
static RESOURCE_SPANS: Message = Message(&[
    Field::one(1, "resource", message(&RESOURCE)),
    Field::many(2, "scope_spans", message(&SCOPE_SPANS)),
    Field::one(3, "schema_url", Text),
]);
static SCOPE_SPANS: Message = Message(&[
    Field::one(1, "scope", message(&SCOPE)),
    Field::many(2, "spans", message(&SPAN)),
    Field::one(3, "schema_url", Text),
]);
static SPAN: Message = Message(&[
    Field::one(1, "trace_id", Id),
    Field::one(2, "span_id", Id),
    Field::one(3, "trace_state", Text),
    Field::one(4, "parent_span_id", Id),
    Field::one(16, "flags", Fixed32),
    Field::one(5, "name", Text),
    Field::one(6, "kind", Enum(SPAN_KINDS)),
    Field::one(7, "start_time_unix_nano", Fixed64),
    Field::one(8, "end_time_unix_nano", Fixed64),
    Field::many(9, "attributes", message(&KEY_VALUE)),
    Field::one(10, "dropped_attributes_count", Uint32),
    Field::many(11, "events", message(&EVENT)),
    Field::one(12, "dropped_events_count", Uint32),
    Field::many(13, "links", message(&LINK)),
    Field::one(14, "dropped_links_count", Uint32),
    Field::one(15, "status", message(&STATUS)),
]);
const SPAN_KINDS: &[(&str, i32)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];
static EVENT: Message = Message(&[
    Field::one(1, "time_unix_nano", Fixed64),
    Field::one(2, "name", Text),
    Field::many(3, "attributes", message(&KEY_VALUE)),
    Field::one(4, "dropped_attributes_count", Uint32),
]);
static LINK: Message = Message(&[
    Field::one(1, "trace_id", Id),
    Field::one(2, "span_id", Id),
    Field::one(3, "trace_state", Text),
    Field::many(4, "attributes", message(&KEY_VALUE)),
    Field::one(5, "dropped_attributes_count", Uint32),
    Field::one(6, "flags", Fixed32),
]);
static STATUS: Message =
    Message(&[Field::one(2, "message", Text), Field::one(3, "code", Enum(STATUS_CODES))]);
const STATUS_CODES: &[(&str, i32)] =
    &[("STATUS_CODE_UNSET", 0), ("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)];

static METRICS_REQUEST: Message = Message(&[Field::many(1, "resource_metrics", message(&RESOURCE_METRICS))]);
static RESOURCE_METRICS: Message = Message(&[
    Field::one(1, "resource", message(&RESOURCE)),
    Field::many(2, "scope_metrics", message(&SCOPE_METRICS)),
    Field::one(3, "schema_url", Text),
]);
static SCOPE_METRICS: Message = Message(&[
    Field::one(1, "scope", message(&SCOPE)),
    Field::many(2, "metrics", message(&METRIC)),
    Field::one(3, "schema_url", Text),
]);
static METRIC: Message = Message(&[
    Field::one(1, "name", Text),
    Field::one(2, "description", Text),
    Field::one(3, "unit", Text),
    Field::one(5, "gauge", message(&GAUGE)),
    Field::one(7, "sum", message(&SUM)),
    Field::one(9, "histogram", message(&HISTOGRAM)),
    Field::one(10, "exponential_histogram", message(&EXPONENTIAL_HISTOGRAM)),
    Field::one(11, "summary", message(&SUMMARY)),
    Field::many(12, "metadata", message(&KEY_VALUE)),
]);
const TEMPORALITIES: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];
static GAUGE: Message = Message(&[Field::many(1, "data_points", message(&NUMBER_POINT))]);
static SUM: Message = Message(&[
    Field::many(1, "data_points", message(&NUMBER_POINT)),
    Field::one(2, "aggregation_temporality", Enum(TEMPORALITIES)),
    Field::one(3, "is_monotonic", Bool),
]);
static HISTOGRAM: Message = Message(&[
    Field::many(1, "data_points", message(&HISTOGRAM_POINT)),
    Field::one(2, "aggregation_temporality", Enum(TEMPORALITIES)),
]);
static EXPONENTIAL_HISTOGRAM: Message = Message(&[
    Field::many(1, "data_points", message(&EXPONENTIAL_POINT)),
    Field::one(2, "aggregation_temporality", Enum(TEMPORALITIES)),
]);
static SUMMARY: Message = Message(&[Field::many(1, "data_points", message(&SUMMARY_POINT))]);
static NUMBER_POINT: Message = Message(&[
    Field::many(7, "attributes", message(&KEY_VALUE)),
    Field::one(2, "start_time_unix_nano", Fixed64),
    Field::one(3, "time_unix_nano", Fixed64),
    Field::one(4, "as_double", Double),
    Field::one(6, "as_int", Sfixed64),
    Field::many(5, "exemplars", message(&EXEMPLAR)),
    Field::one(8, "flags", Uint32),
]);
static HISTOGRAM_POINT: Message = Message(&[
    Field::many(9, "attributes", message(&KEY_VALUE)),
    Field::one(2, "start_time_unix_nano", Fixed64),
    Field::one(3, "time_unix_nano", Fixed64),
    Field::one(4, "count", Fixed64),
    Field::one(5, "sum", Double),
    Field::many(6, "bucket_counts", Fixed64),
    Field::many(7, "explicit_bounds", Double),
    Field::many(8, "exemplars", message(&EXEMPLAR)),
    Field::one(10, "flags", Uint32),
    Field::one(11, "min", Double),
    Field::one(12, "max", Double),
]);
static EXPONENTIAL_POINT: Message = Message(&[
    Field::many(1, "attributes", message(&KEY_VALUE)),
    Field::one(2, "start_time_unix_nano", Fixed64),
    Field::one(3, "time_unix_nano", Fixed64),
    Field::one(4, "count", Fixed64),
    Field::one(5, "sum", Double),
    Field::one(6, "scale", Sint32),
    Field::one(7, "zero_count", Fixed64),
    Field::one(8, "positive", message(&BUCKETS)),
    Field::one(9, "negative", message(&BUCKETS)),
    Field::one(10, "flags", Uint32),
    Field::many(11, "exemplars", message(&EXEMPLAR)),
    Field::one(12, "min", Double),
    Field::one(13, "max", Double),
    Field::one(14, "zero_threshold", Double),
]);
static BUCKETS: Message =
    Message(&[Field::one(1, "offset", Sint32), Field::many(2, "bucket_counts", Uint64)]);
static SUMMARY_POINT: Message = Message(&[
    Field::many(7, "attributes", message(&KEY_VALUE)),
    Field::one(2, "start_time_unix_nano", Fixed64),
    Field::one(3, "time_unix_nano", Fixed64),
    Field::one(4, "count", Fixed64),
    Field::one(5, "sum", Double),
    Field::many(6, "quantile_values", message(&QUANTILE)),
    Field::one(8, "flags", Uint32),
]);
static QUANTILE: Message = Message(&[Field::one(1, "quantile", Double), Field::one(2, "value", Double)]);
static EXEMPLAR: Message = Message(&[
    Field::many(7, "filtered_attributes", message(&KEY_VALUE)),
    Field::one(2, "time_unix_nano", Fixed64),
    Field::one(3, "as_double", Double),
    Field::one(6, "as_int", Sfixed64),
    Field::one(4, "span_id", Id),
    Field::one(5, "trace_id", Id),
]);
