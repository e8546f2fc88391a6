//! What the instrumentation of a request costs: ours beside what others use, in one run.
//!
//! What enters: a number of requests, of rounds, and a part of a name to measure alone, or `health`. What
//! leaves: a table of CPU nanoseconds a request and of ratios, and whether the floors hold: without that
//! the exit code is 1.
//! What must hold: everybody records the same and throws away the same bytes; everybody's rounds
//! alternate, so that a noisy machine is noisy for all; nobody drops a record.

mod health;
mod measure;
mod ours;
mod peers;
mod primitives;
mod report;
mod sink;

use std::process::ExitCode;

use measure::Round;

/// A way to instrument requests.
trait Subject {
    /// How it is called in the table.
    fn name(&self) -> &'static str;
    /// Answers so many requests.
    fn run(&mut self, requests: u64);
    /// Waits until everything is exported.
    fn flush(&mut self);
    /// Spans that were exported so far, or records where there are no spans.
    fn exported(&self) -> u64;
}

fn main() -> ExitCode {
    let argument = |index: usize, default: u64| {
        std::env::args().nth(index).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    // Small rounds, as buffers are small that are sent every second; many, for the median.
    let (requests, rounds) = (argument(1, 2_000), argument(2, 301) as usize);
    // Only those whose name has this in it: to profile them.
    let only = std::env::args().nth(3).unwrap_or_default();
    if only == "health" {
        health();
        return ExitCode::SUCCESS;
    }
    let mut subjects: Vec<Box<dyn Subject>> = vec![
        Box::new(ours::Ours::spans()),
        Box::new(ours::Ours::tracing()),
        Box::new(peers::Peers::opentelemetry(requests)),
        Box::new(peers::Peers::metrics_crate(requests)),
    ];
    subjects.retain(|subject| subject.name().contains(&only));
    let mut results: Vec<Vec<Round>> = subjects.iter().map(|_| Vec::new()).collect();
    // The first round of each only warms up.
    for round in 0..=rounds {
        for (subject, results) in subjects.iter_mut().zip(&mut results) {
            let measured = measure::round(&mut **subject, requests);
            if round > 0 {
                results.push(measured);
            }
        }
    }
    let names: Vec<_> = subjects.iter().map(|subject| subject.name()).collect();
    report::requests(&names, &results, requests);
    // Of a part there is nothing to say.
    if !only.is_empty() {
        return ExitCode::SUCCESS;
    }
    let figures = primitives::all();
    report::primitives(&figures);
    health();
    let verdicts = report::verdicts(&results).into_iter().chain(report::of_primitives(&figures));
    if report::tell(&verdicts.collect::<Vec<_>>()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn health() {
    let (took, bytes) = health::answers().unwrap_or_else(ours::fail);
    report::answers(&took, bytes);
}
