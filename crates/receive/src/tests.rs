#![allow(clippy::unwrap_used)]

mod body;
mod memory;

use std::sync::Arc;

use axum::body::Body as HttpBody;
use bytes::Bytes;
use fresnel_sdk::config::Secret;
use fresnel_sdk::telemetry::metrics::Registry;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use model::{Budget, Signal, Tenant};
use parking_lot::Mutex;
use tower::ServiceExt;
use wire::compression::Encoding;

use crate::{
    Accepted, AppendFuture, Body, Intake, KeyConfig, LimitConfig, Message, Metrics, NoRoom, Refusal, Refused,
    Senders, Sink, Written, otlp,
};

/// Remembers what it was given, and refuses when told to.
#[derive(Default)]
struct Memory {
    accepted: Mutex<Vec<Accepted>>,
    refuse: Option<fn() -> Refused>,
    no_room: Vec<NoRoom>,
}

fn full() -> Refused {
    Refused::Full { reason: "test".into(), retry_after: std::time::Duration::from_secs(7) }
}

impl Sink for Memory {
    fn append(&self, accepted: Accepted) -> AppendFuture<'_> {
        Box::pin(async move {
            if let Some(refuse) = self.refuse {
                return Err(refuse());
            }
            self.accepted.lock().push(accepted);
            Ok(self.no_room.clone())
        })
    }
}

fn intake(sink: Arc<Memory>, budget: u64) -> Intake {
    intake_of(sink, &Budget::new(budget), &LimitConfig::default())
}

fn intake_of(sink: Arc<Memory>, budget: &Budget, config: &LimitConfig) -> Intake {
    let metrics = Metrics::new(&Registry::new());
    let intake = Intake::new(sink, budget.clone(), config, metrics, || 42);
    intake.open();
    intake
}

fn open_senders() -> Arc<Senders> {
    Arc::new(Senders::new(&std::collections::BTreeMap::new()).unwrap())
}

fn keyed() -> Senders {
    let key = |secret: &str, tenant: &str| KeyConfig {
        secret: Secret::new(secret.into()),
        tenant: tenant.into(),
        admin: tenant == "bank",
    };
    let keys =
        [("a".into(), key("secret-of-a-0123456", "shop")), ("b".into(), key("secret-of-b-0123456", "bank"))];
    Senders::new(&keys.into()).unwrap()
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
async fn points_that_there_is_no_room_for_are_told_and_the_others_are_acknowledged() {
    let points = Written { samples: 2, ..Written::default() };
    let no_room = NoRoom { reason: "too_many_series", message: "of 7".into(), points };
    let sink = Arc::new(Memory { no_room: vec![no_room], ..Memory::default() });
    let point = r#"{"asDouble":1,"timeUnixNano":"1"}"#;
    let body = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m","gauge":{{"dataPoints":[{point},{point},{point}]}}}}]}}]}}]}}"#
    );
    let intake = intake(Arc::clone(&sink), 1 << 30);
    let (status, _, answer) =
        post(&intake, "/v1/metrics", &[("content-type", "application/json")], &body).await;
    assert_eq!(status, StatusCode::OK);
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    let partial = &answer["partialSuccess"];
    assert_eq!(partial["rejectedDataPoints"], "2");
    assert_eq!(partial["errorMessage"], "2 rejected: too_many_series (of 7)");
    assert_eq!(sink.accepted.lock().len(), 1);
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
    let full = intake(Arc::new(Memory { refuse: Some(full), ..Memory::default() }), 1 << 30);
    let (status, headers, _) = post(&full, "/v1/logs", &[json], JSON).await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (StatusCode::TOO_MANY_REQUESTS, "7"));
    full.close();
    assert_eq!(post(&full, "/v1/logs", &[json], JSON).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(sink.accepted.lock().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_disk_may_not_have_kept_is_sent_again_and_what_it_cannot_keep_is_not() {
    let json = ("content-type", "application/json");
    let refusing = |refuse| intake(Arc::new(Memory { refuse: Some(refuse), ..Memory::default() }), 1 << 30);
    let failed = refusing(|| Refused::Failed("no sync".into()));
    let (status, headers, body) = post(&failed, "/v1/logs", &[json], JSON).await;
    assert_eq!((status, headers.get("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, None));
    assert!(body.windows(7).any(|part| part == b"no sync"), "{body:?}");
    let (code, details) = call(&failed).await;
    assert_eq!((code.as_str(), details), ("14", None));

    let large = refusing(|| Refused::TooLarge { limit: 5 });
    assert_eq!(post(&large, "/v1/logs", &[json], JSON).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(call(&large).await, ("8".into(), None));

    let (code, details) = call(&refusing(full)).await;
    assert!(code == "8" && details.is_some(), "{code} {details:?}");
}

/// The status and the details of a call with one record.
async fn call(intake: &Intake) -> (String, Option<String>) {
    let message = wire::otlp::json::transcode(Signal::Logs, JSON.as_bytes()).unwrap();
    let body = HttpBody::from(wire::grpc::frame(&message));
    let mut request =
        Request::post("/opentelemetry.proto.collector.logs.v1.LogsService/Export").body(body).unwrap();
    *request.headers_mut() = headers(&[("content-type", "application/grpc")]);
    let response = otlp::grpc_router(intake.clone(), open_senders()).oneshot(request).await.unwrap();
    let text = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    (text("grpc-status").unwrap(), text("grpc-status-details-bin"))
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_given_back_after_a_refusal() {
    let budget = Budget::new(1 << 20);
    let intake = intake_of(Arc::new(Memory::default()), &budget, &LimitConfig::default());
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
    let reader = senders.identify_reader(&basic).unwrap();
    assert_eq!((reader.tenant.as_str(), reader.admin), ("shop", false));
    assert!(senders.identify_reader(&bearer).unwrap().admin);
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
fn an_open_server_takes_the_tenant_from_the_header() {
    let senders = open_senders();
    assert_eq!(senders.identify(&HeaderMap::new()).unwrap().as_str(), "default");
    let reader = senders.identify_reader(&headers(&[("x-scope-orgid", "a")])).unwrap();
    assert_eq!((reader.tenant.as_str(), reader.admin), ("a", true));
    assert!(matches!(senders.identify(&headers(&[("x-scope-orgid", "../c")])), Err(Refusal::Tenant(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_counts_when_something_of_it_is_stored() {
    let limit = LimitConfig { tenants: 2, ..LimitConfig::default() };
    let budget = Budget::new(1 << 30);
    let refusing = intake_of(Arc::new(Memory { refuse: Some(full), ..Memory::default() }), &budget, &limit);
    let storing = intake_of(Arc::new(Memory::default()), &budget, &limit);
    let send = async |intake: &Intake, tenant: &str, body: &str| {
        post(intake, "/v1/logs", &[("content-type", "application/json"), ("x-scope-orgid", tenant)], body)
            .await
    };
    for number in 0..10 {
        let tenant = format!("junk-{number}");
        assert_eq!(send(&storing, &tenant, "{").await.0, StatusCode::BAD_REQUEST, "malformed");
        assert_eq!(send(&storing, &tenant, "{}").await.0, StatusCode::OK, "nothing to store");
        assert_eq!(send(&refusing, &tenant, JSON).await.0, StatusCode::TOO_MANY_REQUESTS, "not stored");
    }
    storing.know(Tenant::parse("known").unwrap());
    for tenant in ["first", "known", "first"] {
        assert_eq!(send(&storing, tenant, JSON).await.0, StatusCode::OK, "{tenant}");
    }
    let (status, _, body) = send(&storing, "second", JSON).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&body).contains("receive.limit.tenants"), "{body:?}");
}
