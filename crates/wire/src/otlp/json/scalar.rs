use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::schema::{Field, Type};
use crate::json::{Kind, Parser};
use crate::proto::{Malformed, Writer};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Reads a value that is not a message as a field.
pub(super) fn field(parser: &mut Parser<'_>, field: &Field, out: &mut Writer) -> Result<(), Malformed> {
    let number = field.number;
    match field.kind {
        Type::Text => out.bytes(number, text(parser, field)?.as_bytes()),
        Type::Bytes => out.bytes(number, &bytes(parser, field)?),
        Type::Id => out.bytes(number, &id(parser, field)?),
        Type::Bool => out.varint(number, u64::from(boolean(parser, field)?)),
        Type::Int64 => out.varint(number, integer::<i64>(parser, field)?.cast_unsigned()),
        Type::Uint32 => out.varint(number, u64::from(integer::<u32>(parser, field)?)),
        Type::Sint32 => out.varint(number, zigzag(integer::<i32>(parser, field)?)),
        Type::Enum(names) => {
            out.varint(number, i64::from(enumeration(parser, field, names)?).cast_unsigned())
        }
        Type::Fixed64 => out.fixed64(number, integer::<u64>(parser, field)?),
        Type::Sfixed64 => out.fixed64(number, integer::<i64>(parser, field)?.cast_unsigned()),
        Type::Fixed32 => out.fixed32(number, integer::<u32>(parser, field)?),
        Type::Double => out.fixed64(number, double(parser, field)?.to_bits()),
        Type::Uint64 | Type::Message(_) => unreachable!("{} is never a single scalar", field.name),
    }
    Ok(())
}

/// Reads an element of a packed field.
pub(super) fn packed(parser: &mut Parser<'_>, field: &Field, out: &mut Writer) -> Result<(), Malformed> {
    match field.kind {
        Type::Fixed64 => out.raw(&integer::<u64>(parser, field)?.to_le_bytes()),
        Type::Double => out.raw(&double(parser, field)?.to_le_bytes()),
        Type::Uint64 => out.raw_varint(integer::<u64>(parser, field)?),
        _ => unreachable!("{} is not a repeated number", field.name),
    }
    Ok(())
}

fn expected(parser: &Parser<'_>, what: &str, field: &Field) -> Malformed {
    parser.error(format_args!("expected {what} for `{}`", field.name))
}

fn text<'a>(parser: &mut Parser<'a>, field: &Field) -> Result<std::borrow::Cow<'a, str>, Malformed> {
    match parser.kind()? {
        Kind::Text => parser.text(),
        _ => Err(expected(parser, "a string", field)),
    }
}

fn bytes(parser: &mut Parser<'_>, field: &Field) -> Result<Vec<u8>, Malformed> {
    let encoded = text(parser, field)?;
    let engine = if encoded.contains(['-', '_']) { &BASE64_URL } else { &BASE64 };
    engine.decode(encoded.as_bytes()).map_err(|_| expected(parser, "base64", field))
}

fn id(parser: &mut Parser<'_>, field: &Field) -> Result<Vec<u8>, Malformed> {
    let encoded = text(parser, field)?;
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let id: Option<Vec<u8>> = encoded.as_bytes().chunks(2).map(byte).collect();
    id.ok_or_else(|| expected(parser, "a hexadecimal id", field))
}

fn boolean(parser: &mut Parser<'_>, field: &Field) -> Result<bool, Malformed> {
    match parser.kind()? {
        Kind::Bool => parser.bool(),
        _ => Err(expected(parser, "true or false", field)),
    }
}

/// An integer as a number or as text.
fn integer<T: TryFrom<i128>>(parser: &mut Parser<'_>, field: &Field) -> Result<T, Malformed> {
    let value = match parser.kind()? {
        Kind::Number => whole(parser.number()?),
        Kind::Text => whole(&parser.text()?),
        _ => None,
    };
    value
        .and_then(|value| T::try_from(value).ok())
        .ok_or_else(|| expected(parser, "an integer in its range", field))
}

/// A whole number, which may be written as `1e3` or `1.0`.
fn whole(text: &str) -> Option<i128> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let value: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within a few powers of ten of 64 bits")]
    (value.fract() == 0.0 && value.abs() < 1e20).then_some(value as i128)
}

fn double(parser: &mut Parser<'_>, field: &Field) -> Result<f64, Malformed> {
    let value = match parser.kind()? {
        Kind::Number => parser.number()?.parse().ok(),
        Kind::Text => match &*parser.text()? {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok().filter(|value: &f64| value.is_finite()),
        },
        _ => None,
    };
    value.ok_or_else(|| expected(parser, "a number", field))
}

/// An enum's number, or one of its names.
fn enumeration(parser: &mut Parser<'_>, field: &Field, names: &[(&str, i32)]) -> Result<i32, Malformed> {
    if parser.kind()? != Kind::Text {
        return integer(parser, field);
    }
    let name = parser.text()?;
    let number = names.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    number.or_else(|| name.parse().ok()).ok_or_else(|| expected(parser, "a known name or an integer", field))
}

fn zigzag(value: i32) -> u64 {
    u64::from((value << 1 ^ value >> 31).cast_unsigned())
}
