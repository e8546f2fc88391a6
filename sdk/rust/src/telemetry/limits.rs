//! How much a record may say: what OpenTelemetry calls the limits of spans and log records
//! ([attributes](https://opentelemetry.io/docs/specs/otel/common/#attribute-limits),
//! [spans](https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits)).

use super::otlp::{Field, Writer, next_field, write_key_value};

/// How much a span and a log record may say. What is too much is left out and counted in the record;
/// a value that is too long is cut. Resources and labels of metrics have no limits of this kind.
///
/// The defaults are those of the specification: 128 of each, and values of any length. Besides, a span
/// of the tracer has at most 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attributes of a span.
    pub span_attributes_max: u32,
    /// Characters of a text, and bytes of bytes, in attributes of a span, its events and its links.
    pub span_value_chars_max: Option<u32>,
    /// Events of a span.
    pub span_events_max: u32,
    /// Links of a span.
    pub span_links_max: u32,
    /// Attributes of an event of a span.
    pub event_attributes_max: u32,
    /// Attributes of a link of a span.
    pub link_attributes_max: u32,
    /// Attributes of a log record.
    pub log_attributes_max: u32,
    /// Characters of a text, and bytes of bytes, in attributes of a log record. Its body has no limit.
    pub log_value_chars_max: Option<u32>,
}

/// What the specification suggests.
pub(crate) const PARTS_MAX: u32 = 128;

impl Default for Limits {
    fn default() -> Self {
        Self {
            span_attributes_max: PARTS_MAX,
            span_value_chars_max: None,
            span_events_max: PARTS_MAX,
            span_links_max: PARTS_MAX,
            event_attributes_max: PARTS_MAX,
            link_attributes_max: PARTS_MAX,
            log_attributes_max: PARTS_MAX,
            log_value_chars_max: None,
        }
    }
}

/// How many there are of something, and were too many.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    pub(super) written: u32,
    pub(super) dropped: u32,
}

impl Part {
    /// Counts one more; whether there is room for it.
    pub(super) fn admit(&mut self, max: u32) -> bool {
        let room = self.written < max;
        let count = if room { &mut self.written } else { &mut self.dropped };
        *count += 1;
        room
    }
}

/// The attributes of one log record while they are written.
#[derive(Debug)]
pub(crate) struct LogAttributes {
    part: Part,
    count_max: u32,
    chars_max: Option<u32>,
}

/// The fields of a `LogRecord` that hold them, and say how many are missing.
const ATTRIBUTES: u32 = 6;
const DROPPED: u32 = 7;

impl LogAttributes {
    pub(super) fn new(limits: &Limits) -> Self {
        let (count_max, chars_max) = (limits.log_attributes_max, limits.log_value_chars_max);
        Self { part: Part::default(), count_max, chars_max }
    }

    /// Writes one more, whose value is written by `value`, if there is room.
    pub(crate) fn write(&mut self, writer: &mut Writer, key: &str, value: impl FnOnce(&mut Writer)) {
        if self.part.admit(self.count_max) {
            writer.message(ATTRIBUTES, |writer| match self.chars_max {
                None => write_key_value(writer, key, value),
                Some(max) => write_key_value(writer, key, |writer| {
                    let mut whole = Writer::default();
                    value(&mut whole);
                    write_cut(writer, whole.as_bytes(), max);
                }),
            });
        }
    }

    /// Says how many were too many, after the last.
    pub(super) fn end(self, writer: &mut Writer) {
        writer.integer(DROPPED, self.part.dropped.into());
    }
}

/// Writes an `AnyValue` that was already encoded, its texts and bytes cut, however deep they are.
pub(super) fn write_cut(writer: &mut Writer, mut value: &[u8], max: u32) {
    while let Some((number, field, whole)) = next_field(&mut value) {
        match (number, field) {
            (1, Field::Bytes(text)) => writer.always_bytes(1, cut(text, max)),
            (7, Field::Bytes(bytes)) => writer.always_bytes(7, &bytes[..bytes.len().min(max as usize)]),
            // Values, or names with values in their second field.
            (5, Field::Bytes(list)) => writer.message(5, |writer| {
                within(writer, list, 1, |writer, item| write_cut(writer, item, max));
            }),
            (6, Field::Bytes(map)) => writer.message(6, |writer| {
                within(writer, map, 1, |writer, entry| {
                    within(writer, entry, 2, |writer, value| write_cut(writer, value, max));
                });
            }),
            _ => writer.raw(whole),
        }
    }
}

/// Writes a message anew whose fields of this number are to be other ones.
fn within(writer: &mut Writer, mut message: &[u8], number: u32, write: impl Fn(&mut Writer, &[u8])) {
    while let Some((own, field, whole)) = next_field(&mut message) {
        match field {
            Field::Bytes(content) if own == number => {
                writer.message(number, |writer| write(writer, content));
            }
            _ => writer.raw(whole),
        }
    }
}

/// So many characters of a text.
fn cut(text: &[u8], max: u32) -> &[u8] {
    let max = max as usize;
    if text.len() <= max {
        return text;
    }
    let valid = std::str::from_utf8(text).unwrap_or_default();
    &text[..valid.char_indices().nth(max).map_or(valid.len(), |(at, _)| at)]
}
