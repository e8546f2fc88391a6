//! What a service needs to be observed and operated, in one crate: typed layered configuration
//! ([`config`]) and telemetry ([`telemetry`]); and, each behind a feature of its name, `flags`,
//! `security`, `events`, `modules` and `testkit`.
//!
//! Features add more, each with only the dependencies that it needs:
//!
//! | feature | what it adds |
//! |---|---|
//! | `http` | an exporter for OTLP over plain `http://` |
//! | `resilience` | `resilience`: retries, deadlines, circuit breakers, limits, hedging, balancing, injected faults |
//! | `health` | `health`: checks, and what a service says of itself |
//! | `tower` | the parts as tower layers |
//! | `axum` | the parts as axum routes and answers |
//!
//! The Fresnel server uses it for itself. It knows nothing of the server: it speaks OTLP.

#[cfg(any(feature = "health", feature = "resilience"))]
pub mod clock;
pub mod config;
#[cfg(feature = "events")]
pub mod events;
#[cfg(feature = "flags")]
pub mod flags;
#[cfg(feature = "health")]
pub mod health;
#[cfg(feature = "modules")]
pub mod modules;
#[cfg(feature = "resilience")]
pub mod resilience;
#[cfg(feature = "security")]
pub mod security;
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;
#[cfg(any(feature = "events", feature = "security"))]
pub mod time_of_day;
