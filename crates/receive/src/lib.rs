//! The doors telemetry comes in by.
//!
//! Enters: requests of senders. Leaves: batches of accepted records with the body they came in,
//! through the [`Sink`], and an acknowledgement to the sender once the sink has it on disk.
//! Must hold: memory is taken from the budget before it is used, for a body as it comes and as it is
//! decoded; a sender learns of every record that was not taken; what happens after `append` is
//! unknown here.
//!
//! To add a receiver, follow `docs/how-to/add-a-receiver.md`.

mod body;
mod config;
mod error;
pub mod host;
mod http;
mod intake;
mod metrics;
pub mod otlp;
pub mod prometheus;
pub mod scrape;
mod senders;
mod sink;
mod tenants;

pub use config::{Config, HostConfig, KeyConfig, LimitConfig, ListenConfig, OtlpConfig};
pub use error::Refusal;
pub use intake::{Body, Intake, Message, Outcome, ReplayError, Written};
pub use metrics::Metrics;
pub use senders::{Reader, Senders, Unidentified};
pub use sink::{Accepted, AppendFuture, NoRoom, Refused, Sink};
pub use wire::compression::Encoding;
pub use wire::prometheus::Version as RemoteWriteVersion;

#[cfg(test)]
mod tests;
