use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::outcomes::{NAME, Outcomes};
use super::{Budget, Judge, Outcome, Rules};
use crate::clock;
use crate::telemetry::metrics::{BoundCounter, Registry};

/// When to ask a second time.
#[derive(Clone, Debug)]
pub struct HedgeOptions {
    /// How long an answer is waited for before another attempt is made beside; take the time in
    /// which 95 of 100 answers come. 100 ms.
    pub delay: Duration,
    /// How many attempts there may be besides the first; 1.
    pub max_hedges: u32,
    /// What keeps hedges from multiplying the load; share it with [`Retry`](super::Retry).
    pub budget: Budget,
}

impl Default for HedgeOptions {
    fn default() -> Self {
        Self { delay: Duration::from_millis(100), max_hedges: 1, budget: Budget::default() }
    }
}

/// Asks again beside an answer that is late, and takes the first that is good; the others are
/// dropped. Only for calls of which a second effect does no harm. Clones are the same.
///
/// ```
/// use std::cell::Cell;
/// use std::time::Duration;
/// use fresnel_sdk::clock;
/// use fresnel_sdk::resilience::{Hedge, HedgeOptions};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let hedge = Hedge::new("stock.read", HedgeOptions::default(), &Registry::new());
/// let attempts = Cell::new(0);
/// let answer = clock::simulate(hedge.run(|| {
///     attempts.set(attempts.get() + 1);
///     let slow = attempts.get() == 1;
///     async move {
///         clock::sleep(Duration::from_millis(if slow { 5_000 } else { 10 })).await;
///         Ok::<_, std::io::Error>(if slow { "late" } else { "soon" })
///     }
/// }));
/// assert_eq!(answer.expect("the second attempt is quick"), "soon");
/// ```
pub struct Hedge<J = Rules> {
    inner: Arc<Inner>,
    judge: Arc<J>,
}

struct Inner {
    name: Arc<str>,
    options: HedgeOptions,
    calls: Outcomes<3>,
    hedges: BoundCounter,
}

enum Ended {
    First,
    Hedge,
    Failure,
}

impl<J> Clone for Hedge<J> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), judge: self.judge.clone() }
    }
}

impl<J> fmt::Debug for Hedge<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

impl Hedge {
    /// Errors are judged by what they say of themselves.
    pub fn new(name: impl Into<Arc<str>>, options: HedgeOptions, registry: &Registry) -> Self {
        let name = name.into();
        let outcomes = ["first", "hedge", "failure"];
        let description = "Calls by which attempt was the first good one.";
        let calls = Outcomes::new(registry, "resilience.hedge.calls", description, &name, outcomes);
        let hedges = registry
            .counter("resilience.hedge.hedges", "{attempt}", "Attempts beside the first.")
            .bind(&[(NAME, &name)]);
        let inner = Inner { name, options, calls, hedges };
        Self { inner: Arc::new(inner), judge: Arc::new(Rules::default()) }
    }
}

/// What comes next: an answer of an attempt, or the time for another one.
enum Next<T> {
    Answer(u32, T),
    Late,
}

impl<J> Hedge<J> {
    /// The same with another judge; it counts together with this one.
    #[must_use]
    pub fn judged_by<K>(&self, judge: K) -> Hedge<K> {
        Hedge { inner: self.inner.clone(), judge: Arc::new(judge) }
    }

    /// Calls, perhaps several times at once. An attempt that fails starts the next one at once; the
    /// last answer is returned when none is good.
    ///
    /// # Errors
    /// Those of the attempt that came last.
    pub async fn run<T, E, F>(&self, mut op: impl FnMut() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        J: Judge<T, E>,
    {
        let inner = &*self.inner;
        inner.options.budget.deposit();
        let mut running = vec![(0, Box::pin(op()))];
        let mut hedges = 0;
        loop {
            let late = (hedges < inner.options.max_hedges).then(|| clock::sleep(inner.options.delay));
            let hedge = match next(&mut running, late).await {
                Next::Late => inner.may_hedge(&mut hedges),
                Next::Answer(attempt, answer) => {
                    let verdict = self.judge.judge(&answer);
                    let success = verdict.outcome == Outcome::Success;
                    let hedge = !success && verdict.retryable && inner.may_hedge(&mut hedges);
                    if success || (running.is_empty() && !hedge) {
                        inner.count(success, attempt);
                        return answer;
                    }
                    hedge
                }
            };
            if hedge {
                running.push((hedges, Box::pin(op())));
            }
        }
    }
}

impl Inner {
    /// One more, unless there are enough or the budget is spent; then there will be no more.
    fn may_hedge(&self, hedges: &mut u32) -> bool {
        let max = self.options.max_hedges;
        if *hedges >= max || !self.options.budget.withdraw() {
            *hedges = max;
            return false;
        }
        *hedges += 1;
        self.hedges.add(1);
        true
    }

    fn count(&self, success: bool, attempt: u32) {
        let ended = match (success, attempt) {
            (false, _) => Ended::Failure,
            (true, 0) => Ended::First,
            (true, _) => Ended::Hedge,
        };
        self.calls.count(ended as usize);
    }
}

/// Waits for the first of several.
async fn next<F: Future>(
    running: &mut Vec<(u32, Pin<Box<F>>)>,
    mut late: Option<clock::Sleep>,
) -> Next<F::Output> {
    poll_fn(|cx| {
        for i in 0..running.len() {
            if let Poll::Ready(answer) = running[i].1.as_mut().poll(cx) {
                let (attempt, _) = running.swap_remove(i);
                return Poll::Ready(Next::Answer(attempt, answer));
            }
        }
        match &mut late {
            Some(late) => Pin::new(late).poll(cx).map(|()| Next::Late),
            None => Poll::Pending,
        }
    })
    .await
}
