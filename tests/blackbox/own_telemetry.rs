//! What is there without any sender: the host, and the server itself.

use std::time::{Duration, Instant};

use testkit::{Fresnel, wait_for};

use crate::fresnel;
use crate::settings::QUIET;

/// A page without any setting shows live data within this.
const LIVE: Duration = Duration::from_secs(10);

fn has_metric(server: &Fresnel, name: &str, service: &str) -> bool {
    let statement =
        format!("SELECT count(*) FROM metrics WHERE metric_name = '{name}' AND service_name = '{service}'");
    server.sql(&statement).integer() > 0
}

#[test]
fn the_host_is_measured_within_ten_seconds() {
    let server = fresnel().start();
    for name in [
        "system.cpu.utilization",
        "system.cpu.time",
        "system.memory.usage",
        "system.filesystem.usage",
        "system.network.io",
    ] {
        wait_for(name, LIVE, || has_metric(&server, name, "host").then_some(()));
    }
    let usage = "SELECT max(value) FROM metrics WHERE metric_name = 'system.memory.usage'";
    assert!(server.sql(usage).texts("max(metrics.value)")[0].parse::<f64>().unwrap() > 0.0);
}

#[test]
fn the_servers_own_logs_traces_and_metrics_are_there() {
    let server = fresnel().start();
    wait_for("own metrics", LIVE, || has_metric(&server, "fresnel.receive.records", "fresnel").then_some(()));
    for table in ["logs", "spans"] {
        let statement = format!("SELECT count(*) FROM {table} WHERE service_name = 'fresnel'");
        wait_for(table, LIVE, || (server.sql(&statement).integer() > 0).then_some(()));
    }
}

#[test]
fn an_idle_server_does_not_feed_on_its_own_telemetry() {
    let server = fresnel().start();
    wait_for("own metrics", LIVE, || has_metric(&server, "fresnel.receive.records", "fresnel").then_some(()));
    let count =
        || server.sql("SELECT (SELECT count(*) FROM logs) + (SELECT count(*) FROM spans) AS n").integer();
    // What the questions themselves cause is counted too; feeding on it would double every round.
    let rounds: Vec<i64> = (0..4)
        .map(|_| {
            let (before, started) = (count(), Instant::now());
            while started.elapsed() < Duration::from_secs(3) {
                std::thread::sleep(Duration::from_millis(500));
            }
            count() - before
        })
        .collect();
    assert!(rounds.iter().all(|grown| *grown < 60), "records in 3 s each: {rounds:?}");
}

#[test]
fn both_can_be_switched_off() {
    let server = fresnel().config(QUIET).start();
    std::thread::sleep(Duration::from_secs(6));
    for table in ["logs", "spans", "metrics"] {
        assert_eq!(server.sql(&format!("SELECT count(*) FROM {table}")).integer(), 0, "{table}");
    }
}

/// What is said between the last interval and the stop is stored too.
#[test]
fn the_last_figures_are_stored_when_the_server_stops() {
    let mut server = fresnel().start();
    for n in 0..25 {
        server.sql(&format!("SELECT {n}"));
    }
    let page = server.get("/metrics").expect(200).text();
    let told = page.lines().find_map(|line| line.strip_prefix("fresnel_query_ended_total "));
    let told: f64 = told.expect("queries are counted").parse().unwrap();
    assert!(told >= 25.0, "{told}");
    assert!(server.terminate().success());
    server.rebuild(|builder| builder.env("FRESNEL_TELEMETRY_ENABLED", "false"));
    server.restart();
    let last = "SELECT max(value) AS ended FROM metrics \
                WHERE metric_name = 'fresnel.query.ended' AND service_name = 'fresnel'";
    assert_eq!(server.sql(last).texts("ended")[0].parse::<f64>().unwrap(), told);
    let words = "SELECT count(*) FROM logs WHERE service_name = 'fresnel' AND body = 'stop'";
    assert_eq!(server.sql(words).integer(), 1, "its last words too");
}

#[test]
fn the_environment_says_where_the_server_is_deployed() {
    let server = fresnel()
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=sta%2Cging")
        .env("OTEL_SERVICE_NAME", "shop")
        .start();
    let found = "SELECT count(*) FROM logs WHERE service_name = 'fresnel' \
                 AND resource_attributes['deployment.environment.name'] = 'sta,ging' \
                 AND resource_attributes['host.name'] <> '' AND resource_attributes['process.pid'] <> ''";
    wait_for("own logs", LIVE, || (server.sql(found).integer() > 0).then_some(()));
}

#[test]
fn an_environment_that_cannot_be_read_is_said() {
    let server = fresnel()
        .env("OTEL_RESOURCE_ATTRIBUTES", "nonsense")
        .allow_warning("OTEL_RESOURCE_ATTRIBUTES is left out")
        .start();
    assert!(server.log().iter().any(|line| line.contains("OTEL_RESOURCE_ATTRIBUTES is left out")));
}
