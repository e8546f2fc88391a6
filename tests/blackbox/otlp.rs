//! The duties of an OTLP/HTTP server, one test each.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use testkit::http::{Request, Response};
use testkit::otlp::proto::collector::logs::v1::ExportLogsServiceRequest;
use testkit::otlp::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use testkit::otlp::proto::collector::trace::v1::ExportTraceServiceRequest;
use testkit::otlp::{self, Export, Status};
use testkit::records::{Sender, text};
use testkit::{Encoding, Format, Fresnel};

use crate::fresnel;
use crate::settings::{LARGE_BODIES, SMALL_LIMITS, SMALLEST_MEMORY};

const PATHS: [&str; 3] = ["/v1/logs", "/v1/traces", "/v1/metrics"];
const PROTOBUF: &str = "application/x-protobuf";

fn stored(server: &Fresnel, service: &str) -> i64 {
    server.sql(&format!("SELECT count(*) FROM logs WHERE service_name = '{service}'")).integer()
}

/// A refusal has the status, a `Status` with a message as its body, and the type of the question.
#[track_caller]
fn assert_refused(response: &Response, status: u16, content_type: &str) -> Status {
    assert_eq!(response.status, status, "body: {}", response.text());
    assert_eq!(response.header("content-type"), Some(content_type));
    let refusal = Status::of(response);
    assert!(!refusal.message.is_empty(), "a refusal says why");
    refusal
}

#[test]
fn full_success_leaves_partial_success_unset() {
    let server = fresnel().start();
    let mut sender = Sender::new("duties", 1);
    assert_whole::<ExportLogsServiceRequest>(&server, &sender.logs(3));
    assert_whole::<ExportTraceServiceRequest>(&server, &sender.spans(3));
    assert_whole::<ExportMetricsServiceRequest>(&server, &sender.points(3));
}

fn assert_whole<E: Export>(server: &Fresnel, export: &E) {
    let response = server.ask_otlp(&otlp::request(export, Format::Protobuf, Encoding::None)).expect(200);
    assert!(response.body.is_empty(), "{}: partial_success is unset: {:?}", E::PATH, response.body);
    let response = server.ask_otlp(&otlp::request(export, Format::Json, Encoding::None)).expect(200);
    assert!(response.json().get("partialSuccess").is_none(), "{}: {}", E::PATH, response.text());
}

#[test]
fn the_answer_has_the_content_type_of_the_request() {
    let server = fresnel().start();
    for (sent, expected) in [
        (PROTOBUF, PROTOBUF),
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
    ] {
        let body = if expected == PROTOBUF { "" } else { "{}" };
        let request = Request::post("/v1/logs", body).header("content-type", sent);
        let response = server.ask_otlp(&request).expect(200);
        assert_eq!(response.header("content-type"), Some(expected));
    }
}

#[test]
fn every_format_and_encoding_carries_every_signal() {
    let server = fresnel().start();
    let mut sender = Sender::new("forms", 1);
    let mut sent = 0;
    for format in Format::ALL {
        for encoding in Encoding::ALL {
            server.send_as(&sender.logs(5), format, encoding);
            server.send_as(&sender.spans(5), format, encoding);
            server.send_as(&sender.points(5), format, encoding);
            sent += 5;
        }
    }
    assert_eq!(stored(&server, "forms"), sent);
    assert_eq!(server.sql("SELECT count(*) FROM spans WHERE service_name = 'forms'").integer(), sent);
    let points = "SELECT count(*) FROM metrics WHERE metric_name = 'test.points'";
    assert_eq!(server.sql(points).integer(), sent);
}

#[test]
fn partial_success_counts_the_rejected_and_names_the_reason() {
    let server = fresnel().config(SMALL_LIMITS).start();
    let mut request = Sender::new("partial", 1).logs(3);
    let records = &mut request.resource_logs[0].scope_logs[0].log_records;
    records[1].attributes.extend((0..20).map(|number| text(&format!("key.{number}"), "value")));

    let response = server.ask_otlp(&otlp::request(&request, Format::Protobuf, Encoding::None)).expect(200);
    let (rejected, message) = ExportLogsServiceRequest::partial_success(&response.body).unwrap();
    assert_eq!(rejected, 1);
    assert!(message.contains("attributes"), "the reason is named: {message}");
    assert_eq!(stored(&server, "partial"), 2);

    let response = server.ask_otlp(&otlp::request(&request, Format::Json, Encoding::Gzip)).expect(200);
    let partial = &response.json()["partialSuccess"];
    assert_eq!(partial["rejectedLogRecords"], "1", "64-bit integers are texts: {partial}");
    let ledger = server.balanced_ledger();
    let entry = ledger.entry("default", "logs").unwrap();
    assert_eq!(entry.rejected, 2, "both requests are in the ledger: {entry:?}");
}

#[test]
fn an_empty_request_is_a_success() {
    let server = fresnel().start();
    for path in PATHS {
        server.ask_otlp(&Request::post(path, "").header("content-type", PROTOBUF)).expect(200);
        server.ask_otlp(&Request::post(path, "{}").header("content-type", "application/json")).expect(200);
    }
}

#[test]
fn bad_data_is_400() {
    let server = fresnel().start();
    for path in PATHS {
        let request = Request::post(path, b"\xff\xff\xff\xff".to_vec()).header("content-type", PROTOBUF);
        assert_eq!(assert_refused(&server.ask_otlp(&request), 400, PROTOBUF).code, 3);
        let request = Request::post(path, "{\"resourceLogs\": 1").header("content-type", "application/json");
        assert_refused(&server.ask_otlp(&request), 400, "application/json");
    }
}

#[test]
fn a_body_that_is_not_what_its_encoding_says_is_400() {
    let server = fresnel().start();
    for encoding in ["gzip", "zstd"] {
        let request = Request::post("/v1/logs", "plain text").header("content-type", PROTOBUF);
        assert_refused(&server.ask_otlp(&request.header("content-encoding", encoding)), 400, PROTOBUF);
    }
    let whole = Encoding::Gzip.encode(&[0; 10_000]);
    let cut = otlp::raw::<ExportLogsServiceRequest>(
        whole[..whole.len() / 2].to_vec(),
        Format::Protobuf,
        Encoding::Gzip,
    );
    assert_refused(&server.ask_otlp(&cut), 400, PROTOBUF);
}

#[test]
fn an_unknown_content_type_or_encoding_is_415() {
    let server = fresnel().start();
    let plain = Request::post("/v1/logs", "hello");
    assert_refused(&server.ask_otlp(&plain), 415, PROTOBUF);
    assert_refused(&server.ask_otlp(&plain.clone().header("content-type", "text/plain")), 415, PROTOBUF);
    let encoded = plain.header("content-type", "application/json").header("content-encoding", "lzma");
    assert_refused(&server.ask_otlp(&encoded), 415, "application/json");
}

#[test]
fn another_method_is_405() {
    let server = fresnel().start();
    for method in ["GET", "PUT", "DELETE"] {
        let response = server.ask_otlp(&Request::new(method, "/v1/traces").header("content-type", PROTOBUF));
        assert_refused(&response, 405, PROTOBUF);
        assert_eq!(response.header("allow"), Some("POST"));
    }
}

#[test]
fn an_unknown_path_is_404() {
    let server = fresnel().start();
    let response = server.ask_otlp(&Request::post("/v1/profiles", "").header("content-type", PROTOBUF));
    assert_refused(&response, 404, PROTOBUF);
}

#[test]
fn a_body_over_the_limit_is_413() {
    let server = fresnel().config(SMALL_LIMITS).start();
    let large = Request::post("/v1/logs", vec![0; 100 << 10]).header("content-type", PROTOBUF);
    assert_refused(&server.ask_otlp(&large), 413, PROTOBUF);
    assert_refused(&server.ask_otlp(&large.chunked(8 << 10)), 413, PROTOBUF);
}

#[test]
fn a_body_over_the_limit_after_decompression_is_413() {
    let server = fresnel().config(SMALL_LIMITS).start();
    let before = server.peak_resident_bytes();
    // Below the limit as sent, far over it inside.
    let bomb = vec![0; 48 << 20];
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let packed = encoding.encode(&bomb);
        assert!(packed.len() < 64 << 10 || encoding == Encoding::Gzip);
        let packed = if packed.len() < 64 << 10 { packed } else { encoding.encode(&bomb[..8 << 20]) };
        let request = otlp::raw::<ExportLogsServiceRequest>(packed, Format::Protobuf, encoding);
        assert_refused(&server.ask_otlp(&request), 413, PROTOBUF);
    }
    let grown = server.peak_resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "a bomb is not unpacked: {grown} bytes more");
}

#[test]
fn a_chunked_body_without_a_length_is_read() {
    let server = fresnel().start();
    let mut sender = Sender::new("chunked", 1);
    let request = otlp::request(&sender.logs(500), Format::Json, Encoding::None);
    server.ask_otlp(&request.chunked(1_000)).expect(200);
    let request = otlp::request(&sender.logs(500), Format::Protobuf, Encoding::Gzip);
    server.ask_otlp(&request.chunked(7)).expect(200);
    assert_eq!(stored(&server, "chunked"), 1_000);
}

#[test]
fn a_request_beyond_the_memory_budget_is_429_with_retry_after() {
    let server = fresnel().config(LARGE_BODIES).memory_limit(SMALLEST_MEMORY).start();
    let large = Request::post("/v1/logs", vec![0; 100 << 20]).header("content-type", PROTOBUF);
    let response = server.ask_otlp(&large);
    assert_eq!(assert_refused(&response, 429, PROTOBUF).code, 8);
    let after: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&after));
    server.send(&Sender::new("after", 1).logs(1));
    assert_eq!(stored(&server, "after"), 1, "it goes on afterwards");
}

#[test]
fn old_and_future_times_are_data() {
    let server = fresnel().start();
    let (year_2001, year_2100) = (1_000_000_000_000_000_000, 4_102_444_800_000_000_000);
    server.send(&Sender::at("old", 1, year_2001).logs(2));
    server.send(&Sender::at("future", 1, year_2100).logs(2));
    let times = "SELECT service_name, CAST(min(time) AS BIGINT) AS t FROM logs \
        WHERE service_name IN ('old', 'future') GROUP BY service_name ORDER BY t";
    assert_eq!(server.sql(times).texts("t"), [year_2001.to_string(), year_2100.to_string()]);
}

#[test]
fn a_record_without_any_time_gets_that_of_its_receipt() {
    let server = fresnel().start();
    let mut request = Sender::new("timeless", 1).logs(1);
    let record = &mut request.resource_logs[0].scope_logs[0].log_records[0];
    (record.time_unix_nano, record.observed_time_unix_nano) = (0, 0);
    let before = testkit::records::now_unix_nano();
    server.send(&request);
    let rows = server.sql("SELECT CAST(time AS BIGINT) AS t FROM logs WHERE service_name = 'timeless'");
    let time: u64 = rows.texts("t")[0].parse().unwrap();
    assert!((before..=testkit::records::now_unix_nano()).contains(&time));
}

#[test]
fn what_was_acknowledged_is_found_at_once() {
    let server = fresnel().start();
    let mut sender = Sender::new("fresh", 1);
    for round in 1..=20 {
        server.send(&sender.logs(1));
        assert_eq!(stored(&server, "fresh"), round);
    }
}

/// A sender that announces a body of so many bytes, sends some, and waits until the server reads.
fn stalled(server: &Fresnel, announced: usize) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(server.doors().otlp_http).unwrap();
    write!(
        stream,
        "POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: {PROTOBUF}\r\ncontent-length: {announced}\r\nexpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 100 "), "{line}");
    stream.get_mut().write_all(b"\n").unwrap();
    stream
}

#[test]
fn senders_that_announce_much_and_stall_hold_up_nobody() {
    let server = fresnel().memory_limit(SMALLEST_MEMORY).start();
    let stalled: Vec<_> = (0..20).map(|_| stalled(&server, 8 << 20)).collect();
    server.send(&Sender::new("honest", 1).logs(1_000));
    drop(stalled);
    assert_eq!(stored(&server, "honest"), 1_000);
}

#[test]
fn a_sender_that_stalls_for_too_long_is_told_so() {
    let server = fresnel().config("[receive.limit]\nbody_idle = \"1s\"\n").start();
    let mut stream = stalled(&server, 1_000);
    let mut answer = String::new();
    // Until the server closes the connection.
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.contains("HTTP/1.1 408 ") && answer.contains("receive.limit.body_idle"), "{answer}");
}
