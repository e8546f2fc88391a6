//! From a record to a line of text.

mod datadog;
mod ecs;
mod json;
mod logfmt;
mod logstash;
mod text;
pub(in crate::logging) mod time;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::entry::{Entry, ErrorInfo, Fields};
use super::source::Source;
use crate::telemetry::otlp::Severity;

pub use self::text::Text;

/// Makes the bytes of a record, without a line end.
pub trait Formatter: Send + Sync + 'static {
    /// Appends the record to `line`.
    fn format(&self, entry: &Entry, source: &Source, line: &mut Vec<u8>);

    /// Whether what it makes is a JSON object, so that it can stand in a list of them.
    fn is_json(&self) -> bool {
        false
    }
}

/// The formats that are built in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object with all there is, in camel case.
    #[default]
    Json,
    /// `[timestamp] LEVEL [logger]: message {values}`, for people.
    Text,
    /// `key=value` pairs (logfmt).
    Structured,
    /// Elastic Common Schema, one JSON object.
    Ecs,
    /// What Logstash's encoders write: `@timestamp`, `@version`, `level_value` and so on.
    Logstash,
    /// The attributes that Datadog reserves: `status`, `service`, `dd.trace_id` and so on.
    Datadog,
}

impl Formatter for LogFormat {
    fn format(&self, entry: &Entry, source: &Source, line: &mut Vec<u8>) {
        let fields = match self {
            Self::Text => return Text::default().format(entry, source, line),
            Self::Structured => return logfmt::write(entry, source, line),
            // The first three in this order, as its logging specification wants it.
            Self::Ecs => return ecs::write(entry, source, line),
            Self::Json => json::fields(entry, source),
            Self::Logstash => logstash::fields(entry, source),
            Self::Datadog => datadog::fields(entry, source),
        };
        // Writing to memory does not fail, and a map with texts as keys is JSON.
        let _ = serde_json::to_writer(line, &fields);
    }

    fn is_json(&self) -> bool {
        !matches!(self, Self::Text | Self::Structured)
    }
}

/// A level in small letters.
fn level(severity: Severity) -> String {
    severity.text().to_ascii_lowercase()
}

fn put(fields: &mut Fields, key: &str, value: impl Into<Value>) {
    fields.insert(key.to_owned(), value.into());
}

fn put_some(fields: &mut Fields, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(fields, key, value);
    }
}

/// The ids of the trace and the span, in hex.
fn trace_ids(entry: &Entry) -> Option<(String, String)> {
    let trace = entry.trace?;
    let (trace_id, span_id) = (u128::from_be_bytes(trace.trace_id), u64::from_be_bytes(trace.span_id));
    Some((format!("{trace_id:032x}"), format!("{span_id:016x}")))
}

/// Milliseconds with a fraction.
fn milliseconds(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The values of a record and of the spans around it, inner ones first.
fn all_fields(entry: &Entry) -> Fields {
    let mut all = Fields::new();
    for (_, fields) in &entry.spans {
        all.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    all.extend(entry.fields.iter().map(|(key, value)| (key.clone(), value.clone())));
    all
}

/// An error as JSON.
fn error(error: &ErrorInfo) -> Value {
    let mut fields = Fields::new();
    put_some(&mut fields, "name", error.name.clone());
    put(&mut fields, "message", error.message.clone());
    put_some(&mut fields, "stack", error.stack.clone());
    put_some(&mut fields, "code", error.code.clone());
    if !error.custom.is_empty() {
        put(&mut fields, "custom", error.custom.clone());
    }
    Value::Object(fields)
}

/// What a record took, as JSON; its numbers have their units in their names.
fn performance(entry: &Entry) -> Option<Value> {
    let performance = entry.performance?;
    let mut fields = Fields::new();
    put(&mut fields, "durationMs", milliseconds(performance.duration));
    put_some(
        &mut fields,
        "memory",
        performance.memory.map(|it| json!({"rssBytes": it.rss_bytes, "rssDeltaBytes": it.rss_delta_bytes})),
    );
    Some(Value::Object(fields))
}
