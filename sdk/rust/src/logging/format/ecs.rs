use super::{all_fields, level, put, put_some, time, trace_ids};
use crate::logging::context::Id;
use crate::logging::entry::{Entry, Fields};
use crate::logging::source::Source;

/// The version of the schema that the names are from.
const VERSION: &str = "8.11.0";

/// Names that the schema has itself, so that they keep their place; others are labels.
const OWN: [&str; 10] = [
    "client.",
    "destination.",
    "event.",
    "file.",
    "http.",
    "network.",
    "server.",
    "source.",
    "url.",
    "user_agent.",
];

/// One object whose first three names are in the order that ECS logging asks for.
pub(super) fn write(entry: &Entry, source: &Source, line: &mut Vec<u8>) {
    let json = |value: &str| serde_json::Value::from(value).to_string();
    let head = format!(
        r#"{{"@timestamp":{},"log.level":{},"message":{}"#,
        json(&time::rfc3339(entry.time)),
        json(&level(entry.severity)),
        json(&entry.message),
    );
    line.extend_from_slice(head.as_bytes());
    for (key, value) in others(entry, source) {
        line.extend_from_slice(format!(",{}:{value}", json(&key)).as_bytes());
    }
    line.push(b'}');
}

fn others(entry: &Entry, source: &Source) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "ecs.version", VERSION);
    put(&mut fields, "log.logger", entry.logger.clone().into_owned());
    put_some(&mut fields, "process.thread.name", entry.thread.clone());
    put(&mut fields, "process.pid", source.pid);
    put(&mut fields, "service.name", source.service.clone());
    put(&mut fields, "service.version", source.version.clone());
    put_some(&mut fields, "service.environment", source.environment.clone());
    put_some(&mut fields, "host.hostname", source.host.clone());
    if let Some((trace_id, span_id)) = trace_ids(entry) {
        put(&mut fields, "trace.id", trace_id);
        put(&mut fields, "span.id", span_id);
    }
    if let Some(error) = &entry.error {
        put_some(&mut fields, "error.type", error.name.clone());
        put(&mut fields, "error.message", error.message.clone());
        put_some(&mut fields, "error.stack_trace", error.stack.clone());
        put_some(&mut fields, "error.code", error.code.clone());
    }
    if let Some(performance) = entry.performance {
        let nanos = u64::try_from(performance.duration.as_nanos()).unwrap_or(u64::MAX);
        put(&mut fields, "event.duration", nanos);
    }
    if !entry.tags.is_empty() {
        put(&mut fields, "tags", entry.tags.clone());
    }
    let mut labels = Fields::new();
    for (id, value) in entry.ids.iter() {
        match id {
            Id::User => put(&mut fields, "user.id", value),
            Id::Request => put(&mut fields, "http.request.id", value),
            Id::Customer => put(&mut fields, "organization.id", value),
            _ => put(&mut labels, &id.attribute().replace('.', "_"), value),
        }
    }
    for (key, value) in all_fields(entry) {
        if OWN.iter().any(|own| key.starts_with(own)) {
            fields.entry(key).or_insert(value);
        } else {
            // Labels are flat, without dots, and texts.
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            put(&mut labels, &key.replace('.', "_"), text);
        }
    }
    if !labels.is_empty() {
        put(&mut fields, "labels", labels);
    }
    fields
}
