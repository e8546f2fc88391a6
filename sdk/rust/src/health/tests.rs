#![allow(clippy::unwrap_used)]

mod built_in;
mod checker;
#[cfg(feature = "axum")]
mod endpoints;
mod remote;

use std::time::Duration;

use super::{CheckOptions, Checker};
use crate::telemetry::metrics::Registry;

const SECOND: Duration = Duration::from_secs(1);

fn checker() -> Checker {
    Checker::new("1.4.2", &Registry::new())
}

fn optional() -> CheckOptions {
    CheckOptions { critical: false, ..CheckOptions::default() }
}
