//! `/api/v1/traces`: one trace by id, and the newest ones.

use serde_json::{Value, json};
use testkit::Fresnel;
use testkit::otlp::proto::trace::v1::span::{Event, Link};
use testkit::records::{SPANS_PER_TRACE, Sender, hex, text};

use crate::fresnel;

fn with_traces(count: u64) -> (Fresnel, Sender) {
    let server = fresnel().start();
    let mut sender = Sender::new("traces", 1);
    server.send(&sender.spans(count * SPANS_PER_TRACE));
    (server, sender)
}

fn ids(answer: &Value) -> Vec<String> {
    let id = |trace: &Value| trace["trace_id"].as_str().unwrap().to_owned();
    answer["traces"].as_array().unwrap().iter().map(id).collect()
}

#[test]
fn a_trace_has_all_its_spans_under_their_parents() {
    let (server, sender) = with_traces(3);
    let id = sender.trace_id(SPANS_PER_TRACE);
    let trace = server.get_json(&format!("/api/v1/traces/{id}"));
    assert_eq!((&trace["trace_id"], &trace["complete"]), (&json!(id), &json!(true)));
    let spans = trace["spans"].as_array().unwrap();
    assert_eq!(spans.len() as u64, SPANS_PER_TRACE);
    let root = &spans[0];
    assert!(root["parent_span_id"].is_null(), "in order of start, the root first: {root}");
    assert!(spans[1..].iter().all(|span| span["parent_span_id"] == root["span_id"]));
    assert_eq!((&root["kind"], &root["status_code"]), (&json!("server"), &json!("ok")));
    assert_eq!(root["duration_nano"], 5_000_000);
}

#[test]
fn a_trace_of_several_requests_and_services_is_one() {
    let server = fresnel().start();
    let mut parts = [Sender::new("front", 1).spans(1), Sender::new("back", 1).spans(1)];
    parts[1].resource_spans[0].scope_spans[0].spans[0].trace_id =
        parts[0].resource_spans[0].scope_spans[0].spans[0].trace_id.clone();
    for part in &parts {
        server.send(part);
    }
    let id = hex(&parts[0].resource_spans[0].scope_spans[0].spans[0].trace_id);
    let trace = server.get_json(&format!("/api/v1/traces/{}", id.to_uppercase()));
    let services: Vec<_> =
        trace["spans"].as_array().unwrap().iter().map(|span| span["service_name"].clone()).collect();
    assert_eq!(services.len(), 2);
    assert!(services.contains(&json!("front")) && services.contains(&json!("back")));
}

#[test]
fn events_and_links_are_kept() {
    let server = fresnel().start();
    let mut request = Sender::new("nested", 1).spans(1);
    let span = &mut request.resource_spans[0].scope_spans[0].spans[0];
    let attributes = vec![text("exception.type", "Timeout")];
    span.events =
        vec![Event { time_unix_nano: 5, name: "exception".to_owned(), attributes, ..Default::default() }];
    span.links = vec![Link { trace_id: vec![1; 16], span_id: vec![2; 8], ..Default::default() }];
    let id = hex(&span.trace_id);
    server.send(&request);
    let span = server.get_json(&format!("/api/v1/traces/{id}"))["spans"][0].clone();
    assert_eq!(
        (&span["events"][0]["name"], &span["events"][0]["time_unix_nano"]),
        (&json!("exception"), &json!("5"))
    );
    assert_eq!(span["events"][0]["attributes"]["exception.type"], "Timeout");
    assert_eq!(
        (&span["links"][0]["trace_id"], &span["links"][0]["span_id"]),
        (&json!("01".repeat(16)), &json!("02".repeat(8)))
    );
}

#[test]
fn an_unknown_trace_is_404_and_a_malformed_id_400() {
    let (server, _) = with_traces(1);
    server.get(&format!("/api/v1/traces/{}", "f".repeat(32))).expect(404);
    server.get("/api/v1/traces/12").expect(400);
    server.get(&format!("/api/v1/traces/{}", "g".repeat(32))).expect(400);
}

#[test]
fn the_newest_traces_come_first_with_their_roots() {
    let (server, sender) = with_traces(5);
    let answer = server.get_json("/api/v1/traces?service=traces&limit=3");
    let expected: Vec<_> = [4, 3, 2].map(|trace| sender.trace_id(trace * SPANS_PER_TRACE)).to_vec();
    assert_eq!(ids(&answer), expected);
    let trace = &answer["traces"][0];
    assert_eq!((&trace["root_service"], &trace["spans"]), (&json!("traces"), &json!(SPANS_PER_TRACE)));
    assert_eq!((&trace["errors"], &trace["services"]), (&json!(0), &json!(["traces"])));
}

#[test]
fn filters_narrow() {
    let (server, sender) = with_traces(2);
    let mut request = Sender::new("traces", 2).spans(1);
    let span = &mut request.resource_spans[0].scope_spans[0].spans[0];
    "slow and wrong".clone_into(&mut span.name);
    span.end_time_unix_nano = span.start_time_unix_nano + 3_000_000_000;
    span.status.as_mut().unwrap().code = 2;
    let wrong = hex(&span.trace_id);
    server.send(&request);
    drop(sender);

    let found =
        |parameters: &str| ids(&server.get_json(&format!("/api/v1/traces?service=traces&{parameters}")));
    assert_eq!(found("").len(), 3);
    assert_eq!(found("error=true"), [wrong.as_str()]);
    assert_eq!(found("name=slow%20and%20wrong"), [wrong.as_str()]);
    assert_eq!(found("min_duration_ms=2000"), [wrong.as_str()]);
    assert_eq!(found("max_duration_ms=2000").len(), 2);
    assert!(found("from=1000&to=2000").is_empty());
}
