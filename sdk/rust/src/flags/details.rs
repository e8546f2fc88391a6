use std::fmt;

use serde_json::{Map, Value};

/// Why a value is what it is, in OpenFeature's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The flag has no rules.
    Static,
    /// The rules chose nothing, or the flag leaves it to the code.
    Default,
    /// The rules chose.
    TargetingMatch,
    /// The flag is switched off.
    Disabled,
    /// There is no answer; the error says why.
    Error,
}

impl Reason {
    /// As on the wire: `TARGETING_MATCH`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::Default => "DEFAULT",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Disabled => "DISABLED",
            Self::Error => "ERROR",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of error it was, in OpenFeature's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// No rules were loaded yet.
    ProviderNotReady,
    /// There is no such flag.
    FlagNotFound,
    /// The rules chose a variant that is none.
    ParseError,
    /// The value is of another type than was asked for.
    TypeMismatch,
    /// Anything else.
    General,
}

impl ErrorCode {
    /// As on the wire: `FLAG_NOT_FOUND`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProviderNotReady => "PROVIDER_NOT_READY",
            Self::FlagNotFound => "FLAG_NOT_FOUND",
            Self::ParseError => "PARSE_ERROR",
            Self::TypeMismatch => "TYPE_MISMATCH",
            Self::General => "GENERAL",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvaluationError {
    /// What kind.
    pub code: ErrorCode,
    /// A sentence.
    pub message: String,
}

impl EvaluationError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// An answer. `T` is the type that was asked for, or `Option<Value>` from
/// [`FlagSet::evaluate`](super::FlagSet::evaluate): nothing means the code's own default.
#[derive(Clone, Debug, PartialEq)]
pub struct Details<T> {
    /// The value; the default of the caller if there is an error or no variant.
    pub value: T,
    /// The variant that was chosen.
    pub variant: Option<String>,
    /// Why it is what it is.
    pub reason: Reason,
    /// Why there is no answer.
    pub error: Option<EvaluationError>,
    /// Of the file, overridden by the flag's.
    pub metadata: Map<String, Value>,
}

impl<T> Details<T> {
    pub(super) fn failed(value: T, error: EvaluationError) -> Self {
        Self { value, variant: None, reason: Reason::Error, error: Some(error), metadata: Map::new() }
    }

    pub(super) fn with_value<U>(self, value: U) -> Details<U> {
        let Self { variant, reason, error, metadata, .. } = self;
        Details { value, variant, reason, error, metadata }
    }
}
