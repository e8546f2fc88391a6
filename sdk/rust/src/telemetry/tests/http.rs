//! The exporter against a listener that says what it is told to say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::telemetry::http::{HttpExporter, ZipkinExporter};
use crate::telemetry::otlp::{Resource, Scope, encode_spans};
use crate::telemetry::{Exporter, PipelineOptions, Signal};

/// Answers once; returns the head and the body of the request.
fn answer(text: &'static str) -> (String, JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let request = read_request(&stream);
        (&stream).write_all(text.as_bytes()).unwrap();
        request
    });
    (endpoint, server)
}

fn read_request(stream: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).unwrap();
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    (head, body)
}

#[test]
fn a_request_is_posted() {
    let (endpoint, server) = answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let exporter = HttpExporter::new(&format!("{endpoint}/base/"))
        .unwrap()
        .header("x-key", "k")
        .header("bad\r\n", "x")
        .header("bad", "");
    exporter.export(Signal::Traces, b"abc".to_vec()).unwrap();
    let (head, body) = server.join().unwrap();
    assert!(head.starts_with("POST /base/v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nx-key: k\r\n") && !head.contains("bad"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/x-protobuf\r\n"), "{head}");
    assert_eq!(body, b"abc");
}

#[test]
fn a_request_can_be_json_and_so_is_the_answer() {
    let check = |body: &str, rejected: Option<u64>| {
        let length = body.len();
        let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
        let (endpoint, server) = answer(text.leak());
        let exporter = HttpExporter::new(&endpoint).unwrap().json(true);
        let scope = Scope::named("app");
        let request = encode_spans(&Resource::default(), [(&scope, &[][..])]);
        let refused = exporter.export(Signal::Traces, request).err();
        assert_eq!(refused.as_ref().and_then(|error| error.rejected()), rejected, "{body}: {refused:?}");
        let (head, body) = server.join().unwrap();
        assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
        let sent: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let scopes = serde_json::json!([{ "scope": { "name": "app" } }]);
        assert_eq!(sent, serde_json::json!({ "resourceSpans": [{ "resource": {}, "scopeSpans": scopes }] }));
    };
    check("{}", None);
    check("", None);
    check(r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#, Some(2));
    check(r#"{"partialSuccess":{"rejectedSpans":2}}"#, Some(2));
    check(r#"{"partialSuccess":{"rejectedSpans":"0","errorMessage":"a warning"}}"#, None);
    let exporter = HttpExporter::new("http://localhost:1").unwrap().json(true);
    assert!(exporter.export(Signal::Logs, b"nonsense".to_vec()).unwrap_err().retryable().is_none());
}

#[test]
fn zipkin_is_sent_its_own_form() {
    let (endpoint, server) = answer("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
    let exporter = ZipkinExporter::new(&endpoint).unwrap();
    exporter.export(Signal::Logs, b"what it does not know".to_vec()).unwrap();
    let scope = Scope::named("app");
    exporter.export(Signal::Traces, encode_spans(&Resource::default(), [(&scope, &[][..])])).unwrap();
    let (head, body) = server.join().unwrap();
    assert!(head.starts_with("POST /api/v2/spans HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    assert_eq!(body, b"[]");
    assert!(exporter.export(Signal::Traces, b"nonsense".to_vec()).unwrap_err().retryable().is_none());
}

/// A receiver that is busy, says it cannot, closes, and takes it: what the pipeline makes of that.
#[test]
fn nothing_is_lost_on_a_receiver_that_is_busy_for_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let answers = [
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\n\r\n",
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\n\r\n",
            "",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        ];
        let paths = answers.map(|text| {
            let (stream, _) = listener.accept().unwrap();
            let (head, _) = read_request(&stream);
            (&stream).write_all(text.as_bytes()).unwrap();
            head.lines().next().unwrap().to_owned()
        });
        drop(listener);
        paths
    });
    let hour = Duration::from_secs(3600);
    let (pipeline, _) = super::pipeline(PipelineOptions {
        retry_wait_max: Duration::from_millis(1),
        ..PipelineOptions::default()
    });
    let tracer = pipeline.layer().tracer();
    tracer.start("kept").end();
    pipeline.connect(HttpExporter::new(&endpoint).unwrap().timeout(hour));
    let paths = server.join().unwrap();
    assert!(paths.iter().all(|path| path == "POST /v1/traces HTTP/1.1"), "{paths:?}");
    // The receiver is gone: there is nobody to flush to.
    while !pipeline.registry().prometheus().contains("otel_sdk_exporter_span_exported_total 1\n") {
        std::thread::yield_now();
    }
    assert!(!pipeline.shutdown(Duration::from_millis(100)));
    let page = pipeline.registry().prometheus();
    assert!(
        page.contains("otel_sdk_exporter_span_exported_total{error_type=\"export_failed\"} 0\n"),
        "{page}"
    );
}

#[test]
fn answers_are_understood() {
    let check = |text, expected: Option<u64>| {
        let (endpoint, server) = answer(text);
        let error = HttpExporter::new(&endpoint).unwrap().export(Signal::Logs, vec![1]).unwrap_err();
        assert_eq!(error.retryable(), expected.map(Duration::from_secs), "{text}");
        server.join().unwrap();
        error.to_string()
    };
    check("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n\r\n", Some(7));
    check("HTTP/1.1 503 Service Unavailable\r\n\r\n", Some(1));
    // A date is one of the server's clock.
    let dates = "HTTP/1.1 503 Service Unavailable\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:51:37 GMT\r\n\r\n";
    check(dates, Some(120));
    check("HTTP/1.1 503 Service Unavailable\r\nRetry-After: Sun, 06 Nov 1994 08:51:37 GMT\r\n\r\n", Some(0));
    assert_eq!(check("HTTP/1.1 400 Bad Request\r\n\r\nno", None), "the receiver answered 400");
    check("HTTP/1.1 500 Internal Server Error\r\n\r\n", None);
}

#[test]
fn a_receiver_that_is_not_there_or_says_nothing_may_be_tried_again() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error =
        HttpExporter::new(&format!("http://{free}")).unwrap().export(Signal::Logs, vec![]).unwrap_err();
    assert!(error.retryable().is_some());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let exporter = HttpExporter::new(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    let error = exporter.timeout(Duration::from_millis(50)).export(Signal::Logs, vec![1]).unwrap_err();
    assert!(error.retryable().is_some(), "{error}");
}

#[test]
fn endpoints_are_checked() {
    for good in ["http://localhost", "http://127.0.0.1:4318/", "http://[::1]:4318/x"] {
        assert!(HttpExporter::new(good).is_ok(), "{good}");
    }
    assert_eq!(HttpExporter::new("https://x").is_ok(), cfg!(feature = "https"));
    let scheme = HttpExporter::new("collector:4318").unwrap_err().to_string();
    assert!(scheme.ends_with("; with a scheme it is `http://collector:4318`"), "{scheme}");
    for bad in ["", "localhost:4318", "http://", "http:///x", "http://a b", "http://u@h", "http://h\r\nx: y"]
    {
        assert!(HttpExporter::new(bad).is_err(), "{bad}");
    }
}
