use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::ErrorKind;

/// Why an entry was not written, or a log not opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WalError {
    /// Too much waits for the disk already.
    #[error("the write-ahead log's queue is full ({limit} bytes)")]
    Full {
        /// The size of the queue in bytes.
        limit: usize,
    },
    /// The entry is greater than an entry can be.
    #[error("the request is too large for the write-ahead log ({limit} bytes)")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The disk refused; nothing of the entry is kept, and the next may succeed.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// A file was written by a newer version of the program.
    #[error("`{}` has format version {version}, this program reads up to {known}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
        /// The newest version that is understood.
        known: u32,
    },
    /// The disk can no longer be trusted; the process has to end.
    #[error("the store cannot go on: {reason}")]
    Fatal {
        /// What happened.
        reason: Arc<str>,
    },
    /// The store is stopping.
    #[error("the store is stopping")]
    Closed,
}

impl WalError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source: Arc::new(source) }
    }

    /// Which of the nine kinds it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Full { .. } => ErrorKind::ResourceExhausted,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                ErrorKind::ResourceExhausted
            }
            Self::TooLarge { .. } => ErrorKind::InvalidArgument,
            Self::Io { .. } | Self::Fatal { .. } | Self::Closed => ErrorKind::Unavailable,
            Self::Version { .. } => ErrorKind::Internal,
        }
    }

    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        !matches!(self, Self::TooLarge { .. } | Self::Version { .. })
    }
}
