use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::context::SpanContext;
use super::entered::{self, Key, Place, place};
use super::export::Signal;
use super::fields::{EventFields, SpanFields};
use super::health::Output;
use super::limits::{Limits, LogAttributes};
use super::otlp::{LOG_RECORDS, SPAN_ATTRIBUTES_DROPPED, SPANS, Status, Writer};
use super::pipeline::Shared;
use super::redact::{write_parts, write_status};
use super::sampler::{Caller, Sampling};
use super::suppress::is_suppressed;
use super::trace::Tracer;
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
    sampling: Arc<Sampling>,
    redactor: Arc<Redactor>,
    limits: Limits,
}

impl std::fmt::Debug for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Layer")
    }
}

/// What a span carries until it ends.
enum SpanState {
    Recorded(Box<Recorded>),
    /// Not sampled, and not worth being recorded: only its context goes on.
    Passed(SpanContext),
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
        let (redactor, limits) = (Arc::new(Redactor::none()), Limits::default());
        Self { pipeline, sampling: Arc::default(), redactor, limits }
    }

    /// Records only what this chooses; by default what the caller does, else everything.
    #[must_use]
    pub fn sampled_by(self, sampling: impl Into<Sampling>) -> Self {
        Self { sampling: Arc::new(sampling.into()), ..self }
    }

    /// Takes out of log records and spans what is secret, those of the layer's tracer too.
    #[must_use]
    pub fn redacting(self, redactor: Redactor) -> Self {
        Self { redactor: Arc::new(redactor), ..self }
    }

    /// With other limits of log records and spans, those of the layer's tracer too.
    #[must_use]
    pub fn limited_to(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// For spans of our own in the same pipeline, sampled, redacted and limited in the same way.
    pub fn tracer(&self) -> Tracer {
        Tracer::new(self.pipeline.clone(), self.sampling.clone(), self.redactor.clone(), self.limits)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.pipeline
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How what it records is exported.
    pub(super) fn outputs(&self) -> Vec<Output> {
        self.pipeline.outputs()
    }
}

/// Writes one record and puts it into the buffer. A record within a record, from somebody's `Debug`,
/// is dropped.
pub(super) fn record(
    pipeline: &Shared,
    signal: Signal,
    scope: &'static str,
    write: impl FnOnce(&mut Writer),
) {
    let Some(buffer) = pipeline.buffer(signal).filter(|_| !pipeline.is_off(signal)) else { return };
    let done = SCRATCH.try_with(|scratch| {
        let mut writer = scratch.try_borrow_mut().ok()?;
        writer.clear();
        write(&mut writer);
        Some(buffer.push(scope, writer.as_bytes()))
    });
    match done {
        Ok(Some(true)) => pipeline.wake(signal),
        Ok(Some(false)) => {}
        Ok(None) | Err(_) => buffer.drop_one(),
    }
}

fn context_of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Option<SpanContext>> {
    match span.extensions().get::<SpanState>()? {
        SpanState::Recorded(recorded) => Some(Some(recorded.context)),
        SpanState::Passed(context) => Some(Some(*context)),
        SpanState::Silent => Some(None),
    }
}

/// Where a span or a record is that has this parent, if one was named.
fn place_of<'a, S: LookupSpan<'a>>(contextual: bool, parent: Option<SpanRef<'a, S>>) -> Place {
    // What is entered is known to this thread; the registry has to look it up.
    if contextual {
        return place();
    }
    match parent.as_ref().and_then(context_of) {
        None => Place::Outside,
        Some(None) => Place::Silent,
        Some(Some(context)) => Place::In(context),
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> tracing_subscriber::Layer<S> for Layer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let parent = place_of(attributes.is_contextual(), span.parent());
        if is_suppressed() || parent == Place::Silent {
            span.extensions_mut().insert(SpanState::Silent);
            return;
        }
        let count_max = self.limits.span_attributes_max;
        let mut fields = SpanFields { count_max, ..SpanFields::default() };
        attributes.record(&mut fields);
        let remote = || SpanContext::parse(fields.traceparent.as_deref()?);
        let caller = match parent {
            Place::In(parent) => Caller::Here(parent),
            _ => remote().map_or(Caller::Nobody, Caller::Elsewhere),
        };
        let now = unix_nanos();
        let context = self.sampling.begin(caller, now);
        if !context.is_sampled() && !self.sampling.looks_back() {
            span.extensions_mut().insert(SpanState::Passed(context));
            return;
        }
        fields.again = true;
        span.extensions_mut().insert(SpanState::Recorded(Box::new(Recorded {
            context,
            parent: caller.context().map(|parent| parent.span_id),
            start_time_unix_nano: now,
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
        if let Some(context) = ctx.span(id).and_then(|span| context_of(&span)) {
            entered::enter(Key::Tracing(id.into_u64()), context, None);
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        entered::exit(Key::Tracing(id.into_u64()));
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let contextual = event.is_contextual();
        let named = if contextual { None } else { ctx.event_span(event) };
        let place = place_of(contextual, named);
        if is_suppressed() || place == Place::Silent {
            return;
        }
        let metadata = event.metadata();
        let is_error = *metadata.level() == Level::ERROR && place != Place::Outside;
        let mut message = is_error.then(String::new);
        record(&self.pipeline, Signal::Logs, metadata.target(), |writer| {
            writer.record(LOG_RECORDS, |writer| {
                message = self.write_event(writer, event, place, message.take());
            });
        });
        if let Some(message) = message {
            fail(event, &ctx, message);
        }
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(&id) else { return };
        let Some(SpanState::Recorded(recorded)) = span.extensions_mut().remove::<SpanState>() else { return };
        // The clock may have been set back.
        let end = unix_nanos().max(recorded.start_time_unix_nano);
        let failed = matches!(recorded.fields.status, Status::Error(_));
        let elapsed = end - recorded.start_time_unix_nano;
        if !recorded.context.is_sampled() && !self.sampling.keeps(failed, elapsed) {
            return;
        }
        // What ends under suppression began before it, and is whole only if it is recorded.
        let metadata = span.metadata();
        record(&self.pipeline, Signal::Traces, metadata.target(), |writer| {
            writer.record(SPANS, |writer| {
                recorded.write(writer, metadata.name(), end, &self.redactor, &self.limits);
            });
        });
    }
}

impl Layer {
    /// Writes a log record; gives back the message with its text, where that is wanted.
    fn write_event(
        &self,
        writer: &mut Writer,
        event: &Event<'_>,
        place: Place,
        message: Option<String>,
    ) -> Option<String> {
        let now = unix_nanos();
        let metadata = event.metadata();
        let severity = severity_of(metadata);
        writer.fixed64(1, now);
        writer.integer(2, severity as u64);
        writer.bytes(3, severity.text());
        if let Place::In(context) = place {
            writer.fixed32(8, u32::from(context.flags));
            writer.bytes(9, context.trace_id);
            writer.bytes(10, context.span_id);
        }
        writer.fixed64(11, now);
        let (redactor, mut attributes) = (&*self.redactor, LogAttributes::new(&self.limits));
        let mut fields = EventFields { writer: &mut *writer, attributes: &mut attributes, message, redactor };
        event.record(&mut fields);
        let message = fields.message;
        with_current(|current| {
            let Some(current) = current else { return };
            let own = |name: &str| metadata.fields().field(name).is_some();
            write_attributes(writer, &mut attributes, current, redactor, own);
        });
        attributes.end(writer);
        message
    }
}

impl Recorded {
    fn write(&self, writer: &mut Writer, name: &str, end: u64, redactor: &Redactor, limits: &Limits) {
        let Self { context, parent, start_time_unix_nano, fields } = self;
        writer.bytes(1, context.trace_id);
        writer.bytes(2, context.span_id);
        writer.bytes(4, parent.as_ref().map_or(&[][..], |id| id));
        writer.bytes(5, &*redactor.text(fields.name.as_deref().unwrap_or(name)));
        writer.integer(6, fields.kind as u64);
        writer.fixed64(7, *start_time_unix_nano);
        writer.fixed64(8, end);
        write_parts(writer, fields.attributes.as_bytes(), redactor, limits.span_value_chars_max);
        writer.integer(SPAN_ATTRIBUTES_DROPPED, fields.part.dropped.into());
        write_status(writer, &fields.status, redactor);
        writer.fixed32(16, u32::from(context.flags));
    }
}

/// An error was logged in a span: so it failed, unless somebody already said how it ended.
fn fail<S: Subscriber + for<'a> LookupSpan<'a>>(event: &Event<'_>, ctx: &Context<'_, S>, message: String) {
    let mut message = Some(message);
    let mut take = || message.take().unwrap_or_default();
    if event.is_contextual() && entered::with_current(|span| span.fail_if_unset(&mut take)).is_some() {
        return;
    }
    if let Some(span) = ctx.event_span(event)
        && let Some(SpanState::Recorded(recorded)) = span.extensions_mut().get_mut::<SpanState>()
        && recorded.fields.status == Status::Unset
    {
        recorded.fields.status = Status::Error(Cow::Owned(take()));
    }
}
