//! Inputs that are validated before a handler sees them.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::config::{Report, Validate};
use crate::security::JsonLimits;
use crate::security::layer::{Valid, ValidationLayer};
use crate::telemetry::metrics::Registry;

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewOrder {
    #[schemars(length(min = 1, max = 20))]
    article: String,
    lines: Vec<Line>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Line {
    #[schemars(range(min = 1))]
    pieces: u32,
}

impl Validate for NewOrder {
    fn validate(&self, report: &mut Report) {
        if self.lines.is_empty() {
            report.error("lines", "must have one");
        }
        if self.article == "nothing" {
            report.error("article", "must be something");
        }
    }
}

async fn create(Valid(order): Valid<NewOrder>, body: String) -> String {
    format!("{} x {} of {} bytes", order.lines[0].pieces, order.article, body.len())
}

async fn ask(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    if !status.is_success() {
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn post_json(body: impl Into<Body>) -> Request<Body> {
    Request::post("/orders")
        .header("content-type", "application/json; charset=utf-8")
        .body(body.into())
        .unwrap()
}

fn errors(document: &str) -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(document).unwrap();
    let text = |error: &Value, key: &str| error[key].as_str().unwrap_or_default().to_owned();
    let errors = document["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| (text(error, "pointer"), text(error, "detail"))).collect()
}

#[test]
fn a_body_comes_through_if_it_is_valid_and_else_all_that_is_wrong_is_told() {
    let registry = Registry::new();
    let limits = JsonLimits { bytes: 1000, ..JsonLimits::default() };
    let layer = ValidationLayer::<NewOrder>::body("orders.create", limits, &registry);
    let app = Router::new().route("/orders", post(create).layer(layer));
    run(async {
        let good = json!({ "article": "piano", "lines": [{ "pieces": 2 }] }).to_string();
        let answer = ask(&app, post_json(good.clone())).await;
        assert_eq!(answer, (StatusCode::OK, format!("2 x piano of {} bytes", good.len())));

        let wrong = json!({ "article": "", "lines": [{ "pieces": 1 }, { "pieces": 0 }], "a/b": 1 });
        let (status, document) = ask(&app, post_json(wrong.to_string())).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        let mut found = errors(&document);
        found.sort();
        let expected = [
            ("#/article", "`article` must not be empty"),
            ("#/a~1b", "unknown key `a/b`"),
            ("#/lines/1/pieces", "`lines[1].pieces` must be at least 1, got 0"),
        ];
        assert_eq!(found, expected.map(|(pointer, detail)| (pointer.to_owned(), detail.to_owned())));

        let rules = json!({ "article": "nothing", "lines": [] }).to_string();
        let (_, document) = ask(&app, post_json(rules)).await;
        let pointers: Vec<_> = errors(&document).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["#/lines", "#/article"]);

        let (_, document) = ask(&app, post_json("[]")).await;
        assert_eq!(errors(&document), [("#".to_owned(), "the input must be a table, got a list".to_owned())]);

        for (body, status) in [
            ("{", StatusCode::BAD_REQUEST),
            (r#"{"__proto__": 1}"#, StatusCode::BAD_REQUEST),
            ("x".repeat(1001).as_str(), StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            assert_eq!(ask(&app, post_json(body.to_owned())).await.0, status, "{body}");
        }
        let untyped = Request::post("/orders").body(Body::from(good)).unwrap();
        assert_eq!(ask(&app, untyped).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);

        let page = registry.prometheus();
        for (outcome, count) in [("valid", 1), ("invalid", 7)] {
            let labels = format!("security_name=\"orders.create\",security_outcome=\"{outcome}\"");
            let line = format!("security_inputs_total{{{labels}}} {count}\n");
            assert!(page.contains(&line), "{line} {page}");
        }
    });
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    size: u32,
}

impl Validate for Page {
    fn validate(&self, report: &mut Report) {
        if self.size > 100 {
            report.error("size", "must be at most 100");
        }
    }
}

#[test]
fn a_query_is_validated_and_no_handler_goes_without() {
    async fn list(Valid(page): Valid<Page>) -> String {
        page.size.to_string()
    }
    let layer = ValidationLayer::<Page>::query("orders.list", &Registry::new());
    let app = Router::new().route("/orders", get(list).layer(layer)).route("/forgotten", get(list));
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    run(async {
        assert_eq!(ask(&app, get("/orders?size=7")).await, (StatusCode::OK, "7".into()));
        let (status, document) = ask(&app, get("/orders?size=101")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(errors(&document), [(String::new(), "`size` must be at most 100".into())]);
        for path in ["/orders", "/orders?size=many", "/orders?size=7&more=1"] {
            let (status, document) = ask(&app, get(path)).await;
            assert_eq!((status, errors(&document).len()), (StatusCode::UNPROCESSABLE_ENTITY, 1), "{path}");
        }
        assert_eq!(ask(&app, get("/forgotten?size=7")).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    });
}

#[cfg(feature = "testkit")]
#[test]
fn a_refusal_is_logged_without_what_was_sent() {
    use crate::testkit::Recording;

    let layer = ValidationLayer::<NewOrder>::body("orders.create", JsonLimits::default(), &Registry::new());
    let app = Router::new().route("/orders", post(create).layer(layer));
    let recording = Recording::default();
    recording.during(|| {
        let body = json!({ "article": "hunter2", "hunter3": 1 }).to_string();
        assert_eq!(run(ask(&app, post_json(body))).0, StatusCode::UNPROCESSABLE_ENTITY);
    });
    recording.expect(tracing::Level::INFO, "refuse an input that is not valid");
    let told = format!("{:?}", recording.events());
    assert!(told.contains("orders.create") && !told.contains("hunter"), "{told}");
}
