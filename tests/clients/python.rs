//! The OpenTelemetry SDK from PyPI.

use serde_json::{Value, json};
use testkit::Fresnel;
use testkit::http::{Request, percent_encoded};

use crate::fresnel;
use crate::program::{python, run};
use crate::sent::{ORDERS, verify_after_kill};

fn send_with(transport: &str) {
    let mut server = fresnel().start();
    let endpoint = match transport {
        "grpc" => server.doors().otlp_grpc.to_string(),
        _ => format!("http://{}", server.doors().otlp_http),
    };
    let mut services = Vec::new();
    for compression in ["none", "gzip"] {
        let Some(mut command) = python("send.py") else { return };
        let service = format!("python-{transport}-{compression}");
        command.args([transport, &endpoint, &service, &ORDERS.to_string(), compression]);
        assert_eq!(run(command).trim(), "sent");
        services.push(service);
    }
    verify_after_kill(&mut server, &services);
}

#[test]
fn the_http_exporters_are_understood() {
    send_with("http");
}

#[test]
fn the_grpc_exporters_are_understood() {
    send_with("grpc");
}

#[test]
fn spans_and_logs_of_one_request_are_joined() {
    let server = fresnel().start();
    let Some(mut command) = python("send.py") else { return };
    let endpoint = format!("http://{}", server.doors().otlp_http);
    command.args(["http", &endpoint, "joined", "3", "none"]);
    run(command);
    let joined = "SELECT count(*) FROM logs JOIN spans ON logs.trace_id = spans.trace_id AND logs.span_id = spans.span_id \
        WHERE logs.service_name = 'joined'";
    assert_eq!(server.sql(joined).integer(), 3);
    let event = "SELECT attributes['order.number'] AS n FROM spans WHERE service_name = 'joined' AND name = 'order 2'";
    assert_eq!(server.sql(event).texts("n"), ["2"]);
}

/// The result of a query at the present time, as the tenant that the exporter writes for.
fn vector(server: &Fresnel, query: &str) -> Value {
    let path = format!("/prometheus/api/v1/query?query={}", percent_encoded(query));
    let answer = server.ask(&Request::get(&path).header("x-scope-orgid", "python")).expect(200).json();
    answer["data"]["result"].clone()
}

/// What the exporter makes of everything that it is given.
fn verify_remote_write(server: &Fresnel) {
    let orders = vector(server, "shop_orders_orders");
    let labels = orders[0]["metric"].as_object().unwrap();
    let mut own = labels.clone();
    own.retain(|name, _| !name.starts_with("telemetry_sdk_") && name != "service_instance_id");
    // The exporter sends `shop_kind` before `shop_area`.
    assert_eq!(
        json!(own),
        json!({"__name__": "shop_orders_orders", "service_name": "python", "service_version": "1.2.3",
            "shop": "berlin", "shop_area": "north", "shop_kind": "a \"b\" \\ ü"})
    );
    assert_eq!((orders.as_array().unwrap().len(), labels.len()), (1, own.len() + 4), "{orders}");
    for (query, value) in [
        ("shop_orders_orders", "25"),
        ("min_over_time(shop_orders_orders[1h])", "1"),
        ("changes(shop_orders_orders[1h])", "24"),
        ("shop_stock", "-50"),
        ("shop_latency_s_count", "25"),
        ("shop_latency_s_sum", "81.25"),
        // Counts of each bucket under the histogram's own name, not of all up to its bound: the exporter's way.
        ("shop_latency_s{le=\"0.1\"}", "0"),
        ("shop_latency_s{le=\"1\"}", "4"),
        ("shop_latency_s{le=\"+Inf\"}", "21"),
    ] {
        let result = vector(server, query);
        assert_eq!(result[0]["value"][1], value, "{query}: {result}");
    }
}

#[test]
fn the_remote_write_exporter_is_understood() {
    let mut server = fresnel().start();
    let Some(mut command) = python("remote_write.py") else { return };
    command.args([&format!("{}/prometheus/api/v1/write", server.url()), "python", &ORDERS.to_string()]);
    let requests: i64 = run(command).trim().parse().unwrap();
    verify_remote_write(&server);
    server.kill9();
    server.restart();
    verify_remote_write(&server);
    // Each has two sums, three buckets, a sum and a count.
    let entry = server.balanced_ledger().entry("python", "metrics").unwrap().clone();
    assert_eq!((entry.received, entry.stored, entry.rejected), (7 * requests, 7 * requests, 0));
}

#[test]
fn the_duties_of_a_grpc_server_are_kept() {
    let limits =
        "[receive.limit]\nbody = \"64 KiB\"\nbody_decoded = \"1 MiB\"\nattributes = 8\nvalue = \"16 KiB\"\n";
    let server = fresnel().config(limits).start();
    let Some(mut command) = python("grpc_duties.py") else { return };
    command.arg(server.doors().otlp_grpc.to_string());
    run(command);
    let count = "SELECT count(*) FROM logs WHERE service_name = 'grpc-duties'";
    assert_eq!((server.sql(count).integer(), server.sql_of("grpc", count).integer()), (7, 5));
    server.balanced_ledger();
}
