//! OTLP/gRPC: every encoding, and what a refusal carries.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use testkit::otlp::proto::collector::logs::v1::ExportLogsServiceRequest;
use testkit::otlp::proto::collector::trace::v1::ExportTraceServiceRequest;
use testkit::otlp::{Export, protobuf};
use testkit::records::{Random, Sender, value};
use testkit::{Encoding, Fresnel};

use crate::fresnel;
use crate::grpc_call::{Answer, Client, frame};
use crate::settings::{LARGE_BODIES, SMALL_LIMITS, SMALLEST_MEMORY};

/// A call whose body is this, over a connection of its own.
fn call(address: SocketAddr, method: &str, encoding: Encoding, body: Vec<u8>) -> Answer {
    Client::new(address).call(method, encoding, &[], body).unwrap()
}

fn send<E: Export>(server: &Fresnel, export: &E, encoding: Encoding) -> Answer {
    let message = encoding.encode(&protobuf(export));
    call(server.doors().otlp_grpc, E::METHOD, encoding, frame(&message, encoding != Encoding::None))
}

#[test]
fn every_encoding_carries_every_signal() {
    let server = fresnel().start();
    let mut sender = Sender::new("grpc-forms", 1);
    for encoding in Encoding::ALL {
        let answers = [
            send(&server, &sender.logs(5), encoding),
            send(&server, &sender.spans(5), encoding),
            send(&server, &sender.points(5), encoding),
        ];
        for answer in answers {
            assert_eq!((answer.status, answer.code()), (StatusCode::OK, 0), "{encoding:?}: {answer:?}");
            assert_eq!(answer.body[..], frame(&[], false), "a full success says nothing more");
        }
    }
    for table in ["logs", "spans"] {
        let count = format!("SELECT count(*) FROM {table} WHERE service_name = 'grpc-forms'");
        assert_eq!(server.sql(&count).integer(), 15, "{table}");
    }
    let points = "SELECT count(*) FROM metrics WHERE metric_name = 'test.points'";
    assert_eq!(server.sql(points).integer(), 15);
}

#[test]
fn a_message_may_be_uncompressed_although_an_encoding_is_named() {
    let server = fresnel().start();
    let message = protobuf(&Sender::new("plain", 1).logs(3));
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let method = ExportLogsServiceRequest::METHOD;
        assert_eq!(call(server.doors().otlp_grpc, method, encoding, frame(&message, false)).code(), 0);
    }
    assert_eq!(server.sql("SELECT count(*) FROM logs WHERE service_name = 'plain'").integer(), 6);
}

#[test]
fn what_is_no_message_is_invalid_and_what_is_over_a_limit_must_not_come_again() {
    let server = fresnel().config(SMALL_LIMITS).start();
    let call =
        |encoding, body| call(server.doors().otlp_grpc, ExportTraceServiceRequest::METHOD, encoding, body);
    for (encoding, body) in [
        (Encoding::None, frame(b"\xff\xff\xff", false)),
        (Encoding::Gzip, frame(b"no gzip", true)),
        (Encoding::Zstd, frame(b"no zstd", true)),
        (Encoding::None, frame(b"", false)[..4].to_vec()),
        (Encoding::None, [frame(b"", false), frame(b"", false)].concat()),
    ] {
        let answer = call(encoding, body);
        assert_eq!((answer.code(), answer.details()), (3, None), "{answer:?}");
        assert!(answer.headers.contains_key("grpc-message"));
    }
    let large = vec![0; 4 << 20];
    for (encoding, body) in [
        (Encoding::None, frame(&large, false)),
        (Encoding::Gzip, frame(&Encoding::Gzip.encode(&large), true)),
        (Encoding::Zstd, frame(&Encoding::Zstd.encode(&large), true)),
    ] {
        let answer = call(encoding, body);
        assert_eq!((answer.code(), answer.details()), (8, None), "without RetryInfo: {answer:?}");
    }
}

#[test]
fn overload_says_when_to_come_again() {
    let server = fresnel().config(LARGE_BODIES).memory_limit(SMALLEST_MEMORY).start();
    let mut random = Random::new(7);
    let mut request = Sender::new("grpc-overload", 1).logs(80);
    for record in &mut request.resource_logs[0].scope_logs[0].log_records {
        let body: String = (0..60_000).map(|_| format!("{:016x}", random.bits())).collect();
        record.body = Some(value(&body));
    }
    for encoding in [Encoding::None, Encoding::Zstd] {
        let answer = send(&server, &request, encoding);
        assert_eq!((answer.status, answer.code()), (StatusCode::OK, 8), "{encoding:?}");
        let details = answer.details().expect("RetryInfo");
        assert_eq!(details.code, 8);
        assert_eq!(details.retry_delay(), Some(Duration::from_secs(1)));
    }
    assert_eq!(send(&server, &Sender::new("grpc-overload", 2).logs(1), Encoding::Zstd).code(), 0);
}
