//! Keys fetched from a real server.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::get;
use serde_json::json;

use super::signer::{Hand, Signer, claims, jwks};
use super::tokens::options;
use crate::security::jwt::{FetchKeys, HttpKeys, Jwks, JwksOptions, Validator};

#[tokio::test]
async fn keys_come_over_http() {
    let signer = Signer::ed();
    let set = jwks(&[signer.jwk("k")]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new()
        .route("/keys", get(async move || set.clone()))
        .route("/moved", get(async || Redirect::to("/keys")))
        .route("/broken", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/large", get(async || "x".repeat(2 << 20)))
        .route("/bytes", get(async || vec![0xff_u8]))
        .route("/never", get(std::future::pending::<StatusCode>));
    let asked = async {
        let keys = HttpKeys::new(&format!("{base}/keys")).unwrap();
        let validator = Validator::fetching(Jwks::new(keys, JwksOptions::default()), options());
        let validator = validator.clock(Hand::new());
        let token = signer.sign(&json!({"alg": "EdDSA", "kid": "k"}), &claims());
        assert!(validator.validate(&token).await.is_ok());
        for (path, expected) in [
            ("moved", "answered 303"),
            ("broken", "answered 500"),
            ("large", "has more than 1048576 bytes"),
            ("bytes", "is no text"),
            ("never", "operation timed out"),
        ] {
            let keys = HttpKeys::new(&format!("{base}/{path}")).unwrap();
            let keys = if path == "never" { keys.timeout(Duration::from_millis(50)) } else { keys };
            let error = keys.fetch().await.unwrap_err().to_string();
            assert!(error.contains(expected), "{path}: {error}");
        }
    };
    tokio::select! {
        () = asked => {}
        served = axum::serve(listener, app) => panic!("it serves as long as it is asked: {served:?}"),
    }
}

#[test]
fn keys_come_only_from_where_nobody_can_change_them() {
    for good in ["https://login.example/keys", "http://localhost:8080/keys", "http://[::1]/keys"] {
        assert!(HttpKeys::new(good).is_ok(), "{good}");
    }
    for bad in ["http://login.example/keys", "ftp://localhost/keys", "keys", "http://127.0.0.1.example/"] {
        assert!(HttpKeys::new(bad).is_err(), "{bad}");
    }
}
