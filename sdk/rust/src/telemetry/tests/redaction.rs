//! Spans that leave the process without what is secret.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue as Pair, KeyValueList};
use tracing::info_span;

use super::{Any, PATIENCE, Sink, attributes, pipeline, record_through, text};
use crate::logging::Redactor;
use crate::telemetry::otlp::{KeyValue, Value};
use crate::telemetry::trace::{OtlpProvider, Provider, Tracer};
use crate::telemetry::{PipelineOptions, SpanContext};

fn redacted(redactor: Redactor, f: impl FnOnce(&Tracer)) -> Sink {
    record_through(|layer| layer.redacting(redactor), f)
}

#[test]
fn keys_and_paths_hide_attributes_of_spans_events_and_links() {
    let other = SpanContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    let redactor = Redactor::default().path("user.email").unwrap();
    let sink = redacted(redactor, |tracer| {
        let mut own =
            tracer.span("own").attribute("api_key", 7).link(other, &[("token", "t".into())]).start();
        own.set("user.email", "ann@example.org");
        own.set("user.name", "ann");
        own.event("sent", &[("http.request.header.authorization", "Bearer x".into()), ("n", 1.into())]);
        own.end();
        let late = info_span!("traced", password = "1234", n = 2, db.secret = tracing::field::Empty);
        late.record("db.secret", tracing::field::debug("s"));
    });
    let spans = sink.spans();
    let hidden = text("[REDACTED]");
    let own = &spans["own"];
    let expected = [("api_key", hidden.clone()), ("user.email", hidden.clone()), ("user.name", text("ann"))];
    assert_eq!(attributes(&own.attributes), expected.into());
    assert_eq!(own.events[0].name, "sent");
    let expected = [("http.request.header.authorization", hidden.clone()), ("n", Any::IntValue(1))];
    assert_eq!(attributes(&own.events[0].attributes), expected.into());
    assert!(own.events[0].time_unix_nano > 0);
    assert_eq!((&own.links[0].trace_id[..], own.links[0].flags), (&other.trace_id[..], 1));
    assert_eq!(attributes(&own.links[0].attributes), [("token", hidden.clone())].into());
    let expected = [("password", hidden.clone()), ("n", Any::IntValue(2)), ("db.secret", hidden)];
    assert_eq!(attributes(&spans["traced"].attributes), expected.into());
}

fn pair(key: &str, value: Any) -> Pair {
    Pair { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Pair::default() }
}

#[test]
fn nested_values_are_searched_and_others_stay_what_they_are() {
    let user = Value::Map(vec![
        KeyValue::new("email", "ann@example.org"),
        KeyValue::new("cards", Value::List(vec![Value::Map(vec![KeyValue::new("pin", 1234)])])),
        KeyValue::new("n", 1),
    ]);
    let bytes = Value::List(vec![Value::Bytes(vec![0, 255]), Value::Double(f64::INFINITY)]);
    let redactor = Redactor::default().path("user.email").and_then(|it| it.key("pin")).unwrap();
    let sink = redacted(redactor, |tracer| {
        tracer.span("s").attribute("user", &user).attribute("raw", &bytes).start().end();
    });
    let spans = sink.spans();
    let told = attributes(&spans["s"].attributes);
    let list = |values: Vec<Any>| {
        let values = values.into_iter().map(|value| AnyValue { value: Some(value) }).collect();
        Any::ArrayValue(ArrayValue { values })
    };
    let map = |values| Any::KvlistValue(KeyValueList { values });
    let cards = list(vec![map(vec![pair("pin", text("[REDACTED]"))])]);
    let Any::KvlistValue(user) = &told["user"] else { panic!("{told:?}") };
    assert_eq!(attributes(&user.values)["email"], text("[REDACTED]"));
    assert_eq!(attributes(&user.values)["cards"], cards);
    assert_eq!(attributes(&user.values)["n"], Any::IntValue(1));
    // No rule concerns it: nothing was made of its bytes.
    assert_eq!(told["raw"], list(vec![Any::BytesValue(vec![0, 255]), Any::DoubleValue(f64::INFINITY)]));
}

#[cfg(feature = "logging")]
#[test]
fn patterns_are_looked_for_in_texts_names_and_errors() {
    let redactor = Redactor::none().pattern("mail", r"[\w.]+@[\w.]+", "[MAIL]").unwrap();
    let redactor = redactor.pattern("card", r"\b4\d{15}\b", "[CARD]").unwrap();
    let sink = redacted(redactor, |tracer| {
        tracer.span("card").attribute("n", 4_111_111_111_111_111_i64).attribute("x", 4e15).start().end();
        let mut span = tracer.span("mail to ann@example.org").attribute("to", "ann@example.org").start();
        span.set("n", 1);
        span.fail(&std::io::Error::other("no box for ann@example.org"));
        span.end();
        info_span!("traced", otel.name = "to bob@example.org", to = "bob@example.org", error = "b@c.d");
    });
    let spans = sink.spans();
    let card = attributes(&spans["card"].attributes);
    assert_eq!(card, [("n", text("[CARD]")), ("x", text("[CARD].0"))].into(), "numbers, too");
    let own = &spans["mail to [MAIL]"];
    let told = attributes(&own.attributes);
    assert_eq!((&told["to"], &told["n"]), (&text("[MAIL]"), &Any::IntValue(1)));
    assert_eq!(own.status.as_ref().unwrap().message, "no box for [MAIL]");
    assert_eq!(attributes(&own.events[0].attributes)["exception.message"], text("no box for [MAIL]"));
    let traced = &spans["to [MAIL]"];
    let expected = [("to", text("[MAIL]")), ("error", text("[MAIL]"))];
    assert_eq!(attributes(&traced.attributes), expected.into());
    assert_eq!(traced.status.as_ref().unwrap().message, "[MAIL]");
}

#[test]
fn a_product_tells_no_secrets_either() {
    let (pipeline, _) = pipeline(PipelineOptions::default());
    let (pipeline, sink) = (Arc::new(pipeline), Sink::default());
    pipeline.connect(sink.clone());
    let provider = OtlpProvider::new(pipeline.clone()).redacting(Redactor::default());
    provider.set_global_properties(&[("session.token", "t")]);
    provider.start_span("checkout").end();
    provider.track_event("paid", &[("card.key", "k"), ("plan", "free")], &[]);
    assert!(provider.shutdown(PATIENCE));
    let (spans, logs) = (sink.spans(), sink.logs());
    let hidden = text("[REDACTED]");
    assert_eq!(attributes(&spans["checkout"].attributes), [("session.token", hidden.clone())].into());
    let expected = [("session.token", hidden.clone()), ("card.key", hidden), ("plan", text("free"))];
    assert_eq!(attributes(&logs[0].1.attributes), expected.into());
}
