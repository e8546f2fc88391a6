use serde_json::Value;

use super::{all_fields, level, milliseconds, time, trace_ids};
use crate::logging::entry::Entry;
use crate::logging::source::Source;

/// `time=… level=info logger=shop msg="it began" key=value`, one line whatever is in it.
pub(super) fn write(entry: &Entry, source: &Source, line: &mut Vec<u8>) {
    let mut pairs = vec![
        ("time".to_owned(), time::rfc3339(entry.time)),
        ("level".to_owned(), level(entry.severity)),
        ("logger".to_owned(), entry.logger.clone().into_owned()),
        ("msg".to_owned(), entry.message.clone()),
        ("service".to_owned(), source.service.clone()),
    ];
    pairs.extend(entry.ids.iter().map(|(id, value)| (id.attribute().to_owned(), value.to_owned())));
    if let Some((trace_id, span_id)) = trace_ids(entry) {
        pairs.push(("trace_id".to_owned(), trace_id));
        pairs.push(("span_id".to_owned(), span_id));
    }
    if let Some(error) = &entry.error {
        pairs.push(("error".to_owned(), error.message.clone()));
        pairs.extend(error.name.clone().map(|name| ("error.type".to_owned(), name)));
        pairs.extend(error.code.clone().map(|code| ("error.code".to_owned(), code)));
        pairs.extend(error.stack.clone().map(|stack| ("error.stack".to_owned(), stack)));
    }
    pairs.extend(
        entry.performance.map(|it| ("duration_ms".to_owned(), milliseconds(it.duration).to_string())),
    );
    if !entry.tags.is_empty() {
        pairs.push(("tags".to_owned(), entry.tags.join(",")));
    }
    for (key, value) in all_fields(entry) {
        flatten(key, &value, &mut pairs);
    }
    let written: Vec<_> =
        pairs.iter().map(|(key, value)| format!("{}={}", name(key), quoted(value))).collect();
    line.extend_from_slice(written.join(" ").as_bytes());
}

/// Values in values get names with dots.
fn flatten(key: String, value: &Value, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(inner, value)| flatten(format!("{key}.{inner}"), value, pairs));
        }
        Value::String(text) => pairs.push((key, text.clone())),
        other => pairs.push((key, other.to_string())),
    }
}

fn name(key: &str) -> String {
    let legal = |c: char| c > ' ' && c != '=' && c != '"' && !c.is_control();
    key.chars().map(|c| if legal(c) { c } else { '_' }).collect()
}

/// As it is where that is unambiguous, else as JSON quotes it.
fn quoted(value: &str) -> String {
    let plain = |c: char| c > ' ' && c != '=' && c != '"' && c != '\\' && !c.is_control();
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        Value::from(value).to_string()
    }
}
