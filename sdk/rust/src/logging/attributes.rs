//! What surrounds a record, as attributes of OTLP.

use serde_json::Value;

use super::context::LogContext;
use super::entry::ErrorInfo;
use super::redact::{REDACTED, Redactor};
use crate::telemetry::LogAttributes;
use crate::telemetry::otlp::{Writer, write_key_value};

/// Writes ids and values of a context as attributes of a record. Those in `skip` are there already.
pub(crate) fn write(
    writer: &mut Writer,
    attributes: &mut LogAttributes,
    context: &LogContext,
    redactor: &Redactor,
    skip: impl Fn(&str) -> bool,
) {
    let mut text = |key: &str, value: &str| {
        if !skip(key) {
            let shown = if redactor.hides(key) { REDACTED.into() } else { redactor.text(value) };
            attributes.write(writer, key, |writer| writer.always_bytes(1, &*shown));
        }
    };
    for (id, value) in context.ids.iter() {
        text(id.attribute(), value);
    }
    if let Some(logger) = context.logger() {
        text("log.logger", logger);
    }
    if let Some(ErrorInfo { name, message, stack, code, .. }) = context.error() {
        text("exception.message", message);
        let others = [("exception.type", name), ("exception.stacktrace", stack), ("error.code", code)];
        for (key, value) in others {
            value.iter().for_each(|value| text(key, value));
        }
    }
    if !context.tags().is_empty() {
        text("tags", &context.tags().join(","));
    }
    if let Some(performance) = context.performance() {
        let seconds = Value::from(performance.duration.as_secs_f64());
        attributes.write(writer, "operation.duration", |writer| write_value(writer, &seconds));
    }
    if context.values().is_empty() {
        return;
    }
    let mut values = context.values().clone();
    redactor.fields(&mut values);
    for (key, value) in values.iter().filter(|(key, _)| !skip(key)) {
        attributes.write(writer, key, |writer| write_value(writer, value));
    }
}

/// The fields of an `AnyValue`; none of them is JSON's null.
pub(crate) fn write_value(writer: &mut Writer, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(value) => writer.always_integer(2, u64::from(*value)),
        Value::Number(number) => match number.as_i64() {
            Some(value) => writer.always_integer(3, value.cast_unsigned()),
            None => writer.always_fixed64(4, number.as_f64().unwrap_or(f64::NAN).to_bits()),
        },
        Value::String(text) => writer.always_bytes(1, text),
        Value::Array(items) => writer.message(5, |writer| {
            items.iter().for_each(|item| writer.message(1, |writer| write_value(writer, item)));
        }),
        Value::Object(fields) => writer.message(6, |writer| {
            for (key, value) in fields {
                writer.message(1, |writer| write_key_value(writer, key, |writer| write_value(writer, value)));
            }
        }),
    }
}
