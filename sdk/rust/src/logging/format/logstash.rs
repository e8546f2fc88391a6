use super::{all_fields, milliseconds, put, put_some, time, trace_ids};
use crate::logging::entry::{Entry, Fields};
use crate::logging::source::Source;
use crate::telemetry::otlp::Severity;

/// The names of logstash-logback-encoder, its values for levels, and ours beside them as it does
/// with a logging context.
pub(super) fn fields(entry: &Entry, source: &Source) -> Fields {
    // Below, so that nobody's value stands in the place of one of the format's.
    let mut fields = all_fields(entry);
    put(&mut fields, "@timestamp", time::rfc3339(entry.time));
    put(&mut fields, "@version", "1");
    put(&mut fields, "message", entry.message.clone());
    put(&mut fields, "logger_name", entry.logger.clone().into_owned());
    put_some(&mut fields, "thread_name", entry.thread.clone());
    put(&mut fields, "level", entry.severity.text());
    put(&mut fields, "level_value", level_value(entry.severity));
    put(&mut fields, "service", source.service.clone());
    put(&mut fields, "service_version", source.version.clone());
    put_some(&mut fields, "environment", source.environment.clone());
    put_some(&mut fields, "host", source.host.clone());
    put(&mut fields, "pid", source.pid);
    entry.ids.iter().for_each(|(id, value)| put(&mut fields, id.json_name(), value));
    if let Some((trace_id, span_id)) = trace_ids(entry) {
        put(&mut fields, "trace_id", trace_id);
        put(&mut fields, "span_id", span_id);
    }
    if !entry.tags.is_empty() {
        put(&mut fields, "tags", entry.tags.clone());
    }
    if let Some(error) = &entry.error {
        put_some(&mut fields, "error_name", error.name.clone());
        put(&mut fields, "error_message", error.message.clone());
        put_some(&mut fields, "error_code", error.code.clone());
        put_some(&mut fields, "stack_trace", error.stack.clone());
    }
    put_some(&mut fields, "duration_ms", entry.performance.map(|it| milliseconds(it.duration)));
    fields
}

/// Logback's numbers; it has nothing above an error.
fn level_value(severity: Severity) -> u64 {
    match severity {
        Severity::Trace => 5_000,
        Severity::Debug => 10_000,
        Severity::Info => 20_000,
        Severity::Warn => 30_000,
        Severity::Error => 40_000,
        Severity::Fatal => 50_000,
    }
}
