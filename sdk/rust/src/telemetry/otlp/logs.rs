use std::borrow::Cow;

use super::value::{KeyValue, Resource, Scope, Value};
use super::writer::Writer;

/// How bad it is, by the first number of each of OpenTelemetry's ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// For tracking down.
    Trace = 1,
    /// For us.
    Debug = 5,
    /// A change of state.
    Info = 9,
    /// Odd, nothing lost.
    Warn = 13,
    /// Somebody must act.
    Error = 17,
    /// The end.
    Fatal = 21,
}

impl Severity {
    /// The name as senders write it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

/// One log record.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// When it happened.
    pub time_unix_nano: u64,
    /// When it was seen.
    pub observed_time_unix_nano: u64,
    /// How bad it is.
    pub severity: Severity,
    /// What it says.
    pub body: Option<Value>,
    /// The facts.
    pub attributes: Vec<KeyValue>,
    /// The trace and span it belongs to.
    pub context: Option<([u8; 16], [u8; 8])>,
    /// The name of the event, if it is one of a kind.
    pub event_name: Cow<'static, str>,
}

/// The field of `ScopeLogs` that holds a record.
pub(crate) const LOG_RECORDS: u32 = 2;

/// An `ExportLogsServiceRequest`.
pub fn encode_logs<'a>(
    resource: &Resource,
    scopes: impl IntoIterator<Item = (&'a Scope, &'a [LogRecord])>,
) -> Vec<u8> {
    super::request(resource, scopes, |writer, records| {
        records.iter().for_each(|record| writer.message(LOG_RECORDS, |writer| record.write(writer)));
    })
}

impl LogRecord {
    fn write(&self, writer: &mut Writer) {
        writer.fixed64(1, self.time_unix_nano);
        writer.integer(2, self.severity as u64);
        writer.bytes(3, self.severity.text());
        if let Some(body) = &self.body {
            writer.message(5, |writer| body.write(writer));
        }
        self.attributes.iter().for_each(|attribute| writer.message(6, |writer| attribute.write(writer)));
        if let Some((trace_id, span_id)) = &self.context {
            // The trace is sampled: nothing else is recorded.
            writer.fixed32(8, 1);
            writer.bytes(9, trace_id);
            writer.bytes(10, span_id);
        }
        writer.fixed64(11, self.observed_time_unix_nano);
        writer.bytes(12, &*self.event_name);
    }
}
