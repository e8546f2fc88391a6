//! Time: a server that does the same again and again needs no more memory for it.

use std::time::Duration;

use testkit::records::Sender;
use testkit::{Fresnel, wait_for};

use crate::settings::TINY_FILES;
use crate::{fresnel, setting};

/// Until every cache is full and the allocator has what it needs at a time.
const ROUNDS_WARM: usize = 10;
/// Looked at in the beginning and in the end.
const ROUNDS_SEEN: usize = 6;
/// Requests of each signal in a round.
const REQUESTS: usize = 25;
const RECORDS: u64 = 50;
/// What the allocator may keep more or less from one round to the next.
const SLACK: u64 = 6 << 20;
/// What is kept of the files for the next question is no leak: it has room for a few only. The host
/// has its own pace; the server's own telemetry is on, so that the SDK is looked at too.
const FEW_OF_ALL: &str = "[query]\nmetadata_cache = \"1 MiB\"\n[receive.host]\nenabled = false\n";

const QUESTIONS: [&str; 4] = [
    "SELECT count(*) FROM logs",
    "SELECT severity_number, count(*) FROM logs GROUP BY severity_number",
    "SELECT name, max(duration_nano) FROM spans GROUP BY name",
    "SELECT metric_name, avg(value) FROM metrics GROUP BY metric_name",
];

/// Sends, asks, waits until everything lies in files; gives the resident memory.
fn round(server: &Fresnel, sender: &mut Sender) -> u64 {
    for _ in 0..REQUESTS {
        server.send(&sender.logs(RECORDS));
        server.send(&sender.spans(RECORDS));
        server.send(&sender.points(RECORDS));
    }
    for question in QUESTIONS {
        server.sql(question);
    }
    server.get("/api/v1/logs?limit=50").expect(200);
    let status = || server.get_json("/api/v1/status");
    let sealed = wait_for("seals", Duration::from_secs(60), || {
        let status = status();
        (status["store"]["memtable_rows"] == 0).then_some(status)
    });
    sealed["memory"]["resident_bytes"].as_u64().unwrap()
}

#[test]
fn equal_rounds_need_no_more_memory_each_time() {
    let rounds = setting("FRESNEL_GROWTH_ROUNDS", 18) as usize;
    let config = format!("{TINY_FILES}{FEW_OF_ALL}");
    // Freed memory goes back at once, so that what stays resident is what is held.
    let server = fresnel().config(&config).memory_limit("512 MiB").env("MIMALLOC_PURGE_DELAY", "0").start();
    let mut sender = Sender::new("growth", 1);
    let resident: Vec<u64> = (0..ROUNDS_WARM + rounds).map(|_| round(&server, &mut sender)).collect();
    let mebibytes: Vec<u64> = resident.iter().map(|bytes| bytes >> 20).collect();
    eprintln!("MiB resident after each round: {mebibytes:?}");
    let warm = &resident[ROUNDS_WARM..];
    let before = warm[..ROUNDS_SEEN].iter().max().unwrap();
    let after = warm[warm.len() - ROUNDS_SEEN..].iter().min().unwrap();
    assert!(*after <= before + SLACK, "it grows from {} to {} MiB: {mebibytes:?}", before >> 20, after >> 20);
}
