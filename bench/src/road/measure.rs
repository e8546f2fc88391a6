//! One run of the road: a new server, warmed, then measured until everything is at rest.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testkit::http::Request;

use super::CONNECTIONS;
use crate::data::{RECORDS, Signal, once};
use crate::load::{Sent, closed_loop};
use crate::options::Options;
use crate::server::Server;

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
pub(super) struct Run {
    pub(super) sent: Sent,
    /// That were measured.
    pub(super) records: u64,
    /// With those of the warm-up.
    pub(super) all: u64,
    /// What the road of all of them would have cost at the price of the warm-up.
    pub(super) cold_seconds: f64,
    /// Pages that the kernel had to hand out.
    pub(super) faults: u64,
    /// Server CPU of the road.
    pub(super) cpu_seconds: f64,
    /// Of it, until the last acknowledgement.
    pub(super) cpu_seconds_sent: f64,
    /// Of an idle server, in cores.
    pub(super) idle: f64,
    pub(super) peak_rss_bytes: u64,
    pub(super) seals: u64,
    pub(super) merges: u64,
    /// Of the signal's tables, in the end.
    pub(super) segments: u64,
    pub(super) segment_bytes: u64,
}

/// Where the live files of a run are.
pub(super) type Files = (TempDir, Vec<PathBuf>);

/// Sends everything once to a new server; gives the files too, where they are wanted.
pub(super) fn one(
    options: &Options,
    signal: Signal,
    requests: &[Request],
    files: bool,
) -> Result<(Run, Option<Files>)> {
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
    (requests.len() * RECORDS) as u64
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

fn parquet_files(dir: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
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
