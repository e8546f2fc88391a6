#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use serde_json::json;

use crate::http::{self, Request, percent_encoded};
use crate::log::is_alarming;
use crate::otlp::{self, Encoding, Format};
use crate::records::{SPANS_PER_TRACE, Sender};
use crate::{Ledger, Rows, wait_for};

/// A server that answers its one connection with these bytes and gives what it was sent.
fn answering(answer: &'static [u8]) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut received = Vec::new();
        // Ends with the timeout: the client keeps the connection open for the answer.
        stream.read_to_end(&mut received).ok();
        stream.write_all(answer).unwrap();
        String::from_utf8(received).unwrap()
    });
    (address, server)
}

#[test]
fn http_reads_a_body_with_a_length() {
    let (address, server) = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A:  b \r\n\r\nhi");
    let response = http::send(address, &Request::get("/a?b=c")).unwrap();
    assert_eq!((response.status, response.text().as_str(), response.header("x-a")), (200, "hi", Some("b")));
    assert_eq!(
        server.join().unwrap(),
        format!("GET /a?b=c HTTP/1.1\r\nhost: {address}\r\nte: trailers\r\n\r\n")
    );
}

#[test]
fn http_reads_chunks_and_trailers() {
    let (address, _server) = answering(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nx-fresnel-complete: true\r\n\r\n",
    );
    let response = http::send(address, &Request::get("/")).unwrap();
    assert_eq!(response.text(), "abcd");
    assert_eq!(response.trailer("x-fresnel-complete"), Some("true"));
}

#[test]
fn http_does_not_take_half_an_answer_for_a_whole_one() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-le",
    ] {
        let (address, _server) = answering(answer);
        assert!(http::send(address, &Request::get("/")).is_err(), "{:?}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn http_sends_chunks_without_a_length() {
    let (address, server) = answering(b"HTTP/1.1 204 No Content\r\n\r\n");
    let request = Request::post("/v1/logs", "hello").header("host", "evil.example").chunked(3);
    assert_eq!(http::send(address, &request).unwrap().status, 204);
    let sent = server.join().unwrap();
    assert!(sent.contains("host: evil.example\r\n") && !sent.contains("content-length"), "{sent}");
    assert!(sent.ends_with("\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"), "{sent}");
}

#[test]
fn percent_encoding_keeps_only_what_is_safe() {
    assert_eq!(percent_encoded("SELECT 1, 'ä&'"), "SELECT%201%2C%20%27%C3%A4%26%27");
}

#[test]
fn equal_seeds_give_equal_records_and_ids_are_unique() {
    let (mut one, mut two, mut other) =
        (Sender::at("cart", 7, 5), Sender::at("cart", 7, 5), Sender::at("cart", 8, 5));
    assert_eq!(one.logs(20).encode_to_vec(), two.logs(20).encode_to_vec());
    assert_ne!(one.spans(1), other.spans(1));
    assert_eq!(one.next(), 21);
    let ids: std::collections::BTreeSet<_> = (0..100).flat_map(|n| [one.id(n), other.id(n)]).collect();
    assert_eq!(ids.len(), 200);
}

#[test]
fn spans_of_a_trace_hang_on_its_first() {
    let mut sender = Sender::at("cart", 1, 5);
    let request = sender.spans(2 * SPANS_PER_TRACE);
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    let roots: Vec<_> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    assert_eq!(roots.len(), 2);
    let parent = |span: &crate::otlp::proto::trace::v1::Span| {
        span.parent_span_id.is_empty()
            || spans
                .iter()
                .any(|other| other.span_id == span.parent_span_id && other.trace_id == span.trace_id)
    };
    assert!(spans.iter().all(parent));
    assert_eq!(sender.trace_id(0).len(), 32);
}

#[test]
fn every_form_of_a_request_carries_the_same_message() {
    let message = Sender::at("cart", 1, 5).logs(3);
    let json = otlp::request(&message, Format::Json, Encoding::None);
    assert_eq!(serde_json::from_slice::<ExportLogsServiceRequest>(json.body_bytes()).unwrap(), message);
    for encoding in Encoding::ALL {
        let request = otlp::request(&message, Format::Protobuf, encoding);
        let mut plain = Vec::new();
        match encoding {
            Encoding::None => plain.extend_from_slice(request.body_bytes()),
            Encoding::Gzip => {
                flate2::read::GzDecoder::new(request.body_bytes()).read_to_end(&mut plain).unwrap();
            }
            Encoding::Zstd => plain = zstd::bulk::decompress(request.body_bytes(), 1 << 20).unwrap(),
        }
        assert_eq!(ExportLogsServiceRequest::decode(plain.as_slice()).unwrap(), message);
    }
}

#[test]
fn a_ledger_is_checked_by_us_and_not_only_by_the_server() {
    let entry = |stored: i64| {
        json!({"balanced": true, "entries": [{
            "tenant": "default", "signal": "logs", "received": "10", "stored": stored,
            "rejected": {"too_old": 1, "too_big": 2}, "dropped": {}, "deduplicated": 0, "expired": 3,
        }]})
    };
    assert_eq!(Ledger::from_json(&entry(4)).faults(), Vec::<String>::new());
    assert_eq!(Ledger::from_json(&entry(5)).faults().len(), 1);
    assert_eq!(Ledger::from_json(&entry(4)).entry("default", "logs").unwrap().rejected, 3);
}

#[test]
fn rows_read_integers_in_both_forms() {
    let answer = |cell: serde_json::Value| json!({"columns": [{"name": "n", "type": "Int64"}], "rows": [[cell]], "complete": true, "warnings": [], "stats": {}});
    assert_eq!(Rows::from_json(&answer(json!(7))).integer(), 7);
    assert_eq!(Rows::from_json(&answer(json!("7"))).integer(), 7);
    assert_eq!(Rows::from_json(&answer(json!("x"))).texts("n"), ["x"]);
}

#[test]
fn warnings_are_seen_in_every_form() {
    for (line, alarming) in [
        ("2026-01-01T00:00:00Z  WARN store: skip unreadable segment", true),
        (" ERROR store: disk is full", true),
        ("{\"timestamp\":\"x\",\"level\":\"WARN\",\"fields\":{}}", true),
        ("thread 'main' panicked at src/main.rs:1:1:", true),
        ("2026-01-01T00:00:00Z  INFO server: body \"WARN\" was sent", false),
        ("", false),
    ] {
        assert_eq!(is_alarming(line), alarming, "{line}");
    }
}

#[test]
#[should_panic(expected = "the sea: not within 50ms")]
fn a_wait_ends_at_its_deadline() {
    wait_for("the sea", Duration::from_millis(50), || None::<()>);
}
