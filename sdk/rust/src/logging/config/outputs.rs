use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tls::TlsConfig;
use crate::config::{ByteSize, Duration, Report, Secret};
use crate::logging::output::{Body, Compression, Elasticsearch, File, Http, Rotation, Transport};

/// The kinds of outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// Standard output: text in colours on a terminal, JSON elsewhere.
    Stdout,
    /// Standard error, likewise.
    Stderr,
    /// A file, as JSON.
    File(FileOutput),
    /// A syslog server, as text.
    Syslog(SyslogOutput),
    /// A server that takes batches over HTTP, as JSON.
    Http(HttpOutput),
    /// Elasticsearch or OpenSearch, as ECS.
    Elasticsearch(ElasticsearchOutput),
    /// Datadog, in its own format.
    Datadog(DatadogOutput),
}

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileOutput {
    /// Where it is; folders are made.
    pub path: PathBuf,
    /// Whether it is put aside at all when it is large.
    pub rotate: bool,
    /// So large.
    pub bytes_max: ByteSize,
    /// Whether every day (UTC) has a file of its own.
    pub daily: bool,
    /// How many are kept besides the one that is written.
    pub files_max: usize,
    /// How those are packed.
    pub compression: Compression,
}

impl Default for FileOutput {
    fn default() -> Self {
        let usual = Rotation::default();
        Self {
            path: PathBuf::new(),
            rotate: false,
            bytes_max: ByteSize::mib(100),
            daily: usual.daily,
            files_max: usual.files_max,
            compression: if cfg!(feature = "gzip") { Compression::Gzip } else { Compression::None },
        }
    }
}

impl FileOutput {
    pub(super) fn rotation(&self) -> Rotation {
        Rotation {
            bytes_max: self.rotate.then_some(self.bytes_max),
            daily: self.daily,
            files_max: self.files_max,
            compression: self.compression,
        }
    }
}

/// A syslog server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyslogOutput {
    /// How it is reached: `udp = "HOST:PORT"`, `tcp = "HOST:PORT"` or `unix = "PATH"`.
    pub address: Transport,
    /// The facility, 0 to 23; 1 is programs of users, 16 is `local0`.
    #[serde(default = "facility")]
    #[schemars(range(max = 23))]
    pub facility: u8,
}

fn facility() -> u8 {
    1
}

/// A server that takes batches over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpOutput {
    /// The address that is posted to.
    pub url: String,
    /// Headers that are sent along; their values are secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// How long a request may take.
    #[serde(default = "timeout")]
    pub timeout: Duration,
    /// How records stand in a request.
    #[serde(default)]
    pub body: Body,
    /// Whether requests are compressed.
    #[serde(default)]
    pub gzip: bool,
    /// Whom it trusts over `https://`, and what it shows of itself.
    #[serde(default)]
    pub tls: TlsConfig,
}

/// Elasticsearch or OpenSearch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ElasticsearchOutput {
    /// Its address.
    pub url: String,
    /// The index or data stream.
    #[serde(default = "index")]
    pub index: String,
    /// An API key, as its own tools give it out.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// How long a request may take.
    #[serde(default = "timeout")]
    pub timeout: Duration,
    /// Whom it trusts over `https://`, and what it shows of itself.
    #[serde(default)]
    pub tls: TlsConfig,
}

/// Datadog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatadogOutput {
    /// The address of its intake; the one of the site `datadoghq.com` unless said.
    #[serde(default = "datadog")]
    pub url: String,
    /// The API key.
    pub api_key: Secret,
    /// How long a request may take.
    #[serde(default = "timeout")]
    pub timeout: Duration,
    /// Whom it trusts over `https://`, and what it shows of itself.
    #[serde(default)]
    pub tls: TlsConfig,
}

fn timeout() -> Duration {
    Duration::from_secs(10)
}

fn index() -> String {
    "logs-app-default".to_owned()
}

fn datadog() -> String {
    "https://http-intake.logs.datadoghq.com/api/v2/logs".to_owned()
}

impl OutputKind {
    /// Reports what cannot be built from it.
    pub(super) fn validate(&self, path: &str, report: &mut Report) {
        let mut told = |end: &str, error: Option<String>| {
            if let Some(error) = error {
                report.error(&format!("{path}.{end}"), format!("is wrong: {error}"));
            }
        };
        match self {
            Self::Stdout | Self::Stderr => {}
            Self::File(file) => {
                let named = crate::logging::output::is_path(&file.path);
                told("file.path", (!named).then(|| "it must be the path of a file".to_owned()));
                let built = File::new(&file.path, file.rotation());
                told("file.compression", built.err().map(|error| error.to_string()));
            }
            Self::Syslog(syslog) => {
                let over = syslog.facility > 23;
                told("syslog.facility", over.then(|| "it must be 0 to 23".to_owned()));
            }
            Self::Http(http) => {
                let mut built = Http::new(&http.url, true);
                let tls = built.as_mut().ok().and_then(|it| http.tls.secure(it.endpoint_mut()).err());
                told("http.url", built.err().map(|error| error.to_string()));
                told("http.tls", tls);
                let unpacked = http.gzip && cfg!(not(feature = "gzip"));
                let text = || "gzip is not in this build, it needs the feature `logging`".to_owned();
                told("http.gzip", unpacked.then(text));
            }
            Self::Elasticsearch(it) => {
                let mut built = Elasticsearch::new(&it.url, &it.index);
                let tls = built.as_mut().ok().and_then(|built| it.tls.secure(built.endpoint_mut()).err());
                told("elasticsearch.url", built.err().map(|error| error.to_string()));
                told("elasticsearch.tls", tls);
            }
            Self::Datadog(it) => {
                let mut built = Http::new(&it.url, true);
                let tls = built.as_mut().ok().and_then(|built| it.tls.secure(built.endpoint_mut()).err());
                told("datadog.url", built.err().map(|error| error.to_string()));
                told("datadog.tls", tls);
            }
        }
    }
}
