//! The shop that shows a newcomer every page full.

use std::net::SocketAddr;
use std::time::Duration;

use testkit::http::{self, Request};
use testkit::records::now_unix_nano;
use testkit::wait_for;

use crate::fresnel;

const FILLED: Duration = Duration::from_secs(60);

#[test]
fn it_sends_logs_traces_and_metrics_of_several_services() {
    let server = fresnel().start();
    let endpoint = format!("http://{}", server.doors().otlp_http);
    let demo = fresnel().background(&["demo", "--endpoint", &endpoint, "--rate", "20", "--history", "1m"]);
    let at_least = |what: &str, number: i64, statement: &str| {
        wait_for(what, FILLED, || (server.sql(statement).integer() >= number).then_some(()));
    };
    at_least("services", 5, "SELECT count(DISTINCT service_name) FROM spans WHERE service_name <> 'fresnel'");
    at_least(
        "a trace across services",
        3,
        "SELECT coalesce(max(n), 0) FROM (SELECT count(DISTINCT service_name) AS n FROM spans GROUP BY trace_id)",
    );
    at_least(
        "logs joined to spans",
        5,
        "SELECT count(*) FROM logs JOIN spans ON logs.trace_id = spans.trace_id AND logs.span_id = spans.span_id \
         WHERE logs.service_name <> 'fresnel'",
    );
    at_least(
        "metrics of the shop",
        2,
        "SELECT count(DISTINCT metric_name) FROM metrics WHERE service_name NOT IN ('fresnel', 'host')",
    );
    at_least(
        "an error",
        1,
        "SELECT count(*) FROM spans WHERE status_code = 'error' AND service_name <> 'fresnel'",
    );
    assert_eq!(demo.terminate().code(), Some(0));
    server.balanced_ledger();
}

/// A charge at the bank takes at most a tenth of a second when it is well, and a whole one when it is slow.
const CHARGES: &str = "spans WHERE name = 'POST bank.example/v2/charge' AND duration_nano";

#[test]
fn the_bank_is_slow_for_a_while_and_well_again() {
    let server = fresnel().start();
    let endpoint = format!("http://{}", server.doors().otlp_http);
    let demo = fresnel().background(&["demo", "--endpoint", &endpoint, "--rate", "10", "--history", "5m"]);
    let at_least = |what: &str, number: i64, from: &str| {
        let statement = format!("SELECT count(*) FROM {from}");
        wait_for(what, FILLED, || (server.sql(&statement).integer() >= number).then_some(()));
    };
    at_least("charges that go well", 3, &format!("{CHARGES} < 500000000"));
    at_least("charges that are slow", 3, &format!("{CHARGES} > 500000000"));
    at_least("who says why", 3, "logs WHERE service_name = 'payment' AND body = 'bank answers slowly'");
    at_least(
        "orders that wait for it",
        3,
        "spans WHERE service_name = 'frontend' AND name = 'POST /orders' AND duration_nano > 800000000",
    );
    let first = format!("(SELECT min(start_time) FROM {CHARGES} > 500000000)");
    let again = format!("{CHARGES} < 500000000 AND start_time > {first} + INTERVAL '31 seconds'");
    at_least("charges that go well again", 3, &again);
    let anew = format!("{CHARGES} > 500000000 AND start_time > {first} + INTERVAL '90 seconds'");
    at_least("charges that are slow anew", 3, &anew);
    assert_eq!(demo.terminate().code(), Some(0));
}

/// What a newcomer sees first is the last quarter of an hour.
#[test]
fn the_shop_has_been_open_for_a_while() {
    let server = fresnel().start();
    let endpoint = format!("http://{}", server.doors().otlp_http);
    let begun = now_unix_nano();
    let demo = fresnel().background(&["demo", "--endpoint", &endpoint, "--rate", "2"]);
    let (shop, minute) = ("service_name NOT IN ('fresnel', 'host')", "date_trunc('minute', time)");
    for (what, statement) in [
        ("logs", format!("SELECT count(DISTINCT {minute}) FROM logs WHERE {shop}")),
        ("spans", format!("SELECT count(DISTINCT date_trunc('minute', start_time)) FROM spans WHERE {shop}")),
        ("metrics", format!("SELECT count(DISTINCT {minute}) FROM metrics WHERE {shop}")),
    ] {
        wait_for(what, FILLED, || (server.sql(&statement).integer() >= 14).then_some(()));
    }
    // And nothing of it is of the time to come, but for what a customer still waits for.
    let late = "SELECT count(*) FROM spans WHERE start_time > now() + INTERVAL '10 seconds'";
    assert_eq!(server.sql(late).integer(), 0);
    // It goes on, at the pace of time.
    let live =
        format!("SELECT count(*) FROM spans WHERE {shop} AND start_time > to_timestamp_nanos({begun})");
    wait_for("what happens now", FILLED, || (server.sql(&live).integer() > 0).then_some(()));
    let gaps = "SELECT count(*) FROM (SELECT start_time, lag(start_time) OVER (ORDER BY start_time) AS before \
                FROM spans WHERE service_name = 'frontend') WHERE start_time > before + INTERVAL '5 seconds'";
    assert_eq!(server.sql(gaps).integer(), 0, "there are customers all the time");
    // Its counters count on.
    let orders = "SELECT count(DISTINCT start_time) FROM metrics WHERE metric_name = 'shop.orders'";
    assert_eq!(server.sql(orders).integer(), 1);
    assert_eq!(demo.terminate().code(), Some(0));
    server.balanced_ledger();
}

#[test]
fn it_brings_its_own_server_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().to_str().unwrap();
    let demo = fresnel().env("TMPDIR", folder).background(&["demo", "--http", "127.0.0.1:0"]);
    let page = wait_for("the address of the page", FILLED, || {
        let said = demo.lines().join("\n");
        let after = said.split("http://127.0.0.1:").nth(1)?;
        let port: u16 = after.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()?;
        Some(SocketAddr::from(([127, 0, 0, 1], port)))
    });
    wait_for("services", FILLED, || {
        let services = http::send(page, &Request::get("/api/v1/services")).ok()?.json();
        (services["services"].as_array()?.len() >= 5).then_some(())
    });
    assert_eq!(demo.terminate().code(), Some(0));
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "the temporary folder is gone");
}
