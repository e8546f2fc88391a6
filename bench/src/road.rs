//! What the whole road of a record costs: from the socket through decoding, log with fsync, memory
//! and sealing to a compacted segment, against what prost needs to decode the same bytes.
//!
//! A fifth of the requests warms the server: it is stored and sealed before. The server's CPU time
//! is read then, and again once everything is sealed and the compaction rests, less what it uses
//! when idle. That is more than the road (answering the status
//! is in it) and never less. Left out: the Delta tables, which are published on a clock and not by
//! the record.

mod decoders;
mod size;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::http::Request;
use testkit::otlp::Encoding;

use crate::data::{Bodies, COLLECTED, Signal, once};
use crate::load::{Sent, closed_loop};
use crate::options::Options;
use crate::quantiles::Quantiles;
use crate::report::{Better, Goal, Report, figure};
use crate::server::Server;

/// Senders at the same time.
pub(crate) const CONNECTIONS: usize = 4;
/// Sealing by age must not begin before the last request; what is left then is sealed by it.
/// `grace`: replaced files go soon, so that what lies on the disk is what is live.
const CONFIG: &str =
    "[store.seal]\nage = \"10s\"\n[store.compact]\ngrace = \"1s\"\n[publish]\nenabled = false\n";
/// One of so many requests is for warming.
const WARM_PART: usize = 5;
/// How long the idle server is watched, before.
const IDLE: Duration = Duration::from_secs(3);
const SETTLE_DEADLINE: Duration = Duration::from_mins(3);
/// How often it is looked whether all is done.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Nothing must have changed for so many looks.
const LOOKS_AT_REST: usize = 8;
/// Replaced files are looked for every 30 seconds.
const SWEEP_DEADLINE: Duration = Duration::from_secs(50);

/// What one run of one signal in one encoding gave.
struct Run {
    sent: Sent,
    /// That were measured.
    records: u64,
    /// With those of the warm-up.
    all: u64,
    /// What the road of all of them would have cost at the price of the warm-up.
    cold_seconds: f64,
    /// Pages that the kernel had to hand out.
    faults: u64,
    /// Server CPU of the road.
    cpu_seconds: f64,
    /// Of it, until the last acknowledgement.
    cpu_seconds_sent: f64,
    /// Of an idle server, in cores.
    idle: f64,
    peak_rss_bytes: u64,
    seals: u64,
    merges: u64,
    /// Of the signal's tables, in the end.
    segments: u64,
    segment_bytes: u64,
}

/// Measures and judges.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("road: server CPU of a record, from the socket to a compacted segment");
    let mut decoders = Report::new("decoders");
    decoders.table(&["decoder", "B/record", "wire ns", "prost ns", "prost / wire"]);
    report.table(&[
        "signal",
        "sent as",
        "B/record",
        "prost ns",
        "road ns",
        "road / prost",
        "until ack ns",
        "cold ns",
        "faults/1000",
        "1000s/s",
        "idle core",
        "seals",
        "merges",
        "segments",
        "peak MiB",
    ]);
    let mut sizes = size::Sizes::default();
    for signal in Signal::ALL {
        // A point is a fifth of a log record in memory: the same number of seals needs more of them.
        let records = if signal == Signal::Metrics { 6_000_000 } else { 1_500_000 };
        let bodies = Bodies::make(signal, options.scaled(records, 20_000) / crate::data::RECORDS);
        let (wire, prost) = decoders::measure(signal, &bodies, options.rounds)?;
        decoder_row(&mut decoders, signal.name(), &bodies, (&wire, &prost));
        decoder_goal(&mut decoders, signal, prost.min() / wire.min());
        let collected = Bodies::collected(signal, decoders::BODIES);
        let (wire, of_prost) = decoders::measure(signal, &collected, options.rounds)?;
        let name = format!("{} of {COLLECTED} senders", signal.name());
        decoder_row(&mut decoders, &name, &collected, (&wire, &of_prost));
        for encoding in [Encoding::Zstd, Encoding::None, Encoding::Gzip] {
            encoded(options, &mut report, (signal, encoding), (&bodies, prost.min()), &mut sizes)?;
        }
    }
    report.append(decoders);
    sizes.report(options, &mut report);
    Ok(report)
}

/// One encoding of one signal.
fn encoded(
    options: &Options,
    report: &mut Report,
    (signal, encoding): (Signal, Encoding),
    (bodies, prost_nanos): (&Bodies, f64),
    sizes: &mut size::Sizes,
) -> Result<()> {
    let requests = bodies.requests(encoding);
    // gzip is reported beside the others: once is enough.
    let rounds = if encoding == Encoding::Gzip { 1 } else { options.rounds };
    let mut runs = Vec::new();
    for round in 0..rounds {
        let measure_size = encoding == Encoding::Zstd && round == 0;
        let (run, files) = one(options, signal, &requests, measure_size)?;
        if let Some((dir, files)) = files {
            sizes.add(signal, bodies, &run, dir, files);
        }
        runs.push(run);
    }
    let of = |value: &dyn Fn(&Run) -> f64| Quantiles::of(runs.iter().map(value).collect());
    let nanos = |seconds: f64, run: &Run| seconds * 1e9 / run.records as f64;
    let road = of(&|run| nanos(run.cpu_seconds, run));
    let ratio = of(&|run| nanos(run.cpu_seconds, run) / prost_nanos);
    let name = encoding.header().unwrap_or("none");
    let last = runs.last().context("there is a round")?;
    report.row([
        signal.name().to_owned(),
        name.to_owned(),
        figure(last.sent.bytes as f64 / last.records as f64),
        figure(prost_nanos),
        road.range(),
        ratio.range(),
        of(&|run| nanos(run.cpu_seconds_sent, run)).range(),
        of(&|run| run.cold_seconds * 1e9 / run.all as f64).range(),
        figure(last.faults as f64 * 1e3 / last.records as f64),
        of(&|run| run.records as f64 / run.sent.seconds / 1e3).range(),
        format!("{:.3}", last.idle),
        last.seals.to_string(),
        last.merges.to_string(),
        last.segments.to_string(),
        figure(last.peak_rss_bytes as f64 / f64::from(1 << 20)),
    ]);
    let refused: usize = runs.iter().map(|run| run.sent.refused).sum();
    if refused > 0 {
        report.note(format!(
            "{} as {name}: {refused} requests were refused for a while and sent again",
            signal.name()
        ));
    }
    if last.merges == 0 {
        report.note(format!("{} as {name}: at this scale nothing is compacted", signal.name()));
    }
    report.goal(Goal {
        name: format!("road / prost, {} as {name}", signal.name()),
        value: ratio.median(),
        unit: "x",
        floor: (encoding != Encoding::Gzip).then_some(2.0),
        target: None,
        better: Better::Lower,
    });
    Ok(())
}

fn decoder_row(report: &mut Report, name: &str, bodies: &Bodies, (wire, prost): (&Quantiles, &Quantiles)) {
    report.row([
        name.to_owned(),
        figure(bodies.bytes() as f64 / bodies.records() as f64),
        wire.range(),
        prost.range(),
        figure(prost.min() / wire.min()),
    ]);
}

fn decoder_goal(report: &mut Report, signal: Signal, ratio: f64) {
    let target = match signal {
        Signal::Logs => 8.0,
        Signal::Spans => 10.0,
        Signal::Metrics => 6.0,
    };
    report.goal(Goal {
        name: format!("prost / wire, decoding {}", signal.name()),
        value: ratio,
        unit: "x",
        floor: Some(4.0),
        target: Some(target),
        better: Better::Higher,
    });
}

/// Where the live files of a run are.
type Files = (tempfile::TempDir, Vec<PathBuf>);

/// Sends everything once to a new server; gives the files too, where they are wanted.
fn one(options: &Options, signal: Signal, requests: &[Request], files: bool) -> Result<(Run, Option<Files>)> {
    let dir = options.temporary("road")?;
    let server = Server::start(options, CONFIG, Some(dir.path()))?;
    let (warm, measured) = requests.split_at(requests.len() / WARM_PART);
    let cold = server.cpu_seconds()?;
    closed_loop(server.otlp_http(), once(warm), CONNECTIONS)?;
    settle(&server)?;
    let cold = server.cpu_seconds()? - cold;
    let idle = idle_cores(&server)?;
    let faults = server.page_faults()?;
    let (started, before) = (Instant::now(), server.cpu_seconds()?);
    let sent = closed_loop(server.otlp_http(), once(measured), CONNECTIONS)?;
    let until_acknowledged = server.cpu_seconds()? - before - idle * started.elapsed().as_secs_f64();
    let status = settle(&server)?;
    let cpu_seconds = server.cpu_seconds()? - before - idle * started.elapsed().as_secs_f64();
    let faults = server.page_faults()? - faults;
    let all = records_in(requests);
    let stored = server.number(&format!("SELECT count(*) FROM {}", signal.name()))?;
    ensure!(stored == all, "{all} {} were sent, {stored} are stored", signal.name());
    let run = Run {
        sent,
        records: records_in(measured),
        all,
        cold_seconds: cold * all as f64 / records_in(warm) as f64,
        faults,
        cpu_seconds,
        cpu_seconds_sent: until_acknowledged,
        idle,
        peak_rss_bytes: server.peak_rss_bytes()?,
        seals: server.metric("fresnel_store_seals_total")?,
        merges: server.metric("fresnel_store_compactions_total")?,
        segments: table_sum(&status, signal, "segments"),
        segment_bytes: table_sum(&status, signal, "bytes"),
    };
    let files = if files { live_files(&server, signal, run.segments)? } else { Vec::new() };
    server.stop()?;
    Ok((run, (!files.is_empty()).then_some((dir, files))))
}

fn records_in(requests: &[Request]) -> u64 {
    (requests.len() * crate::data::RECORDS) as u64
}

/// CPU that the server uses when nothing is sent, in cores.
fn idle_cores(server: &Server) -> Result<f64> {
    // What belongs to the start is over.
    std::thread::sleep(Duration::from_secs(1));
    let (started, before) = (Instant::now(), server.cpu_seconds()?);
    std::thread::sleep(IDLE);
    Ok((server.cpu_seconds()? - before) / started.elapsed().as_secs_f64())
}

/// Waits until everything is sealed and nothing is merged any more; the status then.
fn settle(server: &Server) -> Result<Value> {
    let started = Instant::now();
    let (mut last, mut at_rest) = (Value::Null, 0);
    while at_rest < LOOKS_AT_REST {
        ensure!(started.elapsed() < SETTLE_DEADLINE, "not sealed and compacted within {SETTLE_DEADLINE:?}");
        let cpu = server.cpu_seconds()?;
        std::thread::sleep(LOOK_EVERY);
        // A merge takes longer than we look, and shows only when it is done: but it uses a core.
        let works = server.cpu_seconds()? - cpu > LOOK_EVERY.as_secs_f64() / 5.0;
        let status = server.status()?;
        let sealed = status["store"]["memtable_rows"].as_u64() == Some(0);
        let same = status["store"]["tables"] == last["store"]["tables"];
        at_rest = if sealed && same && !works { at_rest + 1 } else { 0 };
        last = status;
    }
    Ok(last)
}

/// A figure of the tables of a signal in `/api/v1/status`, added up.
fn table_sum(status: &Value, signal: Signal, figure: &str) -> u64 {
    let tables = status["store"]["tables"].as_array().map_or(&[][..], Vec::as_slice);
    let own = tables.iter().filter(|table| signal.tables().iter().any(|name| table["table"] == *name));
    own.filter_map(|table| table[figure].as_u64()).sum()
}

/// The files of a signal, once those that were replaced are gone; none when they stay.
fn live_files(server: &Server, signal: Signal, segments: u64) -> Result<Vec<PathBuf>> {
    let started = Instant::now();
    while started.elapsed() < SWEEP_DEADLINE {
        let mut files = Vec::new();
        for table in signal.tables() {
            parquet_files(&server.data_dir().join("segments").join(table), &mut files)?;
        }
        if files.len() as u64 == segments {
            return Ok(files);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(Vec::new())
}

fn parquet_files(dir: &std::path::Path, into: &mut Vec<PathBuf>) -> Result<()> {
    if !dir.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))? {
        let path = entry.context("read a folder of segments")?.path();
        if path.is_dir() {
            parquet_files(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            into.push(path);
        }
    }
    Ok(())
}
