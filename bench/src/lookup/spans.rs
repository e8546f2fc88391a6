//! Spans as a collector sends them: requests of whole traces, grouped by service. Everything can be
//! computed from the number of a trace, so that ids need not be kept.

use anyhow::Result;
use prost::Message;
use testkit::otlp::proto::collector::trace::v1::ExportTraceServiceRequest;
use testkit::otlp::proto::common::v1::{InstrumentationScope, KeyValue};
use testkit::otlp::proto::trace::v1::span::Event;
use testkit::otlp::proto::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use testkit::records::{hex, text};

use super::services::{self, SERVICES};
use super::template::{Mark, Marks, Template, mix};
use super::timeline::Timeline;

/// Spans in a trace.
pub(crate) const SPANS_PER_TRACE: u64 = 8;
/// Traces in a request.
const TRACES: u64 = 256;
/// Spans in a request.
pub(crate) const SPANS: u64 = TRACES * SPANS_PER_TRACE;
/// Requests that differ in more than ids and times.
const VARIANTS: u64 = 8;
const MILLI: u64 = 1_000_000;

/// The id of a trace, in two halves.
pub(crate) fn trace_id(trace: u64) -> [[u8; 8]; 2] {
    [mix(2 * trace).to_be_bytes(), mix(2 * trace + 1).to_be_bytes()]
}

/// The id of a span, by its number over all traces.
pub(crate) fn span_id(span: u64) -> [u8; 8] {
    // Apart from the numbers of traces.
    mix(span | 1 << 62).to_be_bytes()
}

/// The ids of a trace's spans, in lower-case hex, sorted.
pub(crate) fn span_ids(trace: u64) -> Vec<String> {
    let first = trace * SPANS_PER_TRACE;
    let mut ids: Vec<_> = (first..first + SPANS_PER_TRACE).map(|span| hex(&span_id(span))).collect();
    ids.sort();
    ids
}

/// Makes the bodies of requests.
#[derive(Debug)]
pub(crate) struct SpanRequests {
    timeline: Timeline,
    variants: Vec<(Template, Vec<Places>)>,
}

/// Where a span's own values are.
#[derive(Debug)]
struct Places {
    trace: [Mark; 2],
    span: Mark,
    parent: Option<Mark>,
    start: Mark,
    end: Mark,
    order: Mark,
}

impl SpanRequests {
    /// Requests of traces that begin at the timeline's times.
    ///
    /// # Errors
    /// When a mark cannot be found: a mistake in this module.
    pub(crate) fn new(timeline: Timeline) -> Result<Self> {
        Ok(Self { timeline, variants: (0..VARIANTS).map(variant).collect::<Result<_>>()? })
    }

    /// The body with this number: its first trace has the number times [`TRACES`].
    pub(crate) fn body(&mut self, request: u64) -> &[u8] {
        let (template, places) = &mut self.variants[(request % VARIANTS) as usize];
        for (index, places) in (0..).zip(places) {
            let trace = request * TRACES + index / SPANS_PER_TRACE;
            let place = index % SPANS_PER_TRACE;
            let number = trace * SPANS_PER_TRACE + place;
            for (mark, half) in places.trace.into_iter().zip(trace_id(trace)) {
                template.put(mark, half);
            }
            template.put(places.span, span_id(number));
            if let Some(parent) = places.parent {
                template.put(parent, span_id(number - place));
            }
            let (start, end) = times(self.timeline.at(trace), trace, place);
            template.number(places.start, start);
            template.number(places.end, end);
            template.digits(places.order, mix(trace) % 10_000_000_000);
        }
        template.bytes()
    }
}

/// The root takes all of the time, its children one part after the other.
fn times(begin: u64, trace: u64, place: u64) -> (u64, u64) {
    let duration = 5 * MILLI + mix(trace ^ 0x5a5a) % (300 * MILLI);
    let part = duration / SPANS_PER_TRACE;
    match place {
        0 => (begin, begin + duration),
        _ => (begin + place * part, begin + place * part + mix(trace + place) % part.max(1)),
    }
}

fn variant(variant: u64) -> Result<(Template, Vec<Places>)> {
    let mut marks = Marks::default();
    let mut places = Vec::new();
    let mut spans: Vec<Vec<Span>> = vec![Vec::new(); SERVICES];
    for index in 0..SPANS {
        let chance = mix(variant << 32 | index);
        let (trace, place) = (index / SPANS_PER_TRACE, index % SPANS_PER_TRACE);
        let service = (trace + place * place) % SERVICES as u64;
        let (span, own) = span(&mut marks, place, service as usize, chance);
        spans[service as usize].push(span);
        places.push(own);
    }
    let resource_spans = (0..).zip(spans).map(|(service, spans)| ResourceSpans {
        resource: Some(services::resource(service)),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "opentelemetry.instrumentation.http".into(),
                version: "0.51.0".into(),
                ..Default::default()
            }),
            spans,
            ..Default::default()
        }],
        ..Default::default()
    });
    let request = ExportTraceServiceRequest { resource_spans: resource_spans.collect() };
    Ok((Template::new(request.encode_to_vec(), &marks)?, places))
}

fn span(marks: &mut Marks, place: u64, service: usize, chance: u64) -> (Span, Places) {
    let (high, high_bytes) = marks.bytes();
    let (low, low_bytes) = marks.bytes();
    let (span, span_id) = marks.bytes();
    let parent = (place > 0).then(|| marks.bytes());
    let (start, start_time_unix_nano) = marks.number();
    let (end, end_time_unix_nano) = marks.number();
    let (order, digits) = marks.text();
    let failed = chance.is_multiple_of(50);
    let operation = services::operation(service, chance >> 8);
    let made = Span {
        trace_id: [high_bytes, low_bytes].concat(),
        span_id: span_id.to_vec(),
        parent_span_id: parent.map_or_else(Vec::new, |(_, bytes)| bytes.to_vec()),
        name: operation.clone(),
        kind: [2, 3, 1, 3][(place % 4) as usize],
        start_time_unix_nano,
        end_time_unix_nano,
        attributes: attributes(&operation, &digits, chance),
        events: if failed { vec![exception()] } else { Vec::new() },
        status: Some(Status { code: if failed { 2 } else { 0 }, ..Default::default() }),
        ..Default::default()
    };
    let parent = parent.map(|(mark, _)| mark);
    (made, Places { trace: [high, low], span, parent, start, end, order })
}

fn attributes(operation: &str, order: &str, chance: u64) -> Vec<KeyValue> {
    let route = operation.split_once(' ').map_or(operation, |(_, route)| route);
    vec![
        text("http.request.method", operation.split(' ').next().unwrap_or("GET")),
        text("http.route", route),
        text("url.path", &format!("{route}/{order}")),
        services::number("http.response.status_code", if chance.is_multiple_of(50) { 500 } else { 200 }),
        services::number("http.response.body.size", (chance >> 16) % 60_000),
        text("network.peer.address", &format!("10.4.{}.{}", (chance >> 32) % 16, (chance >> 40) % 250)),
        text("thread.name", &format!("worker-{}", (chance >> 48) % 64)),
    ]
}

fn exception() -> Event {
    Event {
        name: "exception".into(),
        attributes: vec![
            text("exception.type", "java.net.SocketTimeoutException"),
            text("exception.message", "Read timed out after 3000 ms"),
        ],
        ..Default::default()
    }
}
