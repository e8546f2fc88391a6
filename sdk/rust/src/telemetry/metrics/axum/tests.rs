#![allow(clippy::unwrap_used)]

use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::{Form, router, wanted};
use crate::telemetry::metrics::{Registry, RegistryOptions};

#[test]
fn what_is_accepted_most_is_answered() {
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    assert_eq!(wanted(prometheus), Form::OpenMetrics);
    assert_eq!(wanted("text/plain, application/json;q=0.9"), Form::Text);
    assert_eq!(wanted("Application/JSON"), Form::Json);
    assert_eq!(wanted("application/json;q=0"), Form::Text);
    for unknown in ["", "*/*", "text/html", "application/openmetrics-text;q=0,text/html"] {
        assert_eq!(wanted(unknown), Form::Text, "{unknown}");
    }
}

#[tokio::test]
async fn the_page_has_three_forms() {
    let labels = vec![("region".to_owned(), "eu".to_owned()), ("shop".to_owned(), "one".to_owned())];
    let options = RegistryOptions { prefix: "myapp".into(), labels, ..RegistryOptions::default() };
    let registry = Registry::with_options(options);
    registry.counter("orders", "{order}", "Orders \"taken\".").add(3, &[("kind", "a"), ("shop", "two")]);
    registry.observe_gauge("load", "1", "Load.", |it| it.observe(0.5, &[]));
    let sizes = registry.exponential_histogram("size", "By", "Sizes.");
    (1..=100).for_each(|n| sizes.record(f64::from(n), &[]));
    let ask = async |path: &str, accept: &str| {
        let request = Request::get(path).header("accept", accept).body(axum::body::Body::empty()).unwrap();
        let answer = router(registry.clone()).oneshot(request).await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (kind, String::from_utf8(body.to_vec()).unwrap())
    };
    let (kind, text) = ask("/metrics", "*/*").await;
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    assert!(text.contains("# TYPE myapp_orders_total counter\n"), "{text}");
    assert!(text.contains("myapp_orders_total{kind=\"a\",shop=\"two\",region=\"eu\"} 3\n"), "{text}");
    assert!(text.contains("myapp_load_ratio{region=\"eu\",shop=\"one\"} 0.5\n"), "{text}");
    assert!(text.contains("# TYPE myapp_size_bytes summary\n"), "{text}");
    assert!(text.contains("myapp_size_bytes_count{region=\"eu\",shop=\"one\"} 100\n"), "{text}");
    assert!(!text.contains("# EOF"));

    let (kind, text) = ask("/metrics", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await;
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    assert!(
        text.contains("# HELP myapp_orders Orders \\\"taken\\\".\n# TYPE myapp_orders counter\n"),
        "{text}"
    );
    assert!(text.contains("# UNIT myapp_size_bytes bytes\n") && text.ends_with("# EOF\n"), "{text}");

    let (kind, text) = ask("/metrics?format=json", "*/*").await;
    assert_eq!(kind, "application/json");
    let page: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(page["timestamp"].as_u64().is_some_and(|time| time > 0));
    let named = |name: &str| {
        page["metrics"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap().clone()
    };
    assert_eq!(named("myapp.orders")["points"][0]["value"], 3);
    let median = named("myapp.size")["points"][0]["quantiles"]["0.5"].as_f64().unwrap();
    assert!((48.0..=53.0).contains(&median), "{median}");
}
