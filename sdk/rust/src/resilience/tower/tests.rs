#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use http::{Method, Request, Response, StatusCode};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use super::{
    AtPoint, Balance, FallbackTo, HttpJudge, HttpRetry, LimitByKey, ReceiveDeadline, SendDeadline, layer,
};
use crate::clock;
use crate::resilience::{
    Backoff, Balancer, BoxError, Breaker, BreakerOptions, Bulkhead, BulkheadOptions, DEADLINE_HEADER,
    Deadline, Effect, Fallback, Fault, Faults, Hedge, HedgeOptions, KeyedLimitOptions, KeyedRateLimit,
    LoadShed, LoadShedOptions, RateLimit, RateLimitOptions, Rejected, Retry, RetryError, RetryOptions, State,
    Stop, Threshold, Timeout,
};
use crate::telemetry::metrics::Registry;

const SECOND: Duration = Duration::from_secs(1);

fn request(method: Method) -> Request<()> {
    Request::builder().method(method).body(()).unwrap()
}

fn answer(status: u16) -> Result<Response<()>, std::io::Error> {
    Ok(Response::builder().status(status).header("retry-after", "7").body(()).unwrap())
}

fn rejected(error: BoxError) -> Rejected {
    *error.downcast::<Rejected>().unwrap()
}

fn http_retry() -> HttpRetry<HttpJudge> {
    let options = RetryOptions { backoff: Backoff::fixed(SECOND), ..Default::default() };
    HttpRetry::new(Retry::new("r", options, &Registry::new()).judged_by(HttpJudge::default()))
}

/// How many requests a server that always answers this gets, what is answered, and after how long.
fn retried(method: Method, status: u16) -> (u32, StatusCode, u64) {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = calls.clone();
    let service = service_fn(move |_: Request<()>| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move { answer(status) }
    });
    clock::simulate(async {
        let start = clock::now();
        let service = ServiceBuilder::new().layer(layer(http_retry())).service(service);
        let response = service.oneshot(request(method)).await.unwrap();
        (calls.load(Ordering::Relaxed), response.status(), (clock::now() - start).as_secs())
    })
}

#[test]
fn http_requests_are_retried_as_their_method_and_status_allow() {
    assert_eq!(retried(Method::GET, 503), (3, StatusCode::SERVICE_UNAVAILABLE, 14), "Retry-After is heeded");
    assert_eq!(retried(Method::GET, 500).0, 3);
    assert_eq!(retried(Method::PUT, 408).0, 3);
    assert_eq!(retried(Method::POST, 503).0, 1, "it may have had an effect");
    assert_eq!(retried(Method::POST, 429).0, 3, "it had none");
    assert_eq!(retried(Method::GET, 501).0, 1);
    assert_eq!(retried(Method::GET, 404).0, 1);
    assert_eq!(retried(Method::GET, 200), (1, StatusCode::OK, 0));
    let keyed = Request::builder().method(Method::POST).header("idempotency-key", "k").body(()).unwrap();
    assert!(super::is_idempotent(&keyed));
}

#[test]
fn the_error_of_a_retry_says_how_often() {
    let options = RetryOptions { max_attempts: 2, ..Default::default() };
    let retry = Retry::new("r", options, &Registry::new());
    let refused = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let service = service_fn(move |(): ()| async move { Err::<(), _>(refused()) });
    let service = ServiceBuilder::new().layer(layer(retry)).service(service);
    let error = clock::simulate(service.oneshot(())).unwrap_err();
    let failed: &RetryError<BoxError> = error.downcast_ref().unwrap();
    assert_eq!((failed.attempts, failed.stop), (2, Stop::MaxRetriesExceeded));
}

#[test]
fn a_breaker_counts_answers_and_is_shared() {
    let options = BreakerOptions { failure_threshold: Threshold::Count(2), ..Default::default() };
    let breaker = Breaker::new("b", options, &Registry::new());
    let shared = layer(breaker.judged_by(HttpJudge::default()));
    let service = |status| {
        ServiceBuilder::new()
            .layer(shared.clone())
            .service(service_fn(move |_: Request<()>| async move { answer(status) }))
    };
    clock::simulate(async {
        for status in [404, 500, 404, 500] {
            assert_eq!(service(status).oneshot(request(Method::GET)).await.unwrap().status(), status);
        }
        assert_eq!(breaker.state(), State::Open);
        let error = service(200).oneshot(request(Method::GET)).await.unwrap_err();
        assert!(matches!(rejected(error), Rejected::CircuitOpen { .. }));
    });
}

/// A service that is ready only after a second.
#[derive(Clone, Default)]
struct Lazy {
    ready_at: Option<Arc<parking_lot::Mutex<clock::Sleep>>>,
}

impl Service<()> for Lazy {
    type Response = ();
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<(), Self::Error>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        let sleep =
            self.ready_at.get_or_insert_with(|| Arc::new(parking_lot::Mutex::new(clock::sleep(SECOND))));
        std::future::Future::poll(std::pin::Pin::new(&mut *sleep.lock()), cx).map(Ok)
    }

    fn call(&mut self, (): ()) -> Self::Future {
        assert!(self.ready_at.take().is_some(), "called before it was ready");
        std::future::ready(Ok(()))
    }
}

#[test]
fn waiting_for_readiness_is_part_of_the_call() {
    clock::simulate(async {
        let limit = |millis| Timeout::new("t", Duration::from_millis(millis), &Registry::new());
        let service = |millis| ServiceBuilder::new().layer(layer(limit(millis))).service(Lazy::default());
        assert!(service(2_000).oneshot(()).await.is_ok());
        let error = service(500).oneshot(()).await.unwrap_err();
        assert!(matches!(rejected(error), Rejected::TimedOut { .. }));
    });
}

#[test]
fn limits_hold_for_all_clones() {
    let slow = service_fn(|(): ()| async {
        clock::sleep(SECOND).await;
        Ok::<_, std::io::Error>(())
    });
    let registry = Registry::new();
    clock::simulate(async {
        let bulkhead = BulkheadOptions { max_concurrent: 2, ..Default::default() };
        let bulkhead = layer(Bulkhead::new("b", bulkhead, &registry));
        let service = ServiceBuilder::new().layer(bulkhead).service(slow);
        let all = join_all((0..5).map(|_| service.clone().oneshot(()))).await;
        assert_eq!(all.iter().filter(|result| result.is_ok()).count(), 2);

        let shed = LoadShedOptions { initial: 3, ..Default::default() };
        let service = ServiceBuilder::new().layer(layer(LoadShed::new("s", shed, &registry))).service(slow);
        let all = join_all((0..5).map(|_| service.clone().oneshot(()))).await;
        assert_eq!(all.iter().filter(|result| result.is_ok()).count(), 3);

        let rate = RateLimitOptions { burst: 4, ..Default::default() };
        let service = ServiceBuilder::new().layer(layer(RateLimit::new("l", rate, &registry))).service(slow);
        let all = join_all((0..5).map(|_| service.clone().oneshot(()))).await;
        assert_eq!(all.iter().filter(|result| result.is_ok()).count(), 4);
    });
}

#[test]
fn a_key_is_taken_from_the_request() {
    let limit = RateLimitOptions { calls: 1, burst: 1, ..Default::default() };
    let options = KeyedLimitOptions { limit, ..Default::default() };
    clock::simulate(async {
        let limit: KeyedRateLimit<String> = KeyedRateLimit::new("k", options, &Registry::new());
        let user = |request: &Request<()>| {
            request.headers().get("x-user").and_then(|user| Some(user.to_str().ok()?.to_owned()))
        };
        let service = service_fn(|_: Request<()>| async { answer(200) });
        let service = ServiceBuilder::new().layer(layer(LimitByKey::new(limit, user))).service(service);
        let of = |user: &str| Request::builder().header("x-user", user).body(()).unwrap();
        assert!(service.clone().oneshot(of("anna")).await.is_ok());
        assert!(service.clone().oneshot(of("bert")).await.is_ok());
        let error = service.clone().oneshot(of("anna")).await.unwrap_err();
        assert!(matches!(rejected(error), Rejected::RateLimited { .. }));
        for _ in 0..3 {
            assert!(service.clone().oneshot(request(Method::GET)).await.is_ok(), "without a key");
        }
    });
}

#[test]
fn hedges_fallbacks_and_faults() {
    let registry = Registry::new();
    clock::simulate(async {
        let calls = Arc::new(AtomicU32::new(0));
        let slow_once = service_fn(move |(): ()| {
            let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                clock::sleep(if first { 60 * SECOND } else { SECOND }).await;
                Ok::<_, std::io::Error>(first)
            }
        });
        let hedge = Hedge::new("h", HedgeOptions::default(), &registry);
        let service = ServiceBuilder::new().layer(layer(hedge)).service(slow_once);
        assert!(!service.oneshot(()).await.unwrap());

        let faults = Faults::new(1, &registry);
        let fault = Fault { probability: 1.0, effect: Effect::Error("down".into()), times: Some(1) };
        faults.set("stock", vec![fault]);
        faults.enable(true);
        let fallback = FallbackTo::new(Fallback::new("f", &registry), |_| async { Ok("old") });
        let service = ServiceBuilder::new()
            .layer(layer(fallback))
            .layer(layer(AtPoint::new(faults, "stock")))
            .service(service_fn(|(): ()| async { Ok::<_, std::io::Error>("new") }));
        assert_eq!(service.clone().oneshot(()).await.unwrap(), "old");
        assert_eq!(service.oneshot(()).await.unwrap(), "new");
    });
}

#[test]
fn a_deadline_goes_from_client_to_server() {
    clock::simulate(async {
        let seen = service_fn(|request: Request<()>| async move {
            let header =
                request.headers().get(DEADLINE_HEADER).map(|value| value.to_str().unwrap().to_owned());
            let left = Deadline::current().map(Deadline::remaining);
            Ok::<_, std::io::Error>(Response::new((header, left)))
        });
        let server = ServiceBuilder::new().layer(layer(ReceiveDeadline::default())).service(seen);
        let client = ServiceBuilder::new().layer(layer(SendDeadline)).service(server);
        let ask = || client.clone().oneshot(request(Method::GET));
        let (header, left) = ask().await.unwrap().into_body();
        assert_eq!((header, left), (None, Some(30 * SECOND)), "nobody said anything");
        let (header, left) = Deadline::after(2 * SECOND).scope(ask()).await.unwrap().into_body();
        assert_eq!((header.as_deref(), left), (Some("2000000u"), Some(2 * SECOND)));

        let hangs =
            service_fn(|_: Request<()>| std::future::pending::<Result<Response<()>, std::io::Error>>());
        let server = ServiceBuilder::new().layer(layer(ReceiveDeadline::default())).service(hangs);
        let start = clock::now();
        let hurried = Request::builder().header(DEADLINE_HEADER, "250m").body(()).unwrap();
        let error = server.clone().oneshot(hurried).await.unwrap_err();
        assert_eq!(rejected(error), Rejected::DeadlineExceeded);
        assert_eq!(clock::now() - start, Duration::from_millis(250));
        // Nobody gets more than the server gives.
        let patient = Request::builder().header(DEADLINE_HEADER, "1H").body(()).unwrap();
        assert!(server.oneshot(patient).await.is_err());
        assert_eq!(clock::now() - start, Duration::from_millis(30_250));
    });
}

#[test]
fn calls_are_balanced_over_services() {
    let works = Arc::new(AtomicBool::new(false));
    let endpoint = |name: &'static str| {
        let works = works.clone();
        service_fn(move |(): ()| {
            let works = name != "b" || works.load(Ordering::Relaxed);
            async move { if works { Ok(name) } else { Err(std::io::Error::from(std::io::ErrorKind::TimedOut)) } }
        })
    };
    clock::simulate(async {
        let options = BreakerOptions { failure_threshold: Threshold::Count(1), ..Default::default() };
        let endpoints = [("a", endpoint("a")), ("b", endpoint("b"))];
        let balance = Balance::new(Balancer::new("pool", endpoints, options, &Registry::new()));
        let ask = || async {
            let mut answers = Vec::new();
            for _ in 0..100 {
                answers.extend(balance.clone().oneshot(()).await.ok());
            }
            answers
        };
        let answers = ask().await;
        assert!(answers.len() >= 99 && !answers.contains(&"b"), "one failure opens its breaker");
        works.store(true, Ordering::Relaxed);
        clock::sleep(options.reset_timeout).await;
        assert!(ask().await.contains(&"b"));
    });
}

#[cfg(feature = "axum")]
#[test]
fn a_router_of_axum_answers_what_a_policy_turns_away() {
    use ::axum::Router;
    use ::axum::body::{Body, to_bytes};
    use ::axum::routing::get;

    use super::answering;

    let registry = Registry::new();
    let options = RateLimitOptions { calls: 1, burst: 1, per: Duration::from_secs(60), ..Default::default() };
    let limit = RateLimit::new("page", options, &registry);
    let deadline = ReceiveDeadline { default: Some(SECOND), max: SECOND };
    let faults = Faults::new(1, &registry);
    faults.set(
        "page",
        vec![Fault { probability: 1.0, effect: Effect::Error("made up".into()), times: Some(1) }],
    );
    faults.enable(true);
    let app: Router = Router::new()
        .route("/", get(async || "hello"))
        .route("/slow", get(std::future::pending::<StatusCode>).layer(answering(deadline)))
        .route("/broken", get(async || "hello").layer(answering(Broken)))
        .route("/faulty", get(async || "hello").layer(answering(AtPoint::new(faults, "page"))))
        .route("/limited", get(async || "hello").layer(answering(limit)));
    let ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    };
    clock::simulate(async {
        assert_eq!(ask("/").await.2, "hello");
        assert_eq!(ask("/limited").await.2, "hello", "what is let through is as it was");
        let (status, headers, body) = ask("/limited").await;
        assert_eq!((status, headers["retry-after"].to_str().unwrap()), (429, "60"));
        assert!(body.contains("there were too many requests") && !body.contains("page"), "{body}");
        assert_eq!(ask("/slow").await.0, 504);
        assert_eq!((ask("/faulty").await.0, ask("/faulty").await.0), (503, 200));
        let (status, headers, body) = ask("/broken").await;
        assert_eq!((status, headers["content-type"].to_str().unwrap()), (500, "application/problem+json"));
        assert!(!body.contains("inside"), "what is inside is for the log: {body}");
    });
}

/// A policy with an error of its own.
#[cfg(feature = "axum")]
#[derive(Clone)]
struct Broken;

#[cfg(feature = "axum")]
impl<Q: Send + 'static, R: Send + 'static> super::Policy<Q, R> for Broken {
    async fn call<S>(self, _: S, _: Q) -> Result<R, BoxError>
    where
        S: Service<Q, Response = R> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        Err("what is inside".into())
    }
}
