//! Events as lines, and where a trail ended.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use uuid::Uuid;

use super::AuditFormat;
use crate::events::Event;
use crate::logging::{compact_date, rfc3339};

/// The first line of a table.
const NAMES: &str = "position,id,time,type,source,user,tags,metadata,data\n";

/// The last event of a trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) position: u64,
    pub(super) id: Uuid,
    /// When it was taken in, `20261127`.
    pub(super) day: String,
}

/// What a file begins with.
pub(super) const fn head(format: AuditFormat) -> &'static str {
    match format {
        AuditFormat::Json => "",
        AuditFormat::Csv => NAMES,
    }
}

/// A line, with its end and none within.
pub(super) fn of(format: AuditFormat, event: &Event, time: SystemTime) -> String {
    let json = json!(event);
    let mut line = match format {
        AuditFormat::Json => json.to_string(),
        AuditFormat::Csv => {
            let source = json["metadata"]["eventSource"].as_str().unwrap_or_default();
            let user = event.metadata.user_id.as_deref().unwrap_or_default();
            let nested = |name: &str| quoted(&json[name].to_string());
            [
                event.position.to_string(),
                event.id.to_string(),
                rfc3339(time),
                cell(&event.kind),
                source.to_owned(),
                cell(user),
                nested("tags"),
                nested("metadata"),
                if event.data == Value::Null { String::new() } else { nested("data") },
            ]
            .join(",")
        }
    };
    line.push('\n');
    line
}

/// A text that a program for tables takes for a text: not for a formula, nor for several lines. The
/// metadata has it as it was.
fn cell(text: &str) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.starts_with(['=', '+', '-', '@']) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"']) { quoted(&text) } else { text }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The last whole line of an event, its format, and where it ends.
pub(super) fn last(bytes: &[u8]) -> Option<(Last, AuditFormat, usize)> {
    let mut end = bytes.iter().rposition(|byte| *byte == b'\n')? + 1;
    loop {
        let before = &bytes[..end - 1];
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if let Some((last, format)) = read(&before[start..]) {
            return Some((last, format, end));
        }
        if start == 0 {
            return None;
        }
        end = start;
    }
}

fn read(line: &[u8]) -> Option<(Last, AuditFormat)> {
    if line.starts_with(b"{") {
        let Event { position, id, time_unix_nano, .. } = serde_json::from_slice(line).ok()?;
        let day = compact_date(UNIX_EPOCH + Duration::from_nanos(time_unix_nano));
        return Some((Last { position, id, day }, AuditFormat::Json));
    }
    let mut cells = std::str::from_utf8(line).ok()?.split(',');
    let (position, id) = (cells.next()?.parse().ok()?, cells.next()?.parse().ok()?);
    let day = cells.next()?.get(..10)?.replace('-', "");
    Some((Last { position, id, day }, AuditFormat::Csv))
}
