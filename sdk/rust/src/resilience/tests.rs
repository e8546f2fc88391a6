#![allow(clippy::unwrap_used)]

mod balance;
mod breaker;
mod classify;
mod fault;
mod handler;
mod hedge;
mod limits;
#[cfg(feature = "reqwest")]
mod reqwest;
mod retry;
mod schedule;
mod time;

use std::future::Future;
use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use super::{
    Balancer, Breaker, BreakerOptions, Bulkhead, BulkheadOptions, CallError, Context, Deadline, ErrorHandler,
    Faults, RateLimit, RateLimitOptions,
};
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

/// That it compiles is what is tested; of the others, the layers need it.
#[test]
fn calls_can_be_spawned() {
    fn spawnable(_: impl Future + Send + 'static) {}
    let (registry, options) = (Registry::new(), BreakerOptions::default());
    let call = || async { Call::Ok(()) };
    let handler = ErrorHandler::new(&registry);
    spawnable(async move { handler.run(&Context::default(), call).await });
    let breaker = Breaker::new("b", options, &registry);
    spawnable(async move { breaker.heal(call).await });
    let balancer = Balancer::new("b", [("a", 1)], options, &registry);
    spawnable(async move { balancer.run(|_: Arc<i32>| call()).await });
    let faults = Faults::new(1, &registry);
    spawnable(async move { faults.run("a", Deadline::after(SECOND).run(call())).await });
    let bulkhead = Bulkhead::new("b", BulkheadOptions::default(), &registry);
    let limit = RateLimit::new("b", RateLimitOptions::default(), &registry);
    spawnable(async move { bulkhead.run(limit.run(call())).await });
}
