mod console;
mod several;
#[cfg(test)]
mod tests;
mod zipkin;

pub use self::console::ConsoleExporter;
pub use self::several::{OutputHealth, OutputReport, Several};
pub use self::zipkin::zipkin_json;

use std::time::Duration;

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// An `ExportLogsServiceRequest`.
    Logs,
    /// An `ExportTraceServiceRequest`.
    Traces,
    /// An `ExportMetricsServiceRequest`.
    Metrics,
}

impl Signal {
    /// `logs`, `traces` or `metrics`: also the last part of the path in OTLP/HTTP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

/// Takes OTLP requests to where they are kept. Called by one thread, on which nothing is recorded.
pub trait Exporter: Send + 'static {
    /// Delivers a request. May block, but not for longer than a few seconds: records that come in
    /// meanwhile wait in a bounded buffer.
    ///
    /// # Errors
    /// That it was not delivered, and whether to try again.
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError>;
}

/// A request that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExportError {
    message: String,
    retry: Option<Duration>,
    rejected: Option<u64>,
}

impl ExportError {
    /// It will never be taken.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: None, rejected: None }
    }

    /// It may be taken after at least this long.
    pub fn retry_after(message: impl Into<String>, wait: Duration) -> Self {
        Self { message: message.into(), retry: Some(wait), rejected: None }
    }

    /// All of it was taken but so many records, which will never be: what OTLP calls a partial success.
    pub fn partial(message: impl Into<String>, rejected: u64) -> Self {
        Self { message: message.into(), retry: None, rejected: Some(rejected) }
    }

    /// How many records were not taken, if others were.
    pub const fn rejected(&self) -> Option<u64> {
        self.rejected
    }

    /// Whether, and after how long, to try again.
    pub const fn retryable(&self) -> Option<Duration> {
        self.retry
    }
}
