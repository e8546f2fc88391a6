#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, Request, Response, StatusCode};
use axum::middleware::map_response;
use serde_json::json;
use tower::ServiceExt;

use super::{Cache, RATE_LIMIT, Route, RouteError, Routes};
use crate::config::Validate;
use crate::resilience::RateLimitOptions;
use crate::security::JsonLimits;
use crate::security::access::{Access, Question, Resource, Subject};
use crate::security::layer::Valid;
use crate::telemetry::metrics::Registry;

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Note {
    text: String,
}

impl Validate for Note {}

async fn show(Path(owner): Path<String>) -> String {
    owner
}

async fn write(Valid(note): Valid<Note>) -> (StatusCode, String) {
    (StatusCode::CREATED, note.text.clone())
}

fn access() -> Arc<Access> {
    let rules = json!({ "roles": [
        { "name": "user", "permissions": ["read:own"] },
        { "name": "writer", "permissions": ["note:write"] },
    ]});
    Arc::new(Access::new(&serde_json::from_value(rules).unwrap()).unwrap())
}

fn own(request: &http::request::Parts) -> Question {
    let owner = request.uri.path().trim_start_matches("/notes/");
    Question::new("read", Resource::new("note").owned_by(owner))
}

fn few(burst: u32) -> RateLimitOptions {
    RateLimitOptions { calls: 1, per: Duration::from_secs(3600), burst, max_wait: Duration::ZERO }
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

async fn ask(app: &Router, method: Method, path: &str, who: Option<Subject>, body: &str) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    let mut request = request.body(Body::from(body.to_owned())).unwrap();
    if let Some(who) = who {
        request.extensions_mut().insert(who);
    }
    app.clone().oneshot(request).await.unwrap()
}

#[test]
fn a_request_passes_what_its_route_says() {
    async fn mark(mut answer: Response<Body>) -> Response<Body> {
        answer.headers_mut().insert("x-marked", "yes".parse().unwrap());
        answer
    }
    let read = Route::new(Method::GET, "/notes/{owner}", show)
        .asks(own)
        .cache(Cache::Private(Duration::from_secs(60)))
        .layer(map_response(mark));
    let create = Route::new(Method::POST, "/notes", write)
        .permission("write", "note")
        .validates_body::<Note>(JsonLimits::default());
    let registry = Registry::new();
    let routes = Routes::new(&registry).access(access()).route(read).route(create);
    let said: Vec<_> = routes.definitions().cloned().collect();
    assert_eq!(said[0].permissions, ["…"]);
    assert_eq!((said[1].permissions.as_slice(), said[1].cache), (["note:write".to_owned()].as_slice(), None));
    assert!(said[1].validation.len() == 1 && said[1].validation[0].ends_with("::Note"), "{said:?}");
    let app: Router = routes.build().unwrap();
    let ann = || Subject::new("ann").role("user");
    run(async {
        let answer = ask(&app, Method::GET, "/notes/ann", Some(ann()), "").await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["cache-control"], "private, max-age=60");
        assert_eq!(answer.headers()["x-marked"], "yes");
        let refused = ask(&app, Method::GET, "/notes/bert", Some(ann()), "").await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        assert!(!refused.headers().contains_key("x-marked"), "its middleware is inside of the permissions");
        assert!(!refused.headers().contains_key("cache-control"), "a refusal is not kept");
        let nobody = ask(&app, Method::GET, "/notes/ann", None, "").await;
        assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);

        let bert = || Some(Subject::new("bert").role("writer"));
        let status = |answer: Response<Body>| answer.status();
        let text = r#"{"text": "hello"}"#;
        assert_eq!(status(ask(&app, Method::POST, "/notes", bert(), text).await), StatusCode::CREATED);
        assert_eq!(
            status(ask(&app, Method::POST, "/notes", bert(), "{}").await),
            StatusCode::UNPROCESSABLE_ENTITY
        );
        assert_eq!(
            status(ask(&app, Method::POST, "/notes", Some(ann()), "{}").await),
            StatusCode::FORBIDDEN,
            "permissions come before validation"
        );
        assert_eq!(
            status(ask(&app, Method::DELETE, "/notes", None, "").await),
            StatusCode::METHOD_NOT_ALLOWED
        );
        let page = registry.prometheus();
        let line = "security_inputs_total{security_name=\"POST /notes\",security_outcome=\"invalid\"} 1\n";
        assert!(page.contains(line), "{page}");
    });
}

#[test]
fn every_route_has_a_rate_limit_of_its_own() {
    async fn hello() -> &'static str {
        "hello"
    }
    let route = |path: &str| Route::new(Method::GET, path, hello);
    let usual = route("/usual");
    assert_eq!(usual.definition().rate_limit, Some(RATE_LIMIT));
    assert_eq!((RATE_LIMIT.calls, RATE_LIMIT.per, RATE_LIMIT.burst), (1000, Duration::from_secs(1), 2000));
    let registry = Registry::new();
    let app: Router = Routes::new(&registry)
        .route(usual)
        .route(route("/few").rate_limit(few(2)))
        .route(route("/other").rate_limit(few(1)))
        .route(route("/all").unlimited())
        .build()
        .unwrap();
    run(async {
        let mut seen = Vec::new();
        for path in ["/few", "/few", "/few", "/other", "/other", "/all", "/all", "/usual"] {
            seen.push(ask(&app, Method::GET, path, None, "").await.status().as_u16());
        }
        assert_eq!(seen, [200, 200, 429, 200, 429, 200, 200, 200]);
        let refused = ask(&app, Method::GET, "/few", None, "").await;
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        let page = registry.prometheus();
        let labels = "resilience_name=\"GET /few\",resilience_outcome=\"rejected\"";
        assert!(page.contains(&format!("resilience_rate_limit_calls_total{{{labels}}} 2\n")), "{page}");
    });
}

#[test]
fn the_usual_rate_limit_lets_a_burst_through_and_no_more() {
    // Time stands still, so that nothing is filled up meanwhile.
    crate::clock::simulate(async {
        let app: Router = Routes::new(&Registry::new())
            .route(Route::new(Method::GET, "/", async || "hello"))
            .build()
            .unwrap();
        let mut well = 0;
        for _ in 0..3000 {
            well += u32::from(ask(&app, Method::GET, "/", None, "").await.status() == StatusCode::OK);
        }
        assert_eq!(well, 2000);
        crate::clock::sleep(Duration::from_secs(1)).await;
        for _ in 0..3000 {
            well += u32::from(ask(&app, Method::GET, "/", None, "").await.status() == StatusCode::OK);
        }
        assert_eq!(well, 3000, "a thousand in a second");
    });
}

#[test]
fn routes_have_state_and_those_that_cannot_be_are_refused() {
    async fn state(State(greeting): State<&'static str>) -> &'static str {
        greeting
    }
    let route = || Route::new(Method::GET, "/", state);
    let routes = || Routes::new(&Registry::new());
    let app = routes().route(route()).build().unwrap().with_state("hello");
    assert_eq!(run(ask(&app, Method::GET, "/", None, "")).status(), StatusCode::OK);

    let age = Duration::from_secs(60);
    let name = |text: &str| text.to_owned();
    for (routes, error) in [
        (routes().route(route()).route(route()), RouteError::Duplicate(name("GET /"))),
        (routes().route(route().permission("read", "note")), RouteError::NoAccess(name("GET /"))),
        (
            routes().access(access()).route(route().permission("read", "note").cache(Cache::Shared(age))),
            RouteError::SharedCache(name("GET /")),
        ),
        (
            routes().route(Route::new(Method::POST, "/", state).cache(Cache::NoStore)),
            RouteError::CacheOfMethod(name("POST /")),
        ),
        (routes().route(Route::new(Method::GET, "notes", state)), RouteError::Path(name("GET notes"))),
    ] {
        assert_eq!(routes.build().err(), Some(error));
    }
}
