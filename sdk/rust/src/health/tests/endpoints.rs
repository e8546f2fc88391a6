use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

use super::{checker, optional};
use crate::health::axum::{Sight, router};
use crate::health::{CheckOptions, Checker, Phase};

async fn ask(checker: &Checker, sight: Sight, path: &str, authorization: &str) -> (StatusCode, Value) {
    let request =
        Request::get(path).header(header::AUTHORIZATION, authorization).body(Body::empty()).unwrap();
    let response = router(checker.clone(), sight).oneshot(request).await.unwrap();
    let (status, cached) = (response.status(), response.headers().get(header::CACHE_CONTROL).cloned());
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    if !body.is_empty() {
        assert_eq!(cached.unwrap(), "no-store");
    }
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn statuses(checker: &Checker) -> [u16; 5] {
    let mut statuses = [0; 5];
    for (i, path) in ["/livez", "/startupz", "/readyz", "/health", "/healthz"].into_iter().enumerate() {
        statuses[i] = ask(checker, Sight::nobody(), path, "").await.0.as_u16();
    }
    statuses
}

#[tokio::test]
async fn each_endpoint_answers_its_own_question() {
    let checker = checker();
    assert_eq!(statuses(&checker).await, [200; 5], "no checks: nothing speaks against it");
    assert_eq!(ask(&checker, Sight::nobody(), "/health", "").await.1["message"], "no checks");
    checker.register("cache", optional(), || async { Err::<(), _>("down") }).unwrap();
    assert_eq!(statuses(&checker).await, [200; 5], "degraded is not down");
    checker.set_phase(Phase::Starting);
    assert_eq!(statuses(&checker).await, [200, 503, 503, 200, 200]);
    checker.set_phase(Phase::Stopping);
    assert_eq!(statuses(&checker).await, [200, 200, 503, 200, 200]);
    checker.set_phase(Phase::Running);
    checker.register("database", CheckOptions::default(), || async { Err::<(), _>("down") }).unwrap();
    assert_eq!(statuses(&checker).await, [200, 200, 503, 503, 503], "a restart would not help");
    let live = CheckOptions { live: true, ..CheckOptions::default() };
    checker.register("workers", live, || async { Err::<(), _>("deadlock") }).unwrap();
    assert_eq!(statuses(&checker).await, [503, 200, 503, 503, 503]);
}

#[tokio::test]
async fn what_was_found_is_for_those_who_may_see_it() {
    let checker = checker();
    let secret = "connection to 10.0.0.7 refused";
    checker
        .register("database", CheckOptions::default(), move || async move { Err::<(), _>(secret) })
        .unwrap();
    let sight = || Sight::bearer("key");
    for (path, authorization) in [
        ("/health", "Bearer key"),
        ("/health?detailed=true", ""),
        ("/health?detailed=true", "Bearer kez"),
        ("/health?detailed=false", "Bearer key"),
    ] {
        let (_, body) = ask(&checker, sight(), path, authorization).await;
        assert!(
            body.get("checks").is_none() && !body.to_string().contains("10.0.0.7"),
            "{path} {authorization}"
        );
        assert_eq!(body["summary"]["critical"], 1);
    }
    let (status, body) = ask(&checker, sight(), "/health?detailed=true", "Bearer key").await;
    assert_eq!((status.as_u16(), &body["checks"][0]["error"]), (503, &secret.into()));
    let (_, body) = ask(&checker, Sight::bearer(""), "/readyz?detailed=true", "Bearer ").await;
    assert!(body.get("checks").is_none(), "an empty key is none");
    let (_, body) = ask(&checker, Sight::everybody(), "/readyz?detailed=true", "").await;
    assert!(body["checks"].is_array());
}

/// The check hangs: an answer that waited for it would never come.
#[tokio::test]
async fn monitored_checks_are_answered_from_what_is_known() {
    let checker = checker();
    checker
        .register("hangs", CheckOptions::default(), std::future::pending::<crate::health::Finding>)
        .unwrap();
    checker.start_monitoring();
    assert_eq!(statuses(&checker).await, [200, 200, 503, 503, 503], "critical, and not known yet");
}
