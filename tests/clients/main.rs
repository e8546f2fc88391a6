//! Other people's programs: OpenTelemetry's SDKs and Prometheus send, other engines read the files, a browser
//! shows the page.
//!
//! `cargo xtask setup` installs them into the target directory. What is missing is said and
//! skipped, or is a failure where nothing may be skipped.

#![allow(clippy::unwrap_used)]

mod browser;
mod javascript;
mod open_data;
mod program;
mod prometheus;
mod promtool;
mod python;
mod s3;
mod scrape;
mod sent;

use testkit::{Builder, Fresnel};

fn fresnel() -> Builder {
    Fresnel::builder(env!("CARGO_BIN_EXE_fresnel"))
}
