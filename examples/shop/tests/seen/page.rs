//! What a person finds on the page, in headless Chromium.

use testkit::{page_tests, wait_for};

use crate::run::{DEADLINE, Redis, Shop, is_there, server_with};

/// The alerts that the guide of resilience tells to set up.
fn alerts_of_the_guide() -> &'static str {
    let guide = include_str!("../../../../docs/sdk/resilience.md");
    let rules = guide.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    rules.expect("the guide has rules")
}

#[test]
fn a_person_sees_the_shop_its_faults_its_breaker_and_the_escalation() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("resilience.yml");
    std::fs::write(&rules, alerts_of_the_guide()).unwrap();
    let rules = format!("[rules]\nfiles = [{rules:?}]\nevaluation_interval = \"1s\"\n");
    let (Some(server), Some(redis)) = (server_with(&rules), Redis::start()) else { return };
    let payments = Shop::named("payments", &server, &redis, 1, None);
    let shop = Shop::named("shop", &server, &redis, 0, Some(&payments));
    shop.order_is_packed("tea", 2);
    let spans = "spans WHERE name IN ('process shop:orders', 'POST /payments/charge', 'POST /orders')";
    is_there(&server, "the trace of the order", 3, spans);
    let trace =
        server.sql("SELECT trace_id AS t FROM spans WHERE name = 'POST /orders'").texts("t").remove(0);
    // An increase is seen from what was there before.
    is_there(&server, "the counters", 4, "metrics WHERE metric_name = 'resilience.escalations'");

    shop.payments_fail();
    shop.breaker_opens();
    shop.order("coffee", 1).expect(502);
    wait_for("the alert", DEADLINE, || {
        let alerts = server.get_json("/prometheus/api/v1/alerts");
        let alert = alerts["data"]["alerts"]
            .as_array()?
            .iter()
            .find(|it| it["labels"]["alertname"] == "Escalation" && it["state"] == "firing")?;
        assert_eq!((&alert["labels"]["job"], &alert["labels"]["severity"]), (&"shop".into(), &"high".into()));
        Some(())
    });
    shop.payments_work();
    shop.breaker_closes();
    is_there(
        &server,
        "the breaker's way",
        3,
        "logs WHERE attributes['event.name'] = 'resilience.circuit_breaker.transition'",
    );

    let Some(mut command) = page_tests(&server, "node", &["--test", "--test-reporter=tap", "e2e/shop.mjs"])
    else {
        return;
    };
    let output = command.env("FRESNEL_E2E_TRACE", trace).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.lines().any(|line| line == "# skipped 0") && !said.contains("# pass 0"), "{said}");
}
