//! From `tracing`'s fields to OTLP attributes, written as they come.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use tracing::field::{Field, Visit};

use super::limits::{LogAttributes, Part};
use super::otlp::{SPAN_ATTRIBUTES, SpanKind, Status, Writer, write_key_value, write_value};
use crate::logging::{FATAL, REDACTED, Redactor};

/// Writes an event's fields: `message` is the body, the others are attributes.
pub(super) struct EventFields<'a> {
    pub(super) writer: &'a mut Writer,
    pub(super) attributes: &'a mut LogAttributes,
    /// Keeps the text of the message, for the status of the span.
    pub(super) message: Option<String>,
    /// What is taken out.
    pub(super) redactor: &'a Redactor,
}

const BODY: u32 = 5;

/// The error with all its causes.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0;
        // Bounded, as an error may be its own cause.
        for _ in 0..16 {
            let Some(cause) = error.source() else { break };
            write!(f, ": {cause}")?;
            error = cause;
        }
        Ok(())
    }
}

/// The values that `tracing` knows, each as its own kind of `AnyValue`.
macro_rules! record_values {
    () => {
        fn record_bool(&mut self, field: &Field, value: bool) {
            self.put(field, |writer| writer.always_integer(2, u64::from(value)));
        }

        fn record_i64(&mut self, field: &Field, value: i64) {
            self.put(field, |writer| writer.always_integer(3, value.cast_unsigned()));
        }

        fn record_u64(&mut self, field: &Field, value: u64) {
            match i64::try_from(value) {
                Ok(value) => self.record_i64(field, value),
                Err(_) => self.text(field, format_args!("{value}")),
            }
        }

        fn record_f64(&mut self, field: &Field, value: f64) {
            self.put(field, |writer| writer.always_fixed64(4, value.to_bits()));
        }

        fn record_bytes(&mut self, field: &Field, value: &[u8]) {
            self.put(field, |writer| writer.always_bytes(7, value));
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            self.plain(field, value);
        }

        fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
            self.text(field, format_args!("{}", Chain(value)));
        }

        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.text(field, format_args!("{value:?}"));
        }
    };
}

impl EventFields<'_> {
    fn put(&mut self, field: &Field, value: impl FnOnce(&mut Writer)) {
        match field.name() {
            "message" => self.writer.message(BODY, value),
            FATAL => {}
            name if self.redactor.hides(name) => {
                self.attributes.write(self.writer, name, |writer| writer.always_bytes(1, REDACTED));
            }
            name => self.attributes.write(self.writer, name, value),
        }
    }

    /// A text that is there, without the machinery of formatting.
    fn plain(&mut self, field: &Field, text: &str) {
        if self.redactor.reads_texts() {
            return self.text(field, format_args!("{text}"));
        }
        if let Some(message) = self.message.as_mut().filter(|_| field.name() == "message") {
            text.clone_into(message);
        }
        self.put(field, |writer| writer.always_bytes(1, text));
    }

    fn text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        if self.redactor.reads_texts() {
            let text = text.to_string();
            let redacted = self.redactor.text(&text);
            self.put_text(field, format_args!("{redacted}"));
        } else {
            self.put_text(field, text);
        }
    }

    fn put_text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        if let Some(message) = self.message.as_mut().filter(|_| field.name() == "message") {
            *message = text.to_string();
        }
        self.put(field, |writer| write_value(writer, text));
    }
}

impl Visit for EventFields<'_> {
    record_values!();
}

/// What a span's fields say.
#[derive(Debug, Default)]
pub(super) struct SpanFields {
    /// Encoded `attributes` of a span.
    pub(super) attributes: Writer,
    /// How many they are, and how many they may be.
    pub(super) part: Part,
    pub(super) count_max: u32,
    /// `otel.name`: a name that is known only at run time.
    pub(super) name: Option<String>,
    /// `otel.kind`.
    pub(super) kind: SpanKind,
    /// From `error`, `error.type` and `otel.status_code`.
    pub(super) status: Status,
    /// `traceparent`: the span of the caller, in another process.
    pub(super) traceparent: Option<String>,
    /// Whether a field may have been written before.
    pub(super) again: bool,
}

impl SpanFields {
    fn put(&mut self, field: &Field, value: impl FnOnce(&mut Writer)) {
        if self.again && self.attributes.remove_entry(SPAN_ATTRIBUTES, field.name()) {
            self.part.written -= 1;
        }
        if self.part.admit(self.count_max) {
            self.attributes.message(SPAN_ATTRIBUTES, |writer| write_key_value(writer, field.name(), value));
        }
    }

    /// A text that is there, without the machinery of formatting where it is nothing special.
    fn plain(&mut self, field: &Field, text: &str) {
        match field.name() {
            "otel.name" | "otel.status_code" | "traceparent" | "error" | "error.type" => {
                self.text(field, format_args!("{text}"));
            }
            "otel.kind" => self.kind = span_kind(text),
            _ => self.put(field, |writer| writer.always_bytes(1, text)),
        }
    }

    fn text(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        match field.name() {
            "otel.name" => self.name = Some(text.to_string()),
            "otel.kind" => self.kind = span_kind(&text.to_string()),
            "otel.status_code" => self.status = status(&text.to_string()),
            "traceparent" => self.traceparent = Some(text.to_string()),
            name => {
                if matches!(name, "error" | "error.type") {
                    self.status = Status::Error(Cow::Owned(text.to_string()));
                }
                self.put(field, |writer| write_value(writer, text));
            }
        }
    }
}

impl Visit for SpanFields {
    record_values!();
}

fn span_kind(text: &str) -> SpanKind {
    let kinds = [
        ("server", SpanKind::Server),
        ("client", SpanKind::Client),
        ("producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
    ];
    let found = kinds.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map_or(SpanKind::Internal, |(_, kind)| kind)
}

fn status(text: &str) -> Status {
    match text.to_ascii_lowercase().as_str() {
        "ok" => Status::Ok,
        "error" => Status::Error(Cow::Borrowed("")),
        _ => Status::Unset,
    }
}
