//! Takes out of spans what is secret and cuts what is too long, in this order, as they go into the
//! buffer.
//!
//! What enters: what was said of a span, encoded. What leaves: the same, without what the redactor
//! hides. What no rule concerns is copied as it is, and nothing is allocated for it.

use std::borrow::Cow;

use serde_json::{Number, Value as Json};

use super::limits::write_cut;
use super::otlp::{
    Field, SPAN_ATTRIBUTES, SPAN_EVENTS, SPAN_LINKS, Status, Value, Writer, next_field, value,
    write_key_value,
};
use crate::logging::{Fields, REDACTED, Redactor, write_json};

/// The fields of events and links that hold their facts, and the name of an event.
const EVENT_ATTRIBUTES: u32 = 3;
const LINK_ATTRIBUTES: u32 = 4;
const EVENT_NAME: u32 = 2;

/// Writes attributes, events and links of a span, of values so many characters.
pub(super) fn write_parts(
    writer: &mut Writer,
    mut parts: &[u8],
    redactor: &Redactor,
    chars_max: Option<u32>,
) {
    if redactor.is_none() && chars_max.is_none() {
        return writer.raw(parts);
    }
    let shown = Shown { redactor, chars_max };
    while let Some((number, field, whole)) = next_field(&mut parts) {
        match (number, field) {
            (SPAN_ATTRIBUTES, Field::Bytes(entry)) => shown.attribute(writer, number, entry, whole),
            (SPAN_EVENTS, Field::Bytes(event)) => writer.record(number, |writer| {
                shown.part(writer, event, EVENT_ATTRIBUTES, Some(EVENT_NAME));
            }),
            (SPAN_LINKS, Field::Bytes(link)) => {
                writer.record(number, |writer| shown.part(writer, link, LINK_ATTRIBUTES, None));
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

/// What may be seen.
struct Shown<'a> {
    redactor: &'a Redactor,
    chars_max: Option<u32>,
}

impl Shown<'_> {
    /// Writes an event or a link.
    fn part(&self, writer: &mut Writer, mut part: &[u8], attributes: u32, name: Option<u32>) {
        while let Some((number, field, whole)) = next_field(&mut part) {
            match field {
                Field::Bytes(entry) if number == attributes => self.attribute(writer, number, entry, whole),
                Field::Bytes(text) if Some(number) == name => {
                    writer.bytes(number, &*self.redactor.text(&String::from_utf8_lossy(text)));
                }
                _ => writer.raw(whole),
            }
        }
    }

    /// Writes one attribute, whose content is `entry` and which takes the bytes `whole`.
    fn attribute(&self, writer: &mut Writer, number: u32, mut entry: &[u8], whole: &[u8]) {
        let (mut key, mut content) = (Cow::Borrowed(""), &[][..]);
        while let Some((part, Field::Bytes(bytes), _)) = next_field(&mut entry) {
            match part {
                1 => key = String::from_utf8_lossy(bytes),
                _ => content = bytes,
            }
        }
        let other = shown(&key, content, self.redactor).map(|json| {
            let mut other = Writer::default();
            write_json(&mut other, &json);
            other
        });
        if other.is_none() && self.chars_max.is_none() {
            return writer.raw(whole);
        }
        let content = other.as_ref().map_or(content, Writer::as_bytes);
        writer.message(number, |writer| {
            write_key_value(writer, &key, |writer| match self.chars_max {
                Some(max) => write_cut(writer, content, max),
                None => writer.raw(content),
            });
        });
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
