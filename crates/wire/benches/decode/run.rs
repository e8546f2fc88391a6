//! Decoding against prost on the same bytes, in the same run, by CPU time of the thread.
//!
//! Rounds alternate between the two, so that what else the machine does meets both. The ratio is
//! that of the medians; the range is that of the rounds' own ratios. prost's figure has decoding
//! and dropping, ours has decoding to Arrow arrays, judging every record, and dropping. prost makes
//! some forty allocations a record, so the allocator decides: the server has mimalloc (`decode`),
//! prost's published figures have the system's (`decode_system`).

use std::hint::black_box;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use rustix::time::{ClockId, clock_gettime};
use wire::compression::{self, Encoding};
use wire::{Context, Decide, Limits, otlp};

use crate::requests;

const ROUNDS: usize = 11;
/// CPU time of one side of one round.
const ROUND_NANOS: u128 = 60_000_000;
pub(super) const RECORDS: usize = 1000;

fn cpu_nanos() -> u128 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u128::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u128::try_from(time.tv_nsec).unwrap()
}

/// Nanoseconds of CPU for one call.
fn measure(mut run: impl FnMut()) -> f64 {
    let start = cpu_nanos();
    let mut calls = 0_u32;
    loop {
        for _ in 0..4 {
            run();
        }
        calls += 4;
        let elapsed = cpu_nanos() - start;
        if elapsed >= ROUND_NANOS {
            return elapsed as f64 / f64::from(calls);
        }
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn versus(name: &str, bytes: usize, records: usize, mut ours: impl FnMut(), mut prost: impl FnMut()) {
    ours();
    prost();
    let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (prost, ours) = (measure(&mut prost), measure(&mut ours));
        a.push(ours);
        b.push(prost);
        ratios.push(prost / ours);
    }
    let (a, b) = (median(&mut a) / records as f64, median(&mut b) / records as f64);
    median(&mut ratios);
    println!(
        "{name:40} {:5} B {a:8.1} ns {b:8.1} ns {:6.2}x ({:.2} to {:.2}) {:6.0} MB/s",
        bytes / records,
        b / a,
        ratios[0],
        ratios[ROUNDS - 1],
        bytes as f64 / records as f64 / a * 1e3,
    );
}

fn limit(name: &str, bytes: usize, mut run: impl FnMut()) {
    run();
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| measure(&mut run)).collect();
    let nanos = median(&mut rounds);
    println!("{name:40} {:8.1} ns a record {:8.0} MB/s", nanos / RECORDS as f64, bytes as f64 / nanos * 1e3);
}

fn decode<M: Message + Default>(signal: model::Signal, name: &str, request: &M) {
    let limits = Limits::default();
    let context = Context { received_unix_nano: 1, decide: Decide::Apply(&limits) };
    let body = request.encode_to_vec();
    let decoded = otlp::decode(signal, &body, &context).unwrap();
    assert_eq!((decoded.received as usize, decoded.rejected.len()), (RECORDS, 0));
    let ours = |body: &[u8]| drop(black_box(otlp::decode(signal, black_box(body), &context).unwrap()));
    let prost = |body: &[u8]| drop(black_box(M::decode(black_box(body)).unwrap()));
    if argument("--profile") {
        if argument(name) {
            let rounds = if argument("--short") { 50 } else { 20_000 };
            let prost_too = argument("--prost");
            (0..rounds).for_each(|_| if prost_too { prost(&body) } else { ours(&body) });
        }
        return;
    }
    versus(name, body.len(), RECORDS, || ours(&body), || prost(&body));
    if argument("--plain") {
        return;
    }
    for (encoding, packed) in [
        (Encoding::Zstd, zstd::bulk::compress(&body, 1).unwrap()),
        (Encoding::Gzip, gzip(&body)),
        (Encoding::Snappy, snap::raw::Encoder::new().compress_vec(&body).unwrap()),
    ] {
        let unpack = || compression::decompress(black_box(&packed), encoding, 64 << 20).unwrap();
        let name = format!("{name} {} ({:.1}:1)", encoding.as_str(), body.len() as f64 / packed.len() as f64);
        versus(&name, body.len(), RECORDS, || ours(&unpack()), || prost(&unpack()));
    }
}

/// `--plain` leaves out compression, `--profile logs` runs only our decoder of that request.
fn argument(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// Runs everything; `allocator` is named in the heading.
pub(super) fn main(allocator: &str) {
    println!(
        "{:40} {:>7} {:>11} {:>11} {:>7}",
        format!("1,000 records a request, {allocator}"),
        "record",
        "ours",
        "prost",
        "ratio"
    );
    let logs = requests::logs();
    decode::<ExportLogsServiceRequest>(model::Signal::Logs, "logs", &logs);
    decode::<ExportTraceServiceRequest>(model::Signal::Spans, "spans", &requests::spans());
    decode::<ExportMetricsServiceRequest>(model::Signal::Metrics, "number points", &requests::numbers());
    decode::<ExportMetricsServiceRequest>(
        model::Signal::Metrics,
        "histogram points",
        &requests::histograms(),
    );

    if argument("--plain") || argument("--profile") {
        return;
    }
    let body = logs.encode_to_vec();
    println!("limits on the bytes of the logs request:");
    let mut to = vec![0; body.len()];
    limit("memcpy", body.len(), || black_box(&mut to).copy_from_slice(black_box(&body)));
    limit("simdutf8", body.len(), || {
        black_box(simdutf8::basic::from_utf8(black_box(&body)).is_ok());
    });
    let text = vec![b'a'; body.len()];
    limit("simdutf8, all ASCII", body.len(), || {
        black_box(simdutf8::basic::from_utf8(black_box(&text)).is_ok());
    });
    let packed = zstd::bulk::compress(&body, 1).unwrap();
    limit("zstd-1 decompress", body.len(), || {
        drop(black_box(compression::decompress(black_box(&packed), Encoding::Zstd, 64 << 20).unwrap()));
    });
}
