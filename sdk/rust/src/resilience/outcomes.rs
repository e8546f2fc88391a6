//! Counters of how calls ended: one series for each ending, bound once.

use crate::telemetry::metrics::{BoundCounter, Registry};

/// The attribute that names a part: a breaker, a limiter. There are as many values as a program has
/// parts.
pub(super) const NAME: &str = "resilience.name";
/// The attribute that says how it ended.
pub(super) const OUTCOME: &str = "resilience.outcome";

/// A counter for each ending, in the order of an enum.
#[derive(Clone)]
pub(super) struct Outcomes<const N: usize>([BoundCounter; N]);

impl<const N: usize> Outcomes<N> {
    /// Counts calls in `metric`.
    pub(super) fn new(
        registry: &Registry,
        metric: &'static str,
        description: &'static str,
        name: &str,
        outcomes: [&'static str; N],
    ) -> Self {
        let counter = registry.counter(metric, "{call}", description);
        Self(outcomes.map(|outcome| counter.bind(&[(NAME, name), (OUTCOME, outcome)])))
    }

    /// One more that ended like this.
    pub(super) fn count(&self, outcome: usize) {
        self.0[outcome].add(1);
    }
}
