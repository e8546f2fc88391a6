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
mod columns;
pub mod compression;
pub mod grpc;
mod json;
pub mod otlp;
mod proto;
