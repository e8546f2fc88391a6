//! Time from exec to ready after `kill -9` in the middle of ingesting, beside Prometheus.
//!
//! A fleet of machines is scraped; the same values go to our server as OTLP and to Prometheus as
//! remote write, two connections each. Once so many points are acknowledged the process is killed
//! while both connections are sending. What it left is copied, so that each round starts from the
//! same files. The page cache is warm for both, as it is after a crash of a process.

mod fleet;
mod ingest;
mod otlp;
mod ours;
mod post;
mod prometheus;
pub(crate) mod remote_write;
pub(crate) mod senders;
mod series;

use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

use crate::debian;
use crate::options::Options;
use crate::quantiles::Quantiles;
use crate::report::{Better, Goal, Report};
use ingest::Sent;
use ours::Ours;
use prometheus::Prometheus;

/// Machines of the fleet, at full scale.
const MACHINES: usize = 100;
/// Scrapes of each: three hours.
const SCRAPES: u64 = 720;
/// Log records, at full scale.
const LOGS: usize = 5_000_000;
/// Beyond it a smaller scale takes fewer scrapes, so that there is work for the connections.
const MACHINES_MIN: usize = 8;

/// What a start after the kill took.
#[derive(Clone, Copy, Debug)]
struct Start {
    seconds: f64,
    cpu_seconds: f64,
}

/// Starts of a peer.
#[derive(Default)]
struct Starts {
    seconds: Vec<f64>,
    cpu_seconds: Vec<f64>,
}

impl Starts {
    fn add(&mut self, start: Start) {
        self.seconds.push(start.seconds);
        self.cpu_seconds.push(start.cpu_seconds);
    }

    fn seconds(&self) -> Quantiles {
        Quantiles::of(self.seconds.clone())
    }

    fn cpu_seconds(&self) -> Quantiles {
        Quantiles::of(self.cpu_seconds.clone())
    }
}

/// How many points are sent before the kill.
#[derive(Clone, Copy, Debug)]
struct Plan {
    machines: u64,
    points: u64,
    start_ms: u64,
}

impl Plan {
    fn new(options: &Options) -> Self {
        let machines = options.scaled(MACHINES, MACHINES_MIN) as u64;
        let points = options.scaled(MACHINES * 507 * SCRAPES as usize, 1) as u64;
        let scrapes = points.div_ceil(machines * 507);
        // The last scrape is of now.
        let start_ms = senders::now_ms().saturating_sub(scrapes * fleet::STEP_MS);
        Self { machines, points, start_ms }
    }
}

/// Kills and starts, and compares.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("restart: ready again after kill -9 in the middle of ingesting");
    report.table(&[
        "killed while ingesting",
        "acknowledged",
        "k/s",
        "left, MiB",
        "ready after, s",
        "CPU until then, s",
    ]);
    metrics(options, &mut report)?;
    logs(options, &mut report)?;
    report.note(
        "every round starts from a copy of the files that the killed process left; the page cache is warm",
    );
    Ok(report)
}

fn metrics(options: &Options, report: &mut Report) -> Result<()> {
    let plan = Plan::new(options);
    let folder = options.temporary("restart")?;
    let ours = Ours::new(options, &folder.path().join("ours"))?;
    let sent = ours.ingest(plan.points, |address| senders::otlp(address, plan.machines, plan.start_ms))?;
    let peer = debian::found("prometheus", options.dir())
        .and_then(|program| Prometheus::new(program, &folder.path().join("prometheus")));
    let peer = match peer {
        Ok(peer) => Some(peer),
        Err(error) => {
            report.note(format!("Prometheus is missing, so that nothing is compared: {error:#}"));
            None
        }
    };
    let peers_sent = peer.as_ref().map(|peer| {
        peer.ingest(plan.points, |address| senders::remote_write(address, plan.machines, plan.start_ms))
    });
    let peers_sent = peers_sent.transpose()?;
    let (mut our_starts, mut peer_starts) = (Starts::default(), Starts::default());
    for round in 0..options.rounds {
        let last = round + 1 == options.rounds;
        our_starts
            .add(ours.restart(|server| if last { ours::check(server, "metrics", &sent) } else { Ok(()) })?);
        if let Some(peer) = &peer {
            peer_starts.add(peer.restart()?);
        }
    }
    row(report, "fresnel, OTLP metrics", &sent, ours.left()?, &our_starts);
    report.note("of the metric points every acknowledged one is there once, and the ledger balances");
    if let (Some(peer), Some(sent)) = (&peer, &peers_sent) {
        row(report, &peer.name()?, sent, peer.left()?, &peer_starts);
        compare(report, &our_starts, &peer_starts);
    }
    Ok(())
}

fn logs(options: &Options, report: &mut Report) -> Result<()> {
    let records = options.scaled(LOGS, 1) as u64;
    let folder = options.temporary("restart-logs")?;
    let ours = Ours::new(options, folder.path())?;
    let sent = ours.ingest(records, |address| senders::logs(address, records))?;
    let mut starts = Starts::default();
    for round in 0..options.rounds {
        let last = round + 1 == options.rounds;
        starts.add(ours.restart(|server| if last { ours::check(server, "logs", &sent) } else { Ok(()) })?);
    }
    row(report, "fresnel, OTLP logs", &sent, ours.left()?, &starts);
    report.note("of the log records every acknowledged one is there once, and the ledger balances");
    Ok(())
}

fn row(report: &mut Report, name: &str, sent: &Sent, left: u64, starts: &Starts) {
    report.row([
        name.to_owned(),
        sent.acknowledged.to_string(),
        format!("{:.0}", sent.acknowledged as f64 / sent.seconds / 1e3),
        format!("{:.0}", left as f64 / f64::from(1 << 20)),
        starts.seconds().range(),
        starts.cpu_seconds().range(),
    ]);
}

fn compare(report: &mut Report, ours: &Starts, peer: &Starts) {
    let goal = |name: &str, ours: Quantiles, peer: Quantiles, floor| Goal {
        name: name.to_owned(),
        value: ours.median() / peer.median(),
        unit: "x",
        floor,
        target: Some(0.5),
        better: Better::Lower,
    };
    let seconds = goal("time to ready, of Prometheus's", ours.seconds(), peer.seconds(), Some(1.0));
    let cpu = goal("CPU until then, of Prometheus's", ours.cpu_seconds(), peer.cpu_seconds(), None);
    report.goal(seconds);
    report.goal(cpu);
}

/// Copies a folder to where nothing is, or instead of what is there.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to).with_context(|| format!("remove {}", to.display()))?;
    }
    // Keeps holes: some files are longer than what is in them.
    let status =
        Command::new("cp").args(["-a", "--sparse=auto"]).arg(from).arg(to).status().context("run cp")?;
    anyhow::ensure!(status.success(), "cp: {status}");
    Ok(())
}

/// Bytes on disk in a folder.
fn size(folder: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
