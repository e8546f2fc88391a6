//! Who may knock: foreign host names, pages of other origins, addresses for everybody.

use testkit::http::Request;
use testkit::otlp::Status;
use testkit::records::Sender;
use testkit::{Encoding, Format, Fresnel, otlp};

use crate::fresnel;
use crate::settings::{ALLOW_ORIGIN, ALLOWED_ORIGIN, KEYS, SHOP_SECRET};

fn ingest(seed: u64) -> Request {
    otlp::request(&Sender::new("doors", seed).logs(1), Format::Protobuf, Encoding::None)
}

fn ingested(server: &Fresnel) -> i64 {
    server.sql("SELECT count(*) FROM logs WHERE service_name = 'doors'").integer()
}

#[test]
fn a_host_that_is_not_loopback_is_refused() {
    let server = fresnel().start();
    for host in [
        "evil.example",
        "evil.example:4300",
        "169.254.169.254",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
    ] {
        for path in ["/", "/api/v1/ledger", "/metrics"] {
            server.ask(&Request::get(path).header("host", host)).expect(403);
        }
        let refused = server.ask_otlp(&ingest(1).header("host", host)).expect(403);
        assert_eq!(Status::of(&refused).code, 7);
    }
    for host in ["localhost", "LOCALHOST:4300", "127.0.0.1", "127.0.0.1:1", "[::1]:4300"] {
        server.ask(&Request::get("/api/v1/ledger").header("host", host)).expect(200);
    }
    assert_eq!(ingested(&server), 0);
}

#[test]
fn a_page_of_another_origin_can_neither_write_nor_read() {
    let server = fresnel().start();
    for origin in ["https://evil.example", "http://127.0.0.1:1", "null"] {
        server.ask_otlp(&ingest(1).header("origin", origin)).expect(403);
        server.ask(&Request::get("/api/v1/ledger").header("origin", origin)).expect(403);
        let statement = Request::post("/api/v1/sql", "SELECT 1").header("content-type", "text/plain");
        server.ask(&statement.header("origin", origin)).expect(403);
        let preflight = Request::new("OPTIONS", "/v1/logs").header("access-control-request-method", "POST");
        let response = server.ask_otlp(&preflight.header("origin", origin));
        assert_eq!(response.header("access-control-allow-origin"), None);
    }
    assert_eq!(ingested(&server), 0);
    server.ask(&Request::get("/api/v1/ledger").header("origin", &server.url())).expect(200);
}

#[test]
fn a_page_of_an_allowed_origin_can() {
    let server = fresnel().config(ALLOW_ORIGIN).start();
    let preflight = Request::new("OPTIONS", "/v1/logs")
        .header("origin", ALLOWED_ORIGIN)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let response = server.ask_otlp(&preflight).expect(204);
    assert_eq!(response.header("access-control-allow-origin"), Some(ALLOWED_ORIGIN));
    assert!(response.header("access-control-allow-headers").unwrap().contains("content-type"));
    let response = server.ask_otlp(&ingest(1).header("origin", ALLOWED_ORIGIN)).expect(200);
    assert_eq!(response.header("access-control-allow-origin"), Some(ALLOWED_ORIGIN));
    assert_eq!(ingested(&server), 1);
    server.ask_otlp(&ingest(2).header("origin", "https://shop.example.evil.example")).expect(403);
}

#[test]
fn listening_for_everybody_without_a_key_is_refused_at_start() {
    for (door, key) in [
        ("--http", "api.listen"),
        ("--otlp-grpc", "receive.otlp.grpc.listen"),
        ("--otlp-http", "receive.otlp.http.listen"),
    ] {
        let finished = fresnel().arg(door).arg("0.0.0.0:0").refused().expect(2);
        assert!(finished.stderr.contains(key), "names the setting: {}", finished.stderr);
        assert!(finished.stderr.contains("receive.key"), "says what to do: {}", finished.stderr);
    }
}

#[test]
fn listening_for_everybody_with_a_key_works() {
    let server = fresnel().config(KEYS).arg("--otlp-http").arg("0.0.0.0:0").start();
    let doors = server.doors();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], doors.otlp_http.port()));
    let send = |request: &Request| testkit::http::send(address, request).unwrap();
    send(&ingest(1)).expect(401);
    send(
        &ingest(1)
            .header("host", "fresnel.internal")
            .header("authorization", &format!("Bearer {SHOP_SECRET}")),
    )
    .expect(200);
}

#[test]
fn with_keys_the_api_wants_one_too() {
    let server = fresnel().config(KEYS).start();
    server.get("/api/v1/ledger").expect(401);
    server.ask_sql("shop", "json", "SELECT count(*) FROM logs").expect(401);
    server.get("/livez").expect(200);
    server.get("/readyz").expect(200);
    let authorization = format!("Bearer {SHOP_SECRET}");
    server.ask(&Request::get("/api/v1/ledger").header("authorization", &authorization)).expect(200);
}

#[test]
fn a_port_that_is_taken_is_said_with_its_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let finished = fresnel().arg("--http").arg(&address).refused();
    assert_ne!(finished.code(), Some(0));
    assert!(finished.stderr.contains(&address), "{}", finished.stderr);
    assert!(finished.stderr.contains("error:"), "{}", finished.stderr);
}

#[test]
fn two_servers_do_not_share_a_directory() {
    let server = fresnel().start();
    let root = server.data_dir().parent().unwrap().to_owned();
    let finished = fresnel().within(&root).refused();
    assert_ne!(finished.code(), Some(0));
    assert!(finished.stderr.contains("data"), "names the directory: {}", finished.stderr);
    server.send(&Sender::new("doors", 1).logs(1));
    assert_eq!(ingested(&server), 1);
}
