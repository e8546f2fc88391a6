//! What a service needs to be observed and operated, in one crate: typed layered configuration
//! ([`config`]) and telemetry ([`telemetry`]); and, each behind a feature of its name, `flags`,
//! `security`, `events`, `modules` and `testkit`.
//!
//! The Fresnel server uses it for itself. It knows nothing of the server: it speaks OTLP.

pub mod config;
#[cfg(feature = "events")]
pub mod events;
#[cfg(feature = "flags")]
pub mod flags;
#[cfg(feature = "modules")]
pub mod modules;
#[cfg(feature = "security")]
pub mod security;
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;
#[cfg(any(feature = "events", feature = "security"))]
pub mod time_of_day;
