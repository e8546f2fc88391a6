//! OpenTelemetry's exporters from npm. They send chunks without a length.

use crate::fresnel;
use crate::program::{node, run};
use crate::sent::{ORDERS, verify_after_kill};

#[test]
fn the_json_protobuf_and_grpc_exporters_are_understood() {
    let mut server = fresnel().start();
    let http = format!("http://{}", server.doors().otlp_http);
    let grpc = format!("http://{}", server.doors().otlp_grpc);
    let mut services = Vec::new();
    for (transport, endpoint) in [("http", &http), ("proto", &http), ("grpc", &grpc)] {
        for compression in ["none", "gzip"] {
            let Some(mut command) = node("send.mjs") else { return };
            let service = format!("node-{transport}-{compression}");
            command.args([transport, endpoint, &service, &ORDERS.to_string(), compression]);
            assert_eq!(run(command).trim(), "sent");
            services.push(service);
        }
    }
    verify_after_kill(&mut server, &services);
    let nested = "SELECT DISTINCT attributes['nested'] AS v FROM logs WHERE service_name LIKE 'node-%'";
    assert_eq!(server.sql(nested).texts("v"), [r#"{"list":[1,"two",true]}"#], "in every encoding the same");
}
