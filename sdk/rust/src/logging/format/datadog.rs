use super::{all_fields, put, put_some, time, trace_ids};
use crate::logging::entry::{Entry, Fields};
use crate::logging::source::Source;
use crate::telemetry::otlp::Severity;

/// The reserved and standard attributes of Datadog's logs.
pub(super) fn fields(entry: &Entry, source: &Source) -> Fields {
    let mut fields = all_fields(entry);
    put(&mut fields, "timestamp", time::rfc3339(entry.time));
    put(&mut fields, "status", status(entry.severity));
    put(&mut fields, "message", entry.message.clone());
    put(&mut fields, "logger.name", entry.logger.clone().into_owned());
    put_some(&mut fields, "logger.thread_name", entry.thread.clone());
    put(&mut fields, "service", source.service.clone());
    put_some(&mut fields, "hostname", source.host.clone());
    put(&mut fields, "ddsource", "rust");
    put(&mut fields, "ddtags", tags(entry, source));
    entry.ids.iter().for_each(|(id, value)| match id.attribute() {
        // The standard attribute of a user.
        "user.id" => put(&mut fields, "usr.id", value),
        name => put(&mut fields, name, value),
    });
    if let Some((trace_id, span_id)) = trace_ids(entry) {
        put(&mut fields, "dd.trace_id", trace_id);
        put(&mut fields, "dd.span_id", span_id);
    }
    if let Some(error) = &entry.error {
        put_some(&mut fields, "error.kind", error.name.clone());
        put(&mut fields, "error.message", error.message.clone());
        put_some(&mut fields, "error.stack", error.stack.clone());
    }
    // In nanoseconds, as the standard attribute has it.
    let nanos = |it: crate::logging::Performance| u64::try_from(it.duration.as_nanos()).unwrap_or(u64::MAX);
    put_some(&mut fields, "duration", entry.performance.map(nanos));
    fields
}

fn tags(entry: &Entry, source: &Source) -> String {
    let environment = source.environment.iter().map(|name| format!("env:{name}"));
    let version = [format!("version:{}", source.version)];
    let all: Vec<_> = environment.chain(version).chain(entry.tags.iter().cloned()).collect();
    all.join(",")
}

fn status(severity: Severity) -> &'static str {
    match severity {
        Severity::Trace | Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Warn => "warn",
        Severity::Error => "error",
        Severity::Fatal => "critical",
    }
}
