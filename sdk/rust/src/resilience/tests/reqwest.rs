//! Errors of real requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::resilience::tower::HttpJudge;
use crate::resilience::{Backoff, Category, Classify, Judge, Retry, RetryOptions};
use crate::telemetry::metrics::Registry;

async fn answering(status: u16) -> reqwest::Error {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new().route("/", get(async move || StatusCode::from_u16(status).unwrap()));
    let answered = async { reqwest::get(url).await.unwrap().error_for_status().unwrap_err() };
    tokio::select! {
        error = answered => error,
        served = axum::serve(listener, app) => panic!("it serves as long as it is asked: {served:?}"),
    }
}

#[tokio::test]
async fn a_status_says_what_it_is_and_whether_to_try_again() {
    let known = [
        (400, Category::Validation, false, true),
        (401, Category::Authentication, false, true),
        (403, Category::Authorization, false, true),
        (404, Category::Validation, false, true),
        (429, Category::RateLimit, true, false),
        (500, Category::System, true, true),
        (501, Category::System, false, true),
        (502, Category::Network, true, true),
        (503, Category::Network, true, true),
        (504, Category::Timeout, true, true),
    ];
    for (status, category, retryable, executed) in known {
        let error = answering(status).await;
        let is = error.classification();
        assert_eq!(
            (is.category, is.retryable, error.executed()),
            (category, retryable, executed),
            "{status}"
        );
    }
}

#[tokio::test]
async fn an_answer_is_judged_with_its_retry_after() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicU32::new(0));
    let seen = calls.clone();
    let app = Router::new().route(
        "/",
        get(async move || match seen.fetch_add(1, Ordering::Relaxed) {
            0 => (StatusCode::INTERNAL_SERVER_ERROR, [("retry-after", "0")]),
            1 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7200")]),
            _ => (StatusCode::OK, [("x", "y")]),
        }),
    );
    let asked = async {
        let judge = HttpJudge::default();
        let backoff = Backoff { first: Duration::ZERO, ..Backoff::default() };
        let options = RetryOptions { backoff, ..RetryOptions::default() };
        let retry = Retry::new("r", options, &Registry::new()).judged_by(HttpJudge::default());
        let client = reqwest::Client::new();
        // The first is tried again, the second asks for more time than anybody has.
        let answer = retry.run(|| client.get(&url).send()).await.unwrap();
        assert_eq!((answer.status(), calls.load(Ordering::Relaxed)), (StatusCode::TOO_MANY_REQUESTS, 2));
        let verdict = judge.judge(&Ok::<_, reqwest::Error>(answer));
        assert_eq!((verdict.retry_after, verdict.executed), (Some(Duration::from_secs(7200)), false));
        retry.run(|| client.get(&url).send()).await.unwrap()
    };
    let answer = tokio::select! {
        answer = asked => answer,
        served = axum::serve(listener, app) => panic!("it serves as long as it is asked: {served:?}"),
    };
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_did_not_arrive_had_no_effect() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let refused = reqwest::get(url).await.unwrap_err();
    assert_eq!(refused.classification().category, Category::Network);
    assert!(!refused.executed());
    let wrong = reqwest::get("no address").await.unwrap_err();
    assert_eq!(wrong.classification().category, Category::Validation);
    assert!(!wrong.executed());
}
