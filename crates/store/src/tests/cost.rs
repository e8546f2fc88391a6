//! What a record costs from the decoder to a compacted file: a table, not a test.
//!
//! `cargo test --release -p store --lib -- --ignored --nocapture cost`
#![allow(clippy::print_stdout)]

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int32Array, StringArray, UInt32Array};
use model::{Batch, Budget, Logs, Metrics, Signal, Spans, Table, schema};

use super::fixture::*;
use crate::disk::Chance;
use crate::memtable::{Prepared, SeriesIndex};
use crate::segment::{Rows, order};
use crate::{EntryMeta, LocalDisk};

/// As in the server: how memory is got and given back is a good part of the cost.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const REQUESTS: u64 = 300;
const ROWS: u64 = 1000;
/// Senders, each with a resource of its own.
const SENDERS: u64 = 20;

const TEMPLATES: [&str; 6] = [
    "GET /api/v1/carts/{} 200 in {} ms for user {} from the edge cache of region eu-central",
    "connection to database shard {} was reset by peer after {} ms, retrying as attempt {}",
    "order {} of customer {} was charged with {} EUR, the confirmation has been queued for delivery",
    "failed to refresh session {}: token expired {} seconds ago (tenant {})",
    "cache miss for key product:{}:{} in bucket {}, loading from the catalog service",
    "scheduled job reindex-{} finished {} documents in {} ms without errors",
];

fn sender_streams(sender: u64) -> arrow_array::RecordBatch {
    let pairs = |n: u64| (format!("resource.attribute.{n}"), Some(format!("value-{sender}-{n}")));
    let mut attributes: Vec<_> = (0..7).map(pairs).collect();
    attributes.push(("service.name".into(), Some(format!("service-{}", sender % 5))));
    let columns = [
        ("service_name", texts([format!("service-{}", sender % 5)].into_iter())),
        ("resource_attributes", maps(vec![attributes])),
        ("scope_name", texts(["io.opentelemetry.instrumentation".to_owned()].into_iter())),
        ("scope_version", texts(["1.2.3".to_owned()].into_iter())),
        (
            "stream_id",
            ids([u128::from(sender + 1).wrapping_mul(0x1234_5678_9abc_def1_2345).to_be_bytes()].into_iter()),
        ),
    ];
    fill(schema::streams(), 1, columns.into())
}

fn attributes(chance: &mut Chance, rows: u64) -> ArrayRef {
    let row = |chance: &mut Chance| {
        vec![
            ("http.request.method".into(), Some(["GET", "POST", "PUT"][chance.below(3) as usize].to_owned())),
            ("http.route".into(), Some(format!("/api/v1/things/{}", chance.below(40)))),
            (
                "http.response.status_code".into(),
                Some([200, 201, 404, 500][chance.below(4) as usize].to_string()),
            ),
            ("user.id".into(), Some(format!("u-{}", chance.below(100_000)))),
            ("thread.name".into(), Some(format!("worker-{}", chance.below(16)))),
            ("request.id".into(), Some(format!("{:016x}", chance.number()))),
        ]
    };
    maps((0..rows).map(|_| row(chance)).collect())
}

fn trace_ids(chance: &mut Chance, rows: u64) -> ArrayRef {
    let id = |_| (u128::from(chance.number()) << 64 | u128::from(chance.number())).to_be_bytes();
    let traces: Vec<[u8; 16]> = (0..rows / 8 + 1).map(id).collect();
    ids((0..rows as usize).map(|row| traces[row / 8]))
}

fn request(signal: Signal, number: u64, chance: &mut Chance) -> Batch {
    let start = NOON + number as i64 * 1_000_000_000;
    let time = |row: u64| start + row as i64 * 1_000_000;
    let stream: ArrayRef = Arc::new(UInt32Array::from(vec![0; ROWS as usize]));
    let streams = sender_streams(number % SENDERS);
    let spans: ArrayRef = {
        let ids: Vec<[u8; 8]> = (0..ROWS).map(|_| chance.number().to_be_bytes()).collect();
        Arc::new(BinaryArray::from_iter_values(ids))
    };
    match signal {
        Signal::Logs => {
            let body = |_| {
                let text = TEMPLATES[chance.below(6) as usize];
                let mut parts = text.split("{}").peekable();
                let mut body = String::new();
                while let Some(part) = parts.next() {
                    body.push_str(part);
                    if parts.peek().is_some() {
                        body.push_str(&chance.below(100_000).to_string());
                    }
                }
                Some(body)
            };
            let body: ArrayRef = Arc::new(StringArray::from_iter((0..ROWS).map(body)));
            let columns = [
                (schema::STREAM, stream),
                ("time_unix_nano", numbers((0..ROWS).map(time))),
                ("observed_time_unix_nano", numbers((0..ROWS).map(|row| time(row) + 1000))),
                (
                    "severity_number",
                    Arc::new(Int32Array::from_iter_values((0..ROWS).map(|row| 9 + (row % 3) as i32 * 4))),
                ),
                (
                    "severity_text",
                    texts((0..ROWS).map(|row| ["INFO", "WARN", "ERROR"][row as usize % 3].to_owned())),
                ),
                ("body", body),
                ("trace_id", trace_ids(chance, ROWS)),
                ("span_id", spans),
                ("attributes", attributes(chance, ROWS)),
            ];
            Batch::Logs(Logs {
                streams,
                records: fill(schema::rows(Table::Logs), ROWS as usize, columns.into()),
            })
        }
        Signal::Spans => {
            let durations: Vec<i64> = (0..ROWS).map(|_| 1000 + chance.below(100_000_000) as i64).collect();
            let columns = [
                (schema::STREAM, stream),
                ("start_time_unix_nano", numbers((0..ROWS).map(time))),
                ("end_time_unix_nano", numbers((0..ROWS).map(|row| time(row) + durations[row as usize]))),
                ("duration_nano", numbers(durations.iter().copied())),
                ("trace_id", trace_ids(chance, ROWS)),
                ("span_id", spans.clone()),
                ("parent_span_id", spans),
                ("name", texts((0..ROWS).map(|_| format!("GET /api/v1/things/{}", chance.below(40))))),
                ("kind", Arc::new(Int32Array::from_iter_values((0..ROWS).map(|row| 1 + (row % 5) as i32)))),
                ("attributes", attributes(chance, ROWS)),
            ];
            Batch::Spans(Spans {
                streams,
                records: fill(schema::rows(Table::Spans), ROWS as usize, columns.into()),
            })
        }
        Signal::Metrics => {
            // The series of a sender are always the same.
            let sender = number % SENDERS;
            let id = |row: u64| {
                (u128::from(sender * ROWS + row + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            };
            let series = [
                (schema::STREAM, stream),
                ("time_unix_nano", numbers((0..ROWS).map(|_| start))),
                ("series_id", ids((0..ROWS).map(|row| id(row).to_be_bytes()))),
                ("metric_name", texts((0..ROWS).map(|row| format!("some.metric.of.system.{}", row % 100)))),
                ("attributes", attributes(chance, ROWS)),
            ];
            let samples = [
                (schema::SERIES, Arc::new(UInt32Array::from_iter_values(0..ROWS as u32)) as ArrayRef),
                ("time_unix_nano", numbers((0..ROWS).map(|_| start))),
                ("start_time_unix_nano", numbers((0..ROWS).map(|_| NOON))),
                (
                    "value",
                    Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| {
                        if row % 2 == 0 {
                            (number * 15 + row) as f64
                        } else {
                            chance.below(10_000) as f64 / 100.0
                        }
                    }))),
                ),
            ];
            let empty = |table| fill(schema::rows(table), 0, Default::default());
            Batch::Metrics(Metrics {
                streams,
                series: fill(schema::rows(Table::Series), ROWS as usize, series.into()),
                samples: fill(schema::rows(Table::Samples), ROWS as usize, samples.into()),
                histograms: empty(Table::Histograms),
                exemplars: empty(Table::Exemplars),
            })
        }
    }
}

/// CPU time of the process: what others do on the machine does not count.
struct Cpu(f64);

impl Cpu {
    fn now() -> Self {
        Self(cpu_nanos())
    }

    fn nanos(&self) -> f64 {
        cpu_nanos() - self.0
    }
}

fn cpu_nanos() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let nanos = |thread: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap_or_default();
        stat.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0)
    };
    threads.map(nanos).sum()
}

/// Nanoseconds a row of each step in memory.
fn in_memory(signal: Signal, batches: &[Batch]) {
    let table = signal.tables()[0];
    let budget = Budget::new(8 << 30);
    let index = Arc::new(SeriesIndex::new(&budget));
    let rows = (batches.len() as u64 * ROWS) as f64;
    let step = |name: &str, since: Cpu| println!("{signal:8} {name:12} {:6.0} ns", since.nanos() / rows);
    let since = Cpu::now();
    let prepared: Vec<_> =
        batches.iter().map(|batch| Prepared::new(batch.clone(), Some(&index), &budget)).collect();
    step("prepare", since);
    let chunks = prepared.iter().flat_map(|prepared| &prepared.chunks).filter(|(of, _)| *of == table);
    let chunks: Vec<_> = chunks.map(|(_, chunk)| chunk).collect();
    let bytes: u64 = chunks.iter().map(|chunk| chunk.bytes()).sum();
    println!("{signal:8} memory       {:6.0} bytes", bytes as f64 / rows);
    let catalog = index.catalog();
    let since = Cpu::now();
    let all = Rows::new(table, chunks, &catalog).unwrap();
    let picks = order(&all);
    step("order", since);
    let since = Cpu::now();
    let gathered: usize = picks.chunks(8192).map(|picks| all.gather(picks).unwrap().num_rows()).sum();
    step("gather", since);
    assert_eq!(gathered as f64, rows);
}

/// `FRESNEL_SIGNAL` for one signal only, `FRESNEL_SEAL` for the requests of a file (75),
/// `FRESNEL_BODY` for the bytes of a record in the log (60: as compressed by the sender).
#[tokio::test]
#[ignore = "a measurement"]
async fn cost() {
    let wanted = std::env::var("FRESNEL_SIGNAL").ok().and_then(|name| Signal::parse(&name));
    for signal in Signal::ALL.into_iter().filter(|signal| wanted.is_none_or(|wanted| wanted == *signal)) {
        let mut chance = Chance::new(1);
        let batches: Vec<_> = (0..REQUESTS).map(|number| request(signal, number, &mut chance)).collect();
        in_memory(signal, &batches);
        // A server has been running for a while: memory that is used for the first time is dear.
        drop(on_disk(signal, batches.clone(), false).await);
        let (store, _dir) = on_disk(signal, batches, true).await;
        if signal == Signal::Spans {
            traces(&store).await;
        }
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Nanoseconds a row of each step on the way to a compacted file.
async fn on_disk(signal: Signal, batches: Vec<Batch>, told: bool) -> (crate::Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    // The files are kept where they are wanted for a look with other readers.
    let kept = std::env::var("FRESNEL_KEEP").ok().filter(|_| told);
    let kept = kept.map(|kept| std::path::Path::new(&kept).join(signal.as_str()));
    let mut config = config(kept.as_deref().unwrap_or(dir.path()));
    config.wal.file_size = fresnel_sdk::config::ByteSize::mib(64);
    let budget = Budget::new(8 << 30);
    let options = crate::Options {
        budget: budget.clone(),
        ..options(config, Arc::new(LocalDisk::new()), &TestClock::new(NOON))
    };
    let store = open_with(options).await;
    let rows = (REQUESTS * ROWS) as f64;
    let tell = |name: &str, nanos: f64| {
        if told {
            println!("{signal:8} {name:12} {:6.0} ns", nanos / rows);
        }
    };
    let (seal, body) = (setting("FRESNEL_SEAL", 75), setting("FRESNEL_BODY", 60) * ROWS as usize);
    let body: bytes::Bytes = (0..body).map(|byte| (byte * byte) as u8).collect();
    let (mut appends, mut seals) = (0.0, 0.0);
    for (number, batch) in batches.into_iter().enumerate() {
        let since = Cpu::now();
        let meta = EntryMeta {
            tenant: tenant(),
            signal,
            protocol: 1,
            received_unix_nano: NOON,
            records: ROWS as u32,
            rejected: Vec::new(),
            refused: Vec::new(),
        };
        let entry = crate::Entry { meta, body: body.clone() };
        store.append(entry, batch, budget.reserve(0).unwrap()).await.unwrap();
        appends += since.nanos();
        if number % seal == seal - 1 {
            let since = Cpu::now();
            store.seal_all().await.unwrap();
            seals += since.nanos();
        }
    }
    let bytes = |name: &str| {
        if told {
            println!("{signal:8} {name:12} {:6.1} bytes", store.status().segment_bytes as f64 / rows);
        }
    };
    tell("append", appends);
    tell("seal", seals);
    bytes("sealed");
    let since = Cpu::now();
    store.compact_now().await.unwrap();
    tell("compact", since.nanos());
    bytes("compacted");
    (store, dir)
}

/// Microseconds of looking for a trace.
async fn traces(store: &crate::Store) {
    let since = Cpu::now();
    let missing = store.trace(&tenant(), [7; 16]).await.unwrap();
    println!("spans    trace, none  {:6.0} us", since.nanos() / 1000.0);
    assert!(missing.spans.is_empty());
    let snapshot = store.snapshot(&tenant(), Table::Spans);
    let (_, files) = batches_of(store, &snapshot);
    let id: [u8; 16] = files[0]
        .column_by_name("trace_id")
        .map(|ids| {
            use arrow_array::cast::AsArray;
            ids.as_binary::<i32>().value(99).try_into().unwrap()
        })
        .unwrap();
    for _ in 0..3 {
        let since = Cpu::now();
        let trace = store.trace(&tenant(), id).await.unwrap();
        let spans: usize = trace.spans.iter().map(|batch| batch.num_rows()).sum();
        println!("spans    trace of {spans:3} {:6.0} us", since.nanos() / 1000.0);
    }
}

fn batches_of(
    store: &crate::Store,
    snapshot: &crate::Snapshot,
) -> (Vec<arrow_array::RecordBatch>, Vec<arrow_array::RecordBatch>) {
    batches(store, snapshot)
}

/// Traces looked up in millions of spans: `FRESNEL_REQUESTS` thousand of them, in `FRESNEL_KEEP`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn traces_in_millions_of_spans() {
    let requests =
        std::env::var("FRESNEL_REQUESTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000u64);
    let temporary = tempfile::tempdir().unwrap();
    let kept = std::env::var("FRESNEL_KEEP").map_or(temporary.path().to_owned(), std::path::PathBuf::from);
    let mut config = crate::Config { dir: kept, ..crate::Config::default() };
    config.retention.spans = fresnel_sdk::config::Duration::ZERO;
    let budget = Budget::new(2 << 30);
    let options = crate::Options {
        budget: budget.clone(),
        ..options(config, Arc::new(LocalDisk::new()), &TestClock::new(NOON))
    };
    let store = open_with(options).await;
    let mut chance = Chance::new(1);
    let (cpu, wall) = (Cpu::now(), std::time::Instant::now());
    let mut ids: Vec<[u8; 16]> = Vec::new();
    for number in 0..requests {
        let batch = request(Signal::Spans, number, &mut chance);
        if let (Batch::Spans(spans), true) = (&batch, number % (requests / 10) == 3) {
            use arrow_array::cast::AsArray;
            let all = spans.records.column_by_name("trace_id").unwrap().as_binary::<i32>();
            ids.push(all.value(number as usize % 900).try_into().unwrap());
        }
        let meta = EntryMeta {
            tenant: tenant(),
            signal: Signal::Spans,
            protocol: 1,
            received_unix_nano: NOON,
            records: ROWS as u32,
            rejected: Vec::new(),
            refused: Vec::new(),
        };
        let entry = crate::Entry { meta, body: vec![0; 1000].into() };
        store.append(entry, batch, budget.reserve(0).unwrap()).await.unwrap();
        let inner = Arc::clone(store.inner());
        let shard = inner.memory.shard(&tenant(), Signal::Spans);
        while shard.has_frozen() {
            let (inner, shard) = (Arc::clone(&inner), Arc::clone(&shard));
            crate::store::blocking("seal", move || inner.seal_oldest(&shard)).await.unwrap();
        }
    }
    store.seal_all().await.unwrap();
    println!(
        "{} spans in {:.1} s, {:.1} CPU s",
        requests * ROWS,
        wall.elapsed().as_secs_f64(),
        cpu.nanos() / 1e9
    );
    let (cpu, wall) = (Cpu::now(), std::time::Instant::now());
    store.compact_now().await.unwrap();
    println!("compacted in {:.1} s, {:.1} CPU s", wall.elapsed().as_secs_f64(), cpu.nanos() / 1e9);
    let segments = store.segments().live;
    let bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    println!(
        "{} segments, {:.1} bytes a span, {} MiB peak",
        segments.len(),
        bytes as f64 / (requests * ROWS) as f64,
        budget.peak() >> 20
    );
    for round in ["cold", "warm"] {
        for id in &ids {
            let (cpu, wall) = (Cpu::now(), std::time::Instant::now());
            let trace = store.trace(&tenant(), *id).await.unwrap();
            let spans: usize = trace.spans.iter().map(|spans| spans.num_rows()).sum();
            println!(
                "{round} {spans} spans, {} of {} segments: {:.1} ms, {:.1} CPU ms",
                trace.segments - trace.segments_skipped,
                trace.segments,
                wall.elapsed().as_secs_f64() * 1e3,
                cpu.nanos() / 1e6
            );
        }
    }
    println!("{:02x?}", ids[0]);
}
