//! Bodies in pieces, with pauses, and those that never come.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body as HttpBody;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{HeaderMap, Request, StatusCode};
use model::Budget;
use tower::ServiceExt;

use super::{JSON, Memory, headers, intake_of, open_senders, post};
use crate::body::read;
use crate::{Intake, LimitConfig, Refusal, otlp};

fn intake(budget: &Budget) -> Intake {
    intake_of(Arc::new(Memory::default()), budget, &LimitConfig::default())
}

fn told(bytes: usize) -> HeaderMap {
    headers(&[("content-length", &bytes.to_string())])
}

fn pieces(bytes: &Bytes, size: usize) -> HttpBody {
    let pieces: Vec<_> =
        bytes.chunks(size).map(|piece| Ok::<_, Infallible>(bytes.slice_ref(piece))).collect();
    HttpBody::from_stream(stream::iter(pieces))
}

/// A body of which this comes, and then nothing any more.
fn stalled(begin: &'static str) -> HttpBody {
    let begin = stream::iter([Ok::<_, Infallible>(Bytes::from_static(begin.as_bytes()))]);
    HttpBody::from_stream(begin.chain(stream::pending()))
}

#[tokio::test]
async fn a_body_is_read_whole_however_it_comes() {
    let bytes = Bytes::from((0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect::<Vec<u8>>());
    for size in [1_000, 16_384, 999_999, 1_000_000] {
        for headers in [HeaderMap::new(), told(bytes.len())] {
            let budget = Budget::new(64 << 20);
            let (read, held) = read(&intake(&budget), &headers, pieces(&bytes, size)).await.unwrap();
            assert!(read == bytes, "{size} {headers:?}");
            assert_eq!(held.bytes(), budget.used());
            let length = bytes.len() as u64;
            assert!((length..=2 * length).contains(&held.bytes()), "{size} {headers:?}: {}", held.bytes());
            assert!(budget.peak() <= 3 * length, "{size} {headers:?}: {}", budget.peak());
            if size == bytes.len() {
                assert_eq!((read.as_ptr(), held.bytes()), (bytes.as_ptr(), length), "not copied");
            }
            drop(held);
            assert_eq!(budget.used(), 0);
        }
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_as_soon_as_it_is_known() {
    let config = LimitConfig { body: fresnel_sdk::config::ByteSize::kib(64), ..LimitConfig::default() };
    let budget = Budget::new(64 << 20);
    let intake = intake_of(Arc::new(Memory::default()), &budget, &config);
    let bytes = Bytes::from(vec![0; 100 << 10]);
    for headers in [HeaderMap::new(), told(bytes.len())] {
        let refusal = read(&intake, &headers, pieces(&bytes, 10 << 10)).await.unwrap_err();
        assert!(matches!(refusal, Refusal::TooLarge { limit: 65_536, decoded: false }), "{refusal}");
    }
    assert!(budget.peak() < 200 << 10, "{}", budget.peak());
    assert_eq!(budget.used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_announces_much_and_sends_little_holds_up_nobody() {
    let budget = Budget::new(512 << 20);
    let intake = intake(&budget);
    let headers = told(64 << 20);
    let mut reads: Vec<_> = (0..100).map(|_| Box::pin(read(&intake, &headers, stalled("{")))).collect();
    for read in &mut reads {
        assert!(matches!(futures::poll!(read.as_mut()), Poll::Pending), "nobody is refused");
    }
    assert!(budget.used() <= budget.limit() / 5, "{} bytes", budget.used());
    assert_eq!(
        post(&intake, "/v1/logs", &[("content-type", "application/json")], JSON).await.0,
        StatusCode::OK
    );
    drop(reads);
    assert_eq!(budget.refused(), 0);
    // What was announced may be announced again.
    let mut next = Box::pin(read(&intake, &headers, stalled("{")));
    assert!(matches!(futures::poll!(next.as_mut()), Poll::Pending));
    assert!(budget.used() >= 64 << 20, "{} bytes", budget.used());
}

#[tokio::test]
async fn what_has_come_is_announced_no_more() {
    let budget = Budget::new(100 << 20);
    let intake = intake(&budget);
    let bytes = Bytes::from(vec![0; 15 << 20]);
    let (_, first) = read(&intake, &told(bytes.len()), pieces(&bytes, 1 << 20)).await.unwrap();
    let (_, second) = read(&intake, &told(bytes.len()), pieces(&bytes, 1 << 20)).await.unwrap();
    assert_eq!(first.bytes() + second.bytes(), 30 << 20, "both in one step, without moving");
    assert_eq!(budget.peak(), 30 << 20);
}

#[tokio::test]
async fn a_pause_that_is_too_long_is_answered() {
    let config = LimitConfig { body_idle: Duration::from_millis(10).into(), ..LimitConfig::default() };
    let budget = Budget::new(64 << 20);
    let intake = intake_of(Arc::new(Memory::default()), &budget, &config);
    let mut request = Request::post("/v1/logs").body(stalled("{")).unwrap();
    request
        .headers_mut()
        .extend(headers(&[("content-type", "application/json"), ("content-length", "1000")]));
    let response = otlp::http_router(intake.clone(), open_senders()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(response.headers()["content-type"], "application/json");

    let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let mut request = Request::post(path).body(stalled("\0")).unwrap();
    request.headers_mut().extend(headers(&[("content-type", "application/grpc")]));
    let response = otlp::grpc_router(intake, open_senders()).oneshot(request).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["grpc-status"]),
        (StatusCode::OK, &"4".parse().unwrap())
    );
    assert_eq!(budget.used(), 0);
}
