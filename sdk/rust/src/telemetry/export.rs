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

/// Takes OTLP requests to where they are kept. Called by one thread for each signal, at the same
/// time, and on them nothing is recorded.
pub trait Exporter: Send + Sync + 'static {
    /// Whether it wants a signal at all, asked once: what nobody wants is not recorded.
    fn wants(&self, signal: Signal) -> bool {
        let _ = signal;
        true
    }

    /// Delivers a request. May block, but not for longer than a few seconds: records of the signal that
    /// come in meanwhile wait in a bounded buffer.
    ///
    /// # Errors
    /// That it was not delivered, and whether to try again.
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError>;

    /// As [`Exporter::export`], given up after `within`: nobody waits longer, the process ends. Without
    /// an answer of its own it takes as long as it takes, and what comes after it may be lost.
    ///
    /// # Errors
    /// As [`Exporter::export`].
    fn export_within(&self, signal: Signal, request: Vec<u8>, within: Duration) -> Result<(), ExportError> {
        let _ = within;
        self.export(signal, request)
    }

    /// Waits, for at most `within`, for requests that were taken but are not delivered yet. False if one
    /// still waits, or is lost and was not told by an error. Who delivers at once has nothing to wait for.
    fn flush(&self, signal: Signal, within: Duration) -> bool {
        let _ = (signal, within);
        true
    }
}

/// A request that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExportError {
    message: String,
    retry: Option<Duration>,
    rejected: Option<u64>,
    /// An attempt before may have been taken.
    unsure: bool,
}

impl ExportError {
    /// It will never be taken.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: None, rejected: None, unsure: false }
    }

    /// It may be taken after at least this long.
    pub fn retry_after(message: impl Into<String>, wait: Duration) -> Self {
        Self { retry: Some(wait), ..Self::permanent(message) }
    }

    /// All of it was taken but so many records, which will never be: what OTLP calls a partial success.
    pub fn partial(message: impl Into<String>, rejected: u64) -> Self {
        Self { rejected: Some(rejected), ..Self::permanent(message) }
    }

    /// How many records were not taken, if others were.
    pub const fn rejected(&self) -> Option<u64> {
        self.rejected
    }

    /// The end of it, after attempts of which it is not known what became.
    pub(super) fn given_up(self, unsure: bool) -> Self {
        Self { unsure: self.unsure || unsure || self.retry.is_some(), retry: None, ..self }
    }

    /// Whether nothing of it was taken, for good.
    pub(super) const fn is_refusal(&self) -> bool {
        self.retry.is_none() && self.rejected.is_none() && !self.unsure
    }

    /// Whether, and after how long, to try again.
    pub const fn retryable(&self) -> Option<Duration> {
        self.retry
    }
}
