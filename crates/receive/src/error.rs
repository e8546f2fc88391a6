use std::time::Duration;

use model::ErrorKind;

use crate::sink::Refused;

/// Why a whole request was refused. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is not what the content type says.
    #[error("malformed request: {0}")]
    Malformed(String),
    /// Another method than POST.
    #[error("method not allowed: send a POST")]
    Method,
    /// A content type that this door does not read.
    #[error("content type `{found}` is not supported: send {expected}")]
    ContentType {
        /// What was sent.
        found: String,
        /// What this door reads.
        expected: &'static str,
    },
    /// A content encoding that this door does not read.
    #[error("content encoding `{found}` is not supported: send {expected}")]
    ContentEncoding {
        /// What was sent.
        found: String,
        /// What this door reads.
        expected: &'static str,
    },
    /// Larger than the limit, as sent or after decompression.
    #[error("request body over the limit of {limit} bytes{}", if *.decoded { " after decompression" } else { "" })]
    TooLarge {
        /// `receive.limit.body` or `receive.limit.body_decoded`.
        limit: u64,
        /// Which of the two.
        decoded: bool,
    },
    /// The sender showed no key or a wrong one.
    #[error("no valid key: send one of `receive.key` as `Authorization: Bearer <secret>`")]
    Unauthenticated,
    /// `X-Scope-OrgID` is not a tenant's name, or one too many.
    #[error("{0}")]
    Tenant(String),
    /// Whoever stands before the door does not let the request in.
    #[error("{0}")]
    Forbidden(String),
    /// The budget is used up.
    #[error("overloaded: {reason}")]
    Overloaded {
        /// Which limit was reached.
        reason: String,
        /// When to come again.
        retry_after: Duration,
    },
    /// Starting or stopping.
    #[error("the server is starting or stopping; try again")]
    Unavailable,
    /// The sender stopped in the middle of the body.
    #[error("no byte of the request body came for {} s, which is `receive.limit.body_idle`", idle.as_secs())]
    Slow {
        /// How long a pause may be.
        idle: Duration,
    },
    /// The sender went away while sending.
    #[error("the request body ended early: {0}")]
    Aborted(String),
    /// The disk failed; nobody can tell whether the records are on it. A sender must keep what it
    /// has and send it again: stored twice is better than lost.
    #[error("the records could not be stored: {0}")]
    Failed(String),
    /// The request made the server panic.
    #[error("the server made a mistake with this request; its log says which")]
    Panicked,
}

impl Refusal {
    pub(crate) fn content_type(found: &str, expected: &'static str) -> Self {
        Self::ContentType { found: found.into(), expected }
    }

    pub(crate) fn content_encoding(found: &str, expected: &'static str) -> Self {
        Self::ContentEncoding { found: found.into(), expected }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Malformed(_)
            | Self::Method
            | Self::ContentType { .. }
            | Self::ContentEncoding { .. }
            | Self::Tenant(_)
            | Self::Aborted(_) => ErrorKind::InvalidArgument,
            Self::TooLarge { .. } | Self::Overloaded { .. } => ErrorKind::ResourceExhausted,
            Self::Unauthenticated => ErrorKind::Unauthenticated,
            Self::Forbidden(_) => ErrorKind::PermissionDenied,
            Self::Panicked => ErrorKind::Internal,
            Self::Slow { .. } => ErrorKind::DeadlineExceeded,
            Self::Unavailable | Self::Failed(_) => ErrorKind::Unavailable,
        }
    }

    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Overloaded { .. } | Self::Unavailable | Self::Slow { .. } | Self::Failed(_))
    }

    /// Whether it may come before the whole body has been read.
    pub fn before_the_end(&self) -> bool {
        !matches!(self, Self::Malformed(_) | Self::Failed(_))
    }

    /// When to come again, for those of which that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } => Some(*retry_after),
            Self::Unavailable => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// A short stable name for the metric's attribute `error.type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Method => "method",
            Self::ContentType { .. } => "content_type",
            Self::ContentEncoding { .. } => "content_encoding",
            Self::TooLarge { .. } => "too_large",
            Self::Unauthenticated => "unauthenticated",
            Self::Tenant(_) => "tenant",
            Self::Forbidden(_) => "forbidden",
            Self::Panicked => "panicked",
            Self::Overloaded { .. } => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Slow { .. } => "slow",
            Self::Aborted(_) => "aborted",
            Self::Failed(_) => "failed",
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full { reason, retry_after } => Self::Overloaded { reason, retry_after },
            Refused::Closed => Self::Unavailable,
            Refused::TooLarge { limit } => Self::TooLarge { limit, decoded: false },
            Refused::Failed(reason) => Self::Failed(reason),
        }
    }
}
