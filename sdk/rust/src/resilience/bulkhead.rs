use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::outcomes::{NAME, Outcomes};
use super::{Deadline, Rejected};
use crate::clock;
use crate::telemetry::metrics::{BoundUpDownCounter, Registry};

/// How many calls may run, and wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadOptions {
    /// How many may run at once; 25. 0 counts as 1.
    pub max_concurrent: usize,
    /// How many may wait for a place; none.
    pub max_waiting: usize,
    /// How long one may wait for a place, if any may; 1 s.
    pub max_wait: Duration,
}

impl Default for BulkheadOptions {
    fn default() -> Self {
        Self { max_concurrent: 25, max_waiting: 0, max_wait: Duration::from_secs(1) }
    }
}

/// Lets only so many calls run at once, so that one slow dependency does not take all of a
/// process. Clones are the same bulkhead.
///
/// Places are given in the order in which they were asked for. A call that is dropped, or panics,
/// gives its place back, while waiting too.
///
/// ```
/// use fresnel_sdk::resilience::{Bulkhead, BulkheadOptions, Rejected};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let options = BulkheadOptions { max_concurrent: 1, ..Default::default() };
/// let bulkhead = Bulkhead::new("reports", options, &Registry::new());
/// fresnel_sdk::clock::simulate(async {
///     let place = bulkhead.permit().await.expect("it is free");
///     assert!(matches!(bulkhead.permit().await, Err(Rejected::BulkheadFull { limit: 1, .. })));
///     drop(place);
///     assert!(bulkhead.permit().await.is_ok());
/// });
/// ```
#[derive(Clone)]
pub struct Bulkhead(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    options: BulkheadOptions,
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    calls: Outcomes<2>,
    running: BoundUpDownCounter,
    waiting: BoundUpDownCounter,
}

enum Ended {
    Permitted,
    Rejected,
}

impl Bulkhead {
    /// One in which nobody is yet.
    pub fn new(name: impl Into<Arc<str>>, options: BulkheadOptions, registry: &Registry) -> Self {
        let name = name.into();
        let options = BulkheadOptions { max_concurrent: options.max_concurrent.max(1), ..options };
        let up_down = |metric, description| {
            registry.up_down_counter(metric, "{call}", description).bind(&[(NAME, &name)])
        };
        let running = up_down("resilience.bulkhead.running", "Calls that have a place.");
        let waiting = up_down("resilience.bulkhead.waiting", "Calls that wait for a place.");
        let limit = registry.up_down_counter("resilience.bulkhead.limit", "{call}", "Places there are.");
        let places = options.max_concurrent.min(Semaphore::MAX_PERMITS);
        limit.bind(&[(NAME, &name)]).add(i64::try_from(places).unwrap_or(i64::MAX));
        let description = "Calls that got a place, and that did not.";
        let outcomes = ["permitted", "rejected"];
        let calls = Outcomes::new(registry, "resilience.bulkhead.calls", description, &name, outcomes);
        let queue = Arc::new(Semaphore::new(options.max_waiting.min(Semaphore::MAX_PERMITS)));
        let places = Arc::new(Semaphore::new(places));
        Self(Arc::new(Inner { name, options, places, queue, calls, running, waiting }))
    }

    /// Places that are free.
    pub fn available(&self) -> usize {
        self.0.places.available_permits()
    }

    /// A place, perhaps after a wait that ends with the [`Deadline`] of the task at the latest.
    ///
    /// # Errors
    /// [`Rejected::BulkheadFull`], [`Rejected::DeadlineExceeded`].
    pub async fn permit(&self) -> Result<Place, Rejected> {
        let place = self.place().await;
        let ended = if place.is_ok() { Ended::Permitted } else { Ended::Rejected };
        self.0.calls.count(ended as usize);
        Ok(Place { _held: place?, _running: Counted::new(&self.0.running) })
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Rejected> {
        let inner = &*self.0;
        if let Ok(place) = inner.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let full =
            || Rejected::BulkheadFull { name: inner.name.clone(), limit: inner.options.max_concurrent };
        let _queued = inner.queue.try_acquire().map_err(|_| full())?;
        let _waiting = Counted::new(&inner.waiting);
        let patience = clock::after(inner.options.max_wait);
        let deadline = Deadline::current().map(Deadline::at).filter(|deadline| *deadline <= patience);
        let place = inner.places.clone().acquire_owned();
        match clock::timeout_at(deadline.unwrap_or(patience), place).await {
            // It is never closed.
            Some(place) => place.map_err(|_| full()),
            None if deadline.is_some() => Err(Rejected::DeadlineExceeded),
            None => Err(full()),
        }
    }

    /// Makes a call when there is a place for it.
    ///
    /// # Errors
    /// As [`Bulkhead::permit`], and those of the call.
    pub async fn run<T, E: From<Rejected>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let _place = self.permit().await?;
        call.await
    }
}

impl fmt::Debug for Bulkhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let available = self.available();
        f.debug_struct("Bulkhead")
            .field("name", &self.0.name)
            .field("available", &available)
            .finish_non_exhaustive()
    }
}

/// A place in a [`Bulkhead`], given back when it is dropped.
#[must_use = "dropped, the place is given back"]
pub struct Place {
    _held: OwnedSemaphorePermit,
    _running: Counted,
}

/// One more, until it is dropped.
pub(super) struct Counted(BoundUpDownCounter);

impl Counted {
    pub(super) fn new(counter: &BoundUpDownCounter) -> Self {
        counter.add(1);
        Self(counter.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}
