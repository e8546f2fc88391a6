//! The exporters beside the built server: what is sent over HTTP, as JSON and over gRPC is found by
//! SQL, all of it the same, what a flush has promised outlives a kill of both processes, and what is
//! told since the last time adds up, however often it is sent.
//!
//! It needs the server's binary where cargo puts it.

#![cfg(all(feature = "grpc", feature = "gzip", unix))]
#![allow(clippy::unwrap_used)]

mod receiver;

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use fresnel_sdk::logging::LoggingConfig;
use fresnel_sdk::telemetry::metrics::SECONDS;
use fresnel_sdk::telemetry::otlp::SpanKind;
use serde_json::{Value, json};
use testkit::http::percent_encoded;
use testkit::{Fresnel, skip};

use crate::receiver::read_request;

/// What the child does; without it the child's test has nothing to do.
const SCENARIO: &str = "FRESNEL_SERVER_CHILD";
const PATIENCE: Duration = Duration::from_secs(60);

/// The child.
#[test]
fn child() {
    let Ok(scenario) = std::env::var(SCENARIO) else { return };
    let quiet = LoggingConfig { outputs: Default::default(), ..LoggingConfig::default() };
    let guard = fresnel_sdk::builder().logging(quiet).start().unwrap();
    if scenario == "once" {
        let registry = guard.registry();
        registry.counter("shop.orders", "{order}", "Orders placed.").add(3, &[("shop.product", "tea")]);
        registry.histogram("shop.pay.duration", "s", "Of payments.", SECONDS).record(0.2, &[]);
        registry.exponential_histogram("shop.basket", "By", "Of baskets.").record(512.0, &[]);
        let tracer = guard.tracer();
        let other = tracer.start("other").context().unwrap();
        let span = tracer.span("GET /orders").kind(SpanKind::Client).attribute("item.count", 3);
        let mut span = span.link(other, &[("why", "it waits".into())]).start();
        span.event("reserved", &[("shelf", "b7".into())]);
        span.fail(&std::io::Error::other("sold out"));
        drop(span);
        tracing::info_span!("work")
            .in_scope(|| tracing::warn!(answer = 42, ratio = 0.5, ok = true, "wörked"));
        assert!(guard.flush(PATIENCE) && guard.shutdown());
        return;
    }
    if scenario == "since the last time" {
        let registry = guard.registry();
        let orders = registry.counter("shop.orders", "{order}", "Orders placed.").bind(&[]);
        let pay = registry.histogram("shop.pay.duration", "s", "Of payments.", &[1.0, 3.0]).bind(&[]);
        let basket = registry.exponential_histogram("shop.basket", "By", "Of baskets.").bind(&[]);
        for n in 1..=5_u32 {
            orders.add(10_u64.pow(n));
            pay.record(f64::from(n));
            basket.record(f64::from(n));
            assert!(guard.flush(PATIENCE));
        }
        assert!(guard.shutdown());
        return;
    }
    for n in 0_u64.. {
        tracing::info_span!("numbered", n).in_scope(|| tracing::info!(n, "numbered"));
        if n % 10 == 9 && guard.flush(PATIENCE) {
            // One write, so that no line is torn.
            std::io::stdout().write_all(format!("\nkept {n}\n").as_bytes()).unwrap();
        }
    }
}

/// The server, which lies beside this program's folder when the workspace is built.
fn server() -> Option<Fresnel> {
    let own = std::env::current_exe().unwrap();
    let binary = own.ancestors().nth(2).unwrap().join("fresnel");
    if !binary.exists() {
        skip(&format!("{} is missing: build the workspace", binary.display()));
        return None;
    }
    let quiet = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n";
    Some(Fresnel::builder(binary).config(quiet).start())
}

fn command(scenario: &str, service: &str, protocol: &str, door: SocketAddr) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.args(["--exact", "child", "--nocapture"]).env(SCENARIO, scenario);
    command.env("OTEL_SERVICE_NAME", service).env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{door}"));
    command.stderr(Stdio::null());
    command
}

fn rows(server: &Fresnel, service: &str, statement: &str) -> Vec<Vec<Value>> {
    server.sql(&statement.replace("$service", &format!("service_name = '{service}'"))).rows
}

/// What does not differ from run to run.
const STATEMENTS: [&str; 5] = [
    "SELECT body, severity_text, severity_number, flags, attributes['answer'], attributes['ratio'], \
     attributes['ok'], scope_name, trace_id IS NULL FROM logs WHERE $service",
    "SELECT name, kind, status_code, status_message, attributes['item.count'], attributes['error.type'], \
     flags, parent_span_id IS NULL, cardinality(events), cardinality(links) FROM spans WHERE $service \
     ORDER BY name",
    "SELECT events[1]['name'], events[1]['attributes']['shelf'], events[2]['name'] FROM spans \
     WHERE $service AND name = 'GET /orders'",
    // They are sent again at the end.
    "SELECT DISTINCT metric_name, value, attributes['shop.product'] FROM metrics \
     WHERE $service AND metric_name = 'shop.orders'",
    "SELECT DISTINCT metric_name, count, sum, schema FROM histograms WHERE series_id IN \
     (SELECT series_id FROM series WHERE $service AND metric_name LIKE 'shop.%') ORDER BY metric_name",
];

/// What they find.
fn expected() -> [Value; 5] {
    let failed = "std::io::error::Error";
    [
        json!([["wörked", "WARN", 13, 1, "42", "0.5", "true", "server", false]]),
        json!([
            ["GET /orders", "client", "error", "sold out", "3", failed, 1, true, 2, 1],
            ["other", "internal", "unset", "", null, null, 1, true, 0, 0],
            ["work", "internal", "unset", "", null, null, 1, true, 0, 0],
        ]),
        json!([["reserved", "b7", "exception"]]),
        json!([["shop.orders", 3.0, "tea"]]),
        json!([["shop.basket", 1, 512.0, 10], ["shop.pay.duration", 1, 0.2, -53]]),
    ]
}

#[test]
fn whatever_it_is_sent_over_it_is_found_by_sql_and_is_the_same() {
    let Some(server) = server() else { return };
    let (http, grpc) = (server.doors().otlp_http, server.doors().otlp_grpc);
    for (service, protocol, door, packing) in [
        ("over-http", "http/protobuf", http, "none"),
        ("over-http-packed", "http/protobuf", http, "gzip"),
        ("over-json", "http/json", http, "none"),
        ("over-json-packed", "http/json", http, "gzip"),
        ("over-grpc", "grpc", grpc, "none"),
        ("over-grpc-packed", "grpc", grpc, "gzip"),
    ] {
        let mut command = command("once", service, protocol, door);
        let output = command.env("OTEL_EXPORTER_OTLP_COMPRESSION", packing).output().unwrap();
        assert!(output.status.success(), "{service}: {output:?}");
        let found = STATEMENTS.map(|statement| rows(&server, service, statement));
        assert_eq!(found.map(Value::from), expected(), "{service}");
    }
}

#[test]
fn what_a_flush_has_promised_outlives_a_kill_of_both() {
    let Some(mut server) = server() else { return };
    for (service, protocol) in [("over-http", "http/protobuf"), ("over-grpc", "grpc")] {
        let doors = server.doors();
        let door = if protocol == "grpc" { doors.otlp_grpc } else { doors.otlp_http };
        let mut child = command("run", service, protocol, door).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut kept = lines.filter_map(|line| line.strip_prefix("kept ")?.parse::<i64>().ok());
        let last = kept.nth(10).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before the kill arrived counts too.
        let last = kept.last().unwrap_or(last);
        server.kill9();
        server.restart();
        for table in ["logs", "spans"] {
            let promised = format!("$service AND CAST(attributes['n'] AS BIGINT) <= {last}");
            let count = "count(*), count(DISTINCT attributes['n'])";
            let found = rows(&server, service, &format!("SELECT {count} FROM {table} WHERE {promised}"));
            let all = last + 1;
            assert_eq!(found, [[all, all].map(Value::from)], "{table} {service}: all, and each once");
        }
    }
}

/// What is done with requests of metrics on their way to the server.
#[derive(Clone, Copy)]
enum Way {
    /// The server gets it, and its answer comes back.
    Through,
    /// It gets lost, and the sender is told to come again.
    Lost,
    /// The server gets it, and the sender is told to come again.
    Unheard,
}

/// A way to the server on which this happens to the first requests of metrics.
fn way(server: SocketAddr, script: &[Way]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut script: VecDeque<_> = script.iter().copied().collect();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let Some((head, body)) = read_request(&stream) else { continue };
            let metrics = head.starts_with("POST /v1/metrics ");
            let way = if metrics { script.pop_front().unwrap_or(Way::Through) } else { Way::Through };
            let busy = b"HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
            let mut answer = busy.to_vec();
            if !matches!(way, Way::Lost) {
                let mut door = TcpStream::connect(server).unwrap();
                door.write_all(&[head.as_bytes(), &body].concat()).unwrap();
                let mut own = Vec::new();
                door.read_to_end(&mut own).unwrap();
                assert!(own.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&own));
                answer = if matches!(way, Way::Unheard) { answer } else { own };
            }
            stream.write_all(&answer).unwrap();
        }
    });
    address
}

/// What the server says of a query in PromQL.
fn value(server: &Fresnel, query: &str) -> f64 {
    let answer = server.get_json(&format!("/prometheus/api/v1/query?query={}", percent_encoded(query)));
    let value = &answer["data"]["result"][0]["value"][1];
    value.as_str().unwrap_or_else(|| panic!("{query}: {answer}")).parse().unwrap()
}

/// Each digit of the counter is one flush: one that is missing is a 0, one that is there twice a 2.
#[test]
fn what_is_told_since_the_last_time_adds_up_however_often_it_is_sent() {
    use Way::{Lost, Through, Unheard};

    let Some(server) = server() else { return };
    let scripts = [&[][..], &[Lost, Through, Lost, Lost], &[Through, Unheard, Lost, Unheard]];
    for (script, service) in scripts.into_iter().zip(["smooth", "lost", "unheard"]) {
        let door = way(server.doors().otlp_http, script);
        let mut command = command("since the last time", service, "http/protobuf", door);
        command.env("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{service}: {output:?}");
        let sum = |name: &str| format!("sum(sum_over_time({name}{{job=\"{service}\"}}[1h]))");
        let of_buckets = "shop_pay_duration_seconds_bucket";
        let native = sum("shop_basket_bytes");
        for (query, expected) in [
            (sum("shop_orders_total"), 111_110.0),
            (sum("shop_pay_duration_seconds_count"), 5.0),
            (sum("shop_pay_duration_seconds_sum"), 15.0),
            (format!("sum(sum_over_time({of_buckets}{{job=\"{service}\",le=\"3\"}}[1h]))"), 3.0),
            (format!("histogram_count({native})"), 5.0),
            (format!("histogram_sum({native})"), 15.0),
        ] {
            assert_eq!(value(&server, &query), expected, "{service}: {query}");
        }
        // SQL shows what came; points are known again by their times.
        let points = "SELECT sum(value) FROM (SELECT DISTINCT series_id, time, value \
                      FROM metrics WHERE $service AND metric_name = 'shop.orders')";
        assert_eq!(rows(&server, service, points), [[json!(111_110.0)]], "{service}");
    }
}
