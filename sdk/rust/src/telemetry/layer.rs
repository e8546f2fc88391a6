use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::buffer::Buffer;
use super::context::{self, SpanContext};
use super::fields::{EventFields, LOG_ATTRIBUTES, SpanFields};
use super::health::Output;
use super::otlp::{LOG_RECORDS, SPANS, Status, Writer};
use super::pipeline::Shared;
use super::suppress::is_suppressed;
use super::unix_nanos;
use crate::logging::{Redactor, severity_of, with_current, write_attributes};

/// Turns `tracing` events into OTLP log records and spans into OTLP spans, encoded at once on the
/// thread where they happen.
///
/// Fields become attributes of their type. Some names are special: on events `message` is the
/// body and `log.fatal` makes an error a fatal one; on spans `otel.name`, `otel.kind` and `otel.status_code` are what they say, `error` and
/// `error.type` also set the status, and `traceparent` names the parent in another process.
#[derive(Clone)]
pub struct Layer {
    pipeline: Arc<Shared>,
    redactor: Arc<Redactor>,
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Layer")
    }
}

/// What a span carries until it ends.
enum SpanState {
    Recorded(Box<Recorded>),
    /// Begun under suppression, or in a span that was.
    Silent,
}

struct Recorded {
    context: SpanContext,
    parent: Option<[u8; 8]>,
    start_time_unix_nano: u64,
    fields: SpanFields,
}

thread_local! {
    /// Where records are written before they are put into the buffer, so that nobody's `Debug`
    /// runs under its lock.
    static SCRATCH: RefCell<Writer> = RefCell::default();
}

impl Layer {
    pub(super) fn new(pipeline: Arc<Shared>) -> Self {
        Self { pipeline, redactor: Arc::new(Redactor::none()) }
    }

    /// Takes out of log records what is secret.
    #[must_use]
    pub fn redacting(mut self, redactor: Redactor) -> Self {
        self.redactor = Arc::new(redactor);
        self
    }

    /// How what it records is exported.
    pub(super) fn outputs(&self) -> Vec<Output> {
        self.pipeline.outputs()
    }

    /// Writes one record and puts it into the buffer. A record within a record, from somebody's
    /// `Debug`, is dropped.
    fn record(&self, buffer: &Buffer, scope: &'static str, field: u32, write: impl FnOnce(&mut Writer)) {
        let done = SCRATCH.try_with(|scratch| {
            let mut writer = scratch.try_borrow_mut().ok()?;
            writer.clear();
            writer.message(field, write);
            Some(buffer.push(scope, writer.as_bytes()))
        });
        match done {
            Ok(Some(true)) => self.pipeline.wake(),
            Ok(Some(false)) => {}
            Ok(None) | Err(_) => buffer.drop_one(),
        }
    }
}

fn context_of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Option<SpanContext>> {
    match span.extensions().get::<SpanState>()? {
        SpanState::Recorded(recorded) => Some(Some(recorded.context)),
        SpanState::Silent => Some(None),
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Layer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let parent = span.parent().and_then(|parent| context_of(&parent));
        if is_suppressed() || parent == Some(None) {
            span.extensions_mut().insert(SpanState::Silent);
            return;
        }
        let mut fields = SpanFields::default();
        attributes.record(&mut fields);
        let remote = || SpanContext::parse(fields.traceparent.as_deref()?);
        let parent = parent.flatten().or_else(remote);
        fields.again = true;
        span.extensions_mut().insert(SpanState::Recorded(Box::new(Recorded {
            context: SpanContext::new(parent),
            parent: parent.map(|parent| parent.span_id),
            start_time_unix_nano: unix_nanos(),
            fields,
        })));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(SpanState::Recorded(recorded)) = span.extensions_mut().get_mut::<SpanState>() {
            values.record(&mut recorded.fields);
        }
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        if let Some(context) = ctx.span(id).and_then(|span| context_of(&span)).flatten() {
            context::enter(id, context);
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        context::exit(id);
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let span = ctx.event_span(event);
        let context = span.as_ref().and_then(context_of);
        if is_suppressed() || context == Some(None) {
            return;
        }
        let metadata = event.metadata();
        let is_error = *metadata.level() == Level::ERROR;
        let mut message = (is_error && span.is_some()).then(String::new);
        self.record(self.pipeline.logs(), metadata.target(), LOG_RECORDS, |writer| {
            let now = unix_nanos();
            let severity = severity_of(metadata);
            writer.fixed64(1, now);
            writer.integer(2, severity as u64);
            writer.bytes(3, severity.text());
            if let Some(context) = context.flatten() {
                writer.fixed32(8, 1);
                writer.bytes(9, context.trace_id);
                writer.bytes(10, context.span_id);
            }
            writer.fixed64(11, now);
            let mut fields =
                EventFields { writer: &mut *writer, message: message.take(), redactor: &self.redactor };
            event.record(&mut fields);
            message = fields.message;
            with_current(|current| {
                let Some(current) = current else { return };
                let own = |name: &str| metadata.fields().field(name).is_some();
                write_attributes(writer, LOG_ATTRIBUTES, current, &self.redactor, own);
            });
        });
        if let (Some(span), Some(message)) = (span, message) {
            fail(&span, message);
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(&id) else { return };
        let Some(SpanState::Recorded(recorded)) = span.extensions_mut().remove::<SpanState>() else { return };
        // What ends under suppression began before it, and is whole only if it is recorded.
        let metadata = span.metadata();
        self.record(self.pipeline.spans(), metadata.target(), SPANS, |writer| {
            let Recorded { context, parent, start_time_unix_nano, fields } = &*recorded;
            writer.bytes(1, context.trace_id);
            writer.bytes(2, context.span_id);
            writer.bytes(4, parent.as_ref().map_or(&[][..], |id| id));
            writer.bytes(5, fields.name.as_deref().unwrap_or(metadata.name()));
            writer.integer(6, fields.kind as u64);
            writer.fixed64(7, *start_time_unix_nano);
            // The clock may have been set back.
            writer.fixed64(8, unix_nanos().max(*start_time_unix_nano));
            writer.raw(fields.attributes.as_bytes());
            fields.status.write(writer);
        });
    }
}

/// An error was logged in the span: so it failed, unless somebody already said how it ended.
fn fail<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, message: String) {
    if let Some(SpanState::Recorded(recorded)) = span.extensions_mut().get_mut::<SpanState>()
        && recorded.fields.status == Status::Unset
    {
        recorded.fields.status = Status::Error(Cow::Owned(message));
    }
}
