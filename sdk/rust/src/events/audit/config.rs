use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{ByteSize, Duration, Report, Validate};
use crate::events::Pattern;

/// An audit trail as it stands in a configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Which types of events are in it: `ORDER.PAID`, `ORDER.*`, `ORDER.**`, or `*` for all of them.
    pub events: Vec<String>,
    /// How long an event stays, at least, and a day longer at most.
    pub retention: Duration,
    /// How it looks.
    pub format: AuditFormat,
    /// Where it is.
    pub storage: AuditStorage,
}

/// How an audit trail looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditFormat {
    /// An event as JSON in each line.
    #[default]
    Json,
    /// A table with a line of names, RFC 4180; what is nested is JSON in its cell.
    Csv,
}

/// Where an audit trail is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditStorage {
    /// In a file, and those that were put aside beside it.
    File(AuditFile),
}

/// A file. Every day (UTC) has one of its own, or several; those put aside have the day in their names:
/// `audit.log.20261127.0000`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuditFile {
    /// Where it is; folders are made.
    pub path: PathBuf,
    /// What all files may take together, at least 8 MiB; then the oldest is deleted before its time,
    /// and that is told.
    pub bytes_max: ByteSize,
}

impl AuditFile {
    /// The lowest bound, in bytes.
    pub const BYTES_MIN: u64 = 8 << 20;
}

impl Default for AuditFile {
    fn default() -> Self {
        Self { path: "audit.log".into(), bytes_max: ByteSize::gib(1) }
    }
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            events: vec!["*".into()],
            retention: Duration::from_days(30),
            format: AuditFormat::Json,
            storage: AuditStorage::File(AuditFile::default()),
        }
    }
}

impl Validate for AuditConfig {
    fn validate(&self, report: &mut Report) {
        for pattern in &self.events {
            if let Err(error) = pattern.parse::<Pattern>() {
                report.error("events", format!("has a wrong one: {error}"));
            }
        }
        let AuditStorage::File(file) = &self.storage;
        if file.path.file_name().is_none() {
            report.error("storage.file.path", "must be a file");
        }
        if file.bytes_max.bytes() < AuditFile::BYTES_MIN {
            report.error("storage.file.bytes_max", "must be at least 8 MiB");
        }
    }
}
