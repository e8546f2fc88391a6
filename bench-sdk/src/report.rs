#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::time::Duration;

use crate::health::CHECKS;
use crate::measure::{Round, median};
use crate::primitives::Figure;

/// What the issue asks for at least, and what is aimed at: of the peers' CPU time.
const FLOOR: f64 = 0.5;
const TARGET: f64 = 0.25;
/// Nanoseconds of the thread that answers.
const ABSOLUTE: f64 = 300.0;
/// What the originals claimed for a request: 5 ms.
const CLAIMED: f64 = 5_000_000.0;

pub(crate) fn requests(names: &[&str], results: &[Vec<Round>], requests: u64) {
    let of = |rounds: &[Round], pick: fn(&Round) -> f64| median(rounds.iter().map(pick).collect());
    let rounds = results.first().map_or(0, Vec::len);
    println!("instrumentation of a request: 1 span with 3 attributes, 1 counter and 1 histogram with");
    println!(
        "3 attributes, 1 log event with 2 fields, its context; medians of {rounds} rounds of {requests}\n"
    );
    println!("{:<44} {:>12} {:>22}", "CPU ns a request", "its thread", "all, with encoding");
    let figures: Vec<_> =
        results.iter().map(|rounds| (of(rounds, |it| it.thread), of(rounds, |it| it.process))).collect();
    for (name, (thread, process)) in names.iter().zip(&figures) {
        println!("{name:<44} {thread:>12.0} {process:>22.0}");
    }
    println!("{:<44} {CLAIMED:>12.0}", "what the originals claimed, at least");
    let [ours, through_tracing, peer, other] = figures[..] else { return };
    println!("\nratios, floor {FLOOR}, target {TARGET}, absolute {ABSOLUTE} ns on the thread");
    for (name, own) in [("our spans", ours), ("through tracing", through_tracing)] {
        for (against, theirs) in [("opentelemetry", peer), ("opentelemetry + metrics", other)] {
            let (thread, process) = (own.0 / theirs.0, own.1 / theirs.1);
            let label = format!("{name} / {against}");
            println!("{label:<44} {thread:>12.2} {process:>22.2}   {}", verdict(process.max(thread)));
        }
    }
    let absolute = if ours.0 <= ABSOLUTE { "reached" } else { "not reached" };
    println!("{:<44} {:>12.0}   {absolute}", "our spans, absolute", ours.0);
}

fn verdict(ratio: f64) -> &'static str {
    if ratio <= TARGET {
        "target reached"
    } else if ratio <= FLOOR {
        "floor holds"
    } else {
        "BELOW THE FLOOR"
    }
}

pub(crate) fn primitives(figures: &[Figure]) {
    println!("\n{:<60} {:>10}", "CPU ns an operation", "");
    for Figure { name, nanoseconds } in figures {
        println!("{name:<60} {nanoseconds:>10.2}");
    }
}

/// What the requirement allows an answer of `/health`.
const ANSWER: Duration = Duration::from_millis(100);

pub(crate) fn answers(took: &[Duration], bytes: usize) {
    println!("\n`/health` over a socket, {CHECKS} checks of which a tenth hang, {bytes} bytes");
    let last = took.len().saturating_sub(1);
    for (name, at) in [("median", last / 2), ("99 of 100 within", last * 99 / 100), ("the longest", last)] {
        let microseconds = took.get(at).map_or(f64::NAN, |it| it.as_secs_f64() * 1e6);
        println!("{:<60} {microseconds:>7.0} us", format!("{name} of {}", took.len()));
    }
    let over = took.iter().filter(|it| **it >= ANSWER).count();
    println!("{:<60} {over:>10}", format!("longer than {ANSWER:?}"));
}
