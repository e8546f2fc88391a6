//! `AnyValue`: one text for each value, see [`super`].

mod json;
mod number;

use crate::proto::{Known, Parts, Reader, Refused};

use crate::judge::{Judge, Reason};
use json::Json;

/// How deep arrays and maps may nest in a value.
pub(crate) const DEPTH_MAX: usize = 32;

const ANY_VALUE: Known = Known::new("AnyValue", &[1, 2, 3, 4, 5, 6, 7, 8]);

/// Appends a text.
#[inline(always)]
pub(super) fn write_text(out: &mut Vec<u8>, text: Reader<'_>, judge: &mut Judge<'_>) {
    text.copy_to(out);
    if text.len() > judge.limits.value_bytes_max {
        judge.reject(Reason::ValueTooLong, text.len() as u64);
    }
}

/// Appends the text of a value; says whether there is a value at all.
#[inline(never)]
pub(super) fn write(out: &mut Vec<u8>, message: Reader<'_>, judge: &mut Judge<'_>) -> Result<bool, Refused> {
    let start = out.len();
    // Nearly always there is one field, and it is not an array or a map.
    match *message.bytes() {
        [0x10, 0] => out.extend_from_slice(b"false"),
        [0x10, 1] => out.extend_from_slice(b"true"),
        [0x18, low @ 0..0x80] => number::short(out, u16::from(low)),
        [0x18, low @ 0x80..=0xff, high @ 0..0x80] => {
            number::short(out, u16::from(low & 0x7f) | u16::from(high) << 7)
        }
        [0x21, a, b, c, d, e, f, g, h] => number::double(out, f64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => return write_parts(out, &[message], judge),
    }
    let length = out.len() - start;
    if length > judge.limits.value_bytes_max {
        judge.reject(Reason::ValueTooLong, length as u64);
    }
    Ok(true)
}

/// As [`write`], for a value of any form, that may have come in several parts.
#[inline(never)]
pub(super) fn write_parts(
    out: &mut Vec<u8>,
    parts: &[Reader<'_>],
    judge: &mut Judge<'_>,
) -> Result<bool, Refused> {
    let mut json = Json::new(out, judge);
    match Value::read(parts, &mut json)? {
        Value::Absent => return Ok(false),
        Value::Text(text) => json.raw(text),
        other => json.value(&other, 0)?,
    }
    json.finish();
    Ok(true)
}

/// A value with its last field, as a oneof has it.
enum Value<'a> {
    Absent,
    Text(Reader<'a>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Reader<'a>),
    Array(Parts<'a>),
    Map(Parts<'a>),
}

impl<'a> Value<'a> {
    fn read(parts: &[Reader<'a>], json: &mut Json<'_, '_, '_>) -> Result<Self, Refused> {
        let mut value = Self::Absent;
        for part in parts {
            let mut fields = *part;
            while fields.more()? {
                value = match (fields.key(), value) {
                    (0x0a, old) => old.replaced(Self::Text(fields.field()), json)?,
                    (0x10, old) => old.replaced(Self::Bool(fields.varint() != 0), json)?,
                    (0x18, old) => old.replaced(Self::Int(fields.varint().cast_signed()), json)?,
                    (0x21, old) => old.replaced(Self::Double(fields.double()), json)?,
                    (0x2a, Self::Array(parts)) => Self::Array(with(parts, fields.field())),
                    (0x2a, old) => old.replaced(Self::Array(Parts::One(fields.field())), json)?,
                    (0x32, Self::Map(parts)) => Self::Map(with(parts, fields.field())),
                    (0x32, old) => old.replaced(Self::Map(Parts::One(fields.field())), json)?,
                    (0x3a, old) => old.replaced(Self::Bytes(fields.field()), json)?,
                    // A reference into the dictionary of profiles: absent, says OTLP.
                    (0x40, old) => {
                        fields.varint();
                        old.replaced(Self::Absent, json)?
                    }
                    (key, old) => {
                        fields.unknown(key, &ANY_VALUE)?;
                        old
                    }
                };
            }
        }
        Ok(value)
    }

    /// The value that comes after this one; this one only has to be well-formed.
    fn replaced(self, by: Self, json: &mut Json<'_, '_, '_>) -> Result<Self, Refused> {
        if matches!(self, Self::Array(_) | Self::Map(_)) {
            json.check(&self, 0)?;
        }
        Ok(by)
    }
}

fn with<'a>(mut parts: Parts<'a>, part: Reader<'a>) -> Parts<'a> {
    parts.push(part);
    parts
}
