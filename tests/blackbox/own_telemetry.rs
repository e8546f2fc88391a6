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
