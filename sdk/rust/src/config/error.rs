use std::fmt;

use super::origin::Origin;
use super::path::KeyPath;

/// One thing that is wrong, and where it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// The dotted path; empty when a source as a whole is meant.
    pub path: String,
    /// What, as a sentence. Never holds a secret.
    pub message: String,
}

impl Problem {
    /// A sentence that stands for itself.
    pub(crate) fn new(origin: Origin, path: &KeyPath, message: impl Into<String>) -> Self {
        Self { origin, path: path.to_string(), message: message.into() }
    }

    /// A sentence whose subject is the value: "`timeout` must be at most 60s". In a file the key
    /// alone is what one sees at that place; elsewhere it takes the whole path.
    pub(crate) fn about(origin: Origin, path: &KeyPath, predicate: &str) -> Self {
        let message = match &origin {
            _ if path.is_empty() => format!("the configuration {predicate}"),
            Origin::File { .. } => format!("`{}` {predicate}", path.name()),
            _ => format!("`{path}` {predicate}"),
        };
        Self::new(origin, path, message)
    }
}

/// `prod.toml:14:16: the message`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// Something odd that does not stop the start, such as an unknown environment variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// Where.
    pub origin: Origin,
    /// What, as a sentence.
    pub message: String,
}

/// `FRESNEL_STOREDIR: the message`.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// In the order of files, lines and columns; then environment, command line, defaults.
    pub problems: Vec<Problem>,
    /// What was odd besides.
    pub warnings: Vec<Warning>,
}

/// A problem with the path of what cannot be used because of it.
pub(crate) type Failure = (KeyPath, Problem);

impl LoadError {
    pub(crate) fn new(mut problems: Vec<Problem>, warnings: Vec<Warning>) -> Self {
        problems.sort();
        problems.dedup();
        Self { problems, warnings }
    }
}

/// One problem on each line.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}
