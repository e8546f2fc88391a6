//! OTLP/gRPC frame by frame: encodings that no client of ours has, and what a refusal carries.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use testkit::otlp::proto::collector::logs::v1::ExportLogsServiceRequest;
use testkit::otlp::proto::collector::trace::v1::ExportTraceServiceRequest;
use testkit::otlp::{Export, Status, protobuf};
use testkit::records::{Random, Sender, value};
use testkit::{Encoding, Fresnel};

use crate::fresnel;
use crate::settings::{LARGE_BODIES, SMALL_LIMITS, SMALLEST_MEMORY};

/// What came of a call.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    trailers: HeaderMap,
}

impl Answer {
    /// gRPC's status; of an answer without a message it is in the headers.
    fn code(&self) -> i32 {
        let code = self.trailers.get("grpc-status").or_else(|| self.headers.get("grpc-status"));
        code.unwrap_or_else(|| panic!("no grpc-status: {self:?}")).to_str().unwrap().parse().unwrap()
    }

    /// The details of a refusal.
    fn details(&self) -> Option<Status> {
        let encoded = self.headers.get("grpc-status-details-bin")?;
        let bytes = STANDARD_NO_PAD.decode(encoded.as_bytes()).unwrap();
        Some(Status::from_protobuf(&bytes))
    }
}

/// A call whose body is this.
fn call(address: SocketAddr, method: &str, encoding: Encoding, body: Vec<u8>) -> Answer {
    let mut request = Request::post(format!("http://{address}{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(name) = encoding.header() {
        request = request.header("grpc-encoding", name);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = TokioIo::new(tokio::net::TcpStream::connect(address).await.unwrap());
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        let exchange = async move {
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            let collected = body.collect().await.unwrap();
            let trailers = collected.trailers().cloned().unwrap_or_default();
            Answer { status: head.status, headers: head.headers, body: collected.to_bytes(), trailers }
        };
        tokio::select! {
            answer = exchange => answer,
            ended = connection => panic!("the connection ended first: {ended:?}"),
        }
    })
}

/// One message with its prefix.
fn frame(message: &[u8], compressed: bool) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[u8::from(compressed)], &length[..], message].concat()
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
