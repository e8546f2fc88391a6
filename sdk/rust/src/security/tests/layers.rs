//! The layers, in an axum application.

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use axum::{Extension, Router};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::security::SecurityHeaders;
use crate::security::csp::{Nonce, Policy};
use crate::security::layer::SecurityLayer;

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

async fn text(answer: Response<Body>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[test]
fn every_answer_has_its_headers_and_its_own_nonce() {
    async fn page(Extension(nonce): Extension<Nonce>) -> String {
        nonce.to_string()
    }
    async fn own() -> ([(&'static str, &'static str); 1], &'static str) {
        ([("content-security-policy", "sandbox")], "own")
    }
    let layer = SecurityLayer::new(SecurityHeaders::default(), Some(Policy::strict()));
    let app = Router::new().route("/", get(page)).route("/own", get(own)).layer(layer);
    run(async {
        let ask = |path: &str| app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
        let mut seen = Vec::new();
        for _ in 0..2 {
            let answer = ask("/").await.unwrap();
            let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
            let nonce = text(answer).await;
            assert!(policy.contains(&format!("script-src 'nonce-{nonce}'")), "{policy}");
            seen.push(nonce);
        }
        assert_ne!(seen[0], seen[1]);
        assert_eq!(ask("/own").await.unwrap().headers()["content-security-policy"], "sandbox");
        let missing = ask("/nowhere").await.unwrap();
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
        assert!(missing.headers().contains_key("content-security-policy"), "errors have them too");
    });
}

#[cfg(feature = "jwt")]
#[test]
fn only_valid_tokens_come_through() {
    use std::sync::Arc;

    use serde_json::json;

    use super::signer::{Hand, Signer, claims, jwks};
    use crate::security::jwt::{BoxFuture, Claims, FetchError, FetchKeys, Jwks, KeySet, Validator};
    use crate::security::layer::TokenLayer;

    struct Away;
    impl FetchKeys for Away {
        fn fetch(&self) -> BoxFuture<'_, Result<String, FetchError>> {
            Box::pin(async { Err(FetchError("away".into())) })
        }
    }
    async fn me(Extension(claims): Extension<Arc<Claims>>) -> String {
        claims.subject.clone().unwrap()
    }
    let signer = Signer::ed();
    let token = signer.sign(&json!({"alg": "EdDSA", "kid": "k"}), &claims());
    let app = |validator: Validator| {
        Router::new().route("/me", get(me)).layer(TokenLayer::new(Arc::new(validator.clock(Hand::new()))))
    };
    let keys = KeySet::from_jwks(&jwks(&[signer.jwk("k")])).unwrap();
    let known = app(Validator::new(keys, super::tokens::options()));
    let away = app(Validator::fetching(Jwks::new(Away, Default::default()), super::tokens::options()));
    let request = |headers: &[String]| {
        let mut request = Request::get("/me");
        for header in headers {
            request = request.header("authorization", header);
        }
        request.body(Body::empty()).unwrap()
    };
    run(async {
        let good = format!("bearer {token}");
        let answer = known.clone().oneshot(request(std::slice::from_ref(&good))).await.unwrap();
        assert_eq!((answer.status(), text(answer).await.as_str()), (StatusCode::OK, "ann"));
        for (headers, challenge) in [
            (vec![], "Bearer"),
            (vec![format!("Basic {token}")], "Bearer"),
            (vec!["Bearer ".into()], "Bearer"),
            (vec![good.clone(), good.clone()], "Bearer"),
            (vec![format!("{good}x")], "Bearer error=\"invalid_token\""),
        ] {
            let answer = known.clone().oneshot(request(&headers)).await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{headers:?}");
            assert_eq!(answer.headers()["www-authenticate"], challenge);
            assert_eq!(text(answer).await, "");
        }
        let answer = away.oneshot(request(&[good])).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    });
}
