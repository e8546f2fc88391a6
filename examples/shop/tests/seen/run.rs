//! A server, and shops beside it.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{Request, Response, percent_encoded, send};
use testkit::{Fresnel, skip, wait_for};

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
const KEY: &str = "of the operators";
/// Where faults are put in.
const CHARGE: &str = "/faults/payments.charge";

/// A process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

pub(crate) struct Redis {
    port: u16,
    _process: Running,
    _folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1"]);
        let started = command.current_dir(folder.path()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = started else {
            skip("redis-server is missing: run `cargo xtask setup`");
            return None;
        };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let process = Running(child);
        assert!(lines.any(|line| line.unwrap().contains("Ready to accept connections")), "redis ended");
        // What it says later has to be read by somebody.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { port, _process: process, _folder: folder })
    }
}

pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    pub(crate) process: Running,
    _folder: tempfile::TempDir,
}

impl Shop {
    /// One that charges itself.
    pub(crate) fn open(server: &Fresnel, redis: &Redis) -> Self {
        Self::named("shop", server, redis, 0, None)
    }

    /// A service of this name with a database of its own in Redis; its payments are those of another one.
    pub(crate) fn named(
        name: &str,
        server: &Fresnel,
        redis: &Redis,
        database: u8,
        payments: Option<&Self>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        command
            .current_dir(folder.path())
            .env("SHOP_HTTP", "127.0.0.1:0")
            .env("SHOP_REDIS", format!("redis://127.0.0.1:{}/{database}", redis.port))
            .env("SHOP_KEY", KEY)
            .env("OTEL_SERVICE_NAME", name)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", server.doors().otlp_http))
            .env("OTEL_METRIC_EXPORT_INTERVAL", "500");
        if let Some(other) = payments {
            command.env("SHOP_PAYMENTS", format!("http://{}", other.address));
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let process = Running(child);
        let address = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).ok()?;
            line["metadata"]["server.address"].as_str()?.parse().ok()
        });
        std::thread::spawn(move || lines.for_each(drop));
        Self { address: address.expect("the shop says where it is"), process, _folder: folder }
    }

    pub(crate) fn ask(&self, request: Request) -> Response {
        send(self.address, &request.header("content-type", "application/json")).unwrap()
    }

    pub(crate) fn order(&self, product: &str, quantity: u32) -> Response {
        let wanted = json!({"product": product, "quantity": quantity});
        self.ask(Request::post("/orders", wanted.to_string()))
    }

    /// Orders until it is packed, which the queue does.
    pub(crate) fn order_is_packed(&self, product: &str, quantity: u32) {
        let placed = self.order(product, quantity).expect(200).json();
        assert_eq!((&placed["product"], &placed["quantity"]), (&json!(product), &json!(quantity)));
        let path = format!("/orders/{}", placed["id"]);
        wait_for("the order is packed", DEADLINE, || {
            (self.ask(Request::get(&path)).expect(200).json()["state"] == "packed").then_some(())
        });
    }

    fn operate(&self, request: Request) -> Response {
        self.ask(request.header("authorization", &format!("Bearer {KEY}")))
    }

    /// Every charge fails from now on.
    pub(crate) fn payments_fail(&self) {
        let faults = json!([{"probability": 1, "error": "card_network_down"}]);
        let request = || Request::new("PUT", CHARGE).body(faults.to_string());
        self.ask(request()).expect(403);
        self.operate(request()).expect(204);
        let listed = self.operate(Request::get("/faults")).expect(200).json();
        assert_eq!(listed["enabled"], true);
        assert_eq!(listed["points"]["payments.charge"][0]["error"], "card_network_down");
    }

    pub(crate) fn payments_work(&self) {
        self.operate(Request::new("DELETE", CHARGE)).expect(204);
    }

    /// Whether its own page of metrics says that the breaker is in this state.
    pub(crate) fn breaker_is(&self, state: &str) -> bool {
        let page = self.ask(Request::get("/metrics")).expect(200).text();
        let mut series = page.lines().filter(|line| {
            line.starts_with("resilience_circuit_breaker_state")
                && line.contains(&format!("resilience_circuit_breaker_state=\"{state}\""))
        });
        series.next().expect("the breaker has a state").ends_with(" 1")
    }

    /// Orders until the breaker is open.
    pub(crate) fn breaker_opens(&self) {
        wait_for("the breaker opens", DEADLINE, || {
            let refused = self.order("coffee", 1).expect(502);
            assert_eq!(refused.text(), "the payment failed\n", "users are told no more");
            self.breaker_is("open").then_some(())
        });
    }

    /// Orders until it is closed: it does so after some probes that went well.
    pub(crate) fn breaker_closes(&self) {
        wait_for("the breaker closes", DEADLINE, || {
            (self.order("coffee", 1).status == 200 && self.breaker_is("closed")).then_some(())
        });
    }
}

/// The server, which lies beside the shop when the workspace is built.
pub(crate) fn server() -> Option<Fresnel> {
    server_with("")
}

/// With more configuration.
pub(crate) fn server_with(more: &str) -> Option<Fresnel> {
    let binary = Path::new(env!("CARGO_BIN_EXE_shop")).with_file_name("fresnel");
    if !binary.exists() {
        skip(&format!("{} is missing: build the workspace", binary.display()));
        return None;
    }
    let quiet = format!("[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n{more}");
    Some(Fresnel::builder(binary).config(&quiet).start())
}

pub(crate) fn count(server: &Fresnel, statement: &str) -> i64 {
    server.sql(&format!("SELECT count(*) AS n FROM {statement}")).rows[0][0].as_i64().unwrap()
}

pub(crate) fn is_there(server: &Fresnel, what: &str, least: i64, statement: &str) {
    wait_for(what, DEADLINE, || (count(server, statement) >= least).then_some(()));
}

fn value(server: &Fresnel, query: &str) -> Option<f64> {
    let answer = server.get_json(&format!("/prometheus/api/v1/query?query={}", percent_encoded(query)));
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

pub(crate) fn is_worth(server: &Fresnel, query: &str, wanted: f64) {
    wait_for(query, DEADLINE, || (value(server, query)? >= wanted).then_some(()));
}
