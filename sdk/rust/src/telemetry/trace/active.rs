use std::borrow::Cow;
use std::cell::RefCell;
use std::error::Error;

use super::field::FieldValue;
use super::tracer::Tracer;
use crate::logging::Redactor;
use crate::telemetry::context::SpanContext;
use crate::telemetry::limits::{Limits, Part};
use crate::telemetry::otlp::{
    SPAN_ATTRIBUTES, SPAN_ATTRIBUTES_DROPPED, SPAN_EVENTS, SPAN_LINKS, SPANS, SpanKind, Status, Writer,
    write_key_value,
};
use crate::telemetry::redact::{write_parts, write_status};
use crate::telemetry::unix_nanos;

/// What a span may say in all. What comes then is counted.
const SPAN_BYTES_MAX: usize = 64 << 10;
/// Spans whose memory a thread keeps for the next ones.
const SPARE_MAX: usize = 64;

/// A span that is recorded and has not ended. What is said of it is written at once as it will be
/// sent.
#[derive(Debug, Default)]
pub(in crate::telemetry) struct Active {
    pub(super) tracer: Option<Tracer>,
    pub(super) context: Option<SpanContext>,
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: Cow<'static, str>,
    pub(super) kind: SpanKind,
    pub(super) start_time_unix_nano: u64,
    pub(super) limits: Limits,
    status: Status,
    /// Attributes, events and links.
    parts: Writer,
    /// A bit for each name of an attribute that may be there.
    names: u64,
    attributes: Part,
    events: Part,
    links: Part,
}

thread_local! {
    /// Memory of spans that have ended.
    #[expect(clippy::vec_box, reason = "a span is moved as one pointer")]
    static SPARE: RefCell<Vec<Box<Active>>> = const { RefCell::new(Vec::new()) };
}

impl Active {
    /// One without anything, in memory that is there already where possible.
    pub(super) fn fresh() -> Box<Self> {
        SPARE.try_with(|spare| spare.try_borrow_mut().ok()?.pop()).ok().flatten().unwrap_or_default()
    }

    /// Keeps the memory for the next span.
    fn recycle(mut self: Box<Self>) {
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        *self = Self { parts, ..Self::default() };
        let _ = SPARE.try_with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && spare.len() < SPARE_MAX
            {
                spare.push(self);
            }
        });
    }

    /// Sets an attribute, over one of the same name.
    pub(in crate::telemetry) fn set(&mut self, name: &str, value: FieldValue<'_>) {
        let bit = bit_of(name);
        if self.names & bit != 0 && self.parts.remove_entry(SPAN_ATTRIBUTES, name) {
            self.attributes.written -= 1;
        }
        self.names |= bit;
        let max = self.room(self.limits.span_attributes_max);
        if self.attributes.admit(max) {
            self.parts.message(SPAN_ATTRIBUTES, |writer| write_key_value(writer, name, |w| value.write(w)));
        }
    }

    pub(super) fn event(&mut self, name: &str, time_unix_nano: u64, attributes: &[(&str, FieldValue<'_>)]) {
        let max = self.room(self.limits.span_events_max);
        if self.events.admit(max) {
            self.parts.message(SPAN_EVENTS, |writer| {
                writer.fixed64(1, time_unix_nano);
                writer.bytes(2, name);
                write_attributes(writer, [3, 4], attributes, self.limits.event_attributes_max);
            });
        }
    }

    pub(super) fn link(&mut self, to: SpanContext, attributes: &[(&str, FieldValue<'_>)]) {
        let max = self.room(self.limits.span_links_max);
        if self.links.admit(max) {
            self.parts.message(SPAN_LINKS, |writer| {
                writer.bytes(1, to.trace_id);
                writer.bytes(2, to.span_id);
                write_attributes(writer, [4, 5], attributes, self.limits.link_attributes_max);
                writer.fixed32(6, u32::from(to.flags));
            });
        }
    }

    /// How many of something there may be; none more in a span that has said all that it may.
    fn room(&self, max: u32) -> u32 {
        if self.parts.as_bytes().len() < SPAN_BYTES_MAX { max } else { 0 }
    }

    /// How it ended. `Ok` is final: somebody looked into it.
    pub(in crate::telemetry) fn status(&mut self, status: Status) {
        if self.status != Status::Ok && status != Status::Unset {
            self.status = status;
        }
    }

    /// An error was logged in it: so it failed, unless somebody already said how it ended.
    pub(in crate::telemetry) fn fail_if_unset(&mut self, message: impl FnOnce() -> String) {
        if self.status == Status::Unset {
            self.status = Status::Error(Cow::Owned(message()));
        }
    }

    /// An event `exception` by the semantic conventions, with all causes in its message.
    pub(super) fn exception<E: Error + ?Sized>(&mut self, error: &E) {
        let (kind, message) = (std::any::type_name::<E>(), with_causes(error));
        let facts = [("exception.type", kind.into()), ("exception.message", FieldValue::Text(&message))];
        self.event("exception", unix_nanos(), &facts);
    }

    /// Writes it into the buffer, unless nobody wants it.
    pub(super) fn end(self: Box<Self>, end_time_unix_nano: u64) {
        // The clock may have been set back.
        let end = end_time_unix_nano.max(self.start_time_unix_nano);
        if let (Some(tracer), Some(context)) = (&self.tracer, self.context) {
            let failed = matches!(self.status, Status::Error(_));
            let elapsed = end - self.start_time_unix_nano;
            if context.is_sampled() || tracer.sampling().keeps(failed, elapsed) {
                tracer.record(|writer, redactor| {
                    writer.record(SPANS, |writer| self.write(writer, context, end, redactor));
                });
            }
        }
        self.recycle();
    }

    fn write(&self, writer: &mut Writer, context: SpanContext, end: u64, redactor: &Redactor) {
        writer.bytes(1, context.trace_id);
        writer.bytes(2, context.span_id);
        writer.bytes(4, self.parent.as_ref().map_or(&[][..], |id| id));
        writer.bytes(5, &*redactor.text(&self.name));
        writer.integer(6, self.kind as u64);
        writer.fixed64(7, self.start_time_unix_nano);
        writer.fixed64(8, end);
        write_parts(writer, self.parts.as_bytes(), redactor, self.limits.span_value_chars_max);
        writer.integer(SPAN_ATTRIBUTES_DROPPED, u64::from(self.attributes.dropped));
        writer.integer(12, u64::from(self.events.dropped));
        writer.integer(14, u64::from(self.links.dropped));
        write_status(writer, &self.status, redactor);
        writer.fixed32(16, u32::from(context.flags));
    }
}

/// One of 64 bits for a name, by what tells names apart.
fn bit_of(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let byte = |index: usize| bytes.get(index).map_or(0, |byte| u64::from(*byte));
    let (middle, last) = (byte(bytes.len() / 2), byte(bytes.len().saturating_sub(1)));
    1 << ((bytes.len() as u64 + 3 * byte(0) + 5 * middle + 7 * last) % 64)
}

/// Writes attributes of an event or a link, and how many were too many.
fn write_attributes(
    writer: &mut Writer,
    [field, dropped]: [u32; 2],
    attributes: &[(&str, FieldValue<'_>)],
    max: u32,
) {
    let (shown, more) = attributes.split_at(attributes.len().min(max as usize));
    for (name, value) in shown {
        writer.message(field, |writer| write_key_value(writer, name, |writer| value.write(writer)));
    }
    writer.integer(dropped, more.len() as u64);
}

/// The error with what caused it, as one text.
pub(super) fn with_causes<E: Error + ?Sized>(error: &E) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    // Bounded, as an error may be its own cause.
    for _ in 0..16 {
        let Some(error) = cause else { break };
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
