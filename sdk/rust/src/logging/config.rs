//! Logging as it stands in a configuration.

mod build;
mod outputs;
mod tls;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::LogFormat;
use super::levels::{ByName, Levels};
use super::redact::{DEFAULT_KEYS, RedactError, Redactor};
use crate::config::{ByteSize, Duration, Report, Validate};
use crate::telemetry::otlp::Severity;

pub use self::build::BuildError;
pub use self::outputs::{
    DatadogOutput, ElasticsearchOutput, FileOutput, HttpOutput, OutputKind, SyslogOutput,
};
pub use self::tls::TlsConfig;

/// What is logged, where, and what is taken out of it.
///
/// ```
/// use fresnel_sdk::config::Loader;
/// use fresnel_sdk::logging::LoggingConfig;
///
/// let file = tempfile::Builder::new().suffix(".toml").tempfile()?;
/// std::fs::write(file.path(), r#"
/// level = "info,shop:cart=debug"
///
/// [outputs.stdout]
/// format = "json"
///
/// [outputs.audit]
/// filter = "off,audit=info"
/// format = "ecs"
/// [outputs.audit.to.file]
/// path = "audit.log"
/// bytes_max = "50 MiB"
/// "#)?;
/// let config = Loader::<LoggingConfig>::new().file(file.path()).load()?;
/// assert_eq!(config.value.outputs.len(), 2);
///
/// let wrong = serde_json::from_str::<LoggingConfig>(r#"{ "outputs": { "x": { "to": { "fax": {} } } } }"#);
/// let error = wrong.expect_err("there is none of this type").to_string();
/// assert!(error.contains("unknown variant `fax`, expected one of `stdout`, `stderr`, `file`"), "{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LoggingConfig {
    /// What is recorded: a level, or directives such as `info,hyper=warn,shop:cart=debug`.
    pub level: String,
    /// What is taken out of every record.
    pub redact: RedactConfig,
    /// Where records go, each under a name. `stdout` is there unless its `filter` is `off`; what a file
    /// names comes beside it.
    pub outputs: BTreeMap<String, OutputConfig>,
}

impl Default for LoggingConfig {
    fn default() -> Self {
        let stdout = OutputConfig::to(OutputKind::Stdout);
        Self {
            level: "info".into(),
            redact: RedactConfig::default(),
            outputs: BTreeMap::from([("stdout".to_owned(), stdout)]),
        }
    }
}

/// What is taken out of every record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedactConfig {
    /// Whether anything is.
    pub enabled: bool,
    /// Values with one of these words in their names: `key` is in `api_key`, not in `keyboard`.
    pub keys: Vec<String>,
    /// Values in these places, such as `user.email`; `*` is any name.
    pub paths: Vec<String>,
    /// What regular expressions find in texts, each under a name.
    pub patterns: BTreeMap<String, PatternConfig>,
}

impl Default for RedactConfig {
    fn default() -> Self {
        let keys = DEFAULT_KEYS.map(str::to_owned).to_vec();
        Self { enabled: true, keys, paths: Vec::new(), patterns: BTreeMap::new() }
    }
}

/// A regular expression and what stands for what it finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatternConfig {
    /// The regular expression.
    pub pattern: String,
    /// What stands there instead; `$1` is what the first group found.
    #[serde(default = "redacted")]
    pub replacement: String,
}

fn redacted() -> String {
    super::redact::REDACTED.to_owned()
}

impl RedactConfig {
    /// What it says.
    ///
    /// # Errors
    /// The first part of it that is none.
    pub fn build(&self) -> Result<Redactor, RedactError> {
        if !self.enabled {
            return Ok(Redactor::none());
        }
        let redactor = self.keys.iter().try_fold(Redactor::none(), |redactor, key| redactor.key(key))?;
        let redactor = self.paths.iter().try_fold(redactor, |redactor, path| redactor.path(path))?;
        let patterns = &mut self.patterns.iter();
        patterns
            .try_fold(redactor, |redactor, (name, it)| redactor.pattern(name, &it.pattern, &it.replacement))
    }
}

/// One output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputConfig {
    /// What kind of output, with its settings.
    pub to: OutputKind,
    /// What it gets of what is recorded: a level, or `off,audit=info`.
    #[serde(default = "everything")]
    pub filter: String,
    /// How its records look; what the kind is used to, unless said.
    #[serde(default)]
    pub format: Option<LogFormat>,
    /// Records that may wait for it; more are dropped and counted.
    #[serde(default = "records_max")]
    #[schemars(range(min = 1))]
    pub records_max: usize,
    /// Their bytes, roughly.
    #[serde(default = "queue_bytes_max")]
    pub queue_bytes_max: ByteSize,
    /// Records that are written together; 1024 on this machine, 100 elsewhere, unless said.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub batch_max: Option<usize>,
    /// How old a batch gets that is not full; nothing on this machine, 5s elsewhere, unless said.
    #[serde(default)]
    pub interval: Option<Duration>,
}

fn everything() -> String {
    "trace".to_owned()
}

fn records_max() -> usize {
    super::queue::QueueOptions::batched().records_max
}

fn queue_bytes_max() -> ByteSize {
    ByteSize::mib(16)
}

impl OutputConfig {
    /// An output of a kind, with everything else as usual.
    pub fn to(kind: OutputKind) -> Self {
        Self {
            to: kind,
            filter: everything(),
            format: None,
            records_max: records_max(),
            queue_bytes_max: queue_bytes_max(),
            batch_max: None,
            interval: None,
        }
    }
}

impl Validate for LoggingConfig {
    fn validate(&self, report: &mut Report) {
        if let Err(error) = ByName::parse(&self.level) {
            report.error("level", format!("is not a log filter: {error}"));
        }
        self.redact.validate_in(report);
        for (name, output) in &self.outputs {
            let path = |end: &str| format!("outputs.{name}.{end}");
            if let Err(error) = Levels::parse(&output.filter, Severity::Trace) {
                report.error(&path("filter"), format!("is not a filter: {error}"));
            }
            if output.records_max == 0 || output.batch_max == Some(0) {
                report.error(&path("records_max"), "and `batch_max` must be at least 1");
            }
            output.to.validate(&path("to"), report);
        }
    }
}

impl RedactConfig {
    /// Every part by itself, so that all that is wrong is told at once.
    fn validate_in(&self, report: &mut Report) {
        let told = |result: Result<Redactor, RedactError>, path: &str, report: &mut Report| {
            if let Err(error) = result {
                report.error(path, format!("is wrong: {error}"));
            }
        };
        for key in &self.keys {
            told(Redactor::none().key(key), "redact.keys", report);
        }
        for path in &self.paths {
            told(Redactor::none().path(path), "redact.paths", report);
        }
        for (name, it) in &self.patterns {
            let path = format!("redact.patterns.{name}.pattern");
            told(Redactor::none().pattern(name, &it.pattern, &it.replacement), &path, report);
        }
    }
}
