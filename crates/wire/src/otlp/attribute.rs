//! `KeyValue`: an entry of a column of attributes.

use super::judge::Judge;
use super::value;
use crate::columns::Attributes;
use crate::proto::{Known, Malformed, Parts, Reader};

const KEY_VALUE: Known = Known::new("KeyValue", &[1, 2, 3]);

/// Appends an attribute to the open row.
#[inline(always)]
pub(super) fn read(
    out: &mut Attributes,
    message: Reader<'_>,
    judge: &mut Judge<'_>,
) -> Result<(), Malformed> {
    // Nearly always the message is a key and a value.
    let mut fields = message;
    if fields.more() && fields.key()? == 0x0a {
        let key = fields.field()?;
        if fields.more() && fields.key()? == 0x12 {
            let value = fields.field()?;
            if fields.is_empty() {
                out.key(key);
                return out.values.push_with(|text| value::write(text, value, judge));
            }
        }
    }
    read_any(out, message, judge)
}

#[inline(never)]
fn read_any(out: &mut Attributes, message: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Malformed> {
    let (key, parts) = key_value(message)?;
    out.key(key);
    out.values.push_with(|text| value::write_parts(text, parts.each(), judge))
}

/// The key, and the parts of the value, of a `KeyValue`.
pub(super) fn key_value(message: Reader<'_>) -> Result<(Reader<'_>, Parts<'_>), Malformed> {
    let mut fields = message;
    let mut key = Reader::EMPTY;
    let mut value = Parts::None;
    while fields.more() {
        match fields.key()? {
            0x0a => key = fields.field()?,
            0x12 => value.push(fields.field()?),
            // A reference into the dictionary of profiles: absent, says OTLP.
            0x18 => drop(fields.varint()?),
            other => fields.unknown(other, &KEY_VALUE)?,
        }
    }
    Ok((key, value))
}
