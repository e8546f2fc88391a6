use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::outcomes::Outcomes;
use super::seldom::Seldom;
use super::{Backoff, Budget, Classify, Deadline, Judge, Outcome, Rejected, Rules, Verdict};
use crate::clock;
use crate::telemetry::metrics::{BoundCounter, Registry};

/// How often and when to try again.
#[derive(Clone, Debug)]
pub struct RetryOptions {
    /// Attempts, the first one included; 3. 0 counts as 1.
    pub max_attempts: u32,
    /// The pauses between them.
    pub backoff: Backoff,
    /// Whether a second effect does no harm. Where it does, only what certainly had no effect is
    /// tried again: a refused connection, a call that was turned away. True, unless said otherwise.
    pub idempotent: bool,
    /// A server that wants to be asked later than this is not asked again; 60 s.
    pub retry_after_max: Duration,
    /// What keeps retries from multiplying the load; share it among all that call one service.
    pub budget: Budget,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            backoff: Backoff::default(),
            idempotent: true,
            retry_after_max: Duration::from_secs(60),
            budget: Budget::default(),
        }
    }
}

/// Tries again what failed, when that may help. Clones are the same.
///
/// It stops at the attempts, at what cannot be helped by trying again, when the [`Budget`] is
/// spent, and when the pause would pass the [`Deadline`] of the request. A server's `Retry-After`
/// is honoured: the pause is the longer of that and the schedule's.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use fresnel_sdk::clock;
/// use fresnel_sdk::resilience::{Retry, RetryOptions};
/// use fresnel_sdk::telemetry::metrics::Registry;
///
/// let retry = Retry::new("stock.read", RetryOptions::default(), &Registry::new());
/// let calls = AtomicU32::new(0);
/// let answer = clock::simulate(retry.run(|| async {
///     match calls.fetch_add(1, Ordering::Relaxed) {
///         0 => Err(std::io::Error::from(std::io::ErrorKind::TimedOut)),
///         _ => Ok("12 pieces"),
///     }
/// }));
/// assert_eq!(answer.expect("the second attempt works"), "12 pieces");
/// ```
pub struct Retry<J = Rules> {
    inner: Arc<Inner>,
    judge: Arc<J>,
}

struct Inner {
    name: Arc<str>,
    options: RetryOptions,
    calls: Outcomes<4>,
    attempts: BoundCounter,
    /// In an outage the budget is spent for nearly every call.
    spent: Arc<Seldom>,
}

/// The endings that are told apart, by the names of resilience4j.
enum Ended {
    Success,
    SuccessAfterRetry,
    Failure,
    FailureAfterRetry,
}

/// What happens before a pause.
#[derive(Debug)]
pub struct Retrying<'a, T, E> {
    /// Which attempt failed; the first is 1.
    pub attempt: u32,
    /// How long the pause will be.
    pub delay: Duration,
    /// How the attempt ended.
    pub outcome: &'a Result<T, E>,
}

/// Why it was not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All attempts failed.
    MaxRetriesExceeded,
    /// Trying again does not help.
    NotRetryable,
    /// It may have had an effect, and a second one would do harm.
    NotIdempotent,
    /// There were too many retries lately.
    BudgetSpent,
    /// The next attempt would come too late for whoever asked.
    Deadline,
    /// The server wants to be asked later than we can wait.
    RetryAfter,
}

impl Stop {
    const fn sentence(self) -> &'static str {
        match self {
            Self::MaxRetriesExceeded => "no more attempts are allowed",
            Self::NotRetryable => "trying again does not help",
            Self::NotIdempotent => "it may have had an effect already",
            Self::BudgetSpent => "the retry budget is spent",
            Self::Deadline => "the deadline is too near",
            Self::RetryAfter => "the server wants to be asked much later",
        }
    }
}

/// The last error, and why there was no further attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryError<E> {
    /// How many attempts were made.
    pub attempts: u32,
    /// Why there were no more.
    pub stop: Stop,
    /// The error of the last one.
    pub cause: E,
}

impl<E> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.attempts == 1 { "" } else { "s" };
        write!(f, "failed after {} attempt{plural}: {}", self.attempts, self.stop.sentence())
    }
}

impl<E: Classify + fmt::Debug> Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause.as_error())
    }
}

/// So that a timeout or a breaker can stand around a retry.
impl<E: From<Rejected>> From<Rejected> for RetryError<E> {
    fn from(rejected: Rejected) -> Self {
        Self { attempts: 0, stop: Stop::NotRetryable, cause: rejected.into() }
    }
}

impl<J> Clone for Retry<J> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), judge: self.judge.clone() }
    }
}

impl<J> fmt::Debug for Retry<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("name", &self.inner.name)
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}

impl Retry {
    /// Errors are judged by what they say of themselves.
    pub fn new(name: impl Into<Arc<str>>, options: RetryOptions, registry: &Registry) -> Self {
        let name = name.into();
        let calls = Outcomes::new(
            registry,
            "resilience.retry.calls",
            "Calls by how they ended.",
            &name,
            ["success_without_retry", "success_with_retry", "failure_without_retry", "failure_with_retry"],
        );
        let attempts = registry
            .counter("resilience.retry.retries", "{attempt}", "Attempts after the first.")
            .bind(&[(super::outcomes::NAME, &name)]);
        let spent = Arc::new(Seldom::new(Duration::from_secs(60)));
        let inner = Inner { name, options, calls, attempts, spent };
        Self { inner: Arc::new(inner), judge: Arc::new(Rules::default()) }
    }
}

impl<J> Retry<J> {
    /// The same with another judge; it counts together with this one.
    #[must_use]
    pub fn judged_by<K>(&self, judge: K) -> Retry<K> {
        Retry { inner: self.inner.clone(), judge: Arc::new(judge) }
    }

    /// The same for calls of which a second effect would do harm, or not.
    #[must_use]
    pub fn idempotent(&self, idempotent: bool) -> Self {
        let options = RetryOptions { idempotent, ..self.inner.options.clone() };
        let Inner { name, calls, attempts, spent, .. } = &*self.inner;
        let (name, calls, attempts, spent) = (name.clone(), calls.clone(), attempts.clone(), spent.clone());
        let inner = Inner { name, options, calls, attempts, spent };
        Self { inner: Arc::new(inner), judge: self.judge.clone() }
    }

    /// Calls until it goes well, or trying again makes no sense.
    ///
    /// An answer (`Ok`) that the judge takes for a failure is tried again, too; the last one is
    /// returned.
    ///
    /// # Errors
    /// The last error, and why there was no further attempt.
    pub async fn run<T, E, F>(&self, op: impl FnMut() -> F) -> Result<T, RetryError<E>>
    where
        F: Future<Output = Result<T, E>>,
        J: Judge<T, E>,
    {
        self.run_observed(op, |_| ()).await
    }

    /// As [`Retry::run`]; `on_retry` is called before each pause.
    ///
    /// # Errors
    /// As [`Retry::run`].
    pub async fn run_observed<T, E, F>(
        &self,
        mut op: impl FnMut() -> F,
        mut on_retry: impl FnMut(&Retrying<'_, T, E>),
    ) -> Result<T, RetryError<E>>
    where
        F: Future<Output = Result<T, E>>,
        J: Judge<T, E>,
    {
        let options = &self.inner.options;
        options.budget.deposit();
        let mut attempt = 1;
        loop {
            let outcome = op().await;
            let verdict = self.judge.judge(&outcome);
            match self.inner.next(attempt, &verdict) {
                Ok(delay) => {
                    on_retry(&Retrying { attempt, delay, outcome: &outcome });
                    // What the attempt holds, such as a connection, is not held during the pause.
                    drop(outcome);
                    clock::sleep(delay).await;
                    self.inner.attempts.add(1);
                    attempt += 1;
                }
                Err(stop) => {
                    self.inner.count(attempt, &verdict);
                    return outcome.map_err(|cause| RetryError { attempts: attempt, stop, cause });
                }
            }
        }
    }
}

impl Inner {
    /// The pause before the next attempt, or why there is none.
    fn next(&self, attempt: u32, verdict: &Verdict) -> Result<Duration, Stop> {
        let options = &self.options;
        if !verdict.retryable {
            return Err(Stop::NotRetryable);
        }
        if verdict.executed && !options.idempotent {
            return Err(Stop::NotIdempotent);
        }
        if attempt >= options.max_attempts {
            return Err(Stop::MaxRetriesExceeded);
        }
        let asked = verdict.retry_after.unwrap_or(Duration::ZERO);
        if asked > options.retry_after_max {
            return Err(Stop::RetryAfter);
        }
        let delay = options.backoff.delay(attempt, rand::random()).max(asked);
        if Deadline::current().is_some_and(|deadline| deadline.at() <= clock::after(delay)) {
            return Err(Stop::Deadline);
        }
        if !options.budget.withdraw() {
            if self.spent.now() {
                tracing::warn!(resilience.name = %self.name, "retry budget is spent, not trying again");
            }
            return Err(Stop::BudgetSpent);
        }
        tracing::debug!(resilience.name = %self.name, attempt, ?delay, "try again after a pause");
        Ok(delay)
    }

    fn count(&self, attempt: u32, verdict: &Verdict) {
        let ended = match (verdict.outcome == Outcome::Success, attempt) {
            (true, 1) => Ended::Success,
            (true, _) => Ended::SuccessAfterRetry,
            (false, 1) => Ended::Failure,
            (false, _) => Ended::FailureAfterRetry,
        };
        self.calls.count(ended as usize);
    }
}
