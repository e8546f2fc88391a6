//! A server that nobody uses, with everything at its default, its own telemetry and the host's
//! measurements included: how soon its page answers, and what it takes from the machine.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testkit::http::{Client, Request};
use testkit::otlp::Encoding;

use crate::data::{Bodies, Signal, cycle};
use crate::load::closed_loop;
use crate::options::Options;
use crate::quantiles::Quantiles;
use crate::report::{Better, Goal, Report, figure};
use crate::road::CONNECTIONS;
use crate::server::Server;

/// Starts that are timed.
const STARTS: usize = 5;
/// Until it is looked at, after the start.
const REST: Duration = Duration::from_mins(1);
/// How long its CPU time is watched.
const WATCH: Duration = Duration::from_secs(30);
/// Questions for its health, idle and under load each.
const HEALTH: usize = 200;
/// Between two of them.
const HEALTH_PAUSE: Duration = Duration::from_millis(20);
const MIB: f64 = 1_048_576.0;

/// Measures and judges.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("idle: a server with nothing set and nothing to do");
    let starts = (0..STARTS).map(|_| first_byte(options)).collect::<Result<Vec<_>>>()?;
    let starts = Quantiles::of(starts);
    let server = Server::start_default(options)?;
    std::thread::sleep(REST.mul_f64(options.scale).max(Duration::from_secs(5)));
    let rss = server.rss_bytes()? as f64 / MIB;
    let cores = watched(options, &server)?;
    let idle = health(&server)?;
    let loaded = health_under_load(options, &server)?;
    let peak = server.peak_rss_bytes()? as f64 / MIB;
    server.stop()?;
    report.table(&["", "median", "p99", "most"]);
    let row = |name: &str, values: &Quantiles| {
        let figures = [0.5, 0.99, 1.0].map(|part| figure(values.at(part) * 1e3));
        std::iter::once(format!("{name}, ms")).chain(figures).collect::<Vec<_>>()
    };
    report.row(row("exec to first byte of the page", &starts));
    report.row(row("/healthz, idle", &idle));
    report.row(row("/healthz, under load", &loaded));
    report.note(format!("peak resident size, the load included: {} MiB", figure(peak)));
    let goals = [
        ("first byte of the page after exec, the slowest", starts.max(), "s", 1.0),
        ("resident size at rest", rss, "MiB", 100.0),
        ("CPU at rest", cores * 100.0, "% of a core", 1.0),
        ("/healthz p99 at rest", idle.at(0.99) * 1e3, "ms", 100.0),
        ("/healthz p99 under load", loaded.at(0.99) * 1e3, "ms", 100.0),
    ];
    for (name, value, unit, floor) in goals {
        let (name, floor) = (name.to_owned(), Some(floor));
        report.goal(Goal { name, value, unit, floor, target: None, better: Better::Lower });
    }
    Ok(report)
}

/// Seconds from exec until the page answers.
fn first_byte(options: &Options) -> Result<f64> {
    let server = Server::start_default(options)?;
    let seconds = server.ready().as_secs_f64();
    server.stop()?;
    Ok(seconds)
}

/// CPU at rest, in cores.
fn watched(options: &Options, server: &Server) -> Result<f64> {
    let (started, before) = (Instant::now(), server.cpu_seconds()?);
    std::thread::sleep(WATCH.mul_f64(options.scale).max(Duration::from_secs(5)));
    Ok((server.cpu_seconds()? - before) / started.elapsed().as_secs_f64())
}

/// How long its health takes to answer.
fn health(server: &Server) -> Result<Quantiles> {
    let mut client = Client::new(server.http());
    let mut latencies = Vec::with_capacity(HEALTH);
    for _ in 0..HEALTH {
        let started = Instant::now();
        let answer = client.send(&Request::get("/healthz")).context("ask for the health")?;
        latencies.push(started.elapsed().as_secs_f64());
        ensure!(answer.status == 200, "/healthz answers {}: {}", answer.status, answer.text());
        std::thread::sleep(HEALTH_PAUSE);
    }
    Ok(Quantiles::of(latencies))
}

/// The same while senders send as fast as they are answered.
fn health_under_load(options: &Options, server: &Server) -> Result<Quantiles> {
    let requests = Bodies::make(Signal::Logs, options.scaled(500, 50)).requests(Encoding::Zstd);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let senders = scope.spawn(|| {
            let endless = cycle(&requests, usize::MAX);
            let until_done =
                |index| (!done.load(std::sync::atomic::Ordering::Relaxed)).then(|| endless(index)).flatten();
            closed_loop(server.otlp_http(), until_done, CONNECTIONS)
        });
        let health = health(server);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        senders.join().expect("a sender does not panic").context("the load")?;
        health
    })
}
