//! The shop beside a real server: what it does is found there.
//!
//! It needs Redis (`cargo xtask setup`), and the server's binary where cargo puts it.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{Request, Response, percent_encoded, send};
use testkit::{Fresnel, skip, wait_for};

const DEADLINE: Duration = Duration::from_secs(60);

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

struct Shop {
    address: SocketAddr,
    process: Running,
    _redis: Running,
    _folder: tempfile::TempDir,
}

fn redis(folder: &Path) -> Option<(Running, u16)> {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &free.to_string(), "--save", "", "--bind", "127.0.0.1"]).current_dir(folder);
    let started = command.stdout(Stdio::piped()).spawn();
    let Ok(mut child) = started else {
        skip("redis-server is missing: run `cargo xtask setup`");
        return None;
    };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let running = Running(child);
    assert!(lines.any(|line| line.unwrap().contains("Ready to accept connections")), "redis ended");
    // What it says later has to be read by somebody.
    std::thread::spawn(move || lines.for_each(drop));
    Some((running, free))
}

impl Shop {
    fn open(server: &Fresnel) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (redis, port) = redis(folder.path())?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        command
            .current_dir(folder.path())
            .env("SHOP_HTTP", "127.0.0.1:0")
            .env("SHOP_REDIS", format!("redis://127.0.0.1:{port}"))
            .env("OTEL_SERVICE_NAME", "shop")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", server.doors().otlp_http))
            .env("OTEL_METRIC_EXPORT_INTERVAL", "500");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let process = Running(child);
        let address = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).ok()?;
            line["metadata"]["server.address"].as_str()?.parse().ok()
        });
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.expect("the shop says where it is");
        Some(Self { address, process, _redis: redis, _folder: folder })
    }

    fn ask(&self, request: Request) -> Response {
        send(self.address, &request.header("content-type", "application/json")).unwrap()
    }

    fn order(&self, product: &str, quantity: u32) -> Response {
        let wanted = json!({"product": product, "quantity": quantity});
        self.ask(Request::post("/orders", wanted.to_string()))
    }

    fn chaos(&self, chaos: &Value) {
        self.ask(Request::new("PUT", "/chaos").body(chaos.to_string())).expect(200);
    }
}

/// The server, which lies beside the shop when the workspace is built.
fn server() -> Option<Fresnel> {
    let binary = Path::new(env!("CARGO_BIN_EXE_shop")).with_file_name("fresnel");
    if !binary.exists() {
        skip(&format!("{} is missing: build the workspace", binary.display()));
        return None;
    }
    let quiet = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n";
    Some(Fresnel::builder(binary).config(quiet).start())
}

fn count(server: &Fresnel, statement: &str) -> i64 {
    server.sql(&format!("SELECT count(*) AS n FROM {statement}")).rows[0][0].as_i64().unwrap()
}

fn is_there(server: &Fresnel, what: &str, least: i64, statement: &str) {
    wait_for(what, DEADLINE, || (count(server, statement) >= least).then_some(()));
}

fn value(server: &Fresnel, query: &str) -> Option<f64> {
    let answer = server.get_json(&format!("/prometheus/api/v1/query?query={}", percent_encoded(query)));
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

fn is_worth(server: &Fresnel, query: &str, wanted: f64) {
    wait_for(query, DEADLINE, || (value(server, query)? >= wanted).then_some(()));
}

#[test]
fn an_order_is_one_trace_through_http_database_cache_and_queue_with_its_logs_and_metrics() {
    let Some(server) = server() else { return };
    let Some(shop) = Shop::open(&server) else { return };
    let placed = shop.order("tea", 2).expect(200).json();
    assert_eq!((&placed["product"], &placed["quantity"]), (&json!("tea"), &json!(2)));
    let path = format!("/orders/{}", placed["id"]);
    wait_for("the order is packed", DEADLINE, || {
        (shop.ask(Request::get(&path)).expect(200).json()["state"] == "packed").then_some(())
    });
    // One trace: the request, the call of the payment service and its answer, queries, the queue.
    let trace = "(SELECT trace_id FROM spans WHERE name = 'POST /orders')";
    for (kind, name) in [
        ("SERVER", "POST /orders"),
        ("SERVER", "POST /payments/charge"),
        ("CLIENT", "POST"),
        ("CLIENT", "INSERT orders"),
        ("PRODUCER", "send shop:orders"),
        ("CONSUMER", "process shop:orders"),
        ("CLIENT", "UPDATE orders"),
    ] {
        let span = format!("spans WHERE trace_id IN {trace} AND name = '{name}' AND kind ILIKE '%{kind}'");
        is_there(&server, &format!("the span `{name}`, {kind}"), 1, &span);
    }
    for body in ["placed", "charged", "packed"] {
        let log = format!("logs WHERE trace_id IN {trace} AND body = '{body}'");
        is_there(&server, &format!("the log `{body}` in its trace"), 1, &log);
    }
    is_worth(&server, r#"shop_orders_total{shop_product="tea"}"#, 1.0);
    is_worth(&server, r#"http_server_request_duration_seconds_count{http_route="/orders"}"#, 1.0);
    is_worth(&server, r#"db_client_operation_duration_seconds_count{db_operation_name="INSERT"}"#, 1.0);
    is_worth(&server, r#"cache_lookups_total{cache_result="miss"}"#, 1.0);
    is_worth(&server, r#"messaging_process_duration_seconds_count"#, 1.0);
    is_worth(&server, r#"min(health_check_status_ratio{health_check_name=~"database|redis"})"#, 1.0);
    is_worth(&server, r#"process_memory_usage_bytes"#, 1.0);
}

#[test]
fn injected_faults_open_the_breaker_and_all_of_it_is_seen() {
    let Some(server) = server() else { return };
    let Some(shop) = Shop::open(&server) else { return };
    shop.chaos(&json!({"probability": 1.0, "error": "card_network_down"}));
    let refused = wait_for("the breaker opens", DEADLINE, || {
        let answer = shop.order("coffee", 1);
        assert!(answer.status >= 500, "{}", answer.text());
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(refused.text(), "the payment failed\n", "users are told no more");
    is_worth(
        &server,
        r#"resilience_circuit_breaker_state_ratio{resilience_circuit_breaker_state="open"}"#,
        1.0,
    );
    is_worth(&server, r#"resilience_fault_injected_total"#, 10.0);
    let failed = "spans WHERE name = 'POST /orders' AND status_code ILIKE '%ERROR'";
    is_there(&server, "the failed requests", 10, failed);
    let told = "logs WHERE body LIKE '%the request failed%' AND severity_text = 'ERROR'";
    is_there(&server, "why they failed", 10, told);
    shop.chaos(&json!({"probability": 0.0}));
    // It closes after some probes that went well.
    let closed = r#"resilience_circuit_breaker_state_ratio{resilience_circuit_breaker_state="closed"}"#;
    wait_for("the breaker closes", DEADLINE, || {
        let went_well = shop.order("coffee", 1).status == 200;
        (went_well && value(&server, closed)? >= 1.0).then_some(())
    });
}

#[test]
fn what_was_recorded_before_the_end_arrives_and_the_end_is_orderly() {
    let Some(server) = server() else { return };
    let Some(mut shop) = Shop::open(&server) else { return };
    for _ in 0..50 {
        shop.order("tea", 1).expect(200);
    }
    shop.order("cake", 4).expect(409);
    let told = Command::new("kill").args(["-TERM", &shop.process.0.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert!(shop.process.0.wait().unwrap().success());
    let spans = "spans WHERE name = 'POST /orders'";
    assert_eq!(count(&server, spans), 51, "all of them, at once");
    assert_eq!(count(&server, "logs WHERE body = 'placed'"), 50);
}
