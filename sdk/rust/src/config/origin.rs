use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a value was written. The order is the order in which problems are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In a file; line and column count from 1, the column in characters.
    File {
        /// The file, as it was named.
        path: Arc<Path>,
        /// The line.
        line: usize,
        /// The column; 0 when the file as a whole is meant.
        column: usize,
    },
    /// In an environment variable.
    Env {
        /// The variable.
        name: Arc<str>,
    },
    /// On the command line.
    Arg {
        /// The flag.
        flag: Arc<str>,
    },
    /// Set while running.
    Runtime,
    /// In the program.
    Default,
}

impl Origin {
    /// A file as a whole.
    pub(crate) fn file(path: &Arc<Path>) -> Self {
        Self::File { path: path.clone(), line: 0, column: 0 }
    }
}

/// `prod.toml:14:16`, `FRESNEL_STORE_DIR`, `--data-dir`, `runtime` or `default`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0, .. } => write!(f, "{}", path.display()),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Env { name } => f.write_str(name),
            Self::Arg { flag } => f.write_str(flag),
            Self::Runtime => f.write_str("runtime"),
            Self::Default => f.write_str("default"),
        }
    }
}
