//! received = stored + rejected + dropped + deduplicated + expired, for every tenant and signal.

use testkit::otlp::{self, Export};
use testkit::records::{Sender, text};
use testkit::{Encoding, Format, Fresnel};

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
