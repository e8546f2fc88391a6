use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a call was not made, or not waited for any longer.
///
/// Functions of this module give it as `E: From<Rejected>`: an error of one's own, a boxed error,
/// or [`CallError`].
///
/// ```
/// use fresnel_sdk::resilience::Rejected;
///
/// #[derive(Debug)]
/// enum PaymentError {
///     Declined,
///     Unavailable(Rejected),
/// }
///
/// impl From<Rejected> for PaymentError {
///     fn from(rejected: Rejected) -> Self {
///         Self::Unavailable(rejected)
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// A breaker is open: what is behind it fails too often.
    #[error("circuit breaker `{name}` is open; it lets a call through in {retry_after:?}")]
    CircuitOpen {
        /// The breaker.
        name: Arc<str>,
        /// When it will let a call through; zero when others are probing now.
        retry_after: Duration,
    },
    /// It took longer than it may.
    #[error("`{name}` took longer than {limit:?}")]
    TimedOut {
        /// Who set the limit.
        name: Arc<str>,
        /// The limit.
        limit: Duration,
    },
    /// Whoever asked does not wait any longer.
    #[error("the deadline of the request has passed")]
    DeadlineExceeded,
    /// All places are taken, and those to wait in, too.
    #[error("all {limit} places of bulkhead `{name}` are taken")]
    BulkheadFull {
        /// The bulkhead.
        name: Arc<str>,
        /// How many calls it lets run at once.
        limit: usize,
    },
    /// Too many calls for the rate.
    #[error("rate limit `{name}` is reached; there is room again in {retry_after:?}")]
    RateLimited {
        /// The limiter.
        name: Arc<str>,
        /// When there is room again.
        retry_after: Duration,
    },
    /// More calls are running than can be answered in time.
    #[error("`{name}` sheds load: more than {limit} calls are running")]
    Overloaded {
        /// Who sheds.
        name: Arc<str>,
        /// How many it lets run at present.
        limit: usize,
    },
    /// No endpoint can take the call.
    #[error("none of the {endpoints} endpoints of `{name}` is healthy")]
    NoEndpoint {
        /// The balancer.
        name: Arc<str>,
        /// How many it knows.
        endpoints: usize,
    },
    /// A fault that was injected on purpose.
    #[error("injected fault `{code}` at `{point}`")]
    Injected {
        /// Where.
        point: Arc<str>,
        /// What it says.
        code: Arc<str>,
    },
}

impl Rejected {
    /// A short name for the situation, as `error.type` has it.
    pub fn code(&self) -> Cow<'static, str> {
        match self {
            Self::CircuitOpen { .. } => "circuit_open".into(),
            Self::TimedOut { .. } => "timeout".into(),
            Self::DeadlineExceeded => "deadline_exceeded".into(),
            Self::BulkheadFull { .. } => "bulkhead_full".into(),
            Self::RateLimited { .. } => "rate_limited".into(),
            Self::Overloaded { .. } => "overloaded".into(),
            Self::NoEndpoint { .. } => "no_endpoint".into(),
            Self::Injected { code, .. } => code.to_string().into(),
        }
    }

    /// When it makes sense to try again, if that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen { retry_after, .. } | Self::RateLimited { retry_after, .. } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }

    /// Whether the call may have done something before it was cut off.
    pub fn executed(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::DeadlineExceeded | Self::Injected { .. })
    }
}

/// The error of a call, or why there was none: for those who have no error of their own with a
/// place for [`Rejected`].
///
/// ```
/// use fresnel_sdk::resilience::{CallError, Rejected};
///
/// let failed: Result<(), CallError<std::fmt::Error>> = Err(CallError::Inner(std::fmt::Error));
/// let cut_off: CallError<std::fmt::Error> = Rejected::DeadlineExceeded.into();
/// assert_eq!(cut_off.to_string(), "the deadline of the request has passed");
/// # let _ = failed;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError<E> {
    /// The call was not made, or cut off.
    Rejected(Rejected),
    /// The call failed.
    Inner(E),
}

impl<E> From<Rejected> for CallError<E> {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for CallError<E> {
    /// The message is that of the error inside: the chain goes on behind it.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected(rejected) => rejected.source(),
            Self::Inner(error) => error.source(),
        }
    }
}
