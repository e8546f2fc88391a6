//! From `tracing`'s fields to the values of a record.

use std::error::Error;
use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};

use super::entry::{ErrorInfo, Fields};

/// The field by which an error is a fatal one. `tracing` has no level above an error.
pub(crate) const FATAL: &str = "log.fatal";

/// Collects fields. `message` is the text; `error` and `exception.*` are what went wrong.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) message: String,
    pub(super) fields: Fields,
    pub(super) error: Option<ErrorInfo>,
}

impl Collected {
    fn put(&mut self, field: &Field, value: Value) {
        match field.name() {
            FATAL => {}
            "message" => self.message = into_text(value),
            "error" | "err" | "exception.message" if value.is_string() => {
                self.error().message = into_text(value);
            }
            "error.type" | "exception.type" => self.error().name = Some(into_text(value)),
            "exception.stacktrace" | "error.stack" => self.error().stack = Some(into_text(value)),
            "error.code" => self.error().code = Some(into_text(value)),
            name => drop(self.fields.insert(name.to_owned(), value)),
        }
    }

    fn error(&mut self) -> &mut ErrorInfo {
        self.error.get_or_insert_default()
    }
}

fn into_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

impl Visit for Collected {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity.
        let number = serde_json::Number::from_f64(value);
        self.put(field, number.map_or_else(|| value.to_string().into(), Value::Number));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, ErrorInfo::of_dyn(value).message.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}
