use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::context::{LogContext, with_current};
use super::entry::{Entry, Fields};
use super::fields::{Collected, FATAL};
use super::handle::Logging;
use super::levels::LOGGER;
use crate::telemetry::otlp::Severity;
use crate::telemetry::{current_context, is_suppressed};

/// Makes records of `tracing` events and gives them to the outputs.
#[derive(Clone, Debug)]
pub struct LogLayer(Logging);

/// The values of a span.
struct SpanValues(Arc<Fields>);

impl LogLayer {
    pub(super) fn new(logging: Logging) -> Self {
        Self(logging)
    }
}

/// How bad an event is.
pub(crate) fn severity_of(metadata: &Metadata<'_>) -> Severity {
    match *metadata.level() {
        Level::TRACE => Severity::Trace,
        Level::DEBUG => Severity::Debug,
        Level::INFO => Severity::Info,
        Level::WARN => Severity::Warn,
        Level::ERROR if is_fatal(metadata) => Severity::Fatal,
        Level::ERROR => Severity::Error,
    }
}

fn is_fatal(metadata: &Metadata<'_>) -> bool {
    let of_logger = || with_current(|current| current.is_some_and(|current| current.record.fatal));
    metadata.fields().field(FATAL).is_some() || (metadata.target() == LOGGER && of_logger())
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut collected = Collected::default();
        attributes.record(&mut collected);
        span.extensions_mut().insert(SpanValues(Arc::new(collected.fields)));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut collected = Collected::default();
        values.record(&mut collected);
        if let Some(SpanValues(fields)) = span.extensions_mut().get_mut::<SpanValues>() {
            Arc::make_mut(fields).extend(collected.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let metadata = event.metadata();
        let (severity, local) = (severity_of(metadata), is_suppressed());
        with_current(|current| {
            let logger = logger(metadata, current);
            if !self.0.wants(&logger, severity, local) {
                return;
            }
            let mut collected = Collected::default();
            event.record(&mut collected);
            let spans = ctx.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
            let spans = spans.filter_map(|span| {
                let values = span.extensions().get::<SpanValues>().map(|values| values.0.clone())?;
                Some((span.name(), values))
            });
            let spans = spans.collect();
            let trace = current_context();
            let entry = Entry {
                time: SystemTime::now(),
                severity,
                message: collected.message,
                logger,
                fields: collected.fields,
                ids: Default::default(),
                tags: Vec::new(),
                trace,
                spans,
                error: collected.error,
                performance: None,
                thread: std::thread::current().name().map(str::to_owned),
                local,
            };
            self.0.take(surrounded(entry, current));
        });
    }
}

fn logger(metadata: &Metadata<'_>, current: Option<&LogContext>) -> Cow<'static, str> {
    let named = || current.and_then(|current| current.record.logger.as_deref());
    match metadata.target() {
        LOGGER => named().unwrap_or(LOGGER).to_owned().into(),
        // Not `'static` for everybody, only where it is an event of `tracing`'s macros.
        target => target.to_owned().into(),
    }
}

/// A record with what surrounds it; its own values win.
fn surrounded(mut entry: Entry, current: Option<&LogContext>) -> Entry {
    let Some(current) = current else { return entry };
    entry.ids = current.ids.clone();
    for (key, value) in &current.fields {
        entry.fields.entry(key.clone()).or_insert_with(|| value.clone());
    }
    entry.tags.clone_from(&current.tags);
    entry.error = entry.error.or_else(|| current.record.error.clone());
    entry.performance = current.record.performance;
    entry
}
