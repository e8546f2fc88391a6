//! A service of parts that are made of what was started.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};
use tracing::instrument::WithSubscriber;

use super::started;
use crate::health::axum::Sight;
use crate::logging::LoggingConfig;
use crate::resilience::{BreakerOptions, CallError, Rejected, Threshold};
use crate::start::Guard;
use crate::telemetry::tests::Sink;

/// An app that answers what it is told, and asks itself.
struct Place {
    guard: Guard,
    url: String,
    plain: reqwest::Client,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicU32>,
    _served: tokio::task::JoinSet<()>,
}

impl Place {
    async fn new() -> Self {
        let quiet = LoggingConfig { outputs: Default::default(), ..LoggingConfig::default() };
        let builder = crate::builder().logging(quiet).service("shop", "1.4.2").exporter(Sink::default());
        let (guard, dispatch) = started(builder);
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU32::new(0)));
        let answer = (status.clone(), asked.clone());
        let routes = Router::new().route(
            "/stock/{product}",
            get(async move || {
                answer.1.fetch_add(1, Ordering::Relaxed);
                StatusCode::from_u16(answer.0.load(Ordering::Relaxed)).unwrap()
            }),
        );
        let app = guard.service().app(routes, Sight::bearer("key"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut served = tokio::task::JoinSet::new();
        let serve = async move { axum::serve(listener, app).await.unwrap() };
        served.spawn(serve.with_subscriber(dispatch));
        Self { guard, url, plain: reqwest::Client::new(), status, asked, _served: served }
    }

    async fn ask(&self, method: &str, path: &str, key: &str, body: Value) -> (u16, String) {
        let url = format!("{}{path}", self.url);
        let request = self.plain.request(method.parse().unwrap(), url).bearer_auth(key);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Of the page of metrics.
    async fn metric(&self, series: &str) -> Option<f64> {
        let (_, page) = self.ask("GET", "/metrics", "", json!(null)).await;
        page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }
}

#[tokio::test]
async fn an_app_has_what_operators_ask_for_beside_routes_that_are_seen() {
    let place = Place::new().await;
    let shop = Arc::new("database is gone");
    let health = place.guard.service().health();
    health.watch("cache", &shop, async |_| Ok::<_, String>(12)).unwrap();
    health.watch("database", &shop, async |shop| Err::<(), _>(shop)).unwrap();
    assert_eq!(place.ask("GET", "/stock/tea", "", json!(null)).await.0, 200);
    // It is counted when its answer is sent, which may be after that has come.
    let mut counted = None;
    for _ in 0..1_000 {
        let (_, page) = place.ask("GET", "/metrics", "", json!(null)).await;
        let mut lines = page.lines().map(str::to_owned);
        counted = lines.find(|line| {
            line.starts_with("http_server_request_duration_seconds_count")
                && line.contains("http_route=\"/stock/{product}\"")
        });
        if counted.is_some() {
            break;
        }
    }
    assert!(counted.as_ref().is_some_and(|line| line.ends_with(" 1")), "{counted:?}");
    assert_eq!(place.ask("GET", "/livez", "", json!(null)).await.0, 200);
    health.check(crate::health::Scope::All).await;
    let (status, told) = place.ask("GET", "/health?detailed=true", "key", json!(null)).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((status, &told["version"]), (503, &json!("1.4.2")));
    let status = |at: usize| (&told["checks"][at]["name"], &told["checks"][at]["status"]);
    assert_eq!(status(0), (&json!("cache"), &json!("healthy")));
    assert_eq!(status(1), (&json!("database"), &json!("unhealthy")));
}

#[tokio::test]
async fn a_client_is_stopped_by_its_breaker_and_tells_who_must_hear_of_it() {
    let place = Place::new().await;
    let breaker = BreakerOptions { failure_threshold: Threshold::Count(2), ..BreakerOptions::default() };
    let stock = place.guard.service().http_client("stock").breaker(breaker);
    let ask = async || stock.send(stock.get(format!("{}/stock/tea", place.url))).await;
    let escalated = "resilience_escalations_total{resilience_escalation_level=\"high\"}";
    assert_eq!(place.metric(escalated).await, Some(0.0), "an increase is seen from here");
    assert_eq!(ask().await.unwrap().status(), 200);
    place.status.store(404, Ordering::Relaxed);
    assert_eq!(ask().await.unwrap().status(), 404, "whoever asks is at fault");
    place.status.store(503, Ordering::Relaxed);
    for _ in 0..2 {
        assert_eq!(ask().await.unwrap().status(), 503);
    }
    let refused = ask().await.unwrap_err();
    assert!(matches!(refused, CallError::Rejected(Rejected::CircuitOpen { .. })), "{refused:?}");
    assert_eq!(place.asked.load(Ordering::Relaxed), 4, "it was not asked any more");
    assert_eq!(place.metric(escalated).await, Some(1.0));
}

#[tokio::test]
async fn operators_make_calls_fail_while_it_runs_and_nobody_else() {
    let place = Place::new().await;
    let stock = place.guard.service().http_client("stock");
    let ask = async || stock.send(stock.get(format!("{}/stock/tea", place.url))).await;
    let faults =
        json!([{"probability": 1, "error": "gone", "times": 1}, {"probability": 0.5, "latency": "2ms"}]);
    for (key, point, body, status) in [
        ("kez", "/faults/stock", faults.clone(), 403),
        ("key", "/faults/stock", json!([{"probability": 2, "error": "gone"}]), 422),
        ("key", "/faults/stock", json!([{"probability": 1, "error": "gone", "abort": true}]), 422),
        ("key", "/faults/stock", json!([{"probability": 1, "errors": "gone"}]), 422),
    ] {
        assert_eq!(place.ask("PUT", point, key, body.clone()).await.0, status, "{body}");
    }
    assert!(ask().await.is_ok());
    assert_eq!(place.ask("PUT", "/faults/stock", "key", faults.clone()).await.0, 204);
    let failed = ask().await.unwrap_err();
    assert!(matches!(&failed, CallError::Rejected(Rejected::Injected { code, .. }) if &**code == "gone"));
    let (_, listed) = place.ask("GET", "/faults", "key", json!(null)).await;
    let mut left = faults;
    (left[0]["times"], left[0]["probability"]) = (json!(0), json!(1.0));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed, json!({"enabled": true, "points": {"stock": left}}));
    assert!(ask().await.is_ok(), "it was for once");
    assert_eq!(place.ask("DELETE", "/faults/stock", "key", json!(null)).await.0, 204);
    assert_eq!(place.ask("DELETE", "/faults", "key", json!(null)).await.0, 204);
    let (_, listed) = place.ask("GET", "/faults", "key", json!(null)).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed, json!({"enabled": false, "points": {}}));
}
