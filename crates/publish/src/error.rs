use std::error::Error;
use std::time::Duration;

use model::{ErrorKind, Table};

/// Why a table is not up to date. It is tried again in the next run, from what is there then.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The place of the tables cannot be used.
    #[error("cannot use `{path}`")]
    Place {
        /// The directory.
        path: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The log of a table cannot be read or written now.
    #[error("cannot {what} the Delta log of `{table}`")]
    Storage {
        /// Whose.
        table: Table,
        /// What was tried.
        what: &'static str,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Others commit to the table so often that we do not get through.
    #[error("`{table}` was changed by somebody else {attempts} times meanwhile")]
    Contended {
        /// The table.
        table: Table,
        /// How often it was tried.
        attempts: u32,
    },
    /// It took too long.
    #[error("`{table}` was not published within {}s", limit.as_secs())]
    Deadline {
        /// The table.
        table: Table,
        /// How long it may take.
        limit: Duration,
    },
    /// A segment does not lie where its table's files lie.
    #[error("`{path}` is not `segments/{table}/tenant=<tenant>/day=<day>/<file>`")]
    Misplaced {
        /// The table.
        table: Table,
        /// The segment's key.
        path: String,
    },
    /// Delta Lake has no word for a column of ours.
    #[error("the columns of `{table}` cannot be told in Delta Lake")]
    Schema {
        /// The table.
        table: Table,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl PublishError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Place { .. } | Self::Storage { .. } | Self::Contended { .. } => ErrorKind::Unavailable,
            Self::Deadline { .. } => ErrorKind::DeadlineExceeded,
            Self::Misplaced { .. } | Self::Schema { .. } => ErrorKind::Internal,
        }
    }

    /// Whether the same run may succeed later.
    pub fn retryable(&self) -> bool {
        !matches!(self.kind(), ErrorKind::Internal)
    }
}
