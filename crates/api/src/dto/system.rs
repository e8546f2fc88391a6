use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// What became of every record that was received, by tenant and signal:
/// received = stored + rejected + dropped + deduplicated + expired.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ledger {
    /// Whether the equation holds for every entry.
    pub balanced: bool,
    /// By tenant and signal.
    pub entries: Vec<LedgerEntry>,
}

/// The ledger of one tenant and signal, in records.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LedgerEntry {
    /// Whose records.
    pub tenant: String,
    /// logs, spans, metrics
    pub signal: String,
    /// In all.
    pub received: u64,
    /// In the store now.
    pub stored: u64,
    /// Refused, by reason; the sender was told.
    pub rejected: BTreeMap<String, u64>,
    /// Left out by a rule, by rule.
    pub dropped: BTreeMap<String, u64>,
    /// Received before.
    pub deduplicated: u64,
    /// Deleted by retention.
    pub expired: u64,
}

/// The server's state in figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Status {
    /// Version of the binary.
    pub version: String,
    /// Start of the process.
    pub started_unix_ms: i64,
    /// Since then.
    pub uptime_s: f64,
    /// Whether requests are served.
    pub ready: bool,
    /// Where it listens.
    pub addresses: Addresses,
    /// Where its data is.
    pub data_dir: String,
    /// The memory budget.
    pub memory: Memory,
    /// The store.
    pub store: StoreStatus,
    /// The configuration.
    pub config: ConfigStatus,
}

/// Where the server listens.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Addresses {
    /// Page and API.
    pub http: String,
    /// OTLP/gRPC.
    pub otlp_grpc: String,
    /// OTLP/HTTP.
    pub otlp_http: String,
}

/// The memory budget.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Memory {
    /// `memory.limit`
    pub limit_bytes: u64,
    /// Accounted now.
    pub used_bytes: u64,
    /// The most that was accounted.
    pub peak_bytes: u64,
    /// Resident set of the process.
    pub resident_bytes: u64,
    /// Reservations that were refused.
    pub refused: u64,
}

/// The store in figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoreStatus {
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// Files of it.
    pub wal_files: u64,
    /// Its last entry.
    pub wal_last_lsn: u64,
    /// Bytes of records not yet in segments.
    pub memtable_bytes: u64,
    /// Rows not yet in segments.
    pub memtable_rows: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of them.
    pub segment_bytes: u64,
    /// Files that could not be read and were set aside.
    pub set_aside: Vec<SetAside>,
    /// When a segment was last written.
    pub last_seal_unix_ms: Option<i64>,
    /// By table.
    pub tables: Vec<TableStatus>,
    /// Downsampled samples by resolution, the finest first.
    pub tiers: Vec<TierStatus>,
}

/// A file that could not be read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SetAside {
    /// Where it is now.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A table in figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TableStatus {
    /// Its name.
    pub table: String,
    /// Segments.
    pub segments: u64,
    /// Rows in segments.
    pub rows: u64,
    /// Bytes of the segments.
    pub bytes: u64,
}

/// Downsampled samples of a resolution in figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TierStatus {
    /// The length of a window in milliseconds.
    pub resolution_ms: u64,
    /// Segments.
    pub segments: u64,
    /// Windows of series in them.
    pub rows: u64,
    /// Bytes of the segments.
    pub bytes: u64,
}

/// The state of the configuration.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConfigStatus {
    /// Changed in the file, in effect only after a restart.
    pub pending_restart: Vec<String>,
    /// The same with what is in force and what is to be.
    pub pending: Vec<PendingChange>,
}

/// A change that waits for a restart.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PendingChange {
    /// The dotted path of the setting.
    pub path: String,
    /// What is in force, as JSON with secrets masked; `unset` where nothing is.
    pub old: String,
    /// What is to be.
    pub new: String,
}

/// Health of the server, worst component first decides.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Health {
    /// pass, warn or fail
    pub status: HealthStatus,
    /// Of each part.
    pub components: Vec<Component>,
}

/// How a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Works.
    Pass,
    /// Works, but somebody should look.
    Warn,
    /// Does not work.
    Fail,
}

/// A part of the server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// How it is.
    pub status: HealthStatus,
    /// In a sentence.
    pub detail: String,
    /// Since when, in Unix milliseconds.
    pub since_unix_ms: i64,
}

/// A line of the answer to `/api/v1/admin/compact`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompactLine {
    /// A merge was done.
    Merged(MergedFiles),
    /// Files could not be merged and are as they were.
    Failed(NotMergedFiles),
    /// The last line: all was tried. An answer without it broke off.
    Done(Compacted),
}

/// Files that became one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MergedFiles {
    /// Of which table.
    pub table: String,
    /// Of which tenant.
    pub tenant: String,
    /// Of which UTC day, as `2026-11-21`.
    pub day: String,
    /// How many were replaced.
    pub files: u64,
    /// Their bytes.
    pub bytes_before: u64,
    /// The bytes of the new one.
    pub bytes: u64,
    /// The rows of the new one.
    pub rows: u64,
}

/// Files that could not be merged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NotMergedFiles {
    /// Of which table; missing when records in memory could not be written to files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Of which tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Of which UTC day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// Why.
    pub error: String,
}

/// What was done in all.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Compacted {
    /// Whether nothing failed and all was done.
    pub complete: bool,
    /// Merges.
    pub merges: u64,
    /// How many failed.
    pub failed: u64,
    /// Files that were replaced; one that is merged twice counts twice.
    pub files: u64,
    /// Bytes of what was replaced.
    pub bytes_before: u64,
    /// Bytes of what was written.
    pub bytes: u64,
}
