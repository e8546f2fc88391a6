//! What a service needs to be observed and operated, in one crate: one line that starts all of it
//! ([`init`]), typed layered configuration ([`config`]), telemetry ([`telemetry`]) with contexts that
//! go from process to process ([`propagation`]), logging ([`logging`]), reports of errors ([`errors`]), and spans and metrics of what
//! services do all the time ([`instrument`]).
//!
//! ```
//! let _guard = fresnel_sdk::init();
//! tracing::info!(port = 8080, "listening");
//! ```
//!
//! Features add more, each with only the dependencies that it needs; only `http` is on by default,
//! which needs none:
//!
//! | feature | what it adds |
//! |---|---|
//! | `http` | an exporter for OTLP over plain `http://` |
//! | `https` | `https://` for it and for outputs of logs |
//! | `grpc` | an exporter for OTLP over gRPC, `http://` and `https://` |
//! | `gzip` | compressed requests |
//! | `logging` | redaction by pattern, files packed with gzip |
//! | `zstd` | files packed with zstd |
//! | `resilience` | `resilience`: retries, deadlines, circuit breakers, limits, hedging, balancing, injected faults |
//! | `health` | `health`: checks, and what a service says of itself |
//! | `flags` | `flags`: feature flags by rules in flagd's format, decided in the process |
//! | `open-feature` | the flags as a provider of OpenFeature's SDK |
//! | `events` | `events`: domain events, in memory and in a file |
//! | `security`, `html`, `jwt`, `encryption` | `security`: policy and headers of pages, names and addresses, who may do what; sanitized HTML; tokens; encryption at rest |
//! | `modules` | `modules`: parts of a service with dependencies and a life of their own |
//! | `testkit` | `testkit`: doubles of all of it |
//! | `axum`, `resilience`, `security`, `tower` together | `routes`: routes with permissions, a rate limit, a cache and validation |
//! | `tower` | the parts as tower layers; spans and metrics of HTTP and gRPC |
//! | `reqwest` | requests of `reqwest` with spans, metrics and the context |
//! | `redis` | connections of `redis` whose commands are spans and metrics |
//! | `axum` | the parts as axum routes and answers; the page of metrics |
//!
//! The Fresnel server uses it for itself. It knows nothing of the server: it speaks OTLP.

#[cfg(any(feature = "health", feature = "resilience"))]
pub mod clock;
pub mod config;
pub mod errors;
#[cfg(feature = "events")]
pub mod events;
#[cfg(feature = "flags")]
pub mod flags;
#[cfg(any(feature = "grpc", feature = "tower"))]
mod grpc_status;
#[cfg(feature = "health")]
pub mod health;
pub mod instrument;
pub mod logging;
#[cfg(test)]
mod modelled;
#[cfg(feature = "modules")]
pub mod modules;
mod post;
#[cfg(any(all(feature = "axum", feature = "resilience"), all(feature = "tower", feature = "security")))]
mod problem;
pub mod propagation;
#[cfg(feature = "resilience")]
pub mod resilience;
mod retry_after;
#[cfg(all(feature = "axum", feature = "resilience", feature = "security", feature = "tower"))]
pub mod routes;
#[cfg(feature = "security")]
pub mod security;
pub mod start;
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;
#[cfg(any(feature = "events", feature = "security"))]
pub mod time_of_day;

pub use self::start::{Builder, Guard, Service, builder, init, service};
/// For the macros of this crate.
#[doc(hidden)]
pub use tracing as __tracing;
