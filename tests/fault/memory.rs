//! The budget: large batches, as fast as they are answered, into a small server on a slow disk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testkit::http::Client;
use testkit::otlp::proto::collector::logs::v1::ExportLogsServiceRequest;
use testkit::records::{ID, Random, Sender, value};
use testkit::{Encoding, Format, otlp};

use crate::disk::{Control, Faults};
use crate::senders::verify_ledger;
use crate::settings::QUIET;
use crate::{fresnel, setting};

const SENDERS: u64 = 12;
const RECORDS: u64 = 1_000;
const BODY_WORDS: usize = 512;
const LIMIT: u64 = 512 << 20;

/// What one sender was told.
#[derive(Debug, Default)]
struct Told {
    acknowledged: u64,
    refused: u64,
}

/// Sends batches of about eight mebibytes until it is told to stop.
fn flood(seed: u64, door: SocketAddr, stopped: &AtomicBool) -> Told {
    let mut sender = Sender::new(&format!("flood-{seed}"), seed);
    let mut random = Random::new(seed);
    let mut client = Client::new(door);
    let mut told = Told::default();
    // One body for all records of a batch, or making it would take longer than taking it.
    while !stopped.load(Ordering::Relaxed) {
        let body: String = (0..BODY_WORDS).map(|_| format!("{:016x}", random.bits())).collect();
        let mut batch = sender.logs(RECORDS);
        for record in &mut batch.resource_logs[0].scope_logs[0].log_records {
            record.body = Some(value(&body));
        }
        let encoding = Encoding::ALL[random.below(3)];
        let response = client.send(&otlp::request(&batch, Format::Protobuf, encoding));
        match response.expect("the server stays alive and answers").status {
            200 => told.acknowledged += RECORDS,
            429 | 503 => {
                told.refused += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            other => panic!("status {other}"),
        }
    }
    told
}

#[test]
fn overload_is_refused_within_the_memory_limit_and_nothing_acknowledged_is_lost() {
    let Some(faults) = Faults::new() else { return };
    let mut server = faults.below(fresnel()).config(QUIET).memory_limit("512 MiB").start();
    faults.set(Control { sync_delay: Duration::from_millis(300), ..Control::default() });
    let (door, stopped) = (server.doors().otlp_http, Arc::new(AtomicBool::new(false)));
    let senders: Vec<_> = (0..SENDERS)
        .map(|seed| {
            let stopped = Arc::clone(&stopped);
            std::thread::spawn(move || flood(seed, door, &stopped))
        })
        .collect();
    std::thread::sleep(Duration::from_secs(setting("FRESNEL_FAULT_SECONDS", 20)));
    stopped.store(true, Ordering::Relaxed);
    let told: Vec<Told> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
    faults.set(Control::default());

    let peak = server.peak_resident_bytes();
    let refused: u64 = told.iter().map(|told| told.refused).sum();
    eprintln!("peak {} MiB resident, {refused} requests refused, {told:?}", peak >> 20);
    assert!(server.exited().is_none(), "it stays alive");
    assert!(peak <= LIMIT + LIMIT / 5, "{} MiB resident at the peak", peak >> 20);
    assert!(refused > 0, "it refuses");
    assert!(told.iter().map(|told| told.acknowledged).sum::<u64>() > 0, "it does not only refuse");

    server.kill9();
    server.restart();
    for (seed, told) in told.iter().enumerate() {
        let statement = format!(
            "SELECT count(*) AS n, count(DISTINCT attributes['{ID}']) AS ids FROM logs WHERE service_name = 'flood-{seed}'"
        );
        let rows = server.sql(&statement);
        let expected = vec![told.acknowledged.to_string()];
        assert_eq!((rows.texts("n"), rows.texts("ids")), (expected.clone(), expected), "sender {seed}");
    }
    verify_ledger(&server, &["default"]);
}

/// Bodies of a few KiB that become 48 MiB, from more senders than may be decoded at once.
#[test]
fn bodies_that_hide_their_size_stay_within_the_memory_limit() {
    let mut server = fresnel().config(QUIET).memory_limit("512 MiB").start();
    let body = "x".repeat(1 << 20);
    let mut batch = Sender::new("bomb", 1).logs(48);
    for record in &mut batch.resource_logs[0].scope_logs[0].log_records {
        record.body = Some(value(&body));
    }
    let packed = Encoding::Zstd.encode_streamed(&otlp::protobuf(&batch));
    assert!(packed.len() < 64 << 10, "{} bytes", packed.len());
    let request = otlp::raw::<ExportLogsServiceRequest>(packed, Format::Protobuf, Encoding::Zstd);
    let door = server.doors().otlp_http;
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let (request, mut client) = (request.clone(), Client::new(door));
            std::thread::spawn(move || [(); 3].map(|()| client.send(&request).unwrap().status))
        })
        .collect();
    let told: Vec<u16> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
    let peak = server.peak_resident_bytes();
    eprintln!("peak {} MiB resident, {told:?}", peak >> 20);
    assert!(server.exited().is_none(), "it stays alive");
    assert!(told.iter().all(|status| matches!(status, 200 | 429)) && told.contains(&200), "{told:?}");
    assert!(peak <= LIMIT + LIMIT / 5, "{} MiB resident at the peak", peak >> 20);
    let memory = &server.get_json("/api/v1/status")["memory"];
    assert!(memory["peak_bytes"].as_u64() <= memory["limit_bytes"].as_u64(), "{memory}");
    let stored = 48 * told.iter().filter(|status| **status == 200).count();
    let count = "SELECT count(*) FROM logs WHERE service_name = 'bomb'";
    assert_eq!(server.sql(count).integer(), i64::try_from(stored).unwrap());
}
