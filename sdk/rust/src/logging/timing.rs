//! How long something takes, logged.

use std::fmt::Display;
use std::time::Instant;

use super::entry::{ErrorInfo, Memory, Performance};
use super::logger::{Details, Logger};
use crate::telemetry::otlp::Severity;

/// The size of a page where the system does not tell; that of all that Linux runs on by default here.
const PAGE_BYTES: u64 = 4096;

impl Logger {
    /// Runs something and logs that it began, and that it ended with what it took, at `severity`. If it
    /// fails or panics, that is logged as an error instead; the failure is returned, the panic goes on.
    ///
    /// ```
    /// use fresnel_sdk::logging::{Logger, Severity};
    ///
    /// let number = Logger::new("shop").time("parse", Severity::Debug, || "17".parse::<u16>());
    /// assert_eq!(number, Ok(17));
    /// ```
    ///
    /// # Errors
    /// What `f` returns.
    pub fn time<T, E: Display>(
        &self,
        operation: &str,
        severity: Severity,
        f: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let timing = Timing::begin(self, operation, severity);
        let result = f();
        timing.end(result.as_ref().err());
        result
    }

    /// As [`Logger::time`], for a future. One that is dropped before its end is logged as cancelled.
    ///
    /// # Errors
    /// What the future gives.
    pub async fn time_async<T, E: Display>(
        &self,
        operation: &str,
        severity: Severity,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let timing = Timing::begin(self, operation, severity);
        let result = future.await;
        timing.end(result.as_ref().err());
        result
    }
}

struct Timing<'a> {
    logger: &'a Logger,
    operation: &'a str,
    severity: Severity,
    /// `None` when nobody wants to know: then nothing is measured.
    start: Option<(Instant, Option<u64>)>,
    ended: bool,
}

impl<'a> Timing<'a> {
    fn begin(logger: &'a Logger, operation: &'a str, severity: Severity) -> Self {
        let wanted = logger.is_enabled(severity) || logger.is_enabled(Severity::Error);
        let start = wanted.then(|| (Instant::now(), resident_bytes()));
        let timing = Self { logger, operation, severity, start, ended: false };
        timing.tell(severity, "started", Details::default());
        timing
    }

    fn end<E: Display>(mut self, error: Option<&E>) {
        self.ended = true;
        match error {
            None => self.tell(self.severity, "completed", self.took(None)),
            Some(error) => self.fail(ErrorInfo { message: error.to_string(), ..ErrorInfo::default() }),
        }
    }

    fn fail(&self, error: ErrorInfo) {
        self.tell(Severity::Error, "failed", self.took(Some(error)));
    }

    fn took(&self, error: Option<ErrorInfo>) -> Details {
        let performance = self.start.map(|(start, before)| {
            let memory = before.zip(resident_bytes()).map(|(before, now)| Memory {
                rss_bytes: now,
                rss_delta_bytes: now.cast_signed() - before.cast_signed(),
            });
            Performance { duration: start.elapsed(), memory }
        });
        Details { error, performance }
    }

    fn tell(&self, severity: Severity, what: &str, details: Details) {
        if self.start.is_some() {
            let message = format!("{} {what}", self.operation);
            let mut values = [("operation".into(), self.operation.into())].into_iter();
            self.logger.emit(severity, &message, &mut values, details);
        }
    }
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let what = if std::thread::panicking() { "panicked" } else { "cancelled" };
        self.fail(ErrorInfo {
            name: Some(what.to_owned()),
            message: what.to_owned(),
            ..ErrorInfo::default()
        });
    }
}

/// What of the process is in memory, where the system tells.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}
