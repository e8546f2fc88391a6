//! Remote write and PromQL beside VictoriaMetrics and Prometheus, on a replay of real scrapes.
//!
//! A node_exporter is scraped on this machine; its series become a fleet (`replay`), which is sent to
//! each server in turns, encoded before. What is counted is the processor time of the server, from
//! the first request until its background work is done. Ours has synced what it acknowledges; the
//! peers may lose seconds.

mod peer;
mod queries;
mod replay;
mod scrapes;

use std::borrow::Cow;

use anyhow::{Context, Result};

use crate::load::{Sent, closed_loop};
use crate::options::Options;
use crate::quantiles::Quantiles;
use crate::report::{Better, Goal, Report, figure, progress};
use crate::restart::senders::now_ms;
use peer::{Disk, Kind, Peer, WRITE};
use queries::Span;
use replay::{Replay, STEP_MS};
use scrapes::Series;

/// Machines of the fleet, at full scale, and of the run that only brings new series.
const MACHINES: usize = 100;
const MACHINES_MIN: usize = 10;
const NEW_MACHINES: usize = 1_000;
const NEW_MACHINES_MIN: usize = 50;
const CONNECTIONS: usize = 2;
/// Prometheus' blocks begin at whole multiples of it.
const BLOCK_MS: i64 = 7_200_000;
/// Machines, at full scale, and scrapes of a week, one a minute.
const WEEK_MACHINES: usize = 10;
const WEEK_MACHINES_MIN: usize = 2;
const WEEK_STEP_MS: i64 = 60_000;
const WEEK_SCRAPES: usize = 7 * 24 * 60;
/// Scrapes of a day, as many as the single machine has at least.
const DAY_SCRAPES: usize = 5_760;
/// How long ago the replay begins.
const AGO_MS: i64 = 6 * 3_600_000;

/// What one server did with one replay.
struct Run {
    sent: Sent,
    cpu_seconds: f64,
    cpu_seconds_sent: f64,
    peak_rss_bytes: u64,
}

/// Runs of one server, and its files in the end.
#[derive(Default)]
struct Runs {
    runs: Vec<Run>,
    disk: Disk,
}

impl Runs {
    /// Samples a second of processor time.
    fn rate(&self, replay: &Replay) -> Quantiles {
        self.of(|run| replay.samples as f64 / run.cpu_seconds)
    }

    fn of(&self, value: impl Fn(&Run) -> f64) -> Quantiles {
        Quantiles::of(self.runs.iter().map(value).collect())
    }
}

/// Feeds, measures and asks.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("metrics: remote write, its files and PromQL beside the peers");
    let mut kinds = Vec::new();
    for kind in Kind::ALL {
        match kind.version(options) {
            Ok(version) => {
                kinds.push(kind);
                report.note(format!("{} {version}: {}", kind.name(), kind.durability()));
            }
            Err(error) => {
                report.note(format!("{} is missing, nothing is compared with it: {error:#}", kind.name()))
            }
        }
    }
    let real = scrapes::take(options)?;
    let scrapes = real[0].values.len();
    progress(format!("metrics: {} series, scraped {scrapes} times", real.len()));
    let now = i64::try_from(now_ms()).context("a time")?;
    let start_ms = (now - AGO_MS) / BLOCK_MS * BLOCK_MS;
    if options.wants("ingest") {
        let machines = options.scaled(MACHINES, MACHINES_MIN);
        let replay = Replay::new(&real, machines, scrapes, (start_ms, STEP_MS), WRITE)?;
        let peers = ingest(options, &mut report, &kinds, &replay)?;
        let asked = queries::ask(options, &peers, &replay, Span::Hours)
            .map(|asked| queries::report(&mut report, &peers, &asked, Span::Hours));
        report.part("queries", asked);
    }
    if options.wants("one instance") {
        let counted = one_instance(options, &mut report, &kinds, (&real, now));
        report.part("a single real instance", counted);
    }
    if options.wants("week") {
        let asked = week(options, &mut report, &kinds, (&real, now));
        report.part("a week", asked);
    }
    if options.wants("new series") {
        let machines = options.scaled(NEW_MACHINES, NEW_MACHINES_MIN);
        let new = Replay::new(&real, machines, 2, (now - 2 * STEP_MS, STEP_MS), WRITE)?;
        let fed = new_series(options, &mut report, &kinds, &new);
        report.part("new series", fed);
    }
    Ok(report)
}

/// The same queries, with wider steps, of a week.
fn week(options: &Options, report: &mut Report, kinds: &[Kind], (real, now): (&[Series], i64)) -> Result<()> {
    let machines = options.scaled(WEEK_MACHINES, WEEK_MACHINES_MIN);
    let start_ms = now - WEEK_STEP_MS * (WEEK_SCRAPES as i64 + 5);
    let replay = Replay::new(real, machines, WEEK_SCRAPES, (start_ms, WEEK_STEP_MS), WRITE)?;
    progress(format!("metrics: a week of {} series, {} samples", replay.series, replay.samples));
    let mut peers = Vec::new();
    for kind in kinds {
        let peer = Peer::start(*kind, options)?;
        feed(options, &peer, &replay)?;
        peer.merge()?;
        peers.push(peer);
    }
    let asked = queries::ask(options, &peers, &replay, Span::Week)?;
    queries::report(report, &peers, &asked, Span::Week);
    Ok(())
}

/// What one machine takes on the disk: as it was scraped, which is little, and for a day, for which what
/// happened happens again in another order. Without others, nothing is the same in two of them.
fn one_instance(
    options: &Options,
    report: &mut Report,
    kinds: &[Kind],
    (real, now): (&[Series], i64),
) -> Result<()> {
    let scrapes = real[0].values.len();
    report.table(&["a single real instance", "samples", "bytes a sample", "of it data", "of it index"]);
    for turns in [1, DAY_SCRAPES.div_ceil(scrapes)] {
        let length_ms = STEP_MS * (turns * scrapes) as i64;
        let start_ms = (now - length_ms - BLOCK_MS / 2) / BLOCK_MS * BLOCK_MS;
        let replay = Replay::of_one(real, turns, start_ms, WRITE)?;
        let mut disks = Vec::new();
        for kind in kinds {
            let peer = Peer::start(*kind, options)?;
            feed(options, &peer, &replay)?;
            peer.merge()?;
            let disk = peer.disk(&replay)?;
            let per_sample = |bytes: u64| format!("{:.3}", bytes as f64 / disk.samples as f64);
            report.row([
                format!("{}, {turns} times {scrapes} scrapes", kind.name()),
                disk.samples.to_string(),
                per_sample(disk.data + disk.index),
                per_sample(disk.data),
                per_sample(disk.index),
            ]);
            disks.push(disk);
        }
        for (kind, disk) in kinds.iter().zip(&disks).skip(1) {
            let is_victoria = *kind == Kind::Victoria;
            let bounds = if is_victoria { (1.0, 0.95) } else { (0.4, 0.3) };
            let name = format!("bytes a sample of one instance, {turns} times, of {}'s", kind.name());
            let ratio = disks[0].per_sample() / disk.per_sample();
            report.goal(goal(name, ratio, bounds, Better::Lower));
        }
    }
    report.note(format!(
        "the single instance: {} series; once as they were scraped, else their deltas again in other orders",
        real.len()
    ));
    Ok(())
}

/// Sends all of a replay to a server and waits for what follows from it.
fn feed(options: &Options, peer: &Peer, replay: &Replay) -> Result<Run> {
    let before = peer.cpu_seconds()?;
    let request = |index: usize| replay.requests.get(index).map(Cow::Borrowed);
    // Prometheus refuses a sample that is older than the one before of its series: no two requests with the
    // same ones are on their way at once.
    let connections = if replay.requests_a_scrape < 2 * CONNECTIONS { 1 } else { CONNECTIONS };
    let sent = closed_loop(peer.http, request, connections)?;
    let cpu_seconds_sent = peer.cpu_seconds()? - before;
    peer.settle(options)?;
    let run = Run {
        sent,
        cpu_seconds: peer.cpu_seconds()? - before,
        cpu_seconds_sent,
        peak_rss_bytes: peer.peak_rss_bytes()?,
    };
    let rate = figure(replay.samples as f64 / run.cpu_seconds / 1e3);
    progress(format!("metrics, {}: {rate} k samples a second of processor time", peer.kind.name()));
    Ok(run)
}

/// The rounds; the servers of the last one, with everything in them.
fn ingest(options: &Options, report: &mut Report, kinds: &[Kind], replay: &Replay) -> Result<Vec<Peer>> {
    let mut all: Vec<Runs> = kinds.iter().map(|_| Runs::default()).collect();
    let mut peers = Vec::new();
    for round in 0..options.rounds {
        for (kind, runs) in kinds.iter().zip(&mut all) {
            let peer = Peer::start(*kind, options)?;
            runs.runs.push(feed(options, &peer, replay)?);
            if round + 1 == options.rounds {
                peer.merge()?;
                runs.disk = peer.disk(replay)?;
                peers.push(peer);
            }
        }
    }
    table(report, &format!("{} series, {} samples", replay.series, replay.samples), kinds, &all, replay);
    for (kind, runs) in kinds.iter().zip(&all).skip(1) {
        let is_victoria = *kind == Kind::Victoria;
        let rate = all[0].rate(replay).median() / runs.rate(replay).median();
        let bounds = if is_victoria { (1.5, 3.0) } else { (5.0, 10.0) };
        report.goal(goal(
            format!("samples a CPU second, of {}'s", kind.name()),
            rate,
            bounds,
            Better::Higher,
        ));
        let disk = all[0].disk.per_sample() / runs.disk.per_sample();
        let bounds = if is_victoria { (1.0, 0.85) } else { (0.4, 0.3) };
        report.goal(goal(format!("bytes a sample, of {}'s", kind.name()), disk, bounds, Better::Lower));
        let rss = |runs: &Runs| runs.of(|run| run.peak_rss_bytes as f64).median();
        let bounds = if is_victoria { (1.3, 1.0) } else { (1.3, 0.4) };
        let peak = rss(&all[0]) / rss(runs);
        report.goal(goal(format!("peak memory, of {}'s", kind.name()), peak, bounds, Better::Lower));
    }
    Ok(peers)
}

fn new_series(options: &Options, report: &mut Report, kinds: &[Kind], replay: &Replay) -> Result<()> {
    let mut all: Vec<Runs> = kinds.iter().map(|_| Runs::default()).collect();
    for _ in 0..options.rounds {
        for (kind, runs) in kinds.iter().zip(&mut all) {
            let peer = Peer::start(*kind, options)?;
            runs.runs.push(feed(options, &peer, replay)?);
        }
    }
    table(report, &format!("{} new series, twice", replay.series), kinds, &all, replay);
    for (kind, runs) in kinds.iter().zip(&all).skip(1).filter(|(kind, _)| **kind == Kind::Victoria) {
        let rate = all[0].rate(replay).median() / runs.rate(replay).median();
        let name = format!("samples of new series a CPU second, of {}'s", kind.name());
        report.goal(goal(name, rate, (1.0, 3.0), Better::Higher));
        let rss = |runs: &Runs| runs.of(|run| run.peak_rss_bytes as f64).median();
        let name = format!("peak memory with new series, of {}'s", kind.name());
        report.goal(goal(name, rss(&all[0]) / rss(runs), (1.3, 1.2), Better::Lower));
    }
    Ok(())
}

fn goal(name: String, value: f64, (floor, target): (f64, f64), better: Better) -> Goal {
    Goal { name, value, unit: "x", floor: Some(floor), target: Some(target), better }
}

fn table(report: &mut Report, title: &str, kinds: &[Kind], all: &[Runs], replay: &Replay) {
    report.table(&[
        title,
        "1000s a CPU second",
        "until ack",
        "1000s a second",
        "ack p50 ms",
        "p99 ms",
        "bytes a sample",
        "of it index",
        "peak MiB",
    ]);
    for (kind, runs) in kinds.iter().zip(all) {
        let thousands =
            |of: &dyn Fn(&Run) -> f64| runs.of(|run| replay.samples as f64 / of(run) / 1e3).range();
        let bytes = |bytes: u64| match runs.disk.samples {
            0 => String::new(),
            samples => format!("{:.3}", bytes as f64 / samples as f64),
        };
        report.row([
            kind.name().to_owned(),
            thousands(&|run| run.cpu_seconds),
            thousands(&|run| run.cpu_seconds_sent),
            thousands(&|run| run.sent.seconds),
            figure(runs.of(|run| run.sent.latencies.median() * 1e3).median()),
            figure(runs.of(|run| run.sent.latencies.at(0.99) * 1e3).median()),
            bytes(runs.disk.data + runs.disk.index),
            bytes(runs.disk.index),
            figure(runs.of(|run| run.peak_rss_bytes as f64 / f64::from(1 << 20)).median()),
        ]);
    }
}
