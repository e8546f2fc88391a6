use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Rejected;
use super::bulkhead::Counted;
use super::outcomes::{NAME, Outcomes};
use crate::clock;
use crate::telemetry::metrics::{BoundGauge, BoundUpDownCounter, Registry};

/// How much load is too much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadShedOptions {
    /// Calls should take no longer than this; 250 ms.
    pub target: Duration,
    /// How many may run at the start; 20.
    pub initial: usize,
    /// How many may always run; 2. 0 counts as 1.
    pub min: usize,
    /// How many may run at most; 1,000.
    pub max: usize,
}

impl Default for LoadShedOptions {
    fn default() -> Self {
        Self { target: Duration::from_millis(250), initial: 20, min: 2, max: 1_000 }
    }
}

/// Turns calls away at once when more are running than can be answered in time. It finds out by
/// itself how many that are: the limit rises by one when as many calls as there may be have been
/// quick, and falls by a tenth when one was slow, at most once in the target time (additive
/// increase, multiplicative decrease, as TCP does). Clones are the same.
///
/// ```
/// use fresnel_sdk::resilience::{LoadShed, LoadShedOptions, Rejected};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let options = LoadShedOptions { initial: 1, min: 1, ..Default::default() };
/// let shed = LoadShed::new("api", options, &Registry::new());
/// let running = shed.permit().expect("nothing runs");
/// assert!(matches!(shed.permit(), Err(Rejected::Overloaded { limit: 1, .. })));
/// drop(running);
/// ```
#[derive(Clone)]
pub struct LoadShed(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    options: LoadShedOptions,
    state: Mutex<Shedding>,
    calls: Outcomes<2>,
    gauge: BoundGauge,
    running: BoundUpDownCounter,
}

struct Shedding {
    limit: f64,
    running: usize,
    /// The limit fell last at this time.
    fell: Option<Instant>,
}

enum Ended {
    Permitted,
    Rejected,
}

impl LoadShed {
    /// One that has seen nothing yet.
    pub fn new(name: impl Into<Arc<str>>, options: LoadShedOptions, registry: &Registry) -> Self {
        let name = name.into();
        let min = options.min.max(1);
        let max = options.max.max(min);
        let options = LoadShedOptions { min, max, initial: options.initial.clamp(min, max), ..options };
        let outcomes = ["permitted", "rejected"];
        let description = "Calls that were let through, and that were not.";
        let calls = Outcomes::new(registry, "resilience.load_shed.calls", description, &name, outcomes);
        let gauge = registry
            .gauge("resilience.load_shed.limit", "{call}", "Calls that may run at present.")
            .bind(&[(NAME, &name)]);
        let running = registry
            .up_down_counter("resilience.load_shed.running", "{call}", "Calls that run.")
            .bind(&[(NAME, &name)]);
        gauge.set(options.initial as f64);
        let state = Mutex::new(Shedding { limit: options.initial as f64, running: 0, fell: None });
        Self(Arc::new(Inner { name, options, state, calls, gauge, running }))
    }

    /// How many calls may run at present.
    pub fn limit(&self) -> usize {
        self.0.state.lock().limit as usize
    }

    /// Lets a call through. Drop the permit when it has ended: how long that took is what the
    /// limit is found by.
    ///
    /// # Errors
    /// [`Rejected::Overloaded`].
    pub fn permit(&self) -> Result<Admitted, Rejected> {
        let inner = &self.0;
        let mut state = inner.state.lock();
        let limit = state.limit as usize;
        if state.running >= limit {
            drop(state);
            inner.calls.count(Ended::Rejected as usize);
            return Err(Rejected::Overloaded { name: inner.name.clone(), limit });
        }
        state.running += 1;
        drop(state);
        inner.calls.count(Ended::Permitted as usize);
        let _running = Counted::new(&inner.running);
        Ok(Admitted { inner: inner.clone(), began: clock::now(), _running })
    }

    /// Makes a call, unless there is too much to do.
    ///
    /// # Errors
    /// [`Rejected::Overloaded`], and those of the call.
    pub async fn run<T, E: From<Rejected>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let _admitted = self.permit()?;
        call.await
    }
}

impl Shedding {
    fn ended(&mut self, options: &LoadShedOptions, began: Instant, now: Instant) {
        // A limit that is not used says nothing about whether it could be higher.
        let in_use = self.running as f64 * 2.0 >= self.limit;
        self.running = self.running.saturating_sub(1);
        if now.saturating_duration_since(began) > options.target {
            let lately = |fell: Instant| now.saturating_duration_since(fell) < options.target;
            if !self.fell.is_some_and(lately) {
                self.limit = (self.limit * 0.9).max(options.min as f64);
                self.fell = Some(now);
            }
        } else if in_use {
            self.limit = (self.limit + 1.0 / self.limit).min(options.max as f64);
        }
    }
}

impl fmt::Debug for LoadShed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit();
        f.debug_struct("LoadShed").field("name", &self.0.name).field("limit", &limit).finish_non_exhaustive()
    }
}

/// A call that [`LoadShed`] has let through.
#[must_use = "dropped, the call has ended"]
pub struct Admitted {
    inner: Arc<Inner>,
    began: Instant,
    _running: Counted,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut state = self.inner.state.lock();
        state.ended(&self.inner.options, self.began, clock::now());
        self.inner.gauge.set(state.limit.floor());
    }
}
