//! A request of OTLP as JSON, from the same request as protobuf
//! ([mapping](https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding)): names in camel case,
//! ids in hexadecimal, integers of 64 bits as texts, enums as numbers.

use serde_json::{Map, Value};

use super::read::{Field, next_field, varint};
use crate::telemetry::Signal;

/// The fields of a message: number, name and kind.
type Message = [(u32, &'static str, Kind)];

/// What a field holds. Field names of each are in OpenTelemetry's `.proto` files.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// The id of a trace or of a span.
    Id,
    Bytes,
    Bool,
    /// An enum, or an unsigned integer of 32 bits.
    Small,
    /// A signed integer of 32 bits, in zig-zag.
    ZigZag,
    Unsigned,
    Signed,
    Double,
    One(&'static Message),
    Many(&'static Message),
    /// Integers of 64 bits, each with eight bytes.
    Fixed,
    /// Integers of 64 bits, each with as many bytes as it needs.
    Varints,
    Doubles,
}

use Kind::{
    Bool, Bytes, Double, Doubles, Fixed, Id, Many, One, Signed, Small, Text, Unsigned, Varints, ZigZag,
};

static LOGS: &Message =
    &[(1, "resourceLogs", Many(&[(1, "resource", One(RESOURCE)), (2, "scopeLogs", Many(SCOPE_LOGS))]))];
static TRACES: &Message =
    &[(1, "resourceSpans", Many(&[(1, "resource", One(RESOURCE)), (2, "scopeSpans", Many(SCOPE_SPANS))]))];
static METRICS: &Message = &[(
    1,
    "resourceMetrics",
    Many(&[(1, "resource", One(RESOURCE)), (2, "scopeMetrics", Many(SCOPE_METRICS))]),
)];

const RESOURCE: &Message = &[(1, "attributes", Many(&KEY_VALUE))];
const SCOPE: &Message = &[(1, "name", Text), (2, "version", Text)];
const SCOPE_LOGS: &Message = &[(1, "scope", One(SCOPE)), (2, "logRecords", Many(LOG_RECORD))];
const SCOPE_SPANS: &Message = &[(1, "scope", One(SCOPE)), (2, "spans", Many(SPAN))];
const SCOPE_METRICS: &Message = &[(1, "scope", One(SCOPE)), (2, "metrics", Many(METRIC))];

// These two know each other, so they have an address.
static KEY_VALUE: [(u32, &str, Kind); 2] = [(1, "key", Text), (2, "value", One(&ANY_VALUE))];
static ANY_VALUE: [(u32, &str, Kind); 7] = [
    (1, "stringValue", Text),
    (2, "boolValue", Bool),
    (3, "intValue", Signed),
    (4, "doubleValue", Double),
    (5, "arrayValue", One(&[(1, "values", Many(&ANY_VALUE))])),
    (6, "kvlistValue", One(&[(1, "values", Many(&KEY_VALUE))])),
    (7, "bytesValue", Bytes),
];

const LOG_RECORD: &Message = &[
    (1, "timeUnixNano", Unsigned),
    (2, "severityNumber", Small),
    (3, "severityText", Text),
    (5, "body", One(&ANY_VALUE)),
    (6, "attributes", Many(&KEY_VALUE)),
    (7, "droppedAttributesCount", Small),
    (8, "flags", Small),
    (9, "traceId", Id),
    (10, "spanId", Id),
    (11, "observedTimeUnixNano", Unsigned),
    (12, "eventName", Text),
];

const SPAN: &Message = &[
    (1, "traceId", Id),
    (2, "spanId", Id),
    (3, "traceState", Text),
    (4, "parentSpanId", Id),
    (5, "name", Text),
    (6, "kind", Small),
    (7, "startTimeUnixNano", Unsigned),
    (8, "endTimeUnixNano", Unsigned),
    (9, "attributes", Many(&KEY_VALUE)),
    (10, "droppedAttributesCount", Small),
    (11, "events", Many(EVENT)),
    (12, "droppedEventsCount", Small),
    (13, "links", Many(LINK)),
    (14, "droppedLinksCount", Small),
    (15, "status", One(&[(2, "message", Text), (3, "code", Small)])),
    (16, "flags", Small),
];

const EVENT: &Message = &[
    (1, "timeUnixNano", Unsigned),
    (2, "name", Text),
    (3, "attributes", Many(&KEY_VALUE)),
    (4, "droppedAttributesCount", Small),
];

const LINK: &Message = &[
    (1, "traceId", Id),
    (2, "spanId", Id),
    (3, "traceState", Text),
    (4, "attributes", Many(&KEY_VALUE)),
    (5, "droppedAttributesCount", Small),
    (6, "flags", Small),
];

const METRIC: &Message = &[
    (1, "name", Text),
    (2, "description", Text),
    (3, "unit", Text),
    (5, "gauge", One(&[(1, "dataPoints", Many(NUMBER))])),
    (7, "sum", One(&[(1, "dataPoints", Many(NUMBER)), TEMPORALITY, (3, "isMonotonic", Bool)])),
    (9, "histogram", One(&[(1, "dataPoints", Many(HISTOGRAM)), TEMPORALITY])),
    (10, "exponentialHistogram", One(&[(1, "dataPoints", Many(EXPONENTIAL)), TEMPORALITY])),
];

const TEMPORALITY: (u32, &str, Kind) = (2, "aggregationTemporality", Small);

const NUMBER: &Message = &[
    (2, "startTimeUnixNano", Unsigned),
    (3, "timeUnixNano", Unsigned),
    (4, "asDouble", Double),
    (6, "asInt", Signed),
    (7, "attributes", Many(&KEY_VALUE)),
];

const HISTOGRAM: &Message = &[
    (2, "startTimeUnixNano", Unsigned),
    (3, "timeUnixNano", Unsigned),
    (4, "count", Unsigned),
    (5, "sum", Double),
    (6, "bucketCounts", Fixed),
    (7, "explicitBounds", Doubles),
    (9, "attributes", Many(&KEY_VALUE)),
];

const EXPONENTIAL: &Message = &[
    (1, "attributes", Many(&KEY_VALUE)),
    (2, "startTimeUnixNano", Unsigned),
    (3, "timeUnixNano", Unsigned),
    (4, "count", Unsigned),
    (5, "sum", Double),
    (6, "scale", ZigZag),
    (7, "zeroCount", Unsigned),
    (8, "positive", One(BUCKETS)),
    (9, "negative", One(BUCKETS)),
    (12, "min", Double),
    (13, "max", Double),
];

const BUCKETS: &Message = &[(1, "offset", ZigZag), (2, "bucketCounts", Varints)];

/// The same request as JSON; none when it is not one that was encoded here.
pub(crate) fn json(signal: Signal, request: &[u8]) -> Option<Value> {
    object(
        match signal {
            Signal::Logs => LOGS,
            Signal::Traces => TRACES,
            Signal::Metrics => METRICS,
        },
        request,
    )
}

fn object(message: &Message, mut bytes: &[u8]) -> Option<Value> {
    let mut object = Map::new();
    while !bytes.is_empty() {
        let (number, field, _) = next_field(&mut bytes)?;
        let (_, name, kind) = message.iter().find(|(own, ..)| *own == number)?;
        match (kind, field) {
            (Many(message), Field::Bytes(bytes)) => {
                let list = object.entry(*name).or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut()?.push(self::object(message, bytes)?);
            }
            (kind, field) => drop(object.insert((*name).to_owned(), value(*kind, field)?)),
        }
    }
    Some(Value::Object(object))
}

fn value(kind: Kind, field: Field<'_>) -> Option<Value> {
    Some(match (kind, field) {
        (Text, Field::Bytes(text)) => std::str::from_utf8(text).ok()?.into(),
        (Id, Field::Bytes(id)) => id.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        (Bytes, Field::Bytes(bytes)) => base64(bytes).into(),
        (Bool, Field::Number(number)) => (number != 0).into(),
        (Small, Field::Number(number)) => number.into(),
        (ZigZag, Field::Number(number)) => ((number >> 1).cast_signed() ^ -(number & 1).cast_signed()).into(),
        (Unsigned, Field::Number(number)) => number.to_string().into(),
        (Signed, Field::Number(number)) => number.cast_signed().to_string().into(),
        (Double, Field::Number(bits)) => double(bits),
        (One(message), Field::Bytes(bytes)) => object(message, bytes)?,
        (Fixed, Field::Bytes(bytes)) => eights(bytes)?.map(|it| it.to_string()).collect(),
        (Doubles, Field::Bytes(bytes)) => eights(bytes)?.map(double).collect(),
        (Varints, Field::Bytes(bytes)) => varints(bytes)?,
        _ => return None,
    })
}

/// What JSON has no number for is one of three words.
fn double(bits: u64) -> Value {
    let value = f64::from_bits(bits);
    serde_json::Number::from_f64(value).map_or_else(
        || {
            if value.is_nan() {
                "NaN".into()
            } else if value > 0.0 {
                "Infinity".into()
            } else {
                "-Infinity".into()
            }
        },
        Value::Number,
    )
}

fn eights(bytes: &[u8]) -> Option<impl Iterator<Item = u64>> {
    let (eights, []) = bytes.as_chunks::<8>() else { return None };
    Some(eights.iter().map(|eight| u64::from_le_bytes(*eight)))
}

fn varints(mut bytes: &[u8]) -> Option<Value> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        all.push(varint(&mut bytes)?.to_string().into());
    }
    Some(Value::Array(all))
}

/// With padding, as protobuf's mapping has it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits =
            three.iter().enumerate().fold(0, |bits, (at, byte)| bits | (u32::from(*byte) << (16 - 8 * at)));
        for at in 0..4 {
            let digit = DIGITS[((bits >> (18 - 6 * at)) & 63) as usize];
            text.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// How many records a receiver refused while it took the others, and why: as [`super::rejected`], of
/// an answer in JSON.
pub(crate) fn rejected_json(response: &[u8]) -> Option<(u64, String)> {
    let response: Value = serde_json::from_slice(response).ok()?;
    let partial = response.get("partialSuccess")?.as_object()?;
    let names = ["rejectedLogRecords", "rejectedSpans", "rejectedDataPoints"];
    let number = names.iter().find_map(|name| partial.get(*name))?;
    // Integers of 64 bits are texts, but a number is to be understood, too.
    let rejected = number.as_u64().or_else(|| number.as_str()?.parse().ok())?;
    let why = partial.get("errorMessage").and_then(Value::as_str).unwrap_or_default();
    Some((rejected, why.to_owned()))
}
