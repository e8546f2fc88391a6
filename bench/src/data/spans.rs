//! Spans.

use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use testkit::records::Random;

use super::resource::{SERVICES, integer, resource, scope, text};

/// Between a span and the next one.
const STEP_NANOS: u64 = 1_000_000;
/// Spans of a trace.
const TRACE_SPANS: usize = 8;
/// Senders that they come from.
const TRACE_SENDERS: usize = 4;
/// One span of so many has an event.
const EVENT_EVERY: usize = 20;

/// What a sender has gathered: this many spans, of traces that the senders after it have a part in.
pub(super) fn part(sender: usize, spans: usize, start: u64) -> ResourceSpans {
    let mut random = Random::new(sender as u64);
    let (group, lane) = (sender / TRACE_SENDERS * TRACE_SENDERS, sender % TRACE_SENDERS);
    let spans = (0..spans).map(|index| {
        // The traces of a group begin one after the other, in all its senders.
        let number = group * spans + index * TRACE_SENDERS + lane;
        span(&mut random, number, start + number as u64 * STEP_NANOS)
    });
    let spans = spans.collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope(sender)), spans, ..ScopeSpans::default() }];
    ResourceSpans { resource: Some(resource(sender)), scope_spans, ..ResourceSpans::default() }
}

/// The span with this number of all; a trace is those of eight numbers that follow each other.
fn span(random: &mut Random, number: usize, time: u64) -> Span {
    // Ids look like chance, and can be made again from the number.
    let id = |number: usize| Random::new(number as u64 ^ 0x5eed).bits() | 1;
    let root = number - number % TRACE_SPANS;
    let time = time + random.bits() % STEP_NANOS;
    let nanos = 50_000 + random.bits() % 40_000_000;
    let route = ["/api/orders/{id}", "/api/cart", "/api/products/{id}", "/api/checkout"][random.below(4)];
    let method = ["GET", "POST", "PUT"][random.below(3)];
    let failed = random.below(50) == 0;
    let event = Event { time_unix_nano: time + nanos / 2, name: "cache.miss".to_owned(), ..Event::default() };
    Span {
        trace_id: [id(root).to_be_bytes(), (!id(root)).to_be_bytes()].concat(),
        span_id: id(number).to_be_bytes().to_vec(),
        parent_span_id: if number == root { Vec::new() } else { id(root).to_be_bytes().to_vec() },
        flags: 0x101,
        name: format!("{method} {route}"),
        kind: if number == root { 2 } else { 3 },
        start_time_unix_nano: time,
        end_time_unix_nano: time + nanos,
        attributes: vec![
            text("http.request.method", method),
            text("url.path", &format!("{}/{}", route.trim_end_matches("/{id}"), random.below(100_000))),
            integer("http.response.status_code", if failed { 500 } else { 200 }),
            text(
                "server.address",
                &format!("{}.shop.svc.cluster.local", SERVICES[random.below(SERVICES.len())].0),
            ),
            text("network.peer.address", &format!("10.42.{}.{}", random.below(8), random.below(250))),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101"),
        ],
        events: if random.below(EVENT_EVERY) == 0 { vec![event] } else { Vec::new() },
        status: Some(Status { code: if failed { 2 } else { 0 }, ..Status::default() }),
        ..Span::default()
    }
}
