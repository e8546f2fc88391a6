use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::set::FlagSet;

/// Why rules could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The place where they are does not work.
    #[error("{what}")]
    Io {
        /// What was tried with what.
        what: String,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// What is there are no rules.
    #[error(transparent)]
    Rules(#[from] super::RuleError),
    /// The flag to be switched is not there.
    #[error("there is no flag `{0}`")]
    NoSuchFlag(String),
    /// The place takes no changes.
    #[error("flags cannot be switched here: {0}")]
    ReadOnly(String),
}

/// Where rules are kept. Calls may block; they come from one thread at a time.
///
/// ```
/// use fresnel_sdk::flags::{Flags, Source, SourceError, StartOptions};
///
/// /// Rules that are compiled in.
/// struct BuiltIn;
///
/// impl Source for BuiltIn {
///     fn load(&self) -> Result<String, SourceError> {
///         Ok(r#"{"flags": {}}"#.into())
///     }
///     fn set_enabled(&self, _: &str, _: bool) -> Result<(), SourceError> {
///         Err(SourceError::ReadOnly("they are compiled in".into()))
///     }
/// }
///
/// let flags = Flags::start(BuiltIn, StartOptions::default())?;
/// assert!(!flags.is_enabled("anything", &Default::default()));
/// # Ok::<(), SourceError>(())
/// ```
pub trait Source: Send + Sync + 'static {
    /// All rules, as a text in flagd's format.
    ///
    /// # Errors
    /// They cannot be had now; the last good ones stay in force.
    fn load(&self) -> Result<String, SourceError>;

    /// Switches a flag and keeps that: when this returns, a load by anybody sees it.
    ///
    /// # Errors
    /// Nothing was changed.
    fn set_enabled(&self, key: &str, enabled: bool) -> Result<(), SourceError>;

    /// Files whose change means that the rules may have changed.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// Rules in a JSON file, which is watched.
#[derive(Clone, Debug)]
pub struct FileSource {
    path: PathBuf,
}

impl FileSource {
    /// The rules in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn io(&self, verb: &str) -> impl FnOnce(std::io::Error) -> SourceError + use<> {
        let what = format!("cannot {verb} {}", self.path.display());
        move |source| SourceError::Io { what, source }
    }
}

impl Source for FileSource {
    fn load(&self) -> Result<String, SourceError> {
        fs::read_to_string(&self.path).map_err(self.io("read"))
    }

    /// Rewrites the file beside itself and renames it, so that nobody reads half of it. Keys may
    /// come out in another order.
    fn set_enabled(&self, key: &str, enabled: bool) -> Result<(), SourceError> {
        let text = self.load()?;
        FlagSet::parse(&text)?;
        let mut root: Value = serde_json::from_str(&text)
            .map_err(|error| SourceError::Rules(super::RuleError { problems: vec![error.to_string()] }))?;
        let flag = root.get_mut("flags").and_then(|flags| flags.get_mut(key)).and_then(Value::as_object_mut);
        let flag = flag.ok_or_else(|| SourceError::NoSuchFlag(key.into()))?;
        flag.insert("state".into(), if enabled { "ENABLED" } else { "DISABLED" }.into());
        replace(&self.path, format!("{root:#}\n").as_bytes()).map_err(self.io("write"))
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.path.clone()]
    }
}

/// Writes a file so that after a crash it is the old or the new one.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    // What is linked to is replaced, not the link.
    let path = fs::canonicalize(path)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let mut file = File::create(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&fresh, &path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
