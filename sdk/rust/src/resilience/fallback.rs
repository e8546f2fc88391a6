use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Classify;
use super::outcomes::{NAME, Outcomes};
use crate::telemetry::metrics::{BoundGauge, Registry};

/// Gives something else when a call fails, and does not hide it: it is logged, counted, and
/// [`Fallback::is_degraded`] until a call goes well again. Clones are the same.
///
/// ```
/// use fresnel_sdk::clock;
/// use fresnel_sdk::resilience::Fallback;
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let fallback = Fallback::new("recommendations", &Registry::new());
/// let fails = async { Err::<&str, _>(std::io::Error::from(std::io::ErrorKind::TimedOut)) };
/// let shown = clock::simulate(fallback.run(fails, |_error| async { Ok("bestsellers") }));
/// assert_eq!(shown.expect("there is a fallback"), "bestsellers");
/// assert!(fallback.is_degraded());
/// ```
#[derive(Clone)]
pub struct Fallback(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    calls: Outcomes<3>,
    degraded: AtomicBool,
    gauge: BoundGauge,
}

enum Ended {
    Primary,
    Fallback,
    Failure,
}

impl Fallback {
    /// One that was not needed yet.
    pub fn new(name: impl Into<Arc<str>>, registry: &Registry) -> Self {
        let name = name.into();
        let outcomes = ["primary", "fallback", "failure"];
        let description = "Calls by who answered them.";
        let calls = Outcomes::new(registry, "resilience.fallback.calls", description, &name, outcomes);
        let gauge = registry
            .gauge("resilience.fallback.degraded", "1", "1 while calls are answered by the fallback.")
            .bind(&[(NAME, &name)]);
        Self(Arc::new(Inner { name, calls, degraded: AtomicBool::new(false), gauge }))
    }

    /// Whether the last call was not answered as it should be. Show it in a health check.
    pub fn is_degraded(&self) -> bool {
        self.0.degraded.load(Ordering::Relaxed)
    }

    /// Makes a call, and when it fails, that which the closure gives for the error.
    ///
    /// # Errors
    /// Those of the fallback; it may give back what it was given.
    pub async fn run<T, E: Classify, F>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        fallback: impl FnOnce(E) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let error = match call.await {
            Ok(answer) => {
                self.0.ended(Ended::Primary);
                return Ok(answer);
            }
            Err(error) => error,
        };
        self.0.log(&error);
        let answer = fallback(error).await;
        self.0.ended(if answer.is_ok() { Ended::Fallback } else { Ended::Failure });
        answer
    }
}

impl Inner {
    fn ended(&self, ended: Ended) {
        let degraded = !matches!(ended, Ended::Primary);
        self.calls.count(ended as usize);
        if self.degraded.swap(degraded, Ordering::Relaxed) && !degraded {
            tracing::info!(resilience.name = %self.name, "calls are answered as they should be again");
        }
        self.gauge.set(f64::from(u8::from(degraded)));
    }

    /// The first of a row is for the operator; more of the same only for those who look.
    fn log<E: Classify>(&self, error: &E) {
        let (name, text, kind) = (&*self.name, error.as_error().to_string(), error.name());
        if self.degraded.load(Ordering::Relaxed) {
            tracing::debug!(resilience.name = name, error = text, error.type = %kind, "use the fallback");
        } else {
            tracing::warn!(
                resilience.name = name, error = text, error.type = %kind,
                "use the fallback, until a call goes well again"
            );
        }
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let degraded = self.is_degraded();
        f.debug_struct("Fallback")
            .field("name", &self.0.name)
            .field("degraded", &degraded)
            .finish_non_exhaustive()
    }
}
