//! `make bench`: the goals of speed and size, measured on the built binary and beside its peers.
//!
//! Enters: the path of the server's binary. Leaves: tables on standard output, and exit code 1 when
//! a floor was missed. Must hold: what is compared was measured in this run, in turns; every answer
//! is verified before its time counts; a peer that is missing is said to be missing.
//!
//! How to read it: each scenario prints one or more tables of what was measured, then its goals,
//! one a line: the value, its floor (what must hold), its target (what is wished for) and `PASS`,
//! `floor` (the floor holds, the target is missed) or `MISS`. Three figures `a (b to c)` are the
//! median of the rounds, the least and the greatest. Ratios compare with a peer in the same run; they
//! hold on another machine, the absolute figures don't. Run it on a machine that does nothing else:
//! the load before is in the first lines.
//!
//! `bench --server PATH [--python PATH] [--dir PATH] [scenario...]`; `FRESNEL_BENCH_SCALE` (1)
//! multiplies how much is sent and how long is waited, for a quick look whether all of it works.

#![allow(clippy::print_stdout, reason = "its output is a table")]

mod ack;
mod data;
mod debian;
mod idle;
mod load;
mod lookup;
mod machine;
mod metrics;
mod options;
mod quantiles;
mod report;
mod restart;
mod road;
mod server;

use std::process::ExitCode;

use anyhow::{Result, bail};
use options::Options;
use report::Report;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A scenario: its name, and what measures it.
type Scenario = (&'static str, fn(&Options) -> Result<Report>);

/// In the order in which they run when none is named.
const SCENARIOS: &[Scenario] = &[
    ("road", road::run),
    ("ack", ack::run),
    ("idle", idle::run),
    ("lookup", lookup::run),
    ("restart", restart::run),
    ("metrics", metrics::run),
];

fn main() -> Result<ExitCode> {
    let (options, named) = Options::parse(std::env::args().skip(1))?;
    for name in &named {
        if !SCENARIOS.iter().any(|(known, _)| known == name) {
            let known: Vec<_> = SCENARIOS.iter().map(|(name, _)| *name).collect();
            bail!("no scenario {name:?}; there are: {}", known.join(", "));
        }
    }
    machine::print(&options);
    let mut failed = Vec::new();
    for (name, run) in
        SCENARIOS.iter().filter(|(name, _)| named.is_empty() || named.iter().any(|n| n == name))
    {
        match run(&options) {
            Ok(report) => {
                report.print();
                if report.failed() {
                    failed.push(format!("{name}: a floor is missed"));
                }
            }
            // The others still have something to say.
            Err(error) => failed.push(format!("{name}: {error:#}")),
        }
    }
    failed.iter().for_each(|line| println!("\n{line}"));
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
