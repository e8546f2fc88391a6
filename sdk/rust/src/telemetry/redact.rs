//! Takes out of spans what is secret, as they go into the buffer.
//!
//! What enters: what was said of a span, encoded. What leaves: the same, without what the redactor
//! hides. What no rule concerns is copied as it is, and nothing is allocated for it.

use std::borrow::Cow;

use serde_json::{Number, Value as Json};

use super::otlp::{
    Field, SPAN_ATTRIBUTES, SPAN_EVENTS, SPAN_LINKS, Status, Value, Writer, next_field, value,
    write_key_value,
};
use crate::logging::{Fields, REDACTED, Redactor, write_json};

/// The fields of events and links that hold their facts, and the name of an event.
const EVENT_ATTRIBUTES: u32 = 3;
const LINK_ATTRIBUTES: u32 = 4;
const EVENT_NAME: u32 = 2;

/// Writes attributes, events and links of a span.
pub(super) fn write_parts(writer: &mut Writer, mut parts: &[u8], redactor: &Redactor) {
    if redactor.is_none() {
        return writer.raw(parts);
    }
    while let Some((number, field, whole)) = next_field(&mut parts) {
        match (number, field) {
            (SPAN_ATTRIBUTES, Field::Bytes(entry)) => attribute(writer, number, entry, whole, redactor),
            (SPAN_EVENTS, Field::Bytes(event)) => writer.record(number, |writer| {
                write_part(writer, event, EVENT_ATTRIBUTES, Some(EVENT_NAME), redactor);
            }),
            (SPAN_LINKS, Field::Bytes(link)) => {
                writer.record(number, |writer| write_part(writer, link, LINK_ATTRIBUTES, None, redactor));
            }
            _ => writer.raw(whole),
        }
    }
    debug_assert!(parts.is_empty(), "what was written here can be read");
}

/// Writes how a span ended.
pub(super) fn write_status(writer: &mut Writer, status: &Status, redactor: &Redactor) {
    if let Status::Error(message) = status
        && let Cow::Owned(other) = redactor.text(message)
    {
        return Status::Error(other.into()).write(writer);
    }
    status.write(writer);
}

/// Writes an event or a link.
fn write_part(writer: &mut Writer, mut part: &[u8], attributes: u32, name: Option<u32>, redactor: &Redactor) {
    while let Some((number, field, whole)) = next_field(&mut part) {
        match field {
            Field::Bytes(entry) if number == attributes => attribute(writer, number, entry, whole, redactor),
            Field::Bytes(text) if Some(number) == name => {
                writer.bytes(number, &*redactor.text(&String::from_utf8_lossy(text)));
            }
            _ => writer.raw(whole),
        }
    }
}

/// Writes one attribute, whose content is `entry` and which takes the bytes `whole`.
fn attribute(writer: &mut Writer, number: u32, mut entry: &[u8], whole: &[u8], redactor: &Redactor) {
    let (mut key, mut content) = (Cow::Borrowed(""), &[][..]);
    while let Some((part, Field::Bytes(bytes), _)) = next_field(&mut entry) {
        match part {
            1 => key = String::from_utf8_lossy(bytes),
            _ => content = bytes,
        }
    }
    match shown(&key, content, redactor) {
        None => writer.raw(whole),
        Some(json) => writer.message(number, |writer| {
            write_key_value(writer, &key, |writer| write_json(writer, &json));
        }),
    }
}

/// What is shown instead of a value; none where it is shown itself.
fn shown(key: &str, content: &[u8], redactor: &Redactor) -> Option<Json> {
    if redactor.hides(key) {
        return Some(REDACTED.into());
    }
    let mut rest = content;
    match next_field(&mut rest)? {
        (1, Field::Bytes(text), _) if redactor.reads_texts() => {
            match redactor.text(&String::from_utf8_lossy(text)) {
                Cow::Owned(other) => Some(other.into()),
                Cow::Borrowed(_) => None,
            }
        }
        (3 | 4, Field::Number(_), _) if redactor.reads_texts() => {
            match redactor.text(&json(value(content)?).to_string()) {
                Cow::Owned(other) => Some(other.into()),
                Cow::Borrowed(_) => None,
            }
        }
        // Lists and maps are rare: attributes are flat by the conventions.
        (5 | 6, ..) => {
            let before = json(value(content)?);
            let mut fields = Fields::from_iter([(key.to_owned(), before.clone())]);
            redactor.fields(&mut fields);
            fields.remove(key).filter(|after| *after != before)
        }
        _ => None,
    }
}

/// A value as redaction knows it. Bytes, which JSON has not, become hex.
fn json(value: Value) -> Json {
    match value {
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Double(value) => {
            Number::from_f64(value).map_or_else(|| value.to_string().into(), Json::Number)
        }
        Value::Text(text) => text.into_owned().into(),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        Value::List(values) => values.into_iter().map(json).collect(),
        Value::Map(entries) => {
            Json::Object(entries.into_iter().map(|it| (it.key.into_owned(), json(it.value))).collect())
        }
    }
}
