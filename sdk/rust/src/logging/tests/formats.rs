use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{entry, source};
use crate::logging::{
    Entry, ErrorInfo, Fields, Formatter, Id, Ids, LogFormat, Memory, Performance, Severity, Text,
};
use crate::telemetry::SpanContext;

/// A record with all there can be.
fn full() -> Entry {
    let mut ids = Ids::default();
    for (id, value) in
        [(Id::Correlation, "c-1"), (Id::Request, "r-1"), (Id::User, "ann"), (Id::Customer, "acme")]
    {
        ids.set(id, value);
    }
    let Value::Object(fields) = json!({"n": 1, "http.request.method": "GET", "cart": {"id": 7}}) else {
        panic!()
    };
    let Value::Object(span) = json!({"region": "eu"}) else { panic!() };
    let error = ErrorInfo {
        name: Some("Timeout".into()),
        message: "too late".into(),
        stack: Some("at a\nat b".into()),
        ..ErrorInfo::default()
    };
    Entry {
        severity: Severity::Error,
        fields,
        ids,
        tags: vec!["hot".into()],
        trace: Some(SpanContext { trace_id: [0xab; 16], span_id: [1; 8], flags: 1 }),
        spans: vec![("request", Arc::new(span))],
        error: Some(error.code("E42").custom("tries", 3)),
        performance: Some(Performance {
            duration: Duration::from_micros(1500),
            memory: Some(Memory { rss_bytes: 10, rss_delta_bytes: -2 }),
        }),
        ..entry("it \"failed\"\nbadly")
    }
}

fn line(format: impl Formatter, entry: &Entry) -> String {
    let mut line = Vec::new();
    format.format(entry, &source(), &mut line);
    String::from_utf8(line).unwrap()
}

fn object(format: LogFormat) -> Value {
    assert!(format.is_json());
    serde_json::from_str(&line(format, &full())).unwrap()
}

const TRACE: &str = "abababababababababababababababab";

#[test]
fn json_has_everything() {
    assert_eq!(
        object(LogFormat::Json),
        json!({
            "timestamp": "2026-11-27T02:27:53.123000Z",
            "level": "error",
            "message": "it \"failed\"\nbadly",
            "context": "shop:cart",
            "metadata": {"n": 1, "http.request.method": "GET", "cart": {"id": 7}},
            "correlationId": "c-1", "requestId": "r-1", "userId": "ann", "customerId": "acme",
            "traceId": TRACE, "spanId": "0101010101010101",
            "tags": ["hot"],
            "spans": [{"name": "request", "region": "eu"}],
            "error": {"name": "Timeout", "message": "too late", "stack": "at a\nat b", "code": "E42",
                      "custom": {"tries": 3}},
            "performance": {"durationMs": 1.5, "memory": {"rssBytes": 10, "rssDeltaBytes": -2}},
            "source": {"service": "shop", "version": "1.2", "environment": "staging", "hostname": "node-1",
                       "pid": 7, "deployment": {"id": "d-1"}},
        })
    );
}

#[test]
fn ecs_has_the_names_of_the_schema_and_begins_as_it_wants() {
    let text = line(LogFormat::Ecs, &full());
    let head = r#"{"@timestamp":"2026-11-27T02:27:53.123000Z","log.level":"error","message":"it \"failed\"\nbadly","#;
    assert!(text.starts_with(head), "{text}");
    let object: Value = serde_json::from_str(&text).unwrap();
    for (key, value) in [
        ("ecs.version", json!("8.11.0")),
        ("log.logger", json!("shop:cart")),
        ("process.thread.name", json!("main")),
        ("process.pid", json!(7)),
        ("service.name", json!("shop")),
        ("service.environment", json!("staging")),
        ("host.hostname", json!("node-1")),
        ("trace.id", json!(TRACE)),
        ("span.id", json!("0101010101010101")),
        ("error.type", json!("Timeout")),
        ("error.message", json!("too late")),
        ("error.stack_trace", json!("at a\nat b")),
        ("event.duration", json!(1_500_000)),
        ("user.id", json!("ann")),
        ("http.request.id", json!("r-1")),
        ("http.request.method", json!("GET")),
        ("tags", json!(["hot"])),
        ("labels", json!({"n": "1", "cart": "{\"id\":7}", "correlation_id": "c-1", "region": "eu"})),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
}

#[test]
fn logstash_has_the_names_of_its_encoders() {
    let object = object(LogFormat::Logstash);
    for (key, value) in [
        ("@timestamp", json!("2026-11-27T02:27:53.123000Z")),
        ("@version", json!("1")),
        ("message", json!("it \"failed\"\nbadly")),
        ("logger_name", json!("shop:cart")),
        ("thread_name", json!("main")),
        ("level", json!("ERROR")),
        ("level_value", json!(40_000)),
        ("stack_trace", json!("at a\nat b")),
        ("tags", json!(["hot"])),
        ("n", json!(1)),
        ("region", json!("eu")),
        ("userId", json!("ann")),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
}

#[test]
fn datadog_has_its_reserved_attributes() {
    let object = object(LogFormat::Datadog);
    for (key, value) in [
        ("status", json!("error")),
        ("service", json!("shop")),
        ("hostname", json!("node-1")),
        ("ddtags", json!("env:staging,version:1.2,hot")),
        ("dd.trace_id", json!(TRACE)),
        ("error.kind", json!("Timeout")),
        ("usr.id", json!("ann")),
        ("duration", json!(1_500_000)),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
}

#[test]
fn structured_is_one_line_of_pairs() {
    let text = line(LogFormat::Structured, &full());
    assert_eq!(
        text,
        format!(
            r#"time=2026-11-27T02:27:53.123000Z level=error logger=shop:cart msg="it \"failed\"\nbadly" service=shop correlation.id=c-1 request.id=r-1 user.id=ann customer.id=acme trace_id={TRACE} span_id=0101010101010101 error="too late" error.type=Timeout error.code=E42 error.stack="at a\nat b" duration_ms=1.5 tags=hot cart.id=7 http.request.method=GET n=1 region=eu"#
        )
    );
}

#[test]
fn text_is_for_people_and_nobody_can_forge_a_line() {
    let mut entry = Entry { fields: Fields::from_iter([("n".to_owned(), json!(1))]), ..entry("did it") };
    assert_eq!(
        line(LogFormat::Text, &entry),
        r#"[2026-11-27T02:27:53.123000Z] INFO [shop:cart]: did it {"n":1}"#
    );
    entry.message = "x\n[2026] INFO [y]: \u{1b}[31mz".into();
    let text = line(LogFormat::Text, &entry);
    assert!(!text.contains(['\n', '\u{1b}']), "{text}");
    let text = line(LogFormat::Text, &full());
    assert!(text.ends_with("\n    at a\n    at b"), "{text}");
}

#[test]
fn levels_have_their_colours() {
    for (severity, color) in [
        (Severity::Debug, 36),
        (Severity::Info, 32),
        (Severity::Warn, 33),
        (Severity::Error, 31),
        (Severity::Fatal, 35),
    ] {
        let text = line(Text { color: true }, &Entry { severity, ..entry("x") });
        let expected = format!("\u{1b}[{color}m{}\u{1b}[0m [shop:cart]: x", severity.text());
        assert!(text.ends_with(&expected), "{text:?}");
        assert!(!line(Text::default(), &Entry { severity, ..entry("x") }).contains('\u{1b}'));
    }
}
