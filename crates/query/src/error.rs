mod translate;

use std::sync::Arc;
use std::time::Duration;

use model::ErrorKind;

use crate::SourceError;

/// Why a question was not answered. The message is one sentence for the asker.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// The statement does not parse.
    #[error("{message}")]
    Syntax {
        /// What was expected, and where.
        message: String,
    },
    /// The statement parses but means nothing, such as an unknown column.
    #[error("{message}")]
    Plan {
        /// What is wrong.
        message: String,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// The statement would change something.
    #[error("only queries are allowed, not {what}")]
    ReadOnly {
        /// What it would do.
        what: String,
    },
    /// A value that the statement cannot be computed with, such as a division by zero.
    #[error("{message}")]
    Value {
        /// What is wrong.
        message: String,
    },
    /// An argument of a direct reader is wrong.
    #[error("{message}")]
    Argument {
        /// What is wrong.
        message: String,
    },
    /// A query that means something, but has no answer with these records or within its limits.
    #[error("{message}")]
    Execution {
        /// What is wrong.
        message: String,
    },
    /// Another query runs under this id.
    #[error("a query with the id `{id}` is running")]
    IdInUse {
        /// The id.
        id: String,
    },
    /// The query needs more memory than it may have.
    #[error("{message}")]
    Memory {
        /// Which limit, and what it was used for.
        message: String,
    },
    /// Too many queries run and wait.
    #[error("{running} queries are running and {waiting} are waiting, more are refused")]
    Busy {
        /// How many run.
        running: usize,
        /// How many wait.
        waiting: usize,
    },
    /// The deadline passed first.
    #[error("the query did not finish within {}", fresnel_sdk::config::Duration::from(*.timeout))]
    DeadlineExceeded {
        /// What it was given.
        timeout: Duration,
    },
    /// Somebody cancelled it.
    #[error("the query was cancelled")]
    Cancelled,
    /// The store cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What was read cannot be decoded: a segment is damaged, or a bug.
    #[error("the query failed: {message}")]
    Undecodable {
        /// The chain of causes.
        message: String,
        /// The segments of which rows were read.
        segments: Vec<Arc<str>>,
    },
    /// A bug.
    #[error("the query failed: {message}")]
    Internal {
        /// The chain of causes.
        message: String,
    },
}

impl QueryError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Syntax { .. }
            | Self::Plan { .. }
            | Self::ReadOnly { .. }
            | Self::Value { .. }
            | Self::Argument { .. }
            | Self::Execution { .. }
            | Self::IdInUse { .. } => ErrorKind::InvalidArgument,
            Self::Memory { .. } | Self::Busy { .. } => ErrorKind::ResourceExhausted,
            Self::DeadlineExceeded { .. } => ErrorKind::DeadlineExceeded,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Source(error) => error.kind,
            Self::Internal { .. } | Self::Undecodable { .. } => ErrorKind::Internal,
        }
    }

    /// Whether the same question may be answered later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Memory { .. } | Self::DeadlineExceeded { .. } => true,
            Self::Source(error) => {
                matches!(error.kind, ErrorKind::Unavailable | ErrorKind::ResourceExhausted)
            }
            _ => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Plan { hint, .. } => return hint.clone(),
            Self::ReadOnly { .. } => "use SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE",
            Self::Memory { .. } => {
                "narrow the time range, select fewer columns, or raise `query.memory_share`"
            }
            Self::Busy { .. } => "try again later, or raise `query.concurrency`",
            Self::DeadlineExceeded { .. } => "narrow the time range or ask for a longer timeout",
            Self::IdInUse { .. } => "choose another id, or cancel that query",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
