//! Bytes to batches and back, for every protocol that telemetry comes in.
//!
//! Enters: a request's body as received. Leaves: [`model::Batch`] and what was rejected, or the
//! bytes of an answer. Must hold: no sockets, no tokio, no clock; whatever the bytes are, nothing
//! here panics and nothing allocates more than a fixed multiple of them (of the named limit, for
//! decompression).
//!
//! Messages are read by hand-written visitors straight into column buffers, never into row
//! objects; `prost` is the oracle they are tested against.

mod canonical;
#[cfg(test)]
mod cells;
mod columns;
pub mod compression;
#[cfg(test)]
#[path = "tests/damage.rs"]
mod damage;
pub mod grpc;
mod json;
mod judge;
pub mod otlp;
mod points;
pub mod prometheus;
mod proto;

pub use judge::{BODY_BYTES_MAX, Context, Decide, Decoded, Limits, Rejection};
pub use proto::Malformed;
