use serde_json::Value;

use super::{error, level, performance, put, put_some, time, trace_ids};
use crate::logging::entry::{Entry, Fields};
use crate::logging::source::Source;

/// Everything, under the names of [`Id::json_name`](crate::logging::Id::json_name) and its like.
pub(super) fn fields(entry: &Entry, source: &Source) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "timestamp", time::rfc3339(entry.time));
    put(&mut fields, "level", level(entry.severity));
    put(&mut fields, "message", entry.message.clone());
    put(&mut fields, "context", entry.logger.clone().into_owned());
    if !entry.fields.is_empty() {
        put(&mut fields, "metadata", entry.fields.clone());
    }
    entry.ids.iter().for_each(|(id, value)| put(&mut fields, id.json_name(), value));
    if let Some((trace_id, span_id)) = trace_ids(entry) {
        put(&mut fields, "traceId", trace_id);
        put(&mut fields, "spanId", span_id);
    }
    if !entry.tags.is_empty() {
        put(&mut fields, "tags", entry.tags.clone());
    }
    if !entry.spans.is_empty() {
        put(&mut fields, "spans", entry.spans.iter().map(span).collect::<Vec<_>>());
    }
    put_some(&mut fields, "error", entry.error.as_ref().map(error));
    put_some(&mut fields, "performance", performance(entry));
    put(&mut fields, "source", of(source));
    fields
}

fn span((name, values): &(&'static str, std::sync::Arc<Fields>)) -> Value {
    let mut fields = (**values).clone();
    put(&mut fields, "name", *name);
    Value::Object(fields)
}

fn of(source: &Source) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "service", source.service.clone());
    put(&mut fields, "version", source.version.clone());
    put_some(&mut fields, "environment", source.environment.clone());
    put_some(&mut fields, "hostname", source.host.clone());
    put(&mut fields, "pid", source.pid);
    if !source.deployment.is_empty() {
        let deployment = source.deployment.iter().map(|(key, value)| (key.clone(), value.clone().into()));
        put(&mut fields, "deployment", deployment.collect::<Fields>());
    }
    fields
}
