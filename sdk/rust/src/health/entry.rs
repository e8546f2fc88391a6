//! One registered check: runs it, keeps what it found.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt;
use parking_lot::Mutex;

use super::{Check, CheckOptions, CheckResult, Finding, Status};
use crate::clock;
use crate::telemetry::metrics::{BoundGauge, BoundHistogram, Registry, SECONDS};

/// Of so many runs the share of bad ones is told.
const RUNS_KEPT: usize = 100;

pub(super) struct Entry {
    name: Arc<str>,
    check: Box<dyn Check>,
    pub(super) options: CheckOptions,
    /// Held while it runs.
    running: tokio::sync::Mutex<()>,
    last: Mutex<Option<Last>>,
    gauge: BoundGauge,
    duration: BoundHistogram,
}

struct Last {
    finding: Finding,
    took: Duration,
    at: Instant,
    time: SystemTime,
    /// Whether each of the last runs was bad.
    runs: VecDeque<bool>,
}

impl Entry {
    pub(super) fn new(
        name: Arc<str>,
        options: CheckOptions,
        check: Box<dyn Check>,
        registry: &Registry,
    ) -> Self {
        let labels = [("health.check.name", &*name)];
        let gauge = registry
            .gauge("health.check.status", "1", "1 is healthy, 0.5 degraded, 0 unhealthy, -1 unknown.")
            .bind(&labels);
        gauge.set(figure(Status::Unknown));
        let duration =
            registry.histogram("health.check.duration", "s", "How long a check took.", SECONDS).bind(&labels);
        let (running, last) = (tokio::sync::Mutex::default(), Mutex::new(None));
        Self { name, check, options, running, last, gauge, duration }
    }

    /// What it found not long ago, else what it finds now. Whoever comes while it runs gets what it
    /// then finds.
    pub(super) async fn fresh(&self) -> CheckResult {
        if !self.is_fresh() {
            let _one_at_a_time = self.running.lock().await;
            if !self.is_fresh() {
                self.run().await;
            }
        }
        self.result()
    }

    /// Runs it, unless it runs already: then waits for that.
    pub(super) async fn refresh(&self) {
        match self.running.try_lock() {
            Ok(_one_at_a_time) => self.run().await,
            Err(_) => drop(self.running.lock().await),
        }
    }

    fn is_fresh(&self) -> bool {
        let last = self.last.lock();
        last.as_ref().is_some_and(|last| clock::now() - last.at < self.options.cache_ttl)
    }

    async fn run(&self) {
        let start = clock::now();
        let limit = self.options.timeout;
        // The panic of a check is the check's, wherever it is in it.
        let check = AssertUnwindSafe(async { self.check.check().await }).catch_unwind();
        let finding = match clock::timeout_at(clock::after(limit), check).await {
            Some(Ok(finding)) => finding,
            Some(Err(_)) => Finding::failed("the check panicked"),
            None => Finding::failed(format!("timed out after {} ms", limit.as_millis())),
        };
        self.keep(finding, clock::now() - start);
    }

    fn keep(&self, finding: Finding, took: Duration) {
        self.gauge.set(figure(finding.status));
        self.duration.record_duration(took);
        let mut kept = self.last.lock();
        let before = kept.as_ref().map_or(Status::Unknown, |last| last.finding.status);
        let mut runs = kept.take().map(|last| last.runs).unwrap_or_default();
        if runs.len() == RUNS_KEPT {
            runs.pop_front();
        }
        runs.push_back(finding.status != Status::Healthy);
        if finding.status != before {
            self.tell(before, &finding);
        }
        *kept = Some(Last { finding, took, at: clock::now(), time: SystemTime::now(), runs });
    }

    fn tell(&self, from: Status, finding: &Finding) {
        let (name, from, to) = (&*self.name, from.as_str(), finding.status.as_str());
        let (message, error) = (finding.message.as_deref(), finding.error.as_deref());
        match finding.status {
            Status::Unhealthy | Status::Degraded => tracing::warn!(
                event.name = "health.check.changed",
                health.check.name = name,
                from,
                to,
                reason = message,
                error,
                "a health check changed"
            ),
            Status::Healthy | Status::Unknown => tracing::info!(
                event.name = "health.check.changed",
                health.check.name = name,
                from,
                to,
                "a health check changed"
            ),
        }
    }

    /// What it found last.
    pub(super) fn result(&self) -> CheckResult {
        let last = self.last.lock();
        let Some(last) = &*last else {
            let finding = Finding::unknown("it has not run yet");
            return CheckResult::new(&self.name, self.options.critical, finding);
        };
        let bad = last.runs.iter().filter(|bad| **bad).count();
        CheckResult {
            duration: last.took.as_secs_f64() * 1_000.0,
            last_checked: Some(super::report::rfc3339(last.time)),
            age: Some((clock::now() - last.at).as_secs_f64()),
            error_rate: Some(bad as f64 / last.runs.len() as f64),
            ..CheckResult::new(&self.name, self.options.critical, last.finding.clone())
        }
    }

    /// How long ago it ran; `None` if it never did.
    pub(super) fn age(&self) -> Option<Duration> {
        self.last.lock().as_ref().map(|last| clock::now() - last.at)
    }
}

fn figure(status: Status) -> f64 {
    match status {
        Status::Healthy => 1.0,
        Status::Degraded => 0.5,
        Status::Unhealthy => 0.0,
        Status::Unknown => -1.0,
    }
}
