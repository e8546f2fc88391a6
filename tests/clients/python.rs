//! The OpenTelemetry SDK from PyPI.

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
