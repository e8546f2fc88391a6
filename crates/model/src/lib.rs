//! The vocabulary of Fresnel: what every stage means by tenant, signal, table, record and time.
//!
//! Enters: nothing. Leaves: types. Must hold: no I/O, no clock, no tokio, no serde; the file
//! schemas in [`schema`] are the contract of `docs/reference/schema.md`.

mod batch;
mod budget;
mod day;
mod error;
pub mod scaled;
pub mod schema;
mod signal;
pub mod sums;
mod tenant;

pub use batch::{Batch, BatchError, Logs, Metrics, Spans};
pub use budget::{Budget, OverBudget, Reservation};
pub use day::{NANOS_PER_DAY, day_of, day_text, parse_day};
pub use error::ErrorKind;
pub use signal::{Signal, Table};
pub use tenant::{InvalidTenant, Tenant};

/// Position of an entry in the write-ahead log: 1 for the first, then dense and increasing.
pub type Lsn = u64;

#[cfg(test)]
mod tests;
