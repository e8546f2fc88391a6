#![allow(clippy::unwrap_used)]

mod app;
mod env_files;
mod errors;
mod layers;
mod merge_laws;
mod reference;
mod secrets;
mod validators;
mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{ByteSize, Duration, Loader, Report, Secret, Validate};

/// A server.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Server {
    /// What is logged.
    log: Log,
    /// Where records are kept.
    store: Store,
    /// Who may send.
    receive: Receive,
    /// The one budget.
    memory: Memory,
}

/// What is logged.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Log {
    /// The least severe that is shown.
    level: Level,
    /// Where to, if not to stderr.
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Level {
    /// Everything.
    Debug,
    /// What changes.
    #[default]
    Info,
    /// What somebody must look at.
    Error,
}

/// Where records are kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Store {
    /// The folder.
    dir: PathBuf,
    /// The size of a sealed file.
    segment_size: ByteSize,
    /// Where sealed files go.
    backend: Backend,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Backend {
    /// The local disk.
    Local(Local),
    /// An object store.
    S3(S3),
    /// Nowhere.
    None,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Local {
    /// Whether writes are synced.
    sync: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct S3 {
    /// The bucket.
    bucket: String,
    /// The region.
    region: String,
}

/// Who may send.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Receive {
    /// The listener.
    otlp: Listener,
    /// The senders' keys.
    key: BTreeMap<String, Key>,
    /// Names that may be asked for.
    hosts: Vec<String>,
    /// Ports beside the main one.
    ports: Vec<u16>,
}

/// A listener.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Listener {
    /// The address.
    listen: SocketAddr,
    /// How long a request may take.
    #[schemars(extend("x-min" = "10ms", "x-max" = "60s"))]
    timeout: Duration,
    /// Where its own health is told.
    #[schemars(extend("format" = "socket-address"))]
    health: Option<SocketAddr>,
    /// The largest request.
    #[schemars(extend("x-max" = "1 GiB"))]
    body_max: ByteSize,
}

/// A sender's key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Key {
    /// What the sender shows.
    secret: Secret,
    /// Whose records they are.
    #[serde(default)]
    tenant: Option<String>,
}

/// The one budget.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Memory {
    /// All there is.
    hard_limit: ByteSize,
    /// The part for queries.
    #[schemars(range(min = 0.0, max = 1.0))]
    share: f64,
    /// Workers.
    #[schemars(range(min = 1, max = 64))]
    workers: u32,
}

impl Default for Store {
    fn default() -> Self {
        let backend = Backend::Local(Local { sync: true });
        Self { dir: "data".into(), segment_size: ByteSize::mib(128), backend }
    }
}

impl Default for Receive {
    fn default() -> Self {
        let key = BTreeMap::new();
        Self { otlp: Listener::default(), key, hosts: vec!["localhost".into()], ports: Vec::new() }
    }
}

impl Default for Listener {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 4318));
        Self { listen, timeout: Duration::from_secs(10), health: None, body_max: ByteSize::mib(16) }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self { hard_limit: ByteSize::gib(1), share: 0.5, workers: 2 }
    }
}

impl Validate for Server {
    fn validate(&self, report: &mut Report) {
        report.within("store", &self.store);
        if self.store.segment_size > self.memory.hard_limit {
            let limit = self.memory.hard_limit;
            report.conflict(
                &["store.segment_size", "memory.hard_limit"],
                format!("must be at most `memory.hard_limit` ({limit}), got {}", self.store.segment_size),
            );
        }
    }
}

impl Validate for Store {
    fn validate(&self, report: &mut Report) {
        if self.segment_size < ByteSize::kib(4) {
            report.error("segment_size", format!("must be at least 4 KiB, got {}", self.segment_size));
        }
    }
}

/// A file in a folder of its own.
fn file(name: &str, text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn loader() -> Loader<Server> {
    Loader::new()
}
