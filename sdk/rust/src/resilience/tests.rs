#![allow(clippy::unwrap_used)]

mod balance;
mod breaker;
mod classify;
mod fault;
mod handler;
mod hedge;
mod limits;
mod retry;
mod schedule;
mod time;

use std::io::{Error, ErrorKind};
use std::time::Duration;

use super::CallError;
use crate::telemetry::metrics::Registry;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What the tests' calls end in.
type Call<T> = Result<T, CallError<Error>>;

fn error(kind: ErrorKind) -> CallError<Error> {
    CallError::Inner(kind.into())
}

/// What a series says on the Prometheus page: `metric{labels} value`.
fn metric(registry: &Registry, series: &str) -> f64 {
    let page = registry.prometheus();
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {series} in\n{page}")).parse().unwrap()
}
