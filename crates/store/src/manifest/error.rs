use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::ErrorKind;

/// Why a commit was not made, or a manifest not opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ManifestError {
    /// The disk refused; nothing has changed.
    #[error("cannot write `{}`", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// The commit contradicts the state: a bug of the caller.
    #[error("the commit contradicts the manifest: {reason}")]
    Conflict {
        /// In what.
        reason: String,
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
}

impl ManifestError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source: Arc::new(source) }
    }

    /// Which of the nine kinds it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                ErrorKind::ResourceExhausted
            }
            Self::Io { .. } | Self::Fatal { .. } => ErrorKind::Unavailable,
            Self::Conflict { .. } | Self::Version { .. } => ErrorKind::Internal,
        }
    }

    /// Whether the same commit may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}
