//! The chores of the repository: what keeps its rules, and what is generated.
//!
//! Enters: a subcommand. Leaves: a report on standard error and an exit code (0 in order, 1 not, 2
//! usage). Must hold: the checks only read; each is a test of this package too, so that `cargo test`
//! finds what `cargo xtask` would.

#![expect(clippy::print_stderr, reason = "its medium is the terminal")]

mod coverage;
mod layers;
mod locks;
mod reference;
mod reference_files;
mod setup;
mod tidy;
mod tree;
mod weight;

use std::process::ExitCode;

use anyhow::{Context, Result};

const USAGE: &str = "\
usage: cargo xtask <command>

  layers         check who depends on whom, against the table in xtask/src/layers.rs
  tidy           check the rules of style that a program can see
  locks          check that every command takes what the lock files say
  coverage       check that every test named in docs/coverage.md exists
  weight         check that the SDK's default dependencies are no more than they were
  gen [--check]  write the generated references (or only compare them)
  setup          install what the tests of clients and page need into the target directory";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["layers"] => report(layers::check()),
        ["tidy"] => report(tidy::check(&tree::root())),
        ["locks"] => report(locks::check(&tree::root())),
        ["coverage"] => report(coverage::check(&tree::root())),
        ["weight"] => report(weight::check()),
        ["gen"] => reference::write(),
        ["gen", "--check"] => report(reference::check()),
        ["setup"] => setup::run(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Shows what is not in order, one line each.
fn report(faults: Result<Vec<String>>) -> Result<()> {
    let faults = faults.context("the check itself failed")?;
    for fault in &faults {
        eprintln!("{fault}");
    }
    anyhow::ensure!(faults.is_empty(), "{} not in order", faults.len());
    Ok(())
}
