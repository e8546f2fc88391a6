use std::fmt::Write as _;
use std::io::{self, Write};

use parking_lot::Mutex;

use super::{ExportError, Exporter, Signal};
use crate::telemetry::otlp::{KeyValue, Span, Status, Value, decode_spans};

/// Writes a line for every span that ended, for people: on standard error or wherever.
///
/// `GET /users/{id} server 12.3ms trace=… span=… parent=… http.response.status_code=200 status=error`
///
/// Logs and metrics it takes and leaves out: the first have lines already, the second a page.
pub struct ConsoleExporter(Mutex<Box<dyn Write + Send>>);

impl std::fmt::Debug for ConsoleExporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConsoleExporter")
    }
}

impl Default for ConsoleExporter {
    /// On standard error.
    fn default() -> Self {
        Self::to(io::stderr())
    }
}

impl ConsoleExporter {
    /// Into this.
    pub fn to(output: impl Write + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(output)))
    }
}

impl Exporter for ConsoleExporter {
    fn wants(&self, signal: Signal) -> bool {
        signal == Signal::Traces
    }

    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        if signal != Signal::Traces {
            return Ok(());
        }
        let groups = decode_spans(&request).ok_or_else(|| ExportError::permanent("these are no spans"))?;
        let mut lines = String::new();
        groups.iter().flat_map(|(_, _, spans)| spans).for_each(|span| line(&mut lines, span));
        let mut output = self.0.lock();
        let written = output.write_all(lines.as_bytes()).and_then(|()| output.flush());
        written.map_err(|error| ExportError::permanent(format!("spans cannot be written: {error}")))
    }
}

fn line(lines: &mut String, span: &Span) {
    let elapsed = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
    let kind = format!("{:?}", span.kind).to_ascii_lowercase();
    let (trace, id) = (u128::from_be_bytes(span.trace_id), u64::from_be_bytes(span.span_id));
    // Writing into a text does not fail.
    let _ = write!(lines, "{} {kind} {:?}", printable(&span.name), std::time::Duration::from_nanos(elapsed));
    let _ = write!(lines, " trace={trace:032x} span={id:016x}");
    if let Some(parent) = span.parent_span_id {
        let _ = write!(lines, " parent={:016x}", u64::from_be_bytes(parent));
    }
    for KeyValue { key, value } in &span.attributes {
        let _ = write!(lines, " {key}={}", plain(value));
    }
    for event in &span.events {
        let _ = write!(lines, " event={}", printable(&event.name));
    }
    match &span.status {
        Status::Unset => {}
        Status::Ok => lines.push_str(" status=ok"),
        Status::Error(message) => {
            let _ = write!(lines, " status=error {}", printable(message));
        }
    }
    lines.push('\n');
}

/// A line is a line, whatever is in it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => printable(text),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        other => printable(&format!("{other:?}")),
    }
}
