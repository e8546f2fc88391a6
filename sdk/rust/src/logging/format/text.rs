use super::{Formatter, milliseconds, put, time};
use crate::logging::entry::{Entry, Fields};
use crate::logging::source::Source;
use crate::telemetry::otlp::Severity;

/// `[timestamp] LEVEL [logger]: message {values}`; a stack follows on lines of its own, indented.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text {
    /// Colours of the level: debug cyan, info green, warn yellow, error red, fatal magenta.
    pub color: bool,
}

impl Formatter for Text {
    fn format(&self, entry: &Entry, _: &Source, line: &mut Vec<u8>) {
        let level = entry.severity.text();
        let level = match self.color {
            true => format!("\u{1b}[{}m{level}\u{1b}[0m", color(entry.severity)),
            false => level.to_owned(),
        };
        let spans: Vec<_> = entry.spans.iter().map(|(name, _)| *name).collect();
        let within = if spans.is_empty() { String::new() } else { format!(" {}", spans.join(":")) };
        let head = format!(
            "[{}] {level} [{}{within}]: {}",
            time::rfc3339(entry.time),
            one_line(&entry.logger),
            one_line(&entry.message),
        );
        line.extend_from_slice(head.as_bytes());
        let values = values(entry);
        if !values.is_empty() {
            line.push(b' ');
            // Writing to memory does not fail, and a map with texts as keys is JSON.
            let _ = serde_json::to_writer(&mut *line, &values);
        }
        for row in entry.error.iter().filter_map(|error| error.stack.as_deref()).flat_map(str::lines) {
            line.extend_from_slice(b"\n    ");
            line.extend_from_slice(one_line(row).as_bytes());
        }
    }
}

fn values(entry: &Entry) -> Fields {
    let mut fields = super::all_fields(entry);
    entry.ids.iter().for_each(|(id, value)| put(&mut fields, id.json_name(), value));
    if !entry.tags.is_empty() {
        put(&mut fields, "tags", entry.tags.clone());
    }
    if let Some(error) = &entry.error {
        put(&mut fields, "error", error.message.clone());
    }
    if let Some(performance) = entry.performance {
        put(&mut fields, "durationMs", milliseconds(performance.duration));
    }
    fields
}

/// Control characters are shown: nobody's text may begin a line that looks like ours or colour it.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

fn color(severity: Severity) -> u8 {
    match severity {
        Severity::Trace => 90,
        Severity::Debug => 36,
        Severity::Info => 32,
        Severity::Warn => 33,
        Severity::Error => 31,
        Severity::Fatal => 35,
    }
}
