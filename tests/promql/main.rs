//! PromQL as a user has it: the built binary, remote write in and Prometheus' API out.
//!
//! Must hold: of ours only `testkit` is named, and `promql` for the language that Prometheus' test
//! files are written in, which its own tests read with the same code; a warning that a test did not
//! announce fails it.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "../../crates/promql/tests/promqltest"]
mod promqltest {
    pub(crate) mod compare;
    pub(crate) mod nhcb;
    pub(crate) mod report;
    pub(crate) mod run;
    pub(crate) mod script;
}

mod api;
mod differential;
mod evaluations;
mod over_http;
mod wire_histogram;

use testkit::{Builder, Fresnel};

fn fresnel() -> Builder {
    Fresnel::builder(env!("CARGO_BIN_EXE_fresnel"))
}
