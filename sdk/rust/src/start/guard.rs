use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tracing_subscriber::{Registry as Spans, reload};

use super::builder::StartError;
use super::service::{Service, service};
use crate::logging::{ByName, Logging, OutputHealth};
use crate::telemetry::metrics::Registry;
use crate::telemetry::trace::Tracer;
use crate::telemetry::{Health, Pipeline};

/// What runs.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) levels: Option<reload::Handle<ByName, Spans>>,
    pub(super) logging: Logging,
    pub(super) pipeline: Option<Pipeline>,
    pub(super) service: Service,
    pub(super) patience: Duration,
}

/// What [`init`](crate::init) started. Dropping it sends and writes what is left, for at most the
/// time of [`Builder::shutdown_timeout`](crate::Builder::shutdown_timeout), in any runtime or none,
/// while a panic unwinds too. `std::process::exit` drops nothing: call [`Guard::shutdown`] before.
#[derive(Debug)]
#[must_use = "everything ends when it is dropped: `let _guard = …`"]
pub struct Guard {
    started: Arc<Started>,
    ended: AtomicBool,
}

/// How everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartedHealth {
    /// The exports of logs, traces and metrics.
    pub exports: Health,
    /// The outputs of logs.
    pub outputs: Vec<OutputHealth>,
}

impl StartedHealth {
    /// Whether all of it is well.
    pub fn is_healthy(&self) -> bool {
        self.exports.is_healthy() && self.outputs.iter().all(|output| output.error.is_none())
    }
}

impl Guard {
    pub(super) fn new(started: Arc<Started>) -> Self {
        Self { started, ended: AtomicBool::new(false) }
    }

    /// The instruments that are sent along.
    pub fn registry(&self) -> &Registry {
        self.started.service.registry()
    }

    /// For spans of your own, and for what [`instrument`](crate::instrument) records.
    pub fn tracer(&self) -> &Tracer {
        self.started.service.tracer()
    }

    /// What its parts are made of; [`service`](crate::service) gives the same anywhere.
    pub fn service(&self) -> &Service {
        &self.started.service
    }

    /// The outputs of logs.
    pub fn logging(&self) -> &Logging {
        &self.started.logging
    }

    /// Changes what is recorded, from now on: `info,shop=debug`.
    ///
    /// # Errors
    /// The filter is wrong; the old one stays.
    pub fn set_level(&self, filter: &str) -> Result<(), StartError> {
        let levels = ByName::parse(filter)
            .map_err(|source| StartError::Filter { filter: filter.to_owned(), source })?;
        if let Some(handle) = &self.started.levels {
            // It fails only when the subscriber is gone, and with it everybody who could log.
            let _ = handle.reload(levels);
        }
        Ok(())
    }

    /// What is recorded now.
    pub fn level(&self) -> String {
        let levels = self.started.levels.as_ref();
        levels.and_then(|handle| handle.with_current(ToString::to_string).ok()).unwrap_or_default()
    }

    /// How everything is.
    pub fn health(&self) -> StartedHealth {
        let none = || Health { outputs: Vec::new() };
        StartedHealth {
            exports: self.started.pipeline.as_ref().map_or_else(none, Pipeline::health),
            outputs: self.started.logging.health(),
        }
    }

    /// Sends and writes what there is now. True if all of it was delivered and written; false if that took
    /// longer than `patience`, or a record, span or line is lost that no flush before has told of.
    pub fn flush(&self, patience: Duration) -> bool {
        self.started.flush(patience)
    }

    /// Ends it now, as dropping does. False if not everything could be sent and written in time, or
    /// something was lost before that no flush has told of.
    pub fn shutdown(self) -> bool {
        self.end()
    }

    fn end(&self) -> bool {
        if self.ended.swap(true, Ordering::SeqCst) {
            return true;
        }
        self.started.end()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end();
    }
}

/// Part of the time is kept for lines about what could not be sent.
const FOR_LINES: u32 = 4;

impl Started {
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        // Both work by themselves; only the waiting is one after the other.
        let sent = self.pipeline.as_ref().is_none_or(|pipeline| pipeline.flush(patience));
        let left = deadline.saturating_duration_since(Instant::now());
        self.logging.flush(left) && sent
    }

    fn end(&self) -> bool {
        let deadline = Instant::now() + self.patience;
        // Batches that wait for more begin now, beside the export.
        self.logging.hurry();
        let for_export = self.patience - self.patience / FOR_LINES;
        let sent = self.pipeline.as_ref().is_none_or(|pipeline| pipeline.shutdown(for_export));
        let left = deadline.saturating_duration_since(Instant::now());
        self.logging.close(left) && sent
    }
}

/// A guard of nothing, with the reason told.
pub(super) fn nothing(error: &StartError) -> Guard {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    // If that cannot be written either, there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "fresnel-sdk: no telemetry: {error}{cause}");
    let started = Started {
        levels: None,
        logging: Logging::default(),
        pipeline: None,
        service: service().clone(),
        patience: Duration::ZERO,
    };
    Guard::new(Arc::new(started))
}
