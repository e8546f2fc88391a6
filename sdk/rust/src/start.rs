//! One line that makes a service seen: logs, spans, metrics and panics, by the environment.
//!
//! What enters: the environment and what a [`Builder`] is told. What leaves: `tracing` is set up for
//! the process, a [`Pipeline`](crate::telemetry::Pipeline) sends OTLP, and a [`Guard`] ends both.
//!
//! What must hold: starting it never stops a service; the end is bounded and needs no runtime; what
//! was recorded before the guard is dropped is written and sent, if that is possible in its time.
//!
//! | variable | what it says |
//! |---|---|
//! | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | who sends |
//! | `RUST_LOG`, else `OTEL_LOG_LEVEL` | what is recorded: `info,hyper=warn` |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT`, `_COMPRESSION`, `_INSECURE`, `_PROTOCOL` (`http/protobuf`, `http/json`, or `grpc` with the feature `grpc`) | where to, and how; also for one signal, as `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` |
//! | `OTEL_EXPORTER_OTLP_CERTIFICATE`, `_CLIENT_CERTIFICATE`, `_CLIENT_KEY` | files for `https://`: who is trusted, and who one is; also for one signal |
//! | `OTEL_AUTH_TOKEN` | a token that is sent as `Authorization: Bearer` |
//! | `OTEL_LOGS_EXPORTER`, `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` | `otlp` or `none` |
//! | `OTEL_SDK_DISABLED` | `true`: nothing is sent; lines are still written |
//! | `OTEL_BLRP_SCHEDULE_DELAY`, `OTEL_BSP_SCHEDULE_DELAY` | how often logs and spans are sent, in milliseconds: the shorter of the two |
//! | `OTEL_BLRP_MAX_QUEUE_SIZE`, `OTEL_BSP_MAX_QUEUE_SIZE` | how many may wait |
//! | `OTEL_BLRP_EXPORT_TIMEOUT`, `OTEL_BSP_EXPORT_TIMEOUT`, `OTEL_METRIC_EXPORT_TIMEOUT` | how long a request may take, where `OTEL_EXPORTER_OTLP_TIMEOUT` does not say |
//! | `OTEL_METRIC_EXPORT_INTERVAL` | how often metrics are sent, in milliseconds |
//!
//! What cannot be read is told as a warning and counts as not set; with certificates that cannot be
//! used nothing is sent.

mod builder;
mod environment;
#[cfg(feature = "http")]
mod exporters;
mod guard;
mod panics;
mod service;

#[cfg(test)]
pub(crate) mod tests;

/// The examples of the guide are tests, too.
#[cfg(all(
    doctest,
    feature = "axum",
    feature = "grpc",
    feature = "health",
    feature = "redis",
    feature = "reqwest",
    feature = "resilience"
))]
#[doc = include_str!("../../../docs/sdk/getting-started.md")]
mod guide {}

pub use self::builder::{Builder, StartError};
pub use self::guard::{Guard, StartedHealth};
#[cfg(all(feature = "reqwest", feature = "resilience"))]
pub use self::service::Client;
pub use self::service::{Service, service};

/// Starts logs, spans, metrics and the capture of panics, as the environment says. Everything is sent
/// and written at the end of the guard: keep it in `main`.
///
/// It never fails. What is wrong is told on standard error or as a warning, and the service goes on.
///
/// ```
/// let _guard = fresnel_sdk::init();
/// tracing::info!(port = 8080, "listening");
/// ```
pub fn init() -> Guard {
    builder().start().unwrap_or_else(|error| guard::nothing(&error))
}

/// As [`init`], with more to say about it.
///
/// ```
/// use std::time::Duration;
/// use fresnel_sdk::logging::{LogFormat, LoggingConfig, OutputConfig, OutputKind};
///
/// let mut logging = LoggingConfig::default();
/// let stderr = OutputConfig { format: Some(LogFormat::Text), ..OutputConfig::to(OutputKind::Stderr) };
/// logging.outputs.insert("stdout".into(), stderr);
/// let guard = fresnel_sdk::builder()
///     .service("shop", env!("CARGO_PKG_VERSION"))
///     .attribute("deployment.environment.name", "staging")
///     .logging(logging)
///     .shutdown_timeout(Duration::from_secs(2))
///     .start()?;
/// guard.set_level("info,shop=debug")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn builder() -> Builder {
    Builder::default()
}
