use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::outcomes::{NAME, Outcomes};
use super::{Deadline, Rejected};
use crate::clock;
use crate::telemetry::metrics::{BoundHistogram, Registry, SECONDS};

/// Cuts off what takes too long. What is inside knows of it: the limit is its [`Deadline`], unless
/// the task has an earlier one. Clones are the same.
///
/// ```
/// use std::time::Duration;
/// use fresnel_sdk::clock;
/// use fresnel_sdk::resilience::{Rejected, Timeout};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let timeout = Timeout::new("stock.read", Duration::from_secs(2), &Registry::new());
/// let late: Result<(), Rejected> = clock::simulate(timeout.run(std::future::pending()));
/// assert!(matches!(late, Err(Rejected::TimedOut { .. })));
/// ```
#[derive(Clone)]
pub struct Timeout(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    limit: Duration,
    calls: Outcomes<3>,
    duration: BoundHistogram,
}

enum Ended {
    Success,
    Failure,
    TimedOut,
}

impl Timeout {
    /// Calls may take `limit`.
    pub fn new(name: impl Into<Arc<str>>, limit: Duration, registry: &Registry) -> Self {
        let name = name.into();
        let description = "Calls by how they ended.";
        let outcomes = ["success", "failure", "timeout"];
        let calls = Outcomes::new(registry, "resilience.timeout.calls", description, &name, outcomes);
        let duration = registry
            .histogram("resilience.timeout.duration", "s", "How long calls took, cut off or not.", SECONDS)
            .bind(&[(NAME, &name)]);
        Self(Arc::new(Inner { name, limit, calls, duration }))
    }

    /// How long a call may take.
    pub fn limit(&self) -> Duration {
        self.0.limit
    }

    /// Runs a call, and drops it when it takes too long.
    ///
    /// # Errors
    /// [`Rejected::TimedOut`]; [`Rejected::DeadlineExceeded`] when the task's own deadline was the
    /// earlier one; those of the call.
    pub async fn run<T, E: From<Rejected>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let inner = &*self.0;
        let start = clock::now();
        let own = Deadline::after(inner.limit);
        let outer = Deadline::current().filter(|outer| *outer <= own);
        let at = outer.unwrap_or(own).at();
        let output = clock::timeout_at(at, own.scope(call)).await;
        inner.duration.record_duration(clock::now() - start);
        let ended = match &output {
            Some(Ok(_)) => Ended::Success,
            Some(Err(_)) => Ended::Failure,
            None => Ended::TimedOut,
        };
        inner.calls.count(ended as usize);
        output.unwrap_or_else(|| {
            let rejected = match outer {
                Some(_) => Rejected::DeadlineExceeded,
                None => Rejected::TimedOut { name: inner.name.clone(), limit: inner.limit },
            };
            Err(rejected.into())
        })
    }
}
