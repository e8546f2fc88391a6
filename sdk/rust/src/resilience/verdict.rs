use std::time::Duration;

use super::{Classify, Rules};

/// How a call ended, for those who count and for those who try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it counts.
    pub outcome: Outcome,
    /// Whether trying again may help.
    pub retryable: bool,
    /// Whether it may have had an effect.
    pub executed: bool,
    /// When the other side wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// How a call counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other side did what it should.
    Success,
    /// It did not.
    Failure,
    /// It says nothing about the other side: whoever asked is at fault, or nobody was asked.
    Ignored,
}

impl Verdict {
    /// It went well.
    pub const SUCCESS: Self =
        Self { outcome: Outcome::Success, retryable: false, executed: true, retry_after: None };
    /// It failed, and will again.
    pub const FAILURE: Self = Self { outcome: Outcome::Failure, ..Self::SUCCESS };
    /// It failed, and may not when tried again.
    pub const RETRYABLE: Self = Self { retryable: true, ..Self::FAILURE };
    /// It says nothing about who was asked, and trying again does not help.
    pub const IGNORED: Self = Self { outcome: Outcome::Ignored, ..Self::SUCCESS };

    /// With the time at which the other side wants to be asked again.
    #[must_use]
    pub const fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// Of an error.
    fn of<E: Classify>(rules: &Rules, error: &E) -> Self {
        let class = rules.classify(error);
        let executed = error.executed();
        // What was turned away by ourselves says nothing about the other side.
        let ignored = class.category.is_callers() || rejected_here(error);
        Self {
            outcome: if ignored { Outcome::Ignored } else { Outcome::Failure },
            retryable: class.retryable,
            executed,
            retry_after: error.retry_after(),
        }
    }
}

fn rejected_here<E: Classify>(error: &E) -> bool {
    let rejected =
        super::classify::chain(error.as_error()).find_map(|link| link.downcast_ref::<super::Rejected>());
    rejected.is_some_and(|rejected| !rejected.executed())
}

/// Judges how a call ended. A closure can do it; [`Rules`] do it for every error that is
/// [`Classify`].
///
/// ```
/// use fresnel_sdk::resilience::{Judge, Verdict};
///
/// // An answer may be a failure, too.
/// let judge = |outcome: &Result<u16, std::io::Error>| match outcome {
///     Ok(status) if *status >= 500 => Verdict::RETRYABLE,
///     Ok(_) => Verdict::SUCCESS,
///     Err(_) => Verdict::RETRYABLE,
/// };
/// assert_eq!(judge.judge(&Ok(503)), Verdict::RETRYABLE);
/// ```
pub trait Judge<T, E>: Send + Sync {
    /// How this one ended.
    fn judge(&self, outcome: &Result<T, E>) -> Verdict;
}

impl<T, E, F: Fn(&Result<T, E>) -> Verdict + Send + Sync> Judge<T, E> for F {
    fn judge(&self, outcome: &Result<T, E>) -> Verdict {
        self(outcome)
    }
}

impl<T, E: Classify> Judge<T, E> for Rules {
    fn judge(&self, outcome: &Result<T, E>) -> Verdict {
        match outcome {
            Ok(_) => Verdict::SUCCESS,
            Err(error) => Verdict::of(self, error),
        }
    }
}

/// Every error is a failure that may be tried again: for errors of which nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct EveryError;

impl<T, E> Judge<T, E> for EveryError {
    fn judge(&self, outcome: &Result<T, E>) -> Verdict {
        if outcome.is_ok() { Verdict::SUCCESS } else { Verdict::RETRYABLE }
    }
}
