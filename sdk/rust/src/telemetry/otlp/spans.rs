use std::borrow::Cow;

use super::value::{KeyValue, Resource, Scope};
use super::writer::Writer;

/// Which side of a call a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanKind {
    /// Within the process.
    #[default]
    Internal = 1,
    /// Answers a request.
    Server = 2,
    /// Makes a request.
    Client = 3,
    /// Puts a message into a queue.
    Producer = 4,
    /// Takes a message from a queue.
    Consumer = 5,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Nobody said.
    #[default]
    Unset,
    /// Somebody said that it is good.
    Ok,
    /// It failed, and how.
    Error(Cow<'static, str>),
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span.
    pub span_id: [u8; 8],
    /// The span that it is part of.
    pub parent_span_id: Option<[u8; 8]>,
    /// What is done; of few different values.
    pub name: Cow<'static, str>,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// When it began.
    pub start_time_unix_nano: u64,
    /// When it ended.
    pub end_time_unix_nano: u64,
    /// The facts.
    pub attributes: Vec<KeyValue>,
    /// What happened in it.
    pub events: Vec<SpanEvent>,
    /// Spans that it has to do with.
    pub links: Vec<SpanLink>,
    /// How it ended.
    pub status: Status,
}

/// Something that happened in a span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanEvent {
    /// When.
    pub time_unix_nano: u64,
    /// What.
    pub name: Cow<'static, str>,
    /// The facts.
    pub attributes: Vec<KeyValue>,
}

/// Another span, not the parent.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanLink {
    /// Its trace.
    pub trace_id: [u8; 16],
    /// Its id.
    pub span_id: [u8; 8],
    /// The facts.
    pub attributes: Vec<KeyValue>,
}

/// The field of `ScopeSpans` that holds a span.
pub(crate) const SPANS: u32 = 2;
/// The fields of a `Span` that hold its facts, what happened in it, and what it has to do with.
pub(crate) const SPAN_ATTRIBUTES: u32 = 9;
pub(crate) const SPAN_ATTRIBUTES_DROPPED: u32 = 10;
pub(crate) const SPAN_EVENTS: u32 = 11;
pub(crate) const SPAN_LINKS: u32 = 13;

/// An `ExportTraceServiceRequest`.
pub fn encode_spans<'a>(
    resource: &Resource,
    scopes: impl IntoIterator<Item = (&'a Scope, &'a [Span])>,
) -> Vec<u8> {
    super::request(resource, scopes, |writer, spans| {
        spans.iter().for_each(|span| writer.message(SPANS, |writer| span.write(writer)));
    })
}

impl Span {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(1, self.trace_id);
        writer.bytes(2, self.span_id);
        writer.bytes(4, self.parent_span_id.as_ref().map_or(&[][..], |id| id));
        writer.bytes(5, &*self.name);
        writer.integer(6, self.kind as u64);
        writer.fixed64(7, self.start_time_unix_nano);
        writer.fixed64(8, self.end_time_unix_nano);
        self.attributes
            .iter()
            .for_each(|attribute| writer.message(SPAN_ATTRIBUTES, |writer| attribute.write(writer)));
        self.events.iter().for_each(|event| writer.message(SPAN_EVENTS, |writer| event.write(writer)));
        self.links.iter().for_each(|link| writer.message(SPAN_LINKS, |writer| link.write(writer)));
        self.status.write(writer);
    }
}

impl SpanEvent {
    fn write(&self, writer: &mut Writer) {
        writer.fixed64(1, self.time_unix_nano);
        writer.bytes(2, &*self.name);
        self.attributes.iter().for_each(|attribute| writer.message(3, |writer| attribute.write(writer)));
    }
}

impl SpanLink {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(1, self.trace_id);
        writer.bytes(2, self.span_id);
        self.attributes.iter().for_each(|attribute| writer.message(4, |writer| attribute.write(writer)));
    }
}

impl Status {
    /// The `status` field of a span; nothing when nobody said.
    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Unset => {}
            Self::Ok => writer.message(15, |writer| writer.integer(3, 1)),
            Self::Error(message) => writer.message(15, |writer| {
                writer.bytes(2, &**message);
                writer.integer(3, 2);
            }),
        }
    }
}
