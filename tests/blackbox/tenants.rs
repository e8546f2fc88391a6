//! Whose records are whose.

use testkit::http::{Request, Response};
use testkit::otlp::{self, Status};
use testkit::records::Sender;
use testkit::{Encoding, Format, Fresnel, Ledger};

use crate::fresnel;
use crate::settings::{BANK_SECRET, FEW_TENANTS, KEYS, OPERATOR, OPERATOR_SECRET, SHOP_SECRET};

fn request(seed: u64, headers: &[(&str, &str)]) -> Request {
    let request = otlp::request(&Sender::new("tenants", seed).logs(10), Format::Protobuf, Encoding::None);
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

fn send(server: &Fresnel, seed: u64, headers: &[(&str, &str)]) -> Response {
    server.ask_otlp(&request(seed, headers))
}

fn count(server: &Fresnel, tenant: &str) -> i64 {
    server.sql_of(tenant, "SELECT count(*) FROM logs WHERE service_name = 'tenants'").integer()
}

#[test]
fn the_header_names_the_tenant_and_nobody_sees_anothers_records() {
    let server = fresnel().start();
    send(&server, 1, &[("x-scope-orgid", "red")]).expect(200);
    send(&server, 2, &[("x-scope-orgid", "red")]).expect(200);
    send(&server, 3, &[("x-scope-orgid", "blue")]).expect(200);
    assert_eq!((count(&server, "red"), count(&server, "blue"), count(&server, "default")), (20, 10, 0));
    let logs =
        server.ask(&Request::get("/api/v1/logs?service=tenants").header("x-scope-orgid", "blue")).json();
    assert_eq!(logs["logs"].as_array().unwrap().len(), 10);
    let services = server.ask(&Request::get("/api/v1/services").header("x-scope-orgid", "green")).json();
    assert!(!services["services"].as_array().unwrap().contains(&"tenants".into()), "{services}");
}

#[test]
fn a_malformed_tenant_is_refused_everywhere() {
    let server = fresnel().start();
    let long = "a".repeat(65);
    for tenant in ["", "../etc", "a b", long.as_str()] {
        let response = send(&server, 1, &[("x-scope-orgid", tenant)]).expect(400);
        assert!(!Status::of(&response).message.is_empty());
        server.ask_sql(tenant, "json", "SELECT 1").expect(400);
    }
}

#[test]
fn one_tenant_too_many_is_refused() {
    let server = fresnel().config(FEW_TENANTS).start();
    send(&server, 1, &[("x-scope-orgid", "one")]).expect(200);
    send(&server, 1, &[]).expect(200);
    let refused = (0..5).map(|number| send(&server, 1, &[("x-scope-orgid", &format!("more-{number}"))]));
    let refused: Vec<_> = refused.filter(|response| response.status != 200).collect();
    assert!(refused.len() >= 3, "three tenants are allowed");
    assert!(Status::of(&refused[0]).message.contains("receive.limit.tenants"), "{}", refused[0].text());
    send(&server, 2, &[("x-scope-orgid", "one")]).expect(200);
}

#[test]
fn a_tenant_of_which_nothing_is_stored_takes_no_ones_place() {
    let server = fresnel().config(FEW_TENANTS).start();
    for number in 0..10 {
        let junk = Request::post("/v1/logs", "junk").header("content-type", "application/json");
        server.ask_otlp(&junk.header("x-scope-orgid", &format!("junk-{number}"))).expect(400);
    }
    send(&server, 1, &[("x-scope-orgid", "one")]).expect(200);
    send(&server, 1, &[("x-scope-orgid", "two")]).expect(200);
}

#[test]
fn a_key_beats_the_header() {
    let server = fresnel().config(&[KEYS, OPERATOR].concat()).start();
    let bearer = |secret: &str| format!("Bearer {secret}");
    let shop = bearer(SHOP_SECRET);
    send(&server, 1, &[("authorization", &shop)]).expect(200);
    send(&server, 2, &[("authorization", &shop), ("x-scope-orgid", "bank")]).expect(200);
    send(&server, 3, &[("authorization", &bearer(BANK_SECRET))]).expect(200);
    let ledger = ask(&server, "/api/v1/ledger", OPERATOR_SECRET).json();
    let ledger = Ledger::from_json(&ledger);
    assert_eq!(ledger.entry("shop", "logs").unwrap().stored, 20);
    assert_eq!(ledger.entry("bank", "logs").unwrap().stored, 10);
}

fn ask(server: &Fresnel, path: &str, secret: &str) -> Response {
    server.ask(&Request::get(path).header("authorization", &format!("Bearer {secret}"))).expect(200)
}

#[test]
fn a_key_is_told_names_and_figures_of_its_tenant_only_unless_it_is_an_operators() {
    let server = fresnel().config(&[KEYS, OPERATOR].concat()).start();
    for (seed, secret) in [(1, SHOP_SECRET), (2, BANK_SECRET)] {
        send(&server, seed, &[("authorization", &format!("Bearer {secret}"))]).expect(200);
    }
    let tenants = |secret: &str| {
        let ledger = ask(&server, "/api/v1/ledger", secret).json();
        assert_eq!(ledger["balanced"], true, "{ledger}");
        let entries = ledger["entries"].as_array().unwrap().clone();
        let mut tenants: Vec<_> =
            entries.iter().map(|entry| entry["tenant"].as_str().unwrap().to_owned()).collect();
        tenants.dedup();
        tenants
    };
    assert_eq!((tenants(SHOP_SECRET), tenants(BANK_SECRET)), (vec!["shop".into()], vec!["bank".into()]));
    assert_eq!(tenants(OPERATOR_SECRET), ["bank", "default", "shop"]);
    for path in ["/metrics", "/api/v1/status", "/healthz", "/api/v1/ledger"] {
        let (shop, all) =
            (ask(&server, path, SHOP_SECRET).text(), ask(&server, path, OPERATOR_SECRET).text());
        assert!(!shop.contains("bank") && !shop.contains("tenant=\"default\""), "{path}: {shop}");
        assert!(
            path != "/metrics" || all.contains("tenant=\"bank\"") && shop.contains("tenant=\"shop\""),
            "{all}"
        );
        assert!(
            path != "/metrics" || shop.contains("fresnel_memory_limit_bytes"),
            "of the server as a whole: {shop}"
        );
    }
}

#[test]
fn without_a_key_nothing_comes_in() {
    let server = fresnel().config(KEYS).start();
    for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", "Basic c2hvcDp4")]] {
        let response = send(&server, 1, headers).expect(401);
        assert_eq!(Status::of(&response).code, 16);
    }
}

#[test]
fn secrets_are_never_said() {
    let server = fresnel().config(KEYS).start();
    send(&server, 1, &[("authorization", "Bearer wrong-secret-of-somebody")]).expect(401);
    let authorization = format!("Bearer {SHOP_SECRET}");
    for path in ["/api/v1/status", "/healthz", "/metrics"] {
        let text = server.ask(&Request::get(path).header("authorization", &authorization)).text();
        assert!(!text.contains(SHOP_SECRET) && !text.contains(BANK_SECRET), "{path}");
    }
    let log = server.log().join("\n");
    assert!(!log.contains(SHOP_SECRET) && !log.contains("wrong-secret-of-somebody"));
}
