#![allow(clippy::unwrap_used)]

use axum::routing::get;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

fn protected(medium: Medium, registry: &Registry) -> Router {
    async fn panics() -> &'static str {
        panic!("on purpose")
    }
    let router = Router::new().route("/panics", get(panics)).route("/works", get(async || "yes"));
    let address = ([127, 0, 0, 1], 4300).into();
    Guard::new(address, medium, &api::Config::default(), &super::panics(registry)).protect(router)
}

async fn ask(router: &Router, path: &str, host: &str, content_type: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path).header("host", host).header("content-type", content_type);
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8_lossy(&body).into_owned())
}

const KINDS: [(Medium, &str); 4] = [
    (Medium::Api, "application/json"),
    (Medium::OtlpHttp, "application/json"),
    (Medium::OtlpHttp, "application/x-protobuf"),
    (Medium::OtlpGrpc, "application/grpc"),
];

/// The status that a client of the door sees: gRPC's is in a header.
fn status(medium: Medium, answer: &(StatusCode, HeaderMap, String)) -> String {
    match medium {
        Medium::OtlpGrpc => format!("gRPC {}", answer.1["grpc-status"].to_str().unwrap()),
        _ => answer.0.as_u16().to_string(),
    }
}

fn content_type(asked: &str, medium: Medium) -> &str {
    if matches!(medium, Medium::Api) { "application/problem+json" } else { asked }
}

#[tokio::test]
async fn a_panic_is_an_error_of_ours_in_the_words_of_the_door_and_is_counted() {
    let registry = Registry::new();
    for (medium, asked) in KINDS {
        let router = protected(medium, &registry);
        let answer = ask(&router, "/panics", "localhost", asked).await;
        let expected = if matches!(medium, Medium::OtlpGrpc) { "gRPC 13" } else { "500" };
        assert_eq!(status(medium, &answer), expected, "{medium:?}");
        assert_eq!(answer.1["content-type"], content_type(asked, medium), "{medium:?}");
        assert!(!answer.2.contains("on purpose"), "a stranger is not told: {}", answer.2);
        assert_eq!(ask(&router, "/works", "localhost", asked).await.2, "yes");
    }
    let page = registry.prometheus();
    for (door, count) in [("api", 1), ("otlp_http", 2), ("otlp_grpc", 1)] {
        assert!(page.contains(&format!("fresnel_http_panics_total{{door=\"{door}\"}} {count}\n")), "{page}");
    }
}

#[tokio::test]
async fn who_may_not_knock_is_told_in_the_words_of_the_door() {
    for (medium, asked) in KINDS {
        let router = protected(medium, &Registry::new());
        let answer = ask(&router, "/works", "evil.example", asked).await;
        let expected = if matches!(medium, Medium::OtlpGrpc) { "gRPC 7" } else { "403" };
        assert_eq!(status(medium, &answer), expected, "{medium:?}");
        assert_eq!(answer.1["content-type"], content_type(asked, medium), "{medium:?}");
    }
    // A browser at the gRPC door is no gRPC client: it gets HTTP's status.
    let router = protected(Medium::OtlpGrpc, &Registry::new());
    assert_eq!(ask(&router, "/works", "evil.example", "text/html").await.0, StatusCode::FORBIDDEN);
}
