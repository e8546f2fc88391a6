//! The vocabulary of Fresnel: what every stage means by tenant, signal, table, record and time.
//!
//! Enters: nothing. Leaves: types. Must hold: no I/O, no clock, no tokio, no serde; the file
//! schemas in [`schema`] are the contract of `docs/reference/schema.md`.

mod batch;
mod budget;
mod error;
pub mod scaled;
pub mod schema;
mod signal;
mod tenant;

pub use batch::{Batch, BatchError, Logs, Metrics, Spans};
pub use budget::{Budget, OverBudget, Reservation};
pub use error::ErrorKind;
pub use signal::{Signal, Table};
pub use tenant::{InvalidTenant, Tenant};

/// Position of an entry in the write-ahead log: 1 for the first, then dense and increasing.
pub type Lsn = u64;

/// Nanoseconds in a day; days are UTC days since 1970-01-01.
pub const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// The UTC day a moment belongs to, also for moments before 1970.
pub fn day_of(unix_nano: i64) -> i32 {
    i32::try_from(unix_nano.div_euclid(NANOS_PER_DAY)).expect("an i64 of nanoseconds is at most 106,752 days")
}

#[cfg(test)]
mod tests;
