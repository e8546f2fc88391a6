#![allow(clippy::unwrap_used)]

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::{Value, json};

use super::*;

/// `google.rpc.Status` and what is in it, as prost knows them.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn a_full_success_says_nothing() {
    for signal in Signal::ALL {
        assert!(export(signal, 0, "", Format::Protobuf).is_empty());
        assert_eq!(json(&export(signal, 0, "", Format::Json)), json!({}));
    }
}

#[test]
fn a_partial_success_says_how_many_and_why() {
    let why = "3 rejected: invalid_trace_id";
    let logs = ExportLogsServiceResponse::decode(&*export(Signal::Logs, 3, why, Format::Protobuf)).unwrap();
    let expected = ExportLogsPartialSuccess { rejected_log_records: 3, error_message: why.into() };
    assert_eq!(logs.partial_success, Some(expected));
    let spans =
        ExportTraceServiceResponse::decode(&*export(Signal::Spans, 300, why, Format::Protobuf)).unwrap();
    let expected = ExportTracePartialSuccess { rejected_spans: 300, error_message: why.into() };
    assert_eq!(spans.partial_success, Some(expected));
    let long = "x".repeat(500);
    let metrics =
        ExportMetricsServiceResponse::decode(&*export(Signal::Metrics, 1 << 40, &long, Format::Protobuf))
            .unwrap();
    let expected = ExportMetricsPartialSuccess { rejected_data_points: 1 << 40, error_message: long };
    assert_eq!(metrics.partial_success, Some(expected));

    for (signal, key) in [
        (Signal::Logs, "rejectedLogRecords"),
        (Signal::Spans, "rejectedSpans"),
        (Signal::Metrics, "rejectedDataPoints"),
    ] {
        let expected = json!({ "partialSuccess": { key: "3", "errorMessage": why } });
        assert_eq!(json(&export(signal, 3, why, Format::Json)), expected);
    }
}

#[test]
fn a_refusal_is_a_status() {
    let plain = Status::decode(&*status(3, "malformed", None, Format::Protobuf)).unwrap();
    assert_eq!(plain, Status { code: 3, message: "malformed".into(), details: Vec::new() });
    assert_eq!(
        json(&status(3, "mal\"formed", None, Format::Json)),
        json!({ "code": 3, "message": "mal\"formed" })
    );
}

#[test]
fn a_refusal_for_now_says_when_to_come_again() {
    let after = Duration::from_millis(1500);
    let throttled = Status::decode(&*status(8, "full", Some(after), Format::Protobuf)).unwrap();
    let [any] = &throttled.details[..] else { panic!("one detail") };
    assert_eq!(any.type_url, "type.googleapis.com/google.rpc.RetryInfo");
    let info = RetryInfo::decode(&*any.value).unwrap();
    assert_eq!(info.retry_delay, Some(Span { seconds: 1, nanos: 500_000_000 }));
    let throttled = json(&status(14, "full", Some(after), Format::Json));
    assert_eq!(throttled["details"][0]["retryDelay"], "1.500000000s");
    assert_eq!(
        json(&status(14, "", Some(Duration::from_secs(2)), Format::Json))["details"][0]["retryDelay"],
        "2s"
    );
}
