//! The store's sealed segments as Delta Lake tables, for other engines to read in place.
//!
//! Enters: the live segments ([`Live`]), again and again. Leaves: one Delta table per
//! [`model::Table`], whose log lies in `segments/<table>/_delta_log` beside the files; a [`Report`]
//! of what was changed and what failed. Must hold:
//!
//! - No data file is written, moved or deleted here; only what is below `_delta_log`.
//! - A run is idempotent: nothing is committed when the table names the live segments already.
//! - A version of a table is a state of the manifest, whole: never half of a compaction.
//! - Nothing depends on the tables. A log that cannot be read is thrown away and written anew.
//!
//! Queries and the store's manifest are unknown here; the caller hands over what is live.

mod config;
mod error;
mod log;
mod metrics;
mod plan;
mod publisher;
mod schema;
mod segment;
mod table;

pub use config::Config;
pub use error::PublishError;
pub use metrics::{Status, TableStatus};
pub use publisher::{Change, Publisher, Report};
pub use segment::{Live, Segment};

#[cfg(test)]
mod tests;
