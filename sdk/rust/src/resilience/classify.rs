//! What an error is: how bad, of what kind, whether trying again helps, who should hear of it.
//!
//! An error of one's own says so by [`Classify`]; what is boxed is looked into, cause by cause.
//! [`Rules`] put something else over it.

mod known;
#[cfg(feature = "reqwest")]
mod reqwest;
mod rules;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

pub(super) use self::rules::insert;
pub use self::rules::{Facts, Match, Predicate, Rules};

/// How bad an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Expected now and then.
    Low,
    /// A request failed.
    Medium,
    /// A function is unavailable, or somebody may be attacking.
    High,
    /// The process, or data, is at risk.
    Critical,
}

impl Severity {
    pub(super) const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// `low`, `medium`, `high` or `critical`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// The other side was not reached, or the connection broke.
    Network,
    /// Nobody knows who asks.
    Authentication,
    /// Whoever asks may not.
    Authorization,
    /// What was asked for makes no sense.
    Validation,
    /// A rule of the domain says no.
    Business,
    /// Something inside broke.
    System,
    /// It took too long.
    Timeout,
    /// It was asked too often.
    RateLimit,
    /// Memory, disk, connections or places have run out.
    ResourceExhaustion,
    /// The settings are wrong.
    Configuration,
    /// Nothing is known about it.
    Unknown,
}

impl Category {
    /// In lower case, words joined by `_`: `rate_limit`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Validation => "validation",
            Self::Business => "business",
            Self::System => "system",
            Self::Timeout => "timeout",
            Self::RateLimit => "rate_limit",
            Self::ResourceExhaustion => "resource_exhaustion",
            Self::Configuration => "configuration",
            Self::Unknown => "unknown",
        }
    }

    /// Whether whoever asked is at fault, so that it says nothing about who was asked.
    pub const fn is_callers(self) -> bool {
        matches!(self, Self::Authentication | Self::Authorization | Self::Validation | Self::Business)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classification {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is of.
    pub category: Category,
    /// Whether trying again may help.
    pub retryable: bool,
    /// Whether whoever asked may be told.
    pub user_visible: bool,
    /// Whether somebody must hear of it.
    pub escalate: bool,
}

impl Classification {
    /// What holds for a category unless something else is said.
    ///
    /// Timeouts and rate limits are medium, retryable and visible; network errors medium,
    /// retryable and hidden; authentication is high, visible and escalated; authorization,
    /// validation and business errors are visible, the last two low; exhausted resources and wrong
    /// settings are escalated and hidden, critical and high. The rest is medium, hidden and not
    /// retried.
    pub const fn of(category: Category) -> Self {
        use Category as C;
        let severity = match category {
            C::ResourceExhaustion => Severity::Critical,
            C::Authentication | C::Configuration => Severity::High,
            C::Validation | C::Business => Severity::Low,
            _ => Severity::Medium,
        };
        Self {
            severity,
            category,
            retryable: matches!(category, C::Timeout | C::RateLimit | C::Network),
            user_visible: category.is_callers() || matches!(category, C::Timeout | C::RateLimit),
            escalate: matches!(category, C::Authentication | C::ResourceExhaustion | C::Configuration),
        }
    }
}

/// An error that says what it is.
///
/// ```
/// use std::error::Error;
/// use fresnel_sdk::resilience::{Category, Classification, Classify};
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the card was declined")]
/// struct Declined;
///
/// impl Classify for Declined {
///     fn as_error(&self) -> &(dyn Error + 'static) {
///         self
///     }
///     fn classification(&self) -> Classification {
///         Classification::of(Category::Business)
///     }
/// }
/// assert!(!Declined.classification().retryable);
/// assert_eq!(Declined.name(), "Declined");
/// ```
pub trait Classify {
    /// The error with its causes.
    fn as_error(&self) -> &(dyn Error + 'static);

    /// What it is. By default, what is known of the first known cause.
    fn classification(&self) -> Classification {
        known::classification(self.as_error())
    }

    /// What it is called, as `error.type` has it. By default the name of the type, without path.
    fn name(&self) -> Cow<'static, str> {
        short(std::any::type_name::<Self>()).into()
    }

    /// Its code, such as `ConnectionRefused` or `23505`, if it has one.
    fn code(&self) -> Option<Cow<'static, str>> {
        known::code(self.as_error())
    }

    /// When the other side wants to be asked again, if it said so.
    fn retry_after(&self) -> Option<Duration> {
        known::retry_after(self.as_error())
    }

    /// Whether the call may have had an effect. Only what certainly had none is tried again where
    /// a second effect would do harm.
    fn executed(&self) -> bool {
        known::executed(self.as_error())
    }
}

/// An error of any type, as tower's layers have it.
pub type BoxError = Box<dyn Error + Send + Sync>;

impl Classify for BoxError {
    fn as_error(&self) -> &(dyn Error + 'static) {
        &**self
    }

    fn name(&self) -> Cow<'static, str> {
        known::name(&**self)
    }
}

impl Classify for std::io::Error {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }

    fn name(&self) -> Cow<'static, str> {
        "io::Error".into()
    }
}

impl Classify for super::Rejected {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl<E: Classify + Error + 'static> Classify for super::CallError<E> {
    fn as_error(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Rejected(rejected) => rejected,
            Self::Inner(error) => error,
        }
    }

    fn classification(&self) -> Classification {
        match self {
            Self::Rejected(rejected) => rejected.classification(),
            Self::Inner(error) => error.classification(),
        }
    }

    fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Rejected(rejected) => rejected.name(),
            Self::Inner(error) => error.name(),
        }
    }

    fn code(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Rejected(rejected) => Some(rejected.code()),
            Self::Inner(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected(rejected) => rejected.retry_after(),
            Self::Inner(error) => error.retry_after(),
        }
    }

    fn executed(&self) -> bool {
        match self {
            Self::Rejected(rejected) => rejected.executed(),
            Self::Inner(error) => error.executed(),
        }
    }
}

/// `a::b::Name<c::D>` is `Name`.
fn short(path: &'static str) -> &'static str {
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

/// An error with its causes, from the outside in. A chain is followed only so far: one that bites
/// its tail must not hang us.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source()).take(32)
}
