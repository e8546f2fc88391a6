//! What a record may say, and that it says how much is missing.

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use tracing::{info, info_span};

use super::{Any, PATIENCE, Sink, attributes, pipeline, record_through, text};
use crate::logging::LogContext;
#[cfg(feature = "logging")]
use crate::logging::Redactor;
use crate::telemetry::otlp::{KeyValue, Value};
use crate::telemetry::trace::{OtlpProvider, Provider, Tracer};
use crate::telemetry::{Limits, PipelineOptions, SpanContext};

fn limited(limits: Limits, f: impl FnOnce(&Tracer)) -> Sink {
    record_through(|layer| layer.limited_to(limits), f)
}

#[test]
fn spans_say_so_much_and_count_the_rest() {
    let other = SpanContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    let limits = Limits {
        span_attributes_max: 2,
        span_events_max: 3,
        span_links_max: 1,
        event_attributes_max: 0,
        link_attributes_max: 1,
        ..Limits::default()
    };
    let facts = [("a", 1.into()), ("b", 2.into()), ("c", 3.into())];
    let sink = limited(limits, |tracer| {
        let mut own = tracer.span("own").attribute("first", 1).link(other, &facts).start();
        own.link(other, &facts);
        ["second", "third", "fourth"].into_iter().for_each(|name| own.set(name, 1));
        // One that is there is no new one.
        own.set("first", 2);
        (0..5).for_each(|_| own.event("e", &facts));
        own.end();
        let traced = info_span!("traced", a = 1, b = 2, c = 3, d = tracing::field::Empty);
        traced.record("b", 7);
        traced.record("d", 7);
    });
    let spans = sink.spans();
    let own = &spans["own"];
    let expected = [("first", Any::IntValue(2)), ("second", Any::IntValue(1))];
    assert_eq!(attributes(&own.attributes), expected.into());
    assert_eq!((own.dropped_attributes_count, own.dropped_events_count, own.dropped_links_count), (2, 2, 1));
    assert_eq!((own.events.len(), own.links.len()), (3, 1));
    assert!(own.events.iter().all(|it| it.attributes.is_empty() && it.dropped_attributes_count == 3));
    assert_eq!(attributes(&own.links[0].attributes), [("a", Any::IntValue(1))].into());
    assert_eq!((own.links[0].dropped_attributes_count, own.links[0].flags), (2, 1));
    let traced = &spans["traced"];
    assert_eq!(attributes(&traced.attributes), [("a", Any::IntValue(1)), ("b", Any::IntValue(7))].into());
    assert_eq!(traced.dropped_attributes_count, 2);
}

#[test]
fn log_records_say_so_much_with_what_surrounds_them_and_count_the_rest() {
    let limits = Limits { log_attributes_max: 3, ..Limits::default() };
    let sink = limited(limits, |_| {
        let surroundings = LogContext::new().field("x", 1).field("y", 2).field("a", 3);
        surroundings.with(|| info!(a = 1, b = 2, "body"));
        info!(a = 1, b = 2, c = 3, d = 4, "body");
        info!(a = 1, b = 2, c = 3, "body");
    });
    let logs = sink.logs();
    let all: Vec<_> =
        logs.iter().map(|(_, log)| (log.attributes.len(), log.dropped_attributes_count)).collect();
    assert_eq!(all, [(3, 1), (3, 1), (3, 0)]);
    assert_eq!(attributes(&logs[0].1.attributes)["x"], Any::IntValue(1));
    assert!(logs.iter().all(|(_, log)| log.body.clone().unwrap().value == Some(text("body"))));
}

#[test]
fn values_are_cut_by_characters_however_deep_they_are() {
    let limits = Limits { span_value_chars_max: Some(3), log_value_chars_max: Some(2), ..Limits::default() };
    let list = Value::List(vec![
        Value::Text("abcd".into()),
        Value::Int(123_456),
        Value::Bytes(vec![1, 2, 3, 4]),
        Value::Map(vec![KeyValue::new("a long key", "äöüß"), KeyValue::new("k", true)]),
    ]);
    let sink = limited(limits, |tracer| {
        let mut own = tracer.span("a long name").attribute("text", "äöüß").start();
        own.set("short", "äöü");
        own.set("number", 123_456);
        own.set("list", &list);
        own.event("a long event", &[("why", "because".into())]);
        own.end();
        info_span!("traced", text = "abcd", shown = ?[1, 2]);
        info!(text = "abcd", shown = ?[1, 2], bytes = &b"1234"[..], n = 1234, "a long body");
    });
    let spans = sink.spans();
    let own = attributes(&spans["a long name"].attributes);
    assert_eq!((&own["text"], &own["short"]), (&text("äöü"), &text("äöü")));
    assert_eq!(own["number"], Any::IntValue(123_456));
    let Any::ArrayValue(ArrayValue { values }) = &own["list"] else { panic!("{own:?}") };
    let values: Vec<_> = values.iter().map(|it| it.value.clone().unwrap()).collect();
    assert_eq!(values[..3], [text("abc"), Any::IntValue(123_456), Any::BytesValue(vec![1, 2, 3])]);
    let Any::KvlistValue(map) = &values[3] else { panic!("{values:?}") };
    let cut = AnyValue { value: Some(text("äöü")) };
    assert_eq!((map.values[0].key.as_str(), map.values[0].value.as_ref()), ("a long key", Some(&cut)));
    assert_eq!(map.values[1].value.as_ref().unwrap().value, Some(Any::BoolValue(true)));
    assert_eq!(spans["a long name"].events[0].name, "a long event");
    assert_eq!(attributes(&spans["a long name"].events[0].attributes)["why"], text("bec"));
    let traced = attributes(&spans["traced"].attributes);
    assert_eq!((&traced["text"], &traced["shown"]), (&text("abc"), &text("[1,")));
    let (_, log) = &sink.logs()[0];
    assert_eq!(log.body.clone().unwrap().value, Some(text("a long body")));
    let expected = [
        ("text", text("ab")),
        ("shown", text("[1")),
        ("bytes", Any::BytesValue(b"12".to_vec())),
        ("n", Any::IntValue(1234)),
    ];
    assert_eq!(attributes(&log.attributes), expected.into());
}

#[cfg(feature = "logging")]
/// Cut before, half of a secret would be no secret any more.
#[test]
fn what_is_secret_is_taken_out_before_the_rest_is_cut() {
    let limits =
        Limits { span_value_chars_max: Some(12), log_value_chars_max: Some(12), ..Limits::default() };
    let redactor = Redactor::none().pattern("card", "[0-9]{16}", "(card)").unwrap();
    let layer = |layer: crate::telemetry::Layer| layer.redacting(redactor).limited_to(limits);
    let sink = record_through(layer, |tracer| {
        tracer.span("own").attribute("paid", "by 4111111111111111 today").start().end();
        info!(paid = "by 4111111111111111 today", "x");
    });
    let cut = text("by (card) to");
    assert_eq!(attributes(&sink.spans()["own"].attributes)["paid"], cut);
    assert_eq!(attributes(&sink.logs()[0].1.attributes)["paid"], cut);
}

#[test]
fn events_of_a_provider_have_the_usual_limits() {
    let (pipeline, _) = pipeline(PipelineOptions::default());
    let pipeline = std::sync::Arc::new(pipeline);
    let names: Vec<_> = (0..130).map(|n| format!("k{n}")).collect();
    let facts: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
    OtlpProvider::new(pipeline.clone()).track_event("bought", &facts, &[]);
    let sink = Sink::default();
    pipeline.connect(sink.clone());
    assert!(pipeline.shutdown(PATIENCE));
    let (_, log) = &sink.logs()[0];
    assert_eq!((log.attributes.len(), log.dropped_attributes_count), (128, 2));
}
