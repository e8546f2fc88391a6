//! What a service needs to be observed and operated, in one crate: typed layered configuration
//! ([`config`]) and telemetry ([`telemetry`]).
//!
//! The Fresnel server uses it for itself. It knows nothing of the server: it speaks OTLP.

pub mod config;
pub mod telemetry;
