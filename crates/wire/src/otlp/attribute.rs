//! `KeyValue`: an entry of a column of attributes.

use super::value;
use crate::columns::Attributes;
use crate::judge::Judge;
use crate::proto::{Attribute, Known, Parts, Reader, Refused, Value};

const KEY_VALUE: Known = Known::new("KeyValue", &[1, 2, 3]);

/// Appends an attribute whose key `tag` was read to the open row, and those that follow it.
#[inline(always)]
pub(super) fn read(
    out: &mut Attributes,
    tag: u8,
    fields: &mut Reader<'_>,
    judge: &mut Judge<'_>,
) -> Result<(), Refused> {
    loop {
        let value = match out.expected().and_then(|beginning| fields.expected_attribute(beginning)) {
            Some(value) => {
                out.same_key();
                Some(value)
            }
            None => fields.attribute().map(|Attribute { key, value }| {
                out.key(key);
                value
            }),
        };
        match value {
            Some(Value::Text(text)) => out.values.push_text(|to| value::write_text(to, text, judge)),
            Some(Value::Other(message)) => out.values.push_with(|to| value::write(to, message, judge))?,
            None => read_any(out, fields.field(), judge)?,
        }
        if !fields.take_key(tag) {
            return Ok(());
        }
    }
}

/// Appends an attribute of any form to the open row.
#[inline(never)]
pub(super) fn read_any(
    out: &mut Attributes,
    message: Reader<'_>,
    judge: &mut Judge<'_>,
) -> Result<(), Refused> {
    let (key, parts) = key_value(message)?;
    out.key(key);
    out.values.push_with(|text| value::write_parts(text, parts.each(), judge))
}

/// The key, and the parts of the value, of a `KeyValue`.
pub(super) fn key_value(message: Reader<'_>) -> Result<(Reader<'_>, Parts<'_>), Refused> {
    let mut fields = message;
    let mut key = Reader::EMPTY;
    let mut value = Parts::None;
    while fields.more()? {
        match fields.key() {
            0x0a => key = fields.field(),
            0x12 => value.push(fields.field()),
            // A reference into the dictionary of profiles: absent, says OTLP.
            0x18 => drop(fields.varint()),
            other => fields.unknown(other, &KEY_VALUE)?,
        }
    }
    Ok((key, value))
}
