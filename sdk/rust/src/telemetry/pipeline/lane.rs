//! The thread of one signal. It shares nothing that anybody waits for with those of the others: a
//! receiver that hangs holds up what is meant for it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Shared;
use super::points::{Points, Told};
use super::rounds::{Outcome, Round, Rounds};
use crate::telemetry::backoff::{Backoff, asked};
use crate::telemetry::buffer::Buffer;
use crate::telemetry::export::{ExportError, Exporter, Signal};
use crate::telemetry::health::Gauge;
use crate::telemetry::otlp::{self, Scope};
use crate::telemetry::suppress::suppress;
use crate::telemetry::unix_nanos;

/// A blip is nobody's business: after so many attempts it is told that records are not delivered.
const TOLD_AFTER: u32 = 3;
/// At the end a request has all of the time that is left but this part, in which to tell of it.
const FOR_TELLING: u32 = 8;

/// One signal.
pub(super) struct Lane {
    pub(super) rounds: Rounds,
    /// How its exports are.
    pub(super) gauge: Gauge,
    /// Whether it was told that its records are not delivered.
    told: AtomicBool,
}

impl Lane {
    pub(super) fn new(signal: Signal) -> Self {
        Self { rounds: Rounds::default(), gauge: Gauge::new(signal.name()), told: AtomicBool::new(false) }
    }
}

/// Sends at every interval and when asked, once more at the end.
pub(super) fn run(shared: &Shared, signal: Signal) {
    let _suppressed = suppress();
    let _closed = Closed(shared.buffer(signal));
    let lane = shared.lane(signal);
    let backoff = Backoff::new(shared.options.retry_wait_max);
    let told = Told::new(shared.options.temporality);
    let mut sender = Sender { shared, signal, lane, backoff, lost: 0, told, unsure: None };
    let interval = match signal {
        Signal::Logs | Signal::Traces => shared.options.interval,
        Signal::Metrics => shared.options.metrics_interval,
    };
    lane.rounds.worker().run(interval, |round| sender.send(round));
}

/// How many of the records were delivered.
fn taken(result: &Result<(), ExportError>, records: usize) -> usize {
    let Err(error) = result else { return records };
    let lost = error.rejected().map_or(records, |it| usize::try_from(it).unwrap_or(records));
    records.saturating_sub(lost)
}

/// Without the thread nothing is taken any more, whatever ended it: what waits is lost, and counted.
struct Closed<'a>(Option<&'a Buffer>);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        drop(self.0.map(|buffer| buffer.take(true)));
    }
}

/// What the thread knows.
struct Sender<'a> {
    shared: &'a Shared,
    signal: Signal,
    lane: &'a Lane,
    backoff: Backoff,
    /// Records that were dropped or not delivered until the last round.
    lost: u64,
    /// What was taken of metrics.
    told: Told,
    /// Points of which it is not known whether they were taken.
    unsure: Option<Points>,
}

impl Sender<'_> {
    /// Without an exporter everything waits for one; in the end it is lost, and counted.
    fn send(&mut self, round: Round) -> Outcome {
        let exporter = self.shared.exporter.get().map(|exporter| &**exporter);
        let buffer = self.shared.buffer(self.signal);
        if exporter.is_none() && !round.last {
            let nothing = buffer.is_some_and(Buffer::is_empty);
            return if nothing { Outcome::Delivered } else { Outcome::Waits };
        }
        let outcome = match buffer {
            Some(buffer) => self.send_records(exporter, buffer, round),
            None => self.send_points(exporter, round),
        };
        let awaited = exporter.filter(|_| round.asked_for || round.last);
        if awaited.is_none_or(|exporter| self.flush(exporter)) { outcome } else { Outcome::Lost }
    }

    fn send_records(&mut self, exporter: Option<&dyn Exporter>, buffer: &Buffer, round: Round) -> Outcome {
        // What comes after the last is too late, and is counted as such.
        let mut batch = buffer.take(round.last);
        let records = batch.records;
        if records > 0 {
            let scopes = std::mem::take(&mut batch.scopes).into_iter();
            let named: Vec<_> = scopes.map(|(name, fields)| (Scope::named(name), fields)).collect();
            let groups = named.iter().map(|(scope, fields)| (scope, fields));
            let request = otlp::request(&self.shared.resource, groups, |writer, fields| writer.raw(fields));
            // The oldest go when there is room for nobody else.
            let kept = || !buffer.is_full();
            let delivered = exporter.map_or(0, |exporter| {
                let result = self.deliver(exporter, &request, records, &kept);
                taken(&result, records)
            });
            batch.delivered(delivered);
        }
        let lost = buffer.counts().lost();
        match std::mem::replace(&mut self.lost, lost) == lost {
            true => Outcome::Delivered,
            false => Outcome::Lost,
        }
    }

    fn send_points(&mut self, exporter: Option<&dyn Exporter>, round: Round) -> Outcome {
        if self.shared.is_off(self.signal) {
            return Outcome::Delivered;
        }
        // As they were: a receiver that has taken them knows them again by their times.
        if let Some(points) = self.unsure.take() {
            let before = self.hand_over(exporter, points, true, round);
            if self.unsure.is_some() {
                return before;
            }
        }
        let now = unix_nanos();
        let points = self.told.points(&self.shared.resource, self.shared.registry.read_at(now), now);
        self.hand_over(exporter, points, false, round)
    }

    /// Of points that may have been taken before it is not known whether a refusal says that they were
    /// not: they are told once more by nobody, so that nothing is counted twice.
    fn hand_over(
        &mut self,
        exporter: Option<&dyn Exporter>,
        points: Points,
        unsure: bool,
        round: Round,
    ) -> Outcome {
        if points.count == 0 {
            return Outcome::Delivered;
        }
        // What is newer says all that these say, or has to wait for them.
        let outdated = Instant::now() + self.shared.options.metrics_interval;
        let unsure = Cell::new(unsure);
        let lane = self.lane;
        let kept = || {
            unsure.set(true);
            Instant::now() < outdated && !lane.rounds.is_called(round)
        };
        let nobody = || Err(ExportError::permanent("nobody takes it"));
        let deliver = |exporter| self.deliver(exporter, &points.request, points.count, &kept);
        let result = exporter.map_or_else(nobody, deliver);
        self.shared.points.settle(taken(&result, points.count), points.count);
        match result {
            Ok(()) => {
                self.told.take(points);
                Outcome::Delivered
            }
            // Since the start they are told again the next time, and so are those that nobody took.
            Err(_) if self.told.is_cumulative() => Outcome::Waits,
            Err(error) if error.is_refusal() && !unsure.get() => Outcome::Waits,
            Err(error) if error.retryable().is_some() => {
                self.unsure = Some(points);
                Outcome::Waits
            }
            Err(_) => {
                self.told.take(points);
                Outcome::Lost
            }
        }
    }

    /// Tries to deliver, again and again while that may help, the records are to be kept and it is not
    /// the end.
    fn deliver(
        &mut self,
        exporter: &dyn Exporter,
        request: &[u8],
        records: usize,
        kept: &dyn Fn() -> bool,
    ) -> Result<(), ExportError> {
        let mut attempt = 0_u32;
        loop {
            attempt = attempt.saturating_add(1);
            let Err(error) = self.attempt(exporter, request.to_vec()) else {
                self.pass();
                return Ok(());
            };
            self.lane.gauge.fail(error.to_string());
            if attempt == TOLD_AFTER {
                self.tell(&error, records);
            }
            let again = match error.retryable() {
                Some(wait) => {
                    let own = self.backoff.pause(rand::random());
                    self.lane.rounds.pause(asked(wait), own) && kept()
                }
                // It is there: the next records need not wait.
                None => {
                    self.backoff.reset();
                    false
                }
            };
            if !again {
                self.tell(&error, records);
                return Err(error);
            }
        }
    }

    /// Once it is the end, for no longer than that.
    fn attempt(&self, exporter: &dyn Exporter, request: Vec<u8>) -> Result<(), ExportError> {
        let export = || match self.left() {
            Some(left) => exporter.export_within(self.signal, request, left),
            None => exporter.export(self.signal, request),
        };
        catch_unwind(AssertUnwindSafe(export))
            .unwrap_or_else(|_| Err(ExportError::permanent("the exporter panicked")))
    }

    fn flush(&self, exporter: &dyn Exporter) -> bool {
        let flush = || exporter.flush(self.signal, self.left().unwrap_or(Duration::MAX));
        catch_unwind(AssertUnwindSafe(flush)).unwrap_or(false)
    }

    /// How long a request may take, once it is the end.
    fn left(&self) -> Option<Duration> {
        let left = self.lane.rounds.deadline()?.saturating_duration_since(Instant::now());
        Some(left - left / FOR_TELLING)
    }

    fn pass(&mut self) {
        self.backoff.reset();
        self.lane.gauge.pass();
        if self.lane.told.swap(false, Ordering::Relaxed) {
            tracing::info!(signal = self.signal.name(), "telemetry is delivered again");
        }
    }

    /// Once, not for every batch: what is lost is counted.
    fn tell(&self, error: &ExportError, records: usize) {
        if !self.lane.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(signal = self.signal.name(), records, %error, "telemetry not delivered");
        }
    }
}
