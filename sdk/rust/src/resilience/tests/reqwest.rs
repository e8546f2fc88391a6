//! Errors of real requests.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::resilience::{Category, Classify};

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
        (500, Category::System, false, true),
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
