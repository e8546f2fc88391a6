#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::body::Body as HttpBody;
use bytes::Bytes;
use fresnel_sdk::config::Secret;
use fresnel_sdk::telemetry::metrics::Registry;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use model::{Budget, Signal};
use parking_lot::Mutex;
use tower::ServiceExt;
use wire::compression::Encoding;

use crate::{
    Accepted, AppendFuture, Body, Intake, KeyConfig, LimitConfig, Message, Metrics, Refusal, Refused,
    Senders, Sink, otlp,
};

/// Remembers what it was given, and refuses when told to.
#[derive(Default)]
struct Memory {
    accepted: Mutex<Vec<Accepted>>,
    full: bool,
}

impl Sink for Memory {
    fn append(&self, accepted: Accepted) -> AppendFuture<'_> {
        Box::pin(async move {
            if self.full {
                let retry_after = std::time::Duration::from_secs(7);
                return Err(Refused::Full { reason: "test".into(), retry_after });
            }
            self.accepted.lock().push(accepted);
            Ok(())
        })
    }
}

fn intake(sink: Arc<Memory>, budget: u64) -> Intake {
    let metrics = Metrics::new(&Registry::new());
    let intake = Intake::new(sink, Budget::new(budget), &LimitConfig::default(), metrics, || 42);
    intake.open();
    intake
}

fn open_senders() -> Arc<Senders> {
    Arc::new(Senders::new(&std::collections::BTreeMap::new(), 3).unwrap())
}

fn keyed() -> Senders {
    let key =
        |secret: &str, tenant: &str| KeyConfig { secret: Secret::new(secret.into()), tenant: tenant.into() };
    let keys =
        [("a".into(), key("secret-of-a-0123456", "shop")), ("b".into(), key("secret-of-b-0123456", "bank"))];
    Senders::new(&keys.into(), 10).unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

const JSON: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hi"}}]}]}]}"#;

async fn post(
    intake: &Intake,
    path: &str,
    pairs: &[(&'static str, &str)],
    body: &str,
) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = Request::post(path).body(HttpBody::from(body.to_owned())).unwrap();
    *request.headers_mut() = headers(pairs);
    let response = otlp::http_router(intake.clone(), open_senders()).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    (head.status, head.headers, body.collect().await.unwrap().to_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_reaches_the_sink_with_its_body_and_is_read_again_the_same() {
    let sink = Arc::new(Memory::default());
    let intake = intake(Arc::clone(&sink), 1 << 30);
    let (status, _, body) =
        post(&intake, "/v1/logs", &[("content-type", "application/json; charset=utf-8")], JSON).await;
    assert_eq!((status, &*body), (StatusCode::OK, &b"{}"[..]));
    let accepted = sink.accepted.lock().pop().unwrap();
    assert_eq!((accepted.signal, accepted.records, &*accepted.body), (Signal::Logs, 1, JSON.as_bytes()));
    let again = intake
        .replay(Signal::Logs, accepted.protocol, accepted.received_unix_nano, &[], JSON.as_bytes())
        .unwrap();
    assert_eq!(format!("{again:?}"), format!("{:?}", accepted.batch));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_statuses_of_the_protocol() {
    let json = ("content-type", "application/json");
    let sink = Arc::new(Memory::default());
    let open = intake(Arc::clone(&sink), 1 << 30);
    assert_eq!(post(&open, "/v1/logs", &[json], "{").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(post(&open, "/v1/logs", &[], "").await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        post(&open, "/v1/logs", &[json, ("content-encoding", "lzma")], "").await.0,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    assert_eq!(post(&open, "/v1/nothing", &[json], "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        post(&open, "/v1/logs", &[json, ("content-length", "999999999")], "").await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let small = intake(Arc::clone(&sink), 16);
    let (status, headers, _) = post(&small, "/v1/logs", &[json], JSON).await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (StatusCode::TOO_MANY_REQUESTS, "1"));
    let full = intake(Arc::new(Memory { full: true, ..Memory::default() }), 1 << 30);
    let (status, headers, _) = post(&full, "/v1/logs", &[json], JSON).await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (StatusCode::TOO_MANY_REQUESTS, "7"));
    full.close();
    assert_eq!(post(&full, "/v1/logs", &[json], JSON).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(sink.accepted.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_given_back_after_a_refusal() {
    let budget = Budget::new(1 << 20);
    let metrics = Metrics::new(&Registry::new());
    let sink = Arc::new(Memory::default());
    let intake = Intake::new(sink, budget.clone(), &LimitConfig::default(), metrics, || 42);
    intake.open();
    let bytes = Bytes::from_static(b"\xff\xff");
    let reservation = intake.admit(2).unwrap();
    let body = Body { message: Message::Otlp, encoding: Encoding::Identity, bytes, reservation };
    let refusal = intake.take(model::Tenant::default(), Signal::Spans, body).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_key_decides_the_tenant_and_beats_the_header() {
    let senders = keyed();
    let bearer = headers(&[("authorization", "Bearer secret-of-b-0123456"), ("x-scope-orgid", "shop")]);
    assert_eq!(senders.identify(&bearer).unwrap().as_str(), "bank");
    let basic = headers(&[("authorization", "Basic YW55OnNlY3JldC1vZi1hLTAxMjM0NTY=")]);
    assert_eq!(senders.identify_reader(&basic).unwrap().as_str(), "shop");
    for wrong in [
        "Bearer",
        "Bearer secret-of-b-012345",
        "Bearer secret-of-b-01234567",
        "Basic !!",
        "secret-of-b-0123456",
    ] {
        let refusal = senders.identify(&headers(&[("authorization", wrong)])).unwrap_err();
        assert!(matches!(refusal, Refusal::Unauthenticated), "{wrong}");
    }
    assert!(matches!(senders.identify(&HeaderMap::new()), Err(Refusal::Unauthenticated)));
}

#[test]
fn an_open_server_takes_the_tenant_from_the_header_up_to_a_limit() {
    let senders = open_senders();
    assert_eq!(senders.identify(&HeaderMap::new()).unwrap().as_str(), "default");
    for name in ["a", "b", "a"] {
        assert_eq!(senders.identify(&headers(&[("x-scope-orgid", name)])).unwrap().as_str(), name);
    }
    assert!(matches!(senders.identify(&headers(&[("x-scope-orgid", "c")])), Err(Refusal::Tenant(_))));
    assert!(matches!(senders.identify(&headers(&[("x-scope-orgid", "../c")])), Err(Refusal::Tenant(_))));
    assert_eq!(senders.identify_reader(&headers(&[("x-scope-orgid", "c")])).unwrap().as_str(), "c");
}
