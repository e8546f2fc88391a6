//! Health, the page, and what the server tells of itself over HTTP.

use std::time::Duration;

use testkit::http::Request;
use testkit::records::Sender;
use testkit::wait_for;

use crate::fresnel;

#[test]
fn a_running_server_is_alive_and_ready() {
    let server = fresnel().start();
    assert_eq!(server.get("/livez").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn health_names_the_components() {
    let server = fresnel().start();
    let health = server.get_json("/healthz");
    assert_eq!(health["status"], "pass", "{health}");
    let components = health["components"].as_array().unwrap();
    assert!(
        components.iter().any(|component| component["name"].as_str().unwrap().contains("store")),
        "{health}"
    );
    for component in components {
        assert_eq!(component["status"], "pass", "{component}");
        assert!(component["since_unix_ms"].is_i64(), "{component}");
    }
}

#[test]
fn a_prober_that_looks_elsewhere_does_not_get_the_page() {
    let server = fresnel().start();
    let accept = |kinds: &str| Request::get("/health").header("accept", kinds);
    for request in [Request::get("/health"), accept("*/*"), accept("text/html"), accept("application/json")] {
        let response = server.ask(&request).expect(200);
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.json()["status"], "pass");
    }
}

#[test]
fn a_component_that_has_trouble_is_named_with_the_reason() {
    // The server's own metrics take more than one kibibyte.
    let server = fresnel()
        .config("[receive.limit]\nbody = \"1 KiB\"\n[receive.host]\nenabled = false\n")
        .allow_warning("telemetry not delivered")
        .start();
    let telemetry = wait_for("trouble", Duration::from_secs(30), || {
        let health = server.get_json("/health");
        let components = health["components"].as_array().unwrap().clone();
        let telemetry = components.into_iter().find(|component| component["name"] == "telemetry").unwrap();
        (health["status"] == "warn" && telemetry["status"] == "warn").then_some(telemetry)
    });
    let detail = telemetry["detail"].as_str().unwrap();
    assert!(detail.starts_with("own ") && detail.contains("are not stored: "), "{detail}");
    let started = server.get_json("/api/v1/status")["started_unix_ms"].as_i64().unwrap();
    assert!(telemetry["since_unix_ms"].as_i64().unwrap() >= started, "{telemetry}");
    let lost = server.get("/metrics").expect(200).text();
    let name = "otel_sdk_exporter_metric_data_point_exported_total{error_type=\"export_failed\"}";
    assert!(lost.lines().any(|line| line.starts_with(name)), "{lost}");
}

#[test]
fn metrics_are_in_the_text_format() {
    let server = fresnel().start();
    server.send(&Sender::new("health", 1).logs(3));
    let response = server.get("/metrics").expect(200);
    assert!(response.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = response.text();
    for name in [
        "fresnel_receive_records_total",
        "fresnel_store_wal_append_duration_seconds",
        "fresnel_memory_limit_bytes",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}: {text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok() || value == "+Inf", "{line}");
    }
}

#[test]
fn status_tells_where_and_how_much() {
    let server = fresnel().start();
    server.send(&Sender::new("health", 1).logs(3));
    let status = server.get_json("/api/v1/status");
    assert_eq!(status["addresses"]["http"].as_str().unwrap(), server.doors().http.to_string());
    assert_eq!(status["addresses"]["otlp_grpc"].as_str().unwrap(), server.doors().otlp_grpc.to_string());
    assert_eq!(status["ready"], true);
    assert!(
        status["memory"]["limit_bytes"].as_u64().unwrap() > status["memory"]["used_bytes"].as_u64().unwrap()
    );
    assert!(status["store"]["wal_bytes"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(status["store"]["set_aside"].as_array().unwrap().len(), 0);
}

#[test]
fn the_api_describes_itself() {
    let server = fresnel().start();
    let document = server.get_json("/api/openapi.json");
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    for path in [
        "/api/v1/sql",
        "/api/v1/logs",
        "/api/v1/traces/{trace_id}",
        "/api/v1/metrics/{name}/series",
        "/healthz",
    ] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
}

#[test]
fn unknown_paths_get_the_page_but_not_below_api() {
    let server = fresnel().start();
    let page = server.get("/").expect(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let deep = server.get("/traces/abc").expect(200);
    assert_eq!(deep.body, page.body, "the page routes by itself");
    assert_eq!(deep.header("cache-control"), Some("public, max-age=300"));
    let browser = Request::get("/logs").header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    assert_eq!(server.ask(&browser).expect(200).body, page.body);
    let program = server.ask(&Request::get("/logs").header("accept", "application/json")).expect(404);
    assert_eq!(program.header("content-type"), Some("application/problem+json"));
    server.get("/assets/none.js").expect(404);
    let unknown = server.get("/api/v1/nothing").expect(404);
    assert_eq!(unknown.header("content-type"), Some("application/problem+json"));
    let wrong_method = server.ask(&Request::new("PUT", "/api/v1/ledger"));
    assert_eq!(wrong_method.status, 405);
}

#[test]
fn the_page_may_not_be_framed_or_sniffed() {
    let server = fresnel().start();
    let page = server.get("/").expect(200);
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src"), "{policy}");
}
