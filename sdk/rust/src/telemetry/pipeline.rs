mod lane;
mod points;
pub(super) mod rounds;

#[cfg(test)]
mod loom_tests;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use self::lane::Lane;
use super::buffer::{Buffer, Counts};
use super::export::{Exporter, Signal};
use super::health::{Health, Output};
use super::layer::Layer;
use super::metrics::Registry;
use super::otlp::Resource;
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
    /// Whether metrics say what was since the start, or since the last time.
    pub temporality: TemporalityPreference,
    /// The longest pause between two attempts to deliver the same records, unless the receiver asks
    /// for more. Pauses begin with 200 ms and double; half of each is chance.
    pub retry_wait_max: Duration,
}

/// Of what time metrics are told to a receiver, in the words of OTLP's exporters
/// ([list](https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/)). What rises and falls
/// is always told since the start, and the page for Prometheus says all since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TemporalityPreference {
    /// Since the start: a request that is lost takes nothing with it.
    #[default]
    Cumulative,
    /// Counters and histograms since they were last taken. A request of which it is not known whether
    /// it was taken is sent again as it was, until it is known. One that is refused at once is told
    /// with the next; one that is refused after that it may have been taken is lost, as it cannot be
    /// told whether it would be counted twice.
    Delta,
    /// As [`TemporalityPreference::Delta`], but counters that are observed since the start.
    LowMemory,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            metrics_interval: Duration::from_secs(10),
            records_max: 8192,
            spans_max: None,
            bytes_max: 2 << 20,
            temporality: TemporalityPreference::default(),
            retry_wait_max: Duration::from_secs(30),
        }
    }
}

/// Collects what the [`Layer`] and the [`Registry`] give and sends it, each signal from a thread of
/// its own: a receiver of one that hangs holds up no other.
///
/// It works before it is connected: what is recorded waits in the buffers. What a receiver refuses
/// for now, or cannot be sent to it, is tried again until it is delivered, as long as the buffer has
/// room for what comes meanwhile. Without room the oldest records are given up and the newest do not
/// get in; both are counted. Dropping it sends what is left, for at most two seconds.
pub struct Pipeline {
    shared: Arc<Shared>,
}

const SIGNALS: [Signal; 3] = [Signal::Logs, Signal::Traces, Signal::Metrics];

/// What the layers, the threads and the handle share.
pub(super) struct Shared {
    logs: Buffer,
    spans: Buffer,
    /// What became of the points of metrics; they wait nowhere.
    points: Arc<Counts>,
    /// Of logs, traces and metrics.
    lanes: [Lane; 3],
    resource: Resource,
    registry: Registry,
    options: PipelineOptions,
    exporter: OnceLock<Box<dyn Exporter>>,
    /// Of logs, traces and metrics: nobody wants it, and it is not recorded.
    off: [AtomicBool; 3],
}

impl Shared {
    /// Where records of a signal wait. Metrics have none: they are read when they are sent.
    pub(super) fn buffer(&self, signal: Signal) -> Option<&Buffer> {
        match signal {
            Signal::Logs => Some(&self.logs),
            Signal::Traces => Some(&self.spans),
            Signal::Metrics => None,
        }
    }

    /// Whether nobody wants what is recorded of a signal.
    pub(super) fn is_off(&self, signal: Signal) -> bool {
        self.off[signal as usize].load(Ordering::Relaxed)
    }

    fn lane(&self, signal: Signal) -> &Lane {
        &self.lanes[signal as usize]
    }

    pub(super) fn outputs(&self) -> Vec<Output> {
        self.lanes.iter().map(|lane| lane.gauge.read()).collect()
    }

    /// Lets the thread send now what waits.
    pub(super) fn wake(&self, signal: Signal) {
        self.lane(signal).rounds.wake();
    }

    fn stop(&self, deadline: Instant) {
        self.lanes.iter().for_each(|lane| lane.rounds.stop(deadline));
    }
}

/// The end of a time that begins now, however long that is.
fn deadline(patience: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    Instant::now() + patience.min(YEAR)
}

impl Pipeline {
    /// Starts the threads.
    ///
    /// # Errors
    /// That there can be no more threads.
    pub fn start(resource: Resource, registry: Registry, options: PipelineOptions) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            logs: Buffer::new(options.records_max, options.bytes_max),
            spans: Buffer::new(options.spans_max.unwrap_or(options.records_max), options.bytes_max),
            points: Arc::default(),
            lanes: SIGNALS.map(Lane::new),
            resource,
            registry,
            options,
            exporter: OnceLock::new(),
            off: Default::default(),
        });
        observe(&shared);
        for signal in SIGNALS {
            let running = shared.clone();
            let thread = thread::Builder::new().name(format!("otlp-{}", signal.name()));
            // Those that run already would run for ever.
            let spawned = thread.spawn(move || lane::run(&running, signal));
            spawned.inspect_err(|_| shared.stop(Instant::now()))?;
        }
        Ok(Self { shared })
    }

    /// Says where to. The first one stays. Signals that it does not want are not recorded any more.
    pub fn connect(&self, exporter: impl Exporter) {
        let off = SIGNALS.map(|signal| !exporter.wants(signal));
        if self.shared.exporter.set(Box::new(exporter)).is_err() {
            return;
        }
        for (is_off, off) in self.shared.off.iter().zip(off) {
            is_off.store(off, Ordering::Relaxed);
        }
        // Metrics have their time.
        [Signal::Logs, Signal::Traces].into_iter().for_each(|signal| self.shared.wake(signal));
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

    /// Sends what there is, metrics too. True if all of it was delivered; false if that took longer
    /// than `patience`, it still waits for an exporter, or a record is lost that no flush before
    /// has told of: refused, given up, or dropped because it did not fit.
    pub fn flush(&self, patience: Duration) -> bool {
        let deadline = deadline(patience);
        let asked = self.shared.lanes.each_ref().map(|lane| (lane, lane.rounds.ask()));
        let flushed = asked.map(|(lane, wanted)| lane.rounds.await_flush(wanted, deadline));
        flushed == [true; 3]
    }

    /// Sends what is left and ends the threads, all within `patience`, each request too. True if all
    /// of it was delivered; false if something is lost, as of [`Pipeline::flush`]. A thread that
    /// hangs beyond that is left to itself.
    pub fn shutdown(&self, patience: Duration) -> bool {
        let deadline = deadline(patience);
        self.shared.stop(deadline);
        let ended = self.shared.lanes.each_ref().map(|lane| lane.rounds.await_end(deadline));
        ended == [true; 3]
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
