use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;

use crate::telemetry::otlp::{
    KeyValue, Resource, Scope, Span, SpanEvent, SpanKind, SpanLink, Status, Value, decode_spans, encode_spans,
};
use crate::telemetry::{ConsoleExporter, Exporter, Signal, zipkin_json};

fn span() -> Span {
    Span {
        trace_id: *b"0123456789abcdef",
        span_id: *b"span-one",
        parent_span_id: Some(*b"span-two"),
        name: "GET /users/{id}".into(),
        kind: SpanKind::Client,
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_012_345_678,
        attributes: vec![
            KeyValue::new("server.address", "stock\n.internal"),
            KeyValue::new("n", -3_i64),
            KeyValue::new("share", 0.5),
            KeyValue::new("ok", true),
            KeyValue::new("list", Value::List(vec![Value::Int(1), Value::Bytes(vec![0, 255])])),
            KeyValue::new("map", Value::Map(vec![KeyValue::new("a", "b")])),
        ],
        events: vec![SpanEvent {
            time_unix_nano: 1_700_000_000_001_000_000,
            name: "retry".into(),
            attributes: vec![KeyValue::new("attempt", 2_i64)],
        }],
        links: vec![SpanLink { trace_id: [7; 16], span_id: [8; 8], attributes: Vec::new() }],
        status: Status::Error("too slow".into()),
    }
}

fn request(spans: &[Span]) -> Vec<u8> {
    let resource = Resource::default().with("service.name", "shop");
    let scope = Scope { name: "app::cart".into(), version: "1".into() };
    encode_spans(&resource, [(&scope, spans)])
}

#[test]
fn what_was_encoded_is_read_again() {
    let bare = Span {
        parent_span_id: None,
        kind: SpanKind::Internal,
        attributes: vec![],
        events: vec![],
        links: vec![],
        status: Status::Ok,
        ..span()
    };
    let spans = [span(), bare];
    let request = request(&spans);
    let groups = decode_spans(&request).unwrap();
    let [(resource, scope, read)] = &groups[..] else { panic!("{groups:?}") };
    assert_eq!(read, &spans);
    assert_eq!(
        (resource.attributes[0].key.as_ref(), scope.name.as_ref(), scope.version.as_ref()),
        ("service.name", "app::cart", "1")
    );
    // What is cut off is no request; nothing panics.
    for end in 1..request.len() {
        let _ = decode_spans(&request[..end]);
    }
    assert_eq!(decode_spans(&request[..request.len() - 1]), None);
}

#[test]
fn spans_as_zipkin_has_them() {
    let json = zipkin_json(&request(&[span()])).unwrap();
    let expected = json!([{
        "traceId": "30313233343536373839616263646566",
        "id": "7370616e2d6f6e65",
        "parentId": "7370616e2d74776f",
        "name": "GET /users/{id}",
        "kind": "CLIENT",
        "timestamp": 1_700_000_000_000_000_u64,
        "duration": 12_345,
        "localEndpoint": { "serviceName": "shop" },
        "remoteEndpoint": { "serviceName": "stock\n.internal" },
        "tags": {
            "server.address": "stock\n.internal", "n": "-3", "share": "0.5", "ok": "true",
            "list": "List([Int(1), Bytes([0, 255])])",
            "map": "Map([KeyValue { key: \"a\", value: Text(\"b\") }])",
            "otel.scope.name": "app::cart", "otel.status_code": "ERROR", "error": "too slow",
        },
        "annotations": [{ "timestamp": 1_700_000_000_001_000_u64, "value": "\"retry\": {\"attempt\":\"2\"}" }],
    }]);
    assert_eq!(json, expected);
    assert_eq!(zipkin_json(b"nonsense"), None);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_for_every_span() {
    let lines = Lines::default();
    let console = ConsoleExporter::to(lines.clone());
    console.export(Signal::Traces, request(&[span(), span()])).unwrap();
    console.export(Signal::Logs, b"whatever".to_vec()).unwrap();
    assert!(console.export(Signal::Traces, b"nonsense".to_vec()).unwrap_err().retryable().is_none());
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    assert_eq!(text.lines().count(), 2, "a line break in a value makes no line: {text}");
    let start = "GET /users/{id} client 12.345678ms trace=30313233343536373839616263646566 span=7370616e2d6f6e65 parent=";
    assert!(text.starts_with(start), "{text}");
    assert!(
        text.contains(" n=-3 share=0.5 ok=true ") && text.ends_with(" event=retry status=error too slow\n"),
        "{text}"
    );
}
