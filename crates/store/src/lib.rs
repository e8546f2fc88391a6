//! Where records are kept: write-ahead log, memory, sealed Parquet files, catalog.
//!
//! Enters: batches of accepted records with the request body that they came in. Leaves: an
//! acknowledgement once they are on disk; snapshots of tables; the ledger. Must hold:
//!
//! - What was acknowledged is there exactly once, whatever stops the machine.
//! - All memory is taken from the one budget; what does not fit is refused, retryably.
//! - No file is touched but through [`Disk`] or the object store; nothing is read that the manifest
//!   does not name.
//! - An fsync that failed is never tried again: the store is [`Fatal`] and the process has to end.
//!
//! Protocols and queries are unknown here: entries are opaque, tables are Arrow.

mod clock;
mod compact;
mod config;
mod courtesy;
pub mod disk;
mod error;
mod fatal;
mod identity;
pub mod ledger;
pub mod manifest;
mod memtable;
mod metrics;
mod names;
mod objects;
mod pins;
mod rebuild;
mod replay;
mod retain;
mod seal;
mod segment;
mod snapshot;
mod store;
mod sweep;
mod tiers;
mod trace;
pub mod wal;

pub use clock::Clock;
pub use compact::asked::{CompactRequest, Compaction, Merged, NotMerged};
pub use config::{CompactConfig, Config, RetentionConfig, S3Config, SealConfig, TenantRetention, WalSection};
pub use disk::{Disk, LocalDisk};
#[cfg(any(test, feature = "simulation"))]
pub use disk::{Faults, ForgetfulDisk};
pub use error::{AppendError, OpenError, ReadError, WorkError};
pub use fatal::Fatal;
pub use ledger::{Counts, Totals};
pub use manifest::{ManifestError, SegmentMeta, SetAside, Tail, TierOf, Whose};
pub use metrics::{APPEND, Problem, Status, TableStatus, TierStatus};
pub use replay::Replay;
pub use snapshot::{MemoryChunk, Missing, Snapshot};
pub use store::{Appended, Options, RefusedPoints, Segments, Store};
pub use tiers::{DownsampleConfig, TierConfig};
pub use trace::Trace;
pub use wal::{Entry, EntryMeta, Histogram, HistogramSnapshot, RefusedSeries, Rejection, WalError, WalStats};

#[cfg(test)]
mod tests;
