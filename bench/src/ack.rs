//! How long an acknowledgement takes at half of the load that the server can carry, against a bare
//! loop on the same disk that appends as many bytes and calls `fdatasync`, at the same pace.
//!
//! The rate is that of the closed loop just before, on the same server. Rounds alternate between
//! the two, so that what the disk does meets both. Both are counted in the same two ways: from when a
//! request was sent, or the append begun, and from when it was due. Where the machine itself stands still
//! for some milliseconds, all that was due meanwhile waits, on either side. The worse of the two ratios is
//! the goal's. The server's latency since due against the append alone is reported beside them.
//!
//! The loop sleeps most of the time, while a server at half load computes. What that alone does to a loop, on
//! this machine, is seen by a third side: the same loop while one thread is busy. Where the host takes a
//! processor away from whoever uses it, for some milliseconds, only those who compute meet it.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use testkit::http::Request;
use testkit::otlp::Encoding;

use crate::data::{Bodies, Signal, cycle, once};
use crate::load::{closed_loop, due, paced, wait_until};
use crate::options::Options;
use crate::quantiles::Quantiles;
use crate::report::{Better, Goal, Report, figure};
use crate::road::CONNECTIONS;
use crate::server::Server;

/// Distinct requests; they are sent again and again.
const REQUESTS: usize = 1_000;
/// How long one side of one round takes, in seconds.
const ROUND_SECONDS: f64 = 10.0;
/// The closed loop lasts at least so long, so that sealing is part of what it can carry.
const CLOSED_SECONDS: f64 = 6.0;
/// More than the closed loop has: half of its load must not wait for a connection.
const PACED_CONNECTIONS: usize = 16;

/// Measures and judges.
pub(crate) fn run(options: &Options) -> Result<Report> {
    let mut report = Report::new("ack: acknowledgement at half load, against append and fdatasync");
    report.table(&[
        "1,000 a request, zstd",
        "requests/s",
        "",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "most ms",
        "requests",
        "refused",
    ]);
    for signal in Signal::ALL {
        one(options, signal, &mut report)?;
    }
    Ok(report)
}

fn one(options: &Options, signal: Signal, report: &mut Report) -> Result<()> {
    let requests = Bodies::make(signal, options.scaled(REQUESTS, 50)).requests(Encoding::Zstd);
    let dir = options.temporary("ack")?;
    let server = Server::start(options, "", Some(&dir.path().join("server")))?;
    let per_second = closed_rate(options, &server, &requests)? / 2.0;
    let count = count(per_second, (ROUND_SECONDS * options.scale).max(2.0));
    let (mut ours, mut ours_due) = (Quantiles::default(), Quantiles::default());
    let (mut bare, mut bare_due) = (Quantiles::default(), Quantiles::default());
    let (mut busy, mut busy_due) = (Quantiles::default(), Quantiles::default());
    let (mut refused, mut ratios) = (0, Vec::new());
    let alone = || bare_loop(&dir.path().join("bare"), &requests, count, per_second);
    for _ in 0..options.rounds {
        let (of_round, due_of_round) = alone()?;
        let (busy_of_round, busy_due_of_round) = beside_a_busy_thread(alone)?;
        (busy, busy_due) = (busy.and(busy_of_round), busy_due.and(busy_due_of_round));
        let sent = paced(server.otlp_http(), cycle(&requests, count), PACED_CONNECTIONS, per_second)?;
        ratios.push(sent.since_sent.at(0.99) / of_round.at(0.99));
        refused += sent.refused;
        (ours, ours_due) = (ours.and(sent.since_sent), ours_due.and(sent.latencies));
        (bare, bare_due) = (bare.and(of_round), bare_due.and(due_of_round));
    }
    server.stop()?;
    let rate = figure(per_second);
    let sides = [
        ("fresnel", &ours, refused.to_string()),
        ("bare", &bare, String::new()),
        ("fresnel, from when due", &ours_due, String::new()),
        ("bare, from when due", &bare_due, String::new()),
        ("bare, beside a busy thread", &busy, String::new()),
        ("the same, from when due", &busy_due, String::new()),
    ];
    for (name, side, refused) in sides {
        let millis =
            [side.median(), side.at(0.99), side.at(0.999), side.max()].map(|seconds| figure(seconds * 1e3));
        let head = [signal.name().to_owned(), rate.clone(), name.to_owned()];
        report.row(head.into_iter().chain(millis).chain([side.len().to_string(), refused]));
    }
    let ratios = Quantiles::of(ratios);
    let ratio = |ours: &Quantiles, bare: &Quantiles| ours.at(0.99) / bare.at(0.99);
    let (sent, due) = (ratio(&ours, &bare), ratio(&ours_due, &bare_due));
    report.note(format!(
        "{}: p99 of fresnel / p99 of the bare loop: {} from when sent, by round {}; {} from when due; {} from when \
         due against the append alone; {} and {} beside a busy thread",
        signal.name(),
        figure(sent),
        ratios.range(),
        figure(due),
        figure(ratio(&ours_due, &bare)),
        figure(ratio(&ours, &busy)),
        figure(ratio(&ours_due, &busy_due)),
    ));
    report.goal(Goal {
        name: format!("p99 / p99 of bare fdatasync, {}", signal.name()),
        value: sent.max(due),
        unit: "x",
        floor: Some(4.0),
        target: None,
        better: Better::Lower,
    });
    Ok(())
}

/// Requests a second that the server acknowledges as fast as it can.
fn closed_rate(options: &Options, server: &Server, requests: &[Request]) -> Result<f64> {
    // To know how many are enough, and so that everything was touched once.
    let first = closed_loop(server.otlp_http(), once(requests), CONNECTIONS)?;
    let count = count(first.per_second(), (CLOSED_SECONDS * options.scale).max(1.0));
    Ok(closed_loop(server.otlp_http(), cycle(requests, count), CONNECTIONS)?.per_second())
}

fn count(per_second: f64, seconds: f64) -> usize {
    ((per_second * seconds) as usize).max(10)
}

/// Does it while a thread computes, and nothing else.
fn beside_a_busy_thread<T>(work: impl FnOnce() -> T) -> T {
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let end = End(&ended);
        scope.spawn(|| {
            let mut number = 0_u64;
            while !ended.load(Ordering::Relaxed) {
                number = std::hint::black_box(number.wrapping_add(1));
            }
        });
        let done = work();
        drop(end);
        done
    })
}

/// Appends the bodies to one file, at this pace if the disk can keep it, each followed by
/// `fdatasync`: how long each takes, and how long after it was due it is done.
fn bare_loop(
    path: &std::path::Path,
    requests: &[Request],
    count: usize,
    per_second: f64,
) -> Result<(Quantiles, Quantiles)> {
    let mut file = File::create(path).context("make the file of the bare loop")?;
    let (mut latencies, mut from_due) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let start = Instant::now();
    for index in 0..count {
        let due = due(start, index, per_second);
        wait_until(due);
        let begun = Instant::now();
        file.write_all(requests[index % requests.len()].body_bytes()).context("append")?;
        file.sync_data().context("fdatasync")?;
        latencies.push(begun.elapsed().as_secs_f64());
        from_due.push(due.elapsed().as_secs_f64());
    }
    drop(file);
    std::fs::remove_file(path).context("remove the file of the bare loop")?;
    Ok((Quantiles::of(latencies), Quantiles::of(from_due)))
}
