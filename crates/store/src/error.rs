use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use model::{ErrorKind, OverBudget};

use crate::manifest::ManifestError;
use crate::wal::WalError;

/// Why the records of a request were not stored. Nothing of the request is kept.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// A limit is reached; later there is room again.
    #[error("no room for the request: the {what} of {limit} bytes is used up")]
    Full {
        /// What is used up.
        what: &'static str,
        /// Its size.
        limit: u64,
    },
    /// The request is larger than the log can hold in one entry.
    #[error("the request is larger than the {limit} bytes that an entry of the log may have")]
    TooLarge {
        /// The largest.
        limit: u64,
    },
    /// The disk did not take it.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// The disk cannot be trusted any more; the process has to end.
    #[error("the store cannot go on: {reason}")]
    Fatal {
        /// What happened.
        reason: Arc<str>,
    },
    /// The store is starting or stopping.
    #[error("the store is starting or stopping")]
    Closed,
}

impl AppendError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Full { .. } => ErrorKind::ResourceExhausted,
            Self::TooLarge { .. } => ErrorKind::InvalidArgument,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                ErrorKind::ResourceExhausted
            }
            Self::Io { .. } | Self::Fatal { .. } | Self::Closed => ErrorKind::Unavailable,
        }
    }

    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        !matches!(self, Self::TooLarge { .. })
    }
}

impl From<OverBudget> for AppendError {
    fn from(error: OverBudget) -> Self {
        Self::Full { what: "memory budget", limit: error.limit }
    }
}

impl From<WalError> for AppendError {
    fn from(error: WalError) -> Self {
        match error {
            WalError::Full { limit } => Self::Full { what: "write-ahead log's queue", limit: limit as u64 },
            WalError::TooLarge { limit } => Self::TooLarge { limit: limit as u64 },
            WalError::Io { path, source } => Self::Io { path, source },
            WalError::Fatal { reason } => Self::Fatal { reason },
            WalError::Closed | WalError::Version { .. } => Self::Closed,
        }
    }
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting cannot be used.
    #[error("`store.{key}`: {reason}")]
    Config {
        /// The key below `store`.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The directory cannot be used.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process uses the directory.
    #[error("another process uses `{}`", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The log.
    #[error("cannot open the write-ahead log")]
    Wal(#[source] WalError),
    /// The bucket did not answer, so that nobody knows whose it is.
    #[error("cannot see whose the bucket of `store.s3` is")]
    Bucket {
        /// Its error.
        source: object_store::Error,
    },
    /// The bucket, or its folder, has segments of another store.
    #[error(
        "bucket and prefix of `store.s3` belong to another store{}; choose another `store.s3.prefix`, or, \
         when that store's directory is lost, start once with an empty `store.dir` and `store.s3.adopt = true`",
        store.as_ref().map(|id| format!(" ({id})")).unwrap_or_default()
    )]
    Taken {
        /// Its id, if it has one.
        store: Option<String>,
    },
    /// The manifest is not whole, and the segments that it may have named cannot be looked at.
    #[error("cannot look for segments that the manifest does not name")]
    Segments(#[source] WorkError),
    /// The catalog.
    #[error("cannot open the manifest")]
    Manifest(#[source] ManifestError),
}

impl OpenError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Config { .. } => ErrorKind::InvalidArgument,
            Self::Io { .. } | Self::Locked { .. } | Self::Bucket { .. } => ErrorKind::Unavailable,
            Self::Taken { .. } => ErrorKind::InvalidArgument,
            Self::Segments(error) => error.kind(),
            Self::Wal(error) => error.kind(),
            Self::Manifest(error) => error.kind(),
        }
    }

    /// Whether another attempt may succeed without a change.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// Why work in the background failed. It is tried again; nothing is lost meanwhile.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// A segment could not be written, moved or removed.
    #[error("cannot write `{path}`")]
    Write {
        /// The object, relative to the store.
        path: String,
        /// The disk's or the object store's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Records could not be encoded, or what they were encoded to not be written.
    #[error("cannot write a segment of `{table}`")]
    Encode {
        /// The table.
        table: &'static str,
        /// What the encoder said.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A segment could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The catalog did not take the change.
    #[error("cannot commit to the manifest")]
    Manifest(#[source] ManifestError),
    /// The write-ahead log's old files could not be removed.
    #[error("cannot shorten the write-ahead log")]
    Wal(#[source] WalError),
    /// The work panicked.
    #[error("{work} panicked: {message}")]
    Panic {
        /// What was done.
        work: &'static str,
        /// What the panic said.
        message: String,
    },
}

impl WorkError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Write { .. } => ErrorKind::Unavailable,
            // The encoder writes to the file: what it says may be the disk's.
            Self::Encode { source: parquet::errors::ParquetError::External(_), .. } => ErrorKind::Unavailable,
            Self::Encode { .. } | Self::Panic { .. } => ErrorKind::Internal,
            Self::Read(error) => error.kind(),
            Self::Manifest(error) => error.kind(),
            Self::Wal(error) => error.kind(),
        }
    }

    /// Whether another attempt may succeed; it is made in any case.
    pub fn retryable(&self) -> bool {
        !matches!(self.kind(), ErrorKind::Internal)
    }
}

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file's content is not what was written; it has been or will be set aside.
    #[error("segment `{path}` is damaged: {reason}")]
    Damaged {
        /// The object, relative to the store.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk or object store did not answer.
    #[error("cannot read `{path}`")]
    Io {
        /// The object, relative to the store.
        path: String,
        /// Its error.
        #[source]
        source: object_store::Error,
    },
    /// The memory budget is used up.
    #[error(transparent)]
    Memory(#[from] OverBudget),
}

impl ReadError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Damaged { .. } => ErrorKind::Internal,
            Self::Io { .. } => ErrorKind::Unavailable,
            Self::Memory(_) => ErrorKind::ResourceExhausted,
        }
    }

    /// Whether the same read may succeed later.
    pub fn retryable(&self) -> bool {
        !matches!(self, Self::Damaged { .. })
    }
}
