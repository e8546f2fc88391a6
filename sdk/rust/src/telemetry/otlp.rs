//! OTLP requests from plain structs, written directly as protobuf.
//!
//! The output is what a `prost` encoder would produce from the same values: canonical varints, no
//! fields at their default.

mod exponential;
#[cfg(feature = "http")]
mod json;
mod logs;
mod metrics;
mod read;
mod spans;
mod value;
mod writer;

#[cfg(test)]
mod tests;

pub use self::exponential::{ExponentialBuckets, ExponentialPoint};
#[cfg(feature = "http")]
pub(crate) use self::json::{json, rejected_json};
pub(crate) use self::logs::LOG_RECORDS;
pub use self::logs::{LogRecord, Severity, encode_logs};
pub use self::metrics::{Data, HistogramPoint, Metric, Number, NumberPoint, Temporality, encode_metrics};
pub use self::read::decode_spans;
#[cfg(feature = "http")]
pub(crate) use self::read::rejected;
#[cfg(feature = "grpc")]
pub(crate) use self::read::retry_delay;
pub(crate) use self::read::{Field, next_field, value};
pub(crate) use self::spans::{SPAN_ATTRIBUTES, SPAN_ATTRIBUTES_DROPPED, SPAN_EVENTS, SPAN_LINKS, SPANS};
pub use self::spans::{Span, SpanEvent, SpanKind, SpanLink, Status, encode_spans};
pub use self::value::{KeyValue, Resource, Scope, Value};
pub(crate) use self::value::{write_key_value, write_value};
pub(crate) use self::writer::Writer;

/// A request of any signal: one resource, then each scope with its records. The three messages
/// share these field numbers.
pub(crate) fn request<'a, R: 'a>(
    resource: &Resource,
    scopes: impl IntoIterator<Item = (&'a Scope, R)>,
    mut records: impl FnMut(&mut Writer, R),
) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.message(1, |writer| {
        writer.message(1, |writer| {
            resource.attributes.iter().for_each(|it| writer.message(1, |w| it.write(w)))
        });
        for (scope, group) in scopes {
            writer.message(2, |writer| {
                writer.message(1, |writer| scope.write(writer));
                records(writer, group);
            });
        }
    });
    writer.into_bytes()
}
