//! OTLP/JSON to protobuf, so that one set of visitors reads both.
//!
//! OTLP's JSON is protobuf's with ids in hexadecimal of any case and enums as integers; names of
//! enums are accepted too. 64-bit integers are texts or numbers, bytes are base64, fields have their
//! names in camel or snake case, unknown fields are skipped, `null` is an absent field.

mod scalar;
mod schema;

use model::Signal;

use crate::json::{Kind, Parser};
use crate::proto::{Malformed, Writer};
use schema::{Field, Message, Type};

/// The protobuf of a request of a signal in JSON.
///
/// # Errors
/// [`Malformed::Json`] says what is wrong, at which line and column; [`Malformed::TooLarge`].
pub fn transcode(signal: Signal, json: &[u8]) -> Result<Vec<u8>, Malformed> {
    if json.len() > crate::BODY_BYTES_MAX {
        return Err(Malformed::TooLarge { bytes: json.len(), limit: crate::BODY_BYTES_MAX });
    }
    let mut parser = Parser::new(json)?;
    let mut out = Writer::with_capacity(json.len() / 2);
    message(&mut parser, schema::request(signal), &mut out)?;
    parser.end()?;
    Ok(out.finish())
}

/// Reads an object as the fields of a message.
fn message(parser: &mut Parser<'_>, message: &Message, out: &mut Writer) -> Result<(), Malformed> {
    parser.object(|parser, name| match message.field(&name) {
        Some(field) => read_field(parser, field, out),
        None => parser.skip(),
    })
}

fn read_field(parser: &mut Parser<'_>, field: &Field, out: &mut Writer) -> Result<(), Malformed> {
    match parser.kind()? {
        Kind::Null => parser.null(),
        Kind::Array if field.repeated => match field.kind {
            Type::Message(_) => parser.array(|parser| one(parser, field, out)),
            _ => {
                // Numbers, packed.
                let packed = out.begin(field.number);
                parser.array(|parser| scalar::packed(parser, field, out))?;
                out.end(packed);
                Ok(())
            }
        },
        _ if field.repeated => Err(parser.error(format_args!("expected an array for `{}`", field.name))),
        _ => one(parser, field, out),
    }
}

fn one(parser: &mut Parser<'_>, field: &Field, out: &mut Writer) -> Result<(), Malformed> {
    match field.kind {
        Type::Message(sub) => {
            let open = out.begin(field.number);
            match parser.kind()? {
                Kind::Object => message(parser, sub, out)?,
                // An element of an array that is not there; a field is not read if it is null.
                Kind::Null => parser.null()?,
                _ => return Err(parser.error(format_args!("expected an object for `{}`", field.name))),
            }
            out.end(open);
            Ok(())
        }
        _ => scalar::field(parser, field, out),
    }
}

#[cfg(test)]
mod tests;
