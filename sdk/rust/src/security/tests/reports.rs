//! The route that browsers send their reports to.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use parking_lot::Mutex;
use serde_json::json;
use tower::ServiceExt;

use crate::security::csp::{Violation, report_endpoint};
use crate::telemetry::metrics::Registry;

#[tokio::test]
async fn reports_of_browsers_are_counted_and_heard() {
    let (registry, heard) = (Registry::new(), Arc::new(Mutex::new(Vec::<Violation>::new())));
    let listener = heard.clone();
    let hear = move |violation: &Violation| listener.lock().push(violation.clone());
    let app: Router = report_endpoint("/csp-report", &registry, hear);
    let send = async |kind: &str, body: String| {
        let request = Request::post("/csp-report").header("content-type", kind);
        app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap().status()
    };
    let old = json!({"csp-report": {"violated-directive": "img-src 'self'", "blocked-uri": "https://x.example/p?secret"}});
    assert_eq!(send("application/csp-report", old.to_string()).await, StatusCode::NO_CONTENT);
    let new = |directive: &str| {
        let body = json!({"effectiveDirective": directive, "blockedURL": "inline", "disposition": "report"});
        json!({"type": "csp-violation", "body": body})
    };
    let many = json!([new("script-src-elem"), new("made-up-1"), new("made-up-2"), {"type": "deprecation"}]);
    let kind = "application/reports+json; charset=utf-8";
    assert_eq!(send(kind, many.to_string()).await, StatusCode::NO_CONTENT);

    assert_eq!(send("text/plain", old.to_string()).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send("application/json", "{}".into()).await, StatusCode::BAD_REQUEST);
    assert_eq!(send("application/json", " ".repeat(65 << 10)).await, StatusCode::PAYLOAD_TOO_LARGE);
    let get = Request::get("/csp-report").body(Body::empty()).unwrap();
    assert_eq!(app.clone().oneshot(get).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);

    let heard: Vec<_> = heard.lock().iter().map(|it| (it.directive.clone(), it.blocked.clone())).collect();
    assert_eq!(heard.len(), 4);
    assert_eq!(heard[0], ("img-src".to_owned(), "https://x.example/p".to_owned()));
    let page = registry.prometheus();
    let mut counted: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("security_csp_violations_total")).collect();
    counted.sort_unstable();
    assert_eq!(
        counted,
        [
            "{csp_directive=\"_OTHER\",csp_disposition=\"report\"} 2",
            "{csp_directive=\"img-src\",csp_disposition=\"enforce\"} 1",
            "{csp_directive=\"script-src\",csp_disposition=\"report\"} 1",
        ]
    );
}
