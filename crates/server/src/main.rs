//! The binary `fresnel`: command line, configuration, wiring, supervision, self-telemetry.
//!
//! Only this crate knows all the others; it introduces them to each other and holds no logic of
//! theirs. standard output is data, standard error is talk.

#![expect(
    unreachable_pub,
    reason = "a binary has no users of its items; `pub` is what a module offers the others"
)]

use std::process::ExitCode;

use clap::Parser;

mod allocator;
mod answers;
mod cli;
mod command;
mod config;
mod demo;
mod failure;
mod guard;
mod listen;
mod observe;
mod operations;
mod print;
mod program;
mod progress;
mod publication;
mod rules;
mod sink;
mod source;
mod supervise;
mod warm;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    allocator::configure();
    let cli = cli::Cli::parse();
    let done = match cli.command {
        cli::Command::Serve(args) => command::serve::run(&args),
        cli::Command::Demo(args) => command::demo::run(&args),
        cli::Command::Check(args) => command::check::run(&args),
        cli::Command::Test(args) => command::test::run(&args),
        cli::Command::Query(args) => command::query::run(&args),
        cli::Command::Status(args) => command::status::run(&args),
        cli::Command::Compact(args) => command::compact::run(&args),
        cli::Command::Version => print::line(&format!("fresnel {}", env!("CARGO_PKG_VERSION"))),
        cli::Command::Completions { shell } => command::reference::completions(shell),
        cli::Command::Reference { what } => command::reference::run(what),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
