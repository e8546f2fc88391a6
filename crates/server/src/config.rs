//! The whole configuration: each stage owns its part, this file only puts them together.

use std::path::Path;

use fresnel_sdk::config::{ByteSize, LoadError, Loaded, Loader, Report, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Configuration of Fresnel. Every setting has a default; none is needed.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What comes in, and from whom.
    pub receive: receive::Config,
    /// Where records are kept, how they get there and how long they stay.
    pub store: store::Config,
    /// The stored files as Delta Lake tables.
    pub publish: publish::Config,
    /// What questions may take.
    pub query: query::Config,
    /// The page and the API.
    pub api: api::Config,
    /// The one memory budget.
    pub memory: MemoryConfig,
    /// What the server says about itself.
    pub telemetry: TelemetryConfig,
}

/// The one memory budget.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    /// Memory that the process may use; at least 128 MiB. Requests beyond it are refused with a
    /// retryable status, nothing is lost.
    pub limit: ByteSize,
}

/// What the server says about itself.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Whether the server's own logs, spans and metrics are stored like everybody's.
    pub enabled: bool,
    /// Least severity of its own logs: error, warn, info, debug or trace, also by module, as in
    /// `info,store=debug`.
    pub level: String,
    /// How its log lines on standard error look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

const MEMORY_LIMIT_MIN: u64 = 128 << 20;

/// Paths whose change takes effect only after a restart.
pub const RESTART: &[&str] = &[
    "receive.otlp",
    "receive.limit",
    "receive.key",
    "receive.host",
    "store",
    "publish",
    "query.concurrency",
    "query.queue_max",
    "query.metadata_cache",
    "query.prometheus.series_cache",
    "api",
    "memory",
    "telemetry.enabled",
    "telemetry.format",
];

impl Default for MemoryConfig {
    fn default() -> Self {
        Self { limit: ByteSize::gib(2) }
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { enabled: true, level: "info".into(), format: LogFormat::Text }
    }
}

impl Validate for Config {
    fn validate(&self, report: &mut Report) {
        report.within("receive", &self.receive);
        report.within("store", &self.store);
        report.within("publish", &self.publish);
        report.within("query", &self.query);
        report.within("api", &self.api);
        if self.memory.limit.bytes() < MEMORY_LIMIT_MIN {
            report.error("memory.limit", "must be at least 128 MiB");
        }
        if let Err(error) = fresnel_sdk::telemetry::check_filter(&self.telemetry.level) {
            report.error("telemetry.level", format!("is not a level: {error}"));
        }
        self.check_doors(report);
    }
}

impl Config {
    /// Whoever reaches an address that is not loopback could read and write: it needs a key.
    fn check_doors(&self, report: &mut Report) {
        if !self.receive.key.is_empty() {
            return;
        }
        let doors = [
            ("api.listen", self.api.listen),
            ("receive.otlp.grpc.listen", self.receive.otlp.grpc.listen),
            ("receive.otlp.http.listen", self.receive.otlp.http.listen),
        ];
        for (path, address) in doors.iter().filter(|(_, address)| !address.ip().is_loopback()) {
            report.error(
                path,
                format!(
                    "must be a loopback address while nobody has to show a key, got {address}; \
                     to listen there, set [receive.key.NAME] with a secret of 16 characters or more"
                ),
            );
        }
    }
}

/// The file that is read when none is named and it exists.
pub const DEFAULT_FILE: &str = "fresnel.toml";

/// Variables with the prefix that are read elsewhere: by the command line and by tests.
const NOT_SETTINGS: &[&str] = &[
    "FRESNEL_CONFIG",
    "FRESNEL_URL",
    "FRESNEL_KEY",
    "FRESNEL_TESTDATA",
    "FRESNEL_NO_SKIP",
    "FRESNEL_SOAK_ROUNDS",
];

/// A loader with the sources every command has: file, variables in files beside it, environment.
pub fn loader(file: Option<&Path>) -> Loader<Config> {
    let loader = Loader::new().env("FRESNEL").ignore_env(NOT_SETTINGS.iter().copied());
    let folder = file.and_then(Path::parent).unwrap_or(Path::new(""));
    let loader = loader.env_file(folder.join(".env")).env_file(folder.join(".env.local"));
    match file {
        Some(file) => loader.file(file),
        None => loader.default_file(DEFAULT_FILE),
    }
}

/// Loads with nothing but these.
pub fn load(file: Option<&Path>) -> Result<Loaded<Config>, LoadError> {
    loader(file).load()
}
