//! What makes the shop seen and resilient: made once, used everywhere.

use std::time::Duration;

use fresnel_sdk::Guard;
use fresnel_sdk::health::Checker;
use fresnel_sdk::instrument::http::{HttpClient, ServerLayer};
use fresnel_sdk::instrument::{Cache, Database, Queue};
use fresnel_sdk::resilience::{Breaker, BreakerOptions, Faults, Timeout};
use fresnel_sdk::telemetry::metrics::{Counter, Registry};
use fresnel_sdk::telemetry::process::observe_runtime;

pub(crate) struct Seen {
    pub(crate) server: ServerLayer,
    pub(crate) client: HttpClient,
    pub(crate) database: Database,
    pub(crate) cache: Cache,
    pub(crate) queue: Queue,
    pub(crate) breaker: Breaker,
    pub(crate) timeout: Timeout,
    pub(crate) faults: Faults,
    pub(crate) health: Checker,
    pub(crate) placed: Counter,
    pub(crate) registry: Registry,
}

impl Seen {
    pub(crate) fn new(guard: &Guard) -> Self {
        let (tracer, registry) = (guard.tracer(), guard.registry());
        observe_runtime(registry, &tokio::runtime::Handle::current());
        // Soon again, for a shop that people try out.
        let breaker = BreakerOptions { reset_timeout: Duration::from_secs(5), ..BreakerOptions::default() };
        Self {
            server: ServerLayer::http(tracer, registry),
            client: HttpClient::new(tracer, registry),
            database: Database::new(tracer, registry, "sqlite").namespace("shop"),
            cache: Cache::new(registry, "stock"),
            queue: Queue::new(tracer, registry, "redis"),
            breaker: Breaker::new("payments.charge", breaker, registry),
            timeout: Timeout::new("payments.charge", Duration::from_secs(2), registry),
            faults: Faults::new(7, registry),
            health: Checker::new(env!("CARGO_PKG_VERSION"), registry),
            placed: registry.counter("shop.orders", "{order}", "Orders that were placed."),
            registry: registry.clone(),
        }
    }
}
