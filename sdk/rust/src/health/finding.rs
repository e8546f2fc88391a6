use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It works.
    Healthy,
    /// It works, but not as it should.
    Degraded,
    /// It does not work.
    Unhealthy,
    /// Nobody has looked yet, or it cannot be found out.
    Unknown,
}

impl Status {
    /// In lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a check has found.
///
/// ```
/// use fresnel_sdk::health::{Finding, Status};
///
/// let finding = Finding::degraded("12 of 16 connections are taken").detail("taken", 12);
/// assert_eq!(finding.status, Status::Degraded);
/// assert_eq!(Finding::from(Err::<(), _>("refused")).error.as_deref(), Some("refused"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How it is.
    pub status: Status,
    /// What is to be said, for people.
    pub message: Option<String>,
    /// What was measured.
    pub details: Map<String, Value>,
    /// What went wrong.
    pub error: Option<String>,
}

impl Finding {
    fn new(status: Status, message: Option<String>) -> Self {
        Self { status, message, details: Map::new(), error: None }
    }

    /// It works.
    pub fn healthy() -> Self {
        Self::new(Status::Healthy, None)
    }

    /// It works, but not as it should.
    pub fn degraded(message: impl Into<String>) -> Self {
        Self::new(Status::Degraded, Some(message.into()))
    }

    /// It does not work.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(Status::Unhealthy, Some(message.into()))
    }

    /// It cannot be found out.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(Status::Unknown, Some(message.into()))
    }

    /// It does not work, because of this.
    pub fn failed(error: impl fmt::Display) -> Self {
        Self { error: Some(error.to_string()), ..Self::unhealthy("the check failed") }
    }

    /// With something that was measured. Never a secret.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }

    /// With something to say.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }
}

/// What is done is healthy, an error is unhealthy.
impl<E: fmt::Display> From<Result<(), E>> for Finding {
    fn from(result: Result<(), E>) -> Self {
        result.map_or_else(Self::failed, |()| Self::healthy())
    }
}
