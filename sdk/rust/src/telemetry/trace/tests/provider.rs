use std::sync::Arc;

use crate::telemetry::PipelineOptions;
use crate::telemetry::tests::{Any, PATIENCE, Sink, attributes, pipeline, text};
use crate::telemetry::trace::{DisabledProvider, OtlpProvider, Provider};

#[test]
fn what_a_product_tells_has_its_user_and_properties() {
    let (pipeline, _) = pipeline(PipelineOptions::default());
    let (pipeline, sink) = (Arc::new(pipeline), Sink::default());
    pipeline.connect(sink.clone());
    let provider: Box<dyn Provider> = Box::new(OtlpProvider::new(pipeline.clone()));
    provider.set_global_properties(&[("plan", "free"), ("region", "eu")]);
    provider.set_user(Some("u1"));
    let mut span = provider.start_span("checkout");
    span.in_scope(|| provider.track_event("order.placed", &[("plan", "paid")], &[("total", 12.5)]));
    span.end();
    provider.set_user(None);
    provider.track_error(&std::fmt::Error, &[("step", "pay")]);
    provider.track_metric("app.checkout.duration", 0.2, "s", &[("step", "pay")]);
    assert!(provider.flush(PATIENCE) && provider.shutdown(PATIENCE));

    let (spans, logs) = (sink.spans(), sink.logs());
    let of_span = attributes(&spans["checkout"].attributes);
    assert_eq!((&of_span["user.id"], &of_span["plan"]), (&text("u1"), &text("free")));
    let (_, event) = &logs[0];
    assert_eq!((event.event_name.as_str(), event.severity_number), ("order.placed", 9));
    assert_eq!(event.span_id, spans["checkout"].span_id);
    let told = attributes(&event.attributes);
    let expected = [
        ("plan", text("paid")),
        ("region", text("eu")),
        ("user.id", text("u1")),
        ("total", Any::DoubleValue(12.5)),
    ];
    assert_eq!(told, expected.into());
    let (_, error) = &logs[1];
    assert_eq!(error.severity_number, 17);
    let told = attributes(&error.attributes);
    assert!(!told.contains_key("user.id") && told.contains_key("exception.message"), "{told:?}");
    let page = pipeline.registry().prometheus();
    assert!(page.contains("app_checkout_duration_seconds_count{step=\"pay\"} 1"), "{page}");
}

#[test]
fn one_that_does_nothing_is_never_in_the_way() {
    let provider = DisabledProvider;
    provider.track_event("x", &[], &[]);
    provider.track_metric("x", 1.0, "", &[]);
    provider.track_error(&std::fmt::Error, &[]);
    provider.set_user(Some("u"));
    provider.set_global_properties(&[("a", "b")]);
    assert!(!provider.start_span("x").is_recorded());
    assert!(provider.flush(PATIENCE) && provider.shutdown(PATIENCE));
}
