//! Logs, traces and metrics of the process itself, sent as OTLP.
//!
//! What enters: `tracing` events and spans through the [`Layer`], and instruments from a metrics
//! [`Registry`](metrics::Registry). What leaves: encoded OTLP requests, handed to an [`Exporter`]
//! by the background threads of the [`Pipeline`], one for each signal.
//!
//! What must hold: every buffer is bounded and what does not fit is counted; the pipeline never
//! records itself, nor what happens under [`suppress`]; stopping it never hangs.

mod backoff;
mod buffer;
mod context;
mod entered;
mod environment;
mod export;
mod fields;
mod health;
#[cfg(feature = "http")]
pub mod http;
mod init;
mod layer;
mod limits;
mod lines;
pub mod metrics;
pub mod otlp;
mod pipeline;
pub mod process;
mod random;
mod redact;
mod sampler;
mod suppress;
pub mod trace;

#[cfg(test)]
pub(crate) mod tests;

/// What is shared between threads is made of; loom's tests give it others.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) use parking_lot::{Condvar, Mutex};
}

pub use self::context::SpanContext;
pub(crate) use self::context::hex;
pub use self::entered::current_context;
pub use self::environment::AttributesError;
pub use self::export::{
    ConsoleExporter, ExportError, Exporter, OutputHealth, OutputReport, Several, Signal, zipkin_json,
};
pub use self::health::{Health, Output};
pub use self::init::{Format, InitError, InitOptions, Telemetry, check_filter, init};
pub use self::layer::Layer;
pub use self::limits::Limits;
pub(crate) use self::limits::LogAttributes;
pub use self::pipeline::{Pipeline, PipelineOptions, TemporalityPreference};
pub use self::sampler::{Sampler, SamplerError, Sampling, TraceLimit};
pub use self::suppress::{Suppress, Suppressed, is_suppressed, suppress, suppressed};

/// The time of day in nanoseconds since 1970, as all OTLP fields have it.
pub(crate) fn unix_nanos() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 or after 2554 is no clock.
    since.ok().and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}
