//! What the scripts that send leave behind; the same for every SDK.

use testkit::{Fresnel, page_tests};

use crate::program::run;

/// Orders that a script makes: one span, one log record and one count each.
pub(crate) const ORDERS: i64 = 25;

/// Everything of a service is there, and asked for as the page asks.
#[track_caller]
pub(crate) fn verify(server: &Fresnel, service: &str) {
    let count = |table: &str| {
        let statement = format!("SELECT count(*) FROM {table} WHERE service_name = '{service}'");
        server.sql(&statement).integer()
    };
    assert_eq!((count("logs"), count("spans")), (ORDERS, ORDERS), "{service}");
    let orders = format!(
        "SELECT max(value) AS v FROM metrics WHERE metric_name = 'shop.orders' AND service_name = '{service}' \
         AND attributes['shop'] = 'berlin'"
    );
    let value: f64 = server.sql(&orders).texts("v")[0].parse().unwrap();
    assert!((value - 25.0).abs() < 1e-9, "{service}: {value} orders");

    let logs = server.get_json(&format!("/api/v1/logs?service={service}&q=is%20late&limit=100"));
    let logs = logs["logs"].as_array().unwrap();
    assert_eq!(i64::try_from(logs.len()).unwrap(), ORDERS);
    assert_eq!(logs[0]["severity_text"].as_str().unwrap().to_uppercase()[..4], *"WARN");
    assert!(logs.iter().any(|log| log["attributes"]["order.number"] == "7"), "{}", logs[0]);
    let traces = server.get_json(&format!("/api/v1/traces?service={service}&limit=100"));
    assert_eq!(i64::try_from(traces["traces"].as_array().unwrap().len()).unwrap(), ORDERS);
    let series = server.get_json("/api/v1/metrics/shop.orders/series?match=shop:berlin");
    assert!(series["total_series"].as_u64().unwrap() >= 1, "{series}");
}

/// A person finds it on the page: log records by service and text, and traces as a waterfall.
#[track_caller]
fn verify_on_page(server: &Fresnel, service: &str) {
    const TESTS: [&str; 2] = [
        "logs are found by service and text, and opened",
        "traces are listed by service and open as a waterfall",
    ];
    let arguments = ["--test", "--test-reporter=tap"];
    let Some(mut command) = page_tests(server, "node", &arguments) else { return };
    for name in TESTS {
        command.arg(format!("--test-name-pattern=^{name}$"));
    }
    command.arg("e2e/pages.test.mjs");
    command.env("FRESNEL_E2E_SERVICE", service).env("FRESNEL_E2E_BODY", "is late");
    let told = run(command);
    let passed = format!("# pass {}", TESTS.len());
    assert!(told.lines().any(|line| line == passed), "not {passed}: {told}");
}

/// The same after a kill, and on the page too.
#[track_caller]
pub(crate) fn verify_after_kill(server: &mut Fresnel, services: &[String]) {
    services.iter().for_each(|service| verify(server, service));
    server.kill9();
    server.restart();
    services.iter().for_each(|service| verify(server, service));
    services.iter().for_each(|service| verify_on_page(server, service));
    server.balanced_ledger();
}
