//! The budget: large batches, as fast as they are answered, into a small server on a slow disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testkit::http::Client;
use testkit::otlp::proto::collector::logs::v1::ExportLogsServiceRequest;
use testkit::otlp::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use testkit::otlp::proto::metrics::v1::metric::Data;
use testkit::records::{ID, Random, Sender, text, value};
use testkit::remote_write::{Label, TimeSeries, WriteRequest};
use testkit::{Doors, Encoding, Format, Fresnel, otlp, tell};

use crate::disk::{Control, Faults};
use crate::door::{Caller, Door, Signal};
use crate::senders::{Fate, verify_ledger};
use crate::settings::{QUIET, SERIES_WITHOUT_END};
use crate::{fresnel, setting};

const BODY_WORDS: usize = 512;
const LIMIT: u64 = 512 << 20;

/// What one sender floods the server with, by which door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flood {
    /// Batches of about eight mebibytes of log records.
    Logs(Door),
    /// Points, each of a series that never was before.
    Series(Door),
}

impl Flood {
    fn door(self) -> Door {
        match self {
            Self::Logs(door) | Self::Series(door) => door,
        }
    }

    /// Records of a batch.
    fn records(self) -> u64 {
        match self {
            Self::Logs(_) => 1_000,
            Self::Series(_) => 5_000,
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Logs(_) => "logs",
            Self::Series(_) => "metrics",
        }
    }
}

/// What one sender was told.
#[derive(Debug, Default)]
struct Told {
    acknowledged: u64,
    refused: u64,
}

/// Sends batches until it is told to stop.
fn flood(number: usize, flood: Flood, doors: &Doors, stopped: &AtomicBool) -> Told {
    let mut sender = Sender::new(&service(number), number as u64);
    let mut random = Random::new(number as u64);
    let mut caller = Caller::new(flood.door(), "default", doors);
    let mut told = Told::default();
    let (records, format) = (flood.records(), Format::Protobuf);
    while !stopped.load(Ordering::Relaxed) {
        let fate = match flood {
            Flood::Logs(Door::Grpc(_)) => {
                caller.by_grpc(&logs(&mut sender, &mut random, records), &mut random)
            }
            Flood::Logs(_) => caller.by_http(&logs(&mut sender, &mut random, records), format, &mut random),
            Flood::Series(Door::Grpc(_)) => caller.by_grpc(&series(&mut sender, records), &mut random),
            Flood::Series(Door::Http(_)) => {
                caller.by_http(&series(&mut sender, records), format, &mut random)
            }
            Flood::Series(_) => caller.by_remote_write(&written(&mut sender, records), records, &mut random),
        };
        match fate {
            Fate::Acknowledged => told.acknowledged += records,
            Fate::Refused => {
                told.refused += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            Fate::Unknown => panic!("{flood:?}: the server stays alive and answers"),
        }
    }
    told
}

fn service(number: usize) -> String {
    format!("flood-{number}")
}

/// One body for all records of a batch, or making it would take longer than taking it.
fn logs(sender: &mut Sender, random: &mut Random, count: u64) -> ExportLogsServiceRequest {
    let body: String = (0..BODY_WORDS).map(|_| format!("{:016x}", random.bits())).collect();
    let mut batch = sender.logs(count);
    for record in &mut batch.resource_logs[0].scope_logs[0].log_records {
        record.body = Some(value(&body));
    }
    batch
}

/// An attribute that makes a series of every point.
const SERIES: &str = "test.series";

fn series(sender: &mut Sender, count: u64) -> ExportMetricsServiceRequest {
    let first = sender.next();
    let mut batch = sender.points(count);
    let metric = &mut batch.resource_metrics[0].scope_metrics[0].metrics[0];
    let Some(Data::Gauge(gauge)) = &mut metric.data else { panic!("numbered points are a gauge") };
    for (number, point) in (first..).zip(&mut gauge.data_points) {
        point.attributes.push(text(SERIES, &number.to_string()));
    }
    batch
}

/// The same as Prometheus sends it.
fn written(sender: &mut Sender, count: u64) -> WriteRequest {
    let of_one = |series: &TimeSeries| -> Vec<TimeSeries> {
        let one = |sample: &testkit::remote_write::Sample| {
            let mut labels = series.labels.clone();
            labels.push(Label { name: SERIES.to_owned(), value: sample.value.to_string() });
            TimeSeries { labels, samples: vec![*sample], ..Default::default() }
        };
        series.samples.iter().map(one).collect()
    };
    let timeseries = sender.samples(count).timeseries.iter().flat_map(of_one).collect();
    WriteRequest { timeseries, metadata: Vec::new() }
}

/// Floods a small server on a slow disk, kills it and looks for what it acknowledged.
fn overload(config: &str, floods: &[Flood]) {
    let Some(faults) = Faults::new() else { return };
    let mut server = faults.below(fresnel()).config(config).memory_limit("512 MiB").start();
    faults.set(Control { sync_delay: Duration::from_millis(300), ..Control::default() });
    let (doors, stopped) = (server.doors(), Arc::new(AtomicBool::new(false)));
    let senders: Vec<_> = floods
        .iter()
        .copied()
        .enumerate()
        .map(|(number, what)| {
            let stopped = Arc::clone(&stopped);
            std::thread::spawn(move || flood(number, what, &doors, &stopped))
        })
        .collect();
    std::thread::sleep(Duration::from_secs(setting("FRESNEL_FAULT_SECONDS", 20)));
    stopped.store(true, Ordering::Relaxed);
    let told: Vec<Told> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
    faults.set(Control::default());

    let peak = server.peak_resident_bytes();
    let refused: u64 = told.iter().map(|told| told.refused).sum();
    tell(&format!("peak {} MiB resident, {refused} requests refused, {told:?}", peak >> 20));
    assert!(server.exited().is_none(), "it stays alive");
    assert!(peak <= LIMIT + LIMIT / 5, "{} MiB resident at the peak", peak >> 20);
    assert!(refused > 0, "it refuses");
    for what in floods {
        let of_its_kind = floods.iter().zip(&told).filter(|(flood, _)| *flood == what);
        assert!(of_its_kind.map(|(_, told)| told.acknowledged).sum::<u64>() > 0, "{what:?}: only refusals");
    }

    server.kill9();
    server.restart();
    for ((number, what), told) in floods.iter().enumerate().zip(&told) {
        verify(&server, number, *what, told);
    }
    verify_ledger(&server, &["default"]);
}

/// Every acknowledged record is there once.
fn verify(server: &Fresnel, number: usize, flood: Flood, told: &Told) {
    let id = match flood {
        Flood::Logs(_) => format!("attributes['{ID}']"),
        Flood::Series(_) => format!("attributes['{SERIES}']"),
    };
    let statement = format!(
        "SELECT count(*) AS n, count(DISTINCT {id}) AS ids FROM {} WHERE service_name = '{}'",
        flood.table(),
        service(number)
    );
    let rows = server.sql(&statement);
    let expected = vec![told.acknowledged.to_string()];
    assert_eq!(
        (rows.texts("n"), rows.texts("ids")),
        (expected.clone(), expected),
        "sender {number}: {flood:?}"
    );
}

#[test]
fn overload_is_refused_within_the_memory_limit_and_nothing_acknowledged_is_lost() {
    overload(QUIET, &[Flood::Logs(Door::Http(Signal::Logs)); 12]);
}

/// Nothing bounds how many series there are but the memory.
#[test]
fn new_series_without_end_and_grpc_stay_within_the_memory_limit() {
    let logs = Flood::Logs(Door::Grpc(Signal::Logs));
    let written = Flood::Series(Door::RemoteWrite);
    let [http, grpc] = [Door::Http(Signal::Points), Door::Grpc(Signal::Points)].map(Flood::Series);
    let floods = [[logs; 6], [written, http, grpc, written, http, grpc]];
    overload(&format!("{QUIET}{SERIES_WITHOUT_END}"), floods.as_flattened());
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
    tell(&format!("peak {} MiB resident, {told:?}", peak >> 20));
    assert!(server.exited().is_none(), "it stays alive");
    assert!(told.iter().all(|status| matches!(status, 200 | 429)) && told.contains(&200), "{told:?}");
    assert!(peak <= LIMIT + LIMIT / 5, "{} MiB resident at the peak", peak >> 20);
    let memory = &server.get_json("/api/v1/status")["memory"];
    assert!(memory["peak_bytes"].as_u64() <= memory["limit_bytes"].as_u64(), "{memory}");
    let stored = 48 * told.iter().filter(|status| **status == 200).count();
    let count = "SELECT count(*) FROM logs WHERE service_name = 'bomb'";
    assert_eq!(server.sql(count).integer(), i64::try_from(stored).unwrap());
    verify_ledger(&server, &["default"]);
}
