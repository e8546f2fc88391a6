//! Rate limits: a token bucket for all, or one for each key.

mod bucket;
mod keyed;

#[cfg(test)]
mod loom_tests;
#[cfg(test)]
mod model_tests;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::bucket::{Bucket, Shape};
pub use self::keyed::{KeyedLimitOptions, KeyedRateLimit};
use super::outcomes::Outcomes;
use super::{Deadline, Rejected};
use crate::clock;
use crate::telemetry::metrics::Registry;

/// What the lock-free part is made of; loom's tests give it others.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

/// How many calls in how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimitOptions {
    /// So many calls ...; 50. 0 counts as 1.
    pub calls: u32,
    /// ... in so long; 1 s.
    pub per: Duration,
    /// So many may come at once after a pause; 50. 0 counts as 1.
    pub burst: u32,
    /// How long a call may wait for its turn; not at all.
    pub max_wait: Duration,
}

impl Default for RateLimitOptions {
    fn default() -> Self {
        Self { calls: 50, per: Duration::from_secs(1), burst: 50, max_wait: Duration::ZERO }
    }
}

/// Lets calls through at a rate, with bursts: a token bucket. Clones are the same limit. Without
/// locks.
///
/// ```
/// use std::time::Duration;
/// use fresnel_sdk::clock;
/// use fresnel_sdk::resilience::{RateLimit, RateLimitOptions, Rejected};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let options = RateLimitOptions { calls: 10, burst: 2, ..Default::default() };
/// clock::simulate(async {
///     let limit = RateLimit::new("mail", options, &Registry::new());
///     assert!(limit.check().is_ok() && limit.check().is_ok());
///     let rejected = limit.check().expect_err("the burst is used up");
///     assert_eq!(rejected.retry_after(), Some(Duration::from_millis(100)));
///     clock::sleep(Duration::from_millis(100)).await;
///     assert!(limit.check().is_ok());
/// });
/// ```
#[derive(Clone)]
pub struct RateLimit(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    max_wait: Duration,
    shape: Shape,
    bucket: Bucket,
    origin: Instant,
    calls: Outcomes<3>,
}

enum Ended {
    Permitted,
    PermittedAfterWait,
    Rejected,
}

fn outcomes(registry: &Registry, name: &str) -> Outcomes<3> {
    let outcomes = ["permitted", "permitted_after_wait", "rejected"];
    let description = "Calls that were let through, and that were not.";
    Outcomes::new(registry, "resilience.rate_limit.calls", description, name, outcomes)
}

/// Nanoseconds since a moment: what buckets count in. Enough for five hundred years.
fn nanos_since(origin: Instant) -> u64 {
    u64::try_from(clock::now().saturating_duration_since(origin).as_nanos()).unwrap_or(u64::MAX)
}

impl RateLimit {
    /// A full bucket.
    pub fn new(name: impl Into<Arc<str>>, options: RateLimitOptions, registry: &Registry) -> Self {
        let name = name.into();
        let calls = outcomes(registry, &name);
        let shape = Shape::new(options.calls, options.per, options.burst);
        let (max_wait, origin) = (options.max_wait, clock::now());
        Self(Arc::new(Inner { name, max_wait, shape, bucket: Bucket::new(), origin, calls }))
    }

    /// Whether a call may be made now. It does not wait.
    ///
    /// # Errors
    /// [`Rejected::RateLimited`].
    pub fn check(&self) -> Result<(), Rejected> {
        let inner = &*self.0;
        match inner.bucket.take(inner.shape, nanos_since(inner.origin), 0) {
            Ok(_) => {
                inner.calls.count(Ended::Permitted as usize);
                Ok(())
            }
            Err(wait) => Err(self.rejected(wait)),
        }
    }

    /// Waits for the turn of a call, no longer than it may wait and than the [`Deadline`] of the
    /// task. Whoever is dropped meanwhile gives the turn back.
    ///
    /// # Errors
    /// [`Rejected::RateLimited`], at once when the turn would come too late.
    pub async fn permit(&self) -> Result<(), Rejected> {
        let inner = &*self.0;
        let left = Deadline::current().map_or(Duration::MAX, Deadline::remaining);
        let patience = u64::try_from(inner.max_wait.min(left).as_nanos()).unwrap_or(u64::MAX);
        match inner.bucket.take(inner.shape, nanos_since(inner.origin), patience) {
            Ok(0) => inner.calls.count(Ended::Permitted as usize),
            Ok(wait) => {
                let mut turn = Turn { inner, taken: false };
                clock::sleep(Duration::from_nanos(wait)).await;
                turn.taken = true;
                inner.calls.count(Ended::PermittedAfterWait as usize);
            }
            Err(wait) => return Err(self.rejected(wait)),
        }
        Ok(())
    }

    fn rejected(&self, wait: u64) -> Rejected {
        self.0.calls.count(Ended::Rejected as usize);
        Rejected::RateLimited { name: self.0.name.clone(), retry_after: Duration::from_nanos(wait) }
    }

    /// Makes a call when it is its turn.
    ///
    /// # Errors
    /// As [`RateLimit::permit`], and those of the call.
    pub async fn run<T, E: From<Rejected>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.permit().await?;
        call.await
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// A turn that was taken and is waited for.
struct Turn<'a> {
    inner: &'a Inner,
    taken: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.taken {
            self.inner.bucket.give_back(self.inner.shape);
        }
    }
}
