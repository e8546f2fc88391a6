//! received = stored + rejected + dropped + deduplicated + expired, for every tenant and signal.

use std::collections::BTreeMap;
use std::time::Duration;

use testkit::otlp::{self, Export};
use testkit::records::{Sender, text};
use testkit::{Encoding, Entry, Format, Fresnel, Ledger, wait_for};

use crate::fresnel;
use crate::settings::{QUIET, SMALL_LIMITS};

fn send_as<E: Export>(server: &Fresnel, tenant: &str, export: &E) {
    let request = otlp::request(export, Format::Protobuf, Encoding::None).header("x-scope-orgid", tenant);
    server.ask_otlp(&request).expect(200);
}

#[test]
fn every_record_is_accounted_for_by_tenant_and_signal() {
    let server = fresnel().config(&format!("{QUIET}{SMALL_LIMITS}")).start();
    let mut sender = Sender::new("ledger", 1);
    let mut logs = sender.logs(10);
    for record in &mut logs.resource_logs[0].scope_logs[0].log_records[..3] {
        record.attributes.extend((0..20).map(|number| text(&format!("k{number}"), "v")));
    }
    send_as(&server, "red", &logs);
    send_as(&server, "red", &sender.spans(7));
    send_as(&server, "blue", &sender.points(5));

    let ledger = server.balanced_ledger();
    let counts = |tenant: &str, signal: &str| {
        ledger.entry(tenant, signal).map(|entry| (entry.received, entry.stored, entry.rejected))
    };
    assert_eq!(counts("red", "logs"), Some((10, 7, 3)));
    assert_eq!(counts("red", "spans"), Some((7, 7, 0)));
    assert_eq!(counts("blue", "metrics"), Some((5, 5, 0)));
}

/// The lines of the ledger on the page of metrics: labels in order, and the count.
fn as_metrics(server: &Fresnel) -> BTreeMap<String, i64> {
    let page = server.get("/metrics").expect(200).text();
    let line = |line: &str| {
        let (labels, count) = line.strip_prefix("fresnel_ledger_records{")?.split_once("} ")?;
        let mut labels: Vec<&str> = labels.split(',').collect();
        labels.sort_unstable();
        Some((labels.join(","), count.parse().unwrap()))
    };
    page.lines().filter_map(line).collect()
}

/// The same from the ledger itself.
fn told(ledger: &Ledger) -> BTreeMap<String, i64> {
    let of = |entry: &Entry| {
        let Entry { tenant, signal, .. } = entry.clone();
        let outcomes = [
            ("received", entry.received),
            ("stored", entry.stored),
            ("rejected", entry.rejected),
            ("dropped", entry.dropped),
            ("deduplicated", entry.deduplicated),
            ("expired", entry.expired),
        ];
        outcomes.map(|(outcome, count)| {
            (format!("outcome=\"{outcome}\",signal=\"{signal}\",tenant=\"{tenant}\""), count)
        })
    };
    ledger.entries.iter().flat_map(of).collect()
}

#[test]
fn the_ledger_is_told_as_metrics_too() {
    let short = "[store.retention]\nlogs = \"1h\"\n[store.seal]\nage = \"200ms\"\n";
    let mut server = fresnel().config(&format!("{QUIET}{SMALL_LIMITS}{short}")).start();
    let mut sender = Sender::new("ledger", 1);
    let mut logs = sender.logs(10);
    for record in &mut logs.resource_logs[0].scope_logs[0].log_records[..3] {
        record.attributes.extend((0..20).map(|number| text(&format!("k{number}"), "v")));
    }
    send_as(&server, "red", &logs);
    send_as(&server, "blue", &sender.points(5));
    // Its time to be kept has been over for long.
    send_as(&server, "old", &Sender::at("ledger", 2, 1_000_000_000_000_000_000).logs(4));
    for life in ["first", "second"] {
        let ledger = wait_for("the old records to go", Duration::from_secs(60), || {
            let ledger = server.balanced_ledger();
            let expired = ledger.entry("old", "logs").is_some_and(|entry| entry.expired == 4);
            expired.then_some(ledger)
        });
        let metrics = as_metrics(&server);
        assert_eq!(metrics, told(&ledger), "{life} life");
        let of = |labels: &str| metrics.get(labels).copied();
        assert_eq!(of(r#"outcome="rejected",signal="logs",tenant="red""#), Some(3));
        assert_eq!(of(r#"outcome="stored",signal="logs",tenant="red""#), Some(7));
        assert_eq!(of(r#"outcome="received",signal="metrics",tenant="blue""#), Some(5));
        assert_eq!(of(r#"outcome="expired",signal="logs",tenant="old""#), Some(4));
        server.kill9();
        server.restart();
    }
}

#[test]
fn a_refused_request_is_not_received() {
    let server = fresnel().config(&format!("{QUIET}{SMALL_LIMITS}")).start();
    let large = Sender::new("ledger", 1).logs(2_000);
    server.ask_otlp(&otlp::request(&large, Format::Protobuf, Encoding::None)).expect(413);
    assert!(server.balanced_ledger().entry("default", "logs").is_none_or(|entry| entry.received == 0));
}

#[test]
fn the_ledger_outlives_the_process() {
    let mut server = fresnel().config(QUIET).start();
    let mut sender = Sender::new("ledger", 1);
    server.send(&sender.logs(10));
    server.kill9();
    server.restart();
    server.send(&sender.logs(5));
    server.terminate();
    server.restart();
    let ledger = server.balanced_ledger();
    let entry = ledger.entry("default", "logs").unwrap();
    assert_eq!((entry.received, entry.stored), (15, 15));
}
