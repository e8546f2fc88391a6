mod rounds;

#[cfg(test)]
mod loom_tests;

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::rounds::{Round, Rounds};
use super::buffer::{Batch, Buffer, Counts};
use super::export::{ExportError, Exporter, Signal};
use super::health::{Gauge, Health, Output};
use super::layer::Layer;
use super::metrics::Registry;
use super::otlp::{self, Resource, Scope};
use super::suppress::suppress;
use super::sync;

/// How telemetry is collected.
#[derive(Clone, Debug)]
pub struct PipelineOptions {
    /// Logs and spans are sent this often, and when a buffer is half full.
    pub interval: Duration,
    /// Metrics are read and sent this often.
    pub metrics_interval: Duration,
    /// Records that may wait, for each of logs and spans.
    pub records_max: usize,
    /// Spans that may wait, if not as many as logs.
    pub spans_max: Option<usize>,
    /// Their bytes, for each of logs and spans. Bounds the size of a request, too.
    pub bytes_max: usize,
    /// How often a request is tried.
    pub attempts_max: u32,
    /// The longest wait before another attempt, whatever the receiver asks for.
    pub retry_wait_max: Duration,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            metrics_interval: Duration::from_secs(10),
            records_max: 8192,
            spans_max: None,
            bytes_max: 2 << 20,
            attempts_max: 4,
            retry_wait_max: Duration::from_secs(5),
        }
    }
}

/// Collects what the [`Layer`] and the [`Registry`] give and sends it from a thread of its own.
///
/// It works before it is connected: what is recorded waits in the buffers. Dropping it sends what
/// is left, for at most two seconds.
pub struct Pipeline {
    shared: Arc<Shared>,
}

/// What the layers, the thread and the handle share.
pub(super) struct Shared {
    logs: Arc<Buffer>,
    spans: Arc<Buffer>,
    /// What became of the points of metrics; they wait nowhere.
    points: Arc<Counts>,
    /// How the exports of logs, traces and metrics are.
    gauges: [Gauge; 3],
    /// Whether it was told that records of a signal are lost.
    told: [AtomicBool; 3],
    resource: Resource,
    registry: Registry,
    options: PipelineOptions,
    exporter: OnceLock<Mutex<Box<dyn Exporter>>>,
    rounds: Rounds,
}

impl Shared {
    pub(super) fn logs(&self) -> &Buffer {
        &self.logs
    }

    pub(super) fn spans(&self) -> &Buffer {
        &self.spans
    }

    pub(super) fn outputs(&self) -> Vec<Output> {
        self.gauges.iter().map(Gauge::read).collect()
    }

    /// Lets the thread send now what waits in the buffers.
    pub(super) fn wake(&self) {
        self.rounds.wake();
    }
}

impl Pipeline {
    /// Starts the thread.
    ///
    /// # Errors
    /// That there can be no more threads.
    pub fn start(resource: Resource, registry: Registry, options: PipelineOptions) -> io::Result<Self> {
        let buffer = |records_max| Arc::new(Buffer::new(records_max, options.bytes_max));
        let shared = Arc::new(Shared {
            logs: buffer(options.records_max),
            spans: buffer(options.spans_max.unwrap_or(options.records_max)),
            points: Arc::default(),
            gauges: [Signal::Logs, Signal::Traces, Signal::Metrics].map(|signal| Gauge::new(signal.name())),
            told: Default::default(),
            resource,
            registry,
            options,
            exporter: OnceLock::new(),
            rounds: Rounds::default(),
        });
        observe(&shared);
        let running = shared.clone();
        thread::Builder::new().name("telemetry".into()).spawn(move || run(&running))?;
        Ok(Self { shared })
    }

    /// Says where to. The first one stays.
    pub fn connect(&self, exporter: impl Exporter) {
        let _ = self.shared.exporter.set(Mutex::new(Box::new(exporter)));
        self.shared.wake();
    }

    /// A layer for `tracing_subscriber` that records into this.
    pub fn layer(&self) -> Layer {
        Layer::new(self.shared.clone())
    }

    /// The instruments that are sent along.
    pub fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// How the exports are.
    pub fn health(&self) -> Health {
        Health { outputs: self.shared.outputs() }
    }

    /// Sends what there is, metrics too. False if that took longer than `patience`, or something was
    /// not sent, and counted as lost, since the flush before: a request was refused or could not be
    /// delivered, a buffer was full, there is no exporter yet or no thread any more.
    pub fn flush(&self, patience: Duration) -> bool {
        self.shared.rounds.flush(patience)
    }

    /// Sends what is left and ends the thread. False if that took longer than `patience`: then
    /// the thread is left to itself, and what it could not send is lost. False also if something was
    /// lost since the last flush.
    pub fn shutdown(&self, patience: Duration) -> bool {
        self.shared.rounds.stop(patience)
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.shutdown(Duration::from_secs(2));
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (logs, spans) = (self.shared.logs.counts(), self.shared.spans.counts());
        f.debug_struct("Pipeline").field("logs", logs).field("spans", spans).finish_non_exhaustive()
    }
}

/// The thread: sends at every interval and when asked, once more at the end.
fn run(shared: &Shared) {
    let _suppressed = suppress();
    let _closed = Closed(shared);
    let mut metrics_due = Instant::now() + shared.options.metrics_interval;
    let mut lost = 0;
    shared.rounds.worker().run(shared.options.interval, |round| {
        let now = Instant::now();
        let with_metrics = round.asked_for || round.last || now >= metrics_due;
        if with_metrics {
            metrics_due = now + shared.options.metrics_interval;
        }
        let connected = shared.send_all(with_metrics, round);
        let before = std::mem::replace(&mut lost, shared.lost());
        // What waits for an exporter is not lost; who asked for it to be sent is told that it was not.
        (connected || !round.asked_for) && lost == before
    });
}

/// Without the thread nothing is taken any more, whatever ended it: what waits is lost, and counted.
struct Closed<'a>(&'a Shared);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        drop((self.0.logs.take(true), self.0.spans.take(true)));
    }
}

impl Shared {
    /// Without an exporter everything waits for one; in the end it is lost, and counted. Returns
    /// whether there is one.
    fn send_all(&self, with_metrics: bool, Round { last, .. }: Round) -> bool {
        let exporter = self.exporter.get().map(|exporter| exporter.lock());
        if exporter.is_none() && !last {
            return false;
        }
        let exporter = exporter.as_deref().map(|exporter| &**exporter);
        // What comes after the last is too late, and is counted as such.
        self.send_batch(exporter, Signal::Logs, self.logs.take(last));
        self.send_batch(exporter, Signal::Traces, self.spans.take(last));
        if with_metrics {
            self.send_metrics(exporter);
        }
        exporter.is_some()
    }

    /// What was ever lost, of all signals.
    fn lost(&self) -> u64 {
        [self.logs.counts(), self.spans.counts(), &self.points].map(Counts::lost).iter().sum()
    }

    fn send_batch(&self, exporter: Option<&dyn Exporter>, signal: Signal, mut batch: Batch) {
        let records = batch.records;
        if records == 0 {
            return;
        }
        let scopes = std::mem::take(&mut batch.scopes).into_iter();
        let named: Vec<_> = scopes.map(|(name, fields)| (Scope::named(name), fields)).collect();
        let groups = named.iter().map(|(scope, fields)| (scope, fields));
        let request = otlp::request(&self.resource, groups, |writer, fields| writer.raw(fields));
        let delivered = exporter.map_or(0, |exporter| self.deliver(exporter, signal, request, records));
        batch.delivered(delivered);
    }

    fn send_metrics(&self, exporter: Option<&dyn Exporter>) {
        let metrics = self.registry.snapshot();
        let points = metrics.iter().map(|metric| metric.data.len()).sum();
        let scope = Scope::named(env!("CARGO_PKG_NAME"));
        let request = otlp::encode_metrics(&self.resource, [(&scope, &metrics[..])]);
        let delivered =
            exporter.map_or(0, |exporter| self.deliver(exporter, Signal::Metrics, request, points));
        self.points.settle(delivered, points);
    }

    /// Tries to deliver, several times if that may help; once stopping, only while somebody waits.
    /// Returns how many of the records were.
    fn deliver(&self, exporter: &dyn Exporter, signal: Signal, request: Vec<u8>, records: usize) -> usize {
        let gauge = &self.gauges[signal as usize];
        for attempt in 1.. {
            let export = || exporter.export(signal, request.clone());
            let result = catch_unwind(AssertUnwindSafe(export))
                .unwrap_or_else(|_| Err(ExportError::permanent("the exporter panicked")));
            let told = &self.told[signal as usize];
            let Err(error) = result else {
                gauge.pass();
                if told.swap(false, Ordering::Relaxed) {
                    tracing::info!(signal = signal.name(), "telemetry is delivered again");
                }
                return records;
            };
            gauge.fail(error.to_string());
            let retry = error.retryable().filter(|_| attempt < self.attempts_max());
            if !retry.is_some_and(|wait| self.rounds.pause(wait.min(self.options.retry_wait_max))) {
                // Once, not for every batch: what is lost is counted.
                if !told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(signal = signal.name(), records, %error, "telemetry not delivered");
                }
                let lost = error.rejected().map_or(records, |it| usize::try_from(it).unwrap_or(records));
                return records.saturating_sub(lost);
            }
        }
        0
    }

    /// In the end a receiver that was not there for one signal is not waited for again.
    fn attempts_max(&self) -> u32 {
        let gone = self.told.iter().any(|told| told.load(Ordering::Relaxed));
        if gone && self.rounds.is_stopping() { 1 } else { self.options.attempts_max }
    }
}

/// Tells what becomes of records, in the words of the semantic conventions for SDKs.
fn observe(shared: &Shared) {
    type Pick = fn(&Counts) -> (&AtomicU64, &AtomicU64);
    let processed: Pick = |counts| (&counts.accepted, &counts.dropped);
    let exported: Pick = |counts| (&counts.exported, &counts.failed);
    let counter = |name, unit, description, counts: Weak<Counts>, pick: Pick, error| {
        shared.registry.observe_counter(name, unit, description, move |observer| {
            let Some(counts) = counts.upgrade() else { return };
            let (good, bad) = pick(&counts);
            observer.observe(good.load(Ordering::Relaxed), &[]);
            observer.observe(bad.load(Ordering::Relaxed), &[("error.type", error)]);
        });
    };
    let text = [
        "Records put into the buffer, or dropped because it was full or closed.",
        "Records delivered, or lost.",
        "Points delivered, or lost for now: what adds up is told again the next time.",
    ];
    let (logs, spans) = (shared.logs.weak_counts(), shared.spans.weak_counts());
    let points = Arc::downgrade(&shared.points);
    let (full, failed) = ("queue_full", "export_failed");
    counter("otel.sdk.processor.log.processed", "{log_record}", text[0], logs.clone(), processed, full);
    counter("otel.sdk.processor.span.processed", "{span}", text[0], spans.clone(), processed, full);
    counter("otel.sdk.exporter.log.exported", "{log_record}", text[1], logs, exported, failed);
    counter("otel.sdk.exporter.span.exported", "{span}", text[1], spans, exported, failed);
    let name = "otel.sdk.exporter.metric_data_point.exported";
    counter(name, "{data_point}", text[2], points, exported, failed);
}
