mod queue;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::queue::Queue;
use super::{ExportError, Exporter, Signal};
use crate::telemetry::backoff::{Backoff, asked};
use crate::telemetry::pipeline::rounds::Outcome;
use crate::telemetry::suppress;

/// Hands every request to several exporters, each signal of each on a thread of its own: one that
/// fails, hangs or panics takes nothing from the others.
///
/// It waits for all of them, so that a flush is a flush, but for no one longer than its patience: who
/// is behind gets what comes into a bounded queue, is tried again with growing pauses while there is
/// room, and what does not fit is counted. A request is delivered when one of them took it.
///
/// Of metrics that are told since the last time, which
/// [`TemporalityPreference::Delta`](crate::telemetry::TemporalityPreference) means, each gets each
/// difference once: what some of them took, or may have, is told to nobody again. What one of them
/// refuses for good, or has no room for, is lost to that one and counted as its failure.
pub struct Several {
    outputs: Vec<Output>,
    /// Of logs, traces and metrics.
    tallies: [Arc<Tally>; 3],
    patience: Duration,
}

/// How one of [`Several`] exporters is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputReport {
    /// Its name.
    pub name: &'static str,
    /// Requests that it took.
    pub delivered: u64,
    /// Requests that it did not take, after all attempts.
    pub failed: u64,
    /// Requests that it was not even asked to take, since its queue was full.
    pub dropped: u64,
    /// What went wrong last, if nothing has gone right since.
    pub error: Option<String>,
}

/// Tells how each of [`Several`] is, also once that is connected to a pipeline.
#[derive(Clone, Debug)]
pub struct OutputHealth(Vec<Arc<State>>);

/// The longest pause between two attempts, unless the receiver asks for more.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Nothing happens at intervals.
const HOUR: Duration = Duration::from_secs(3600);
const SIGNALS: [Signal; 3] = [Signal::Logs, Signal::Traces, Signal::Metrics];

struct Output {
    state: Arc<State>,
    /// Of logs, traces and metrics.
    queues: [Arc<Queue>; 3],
    /// Whether it wants them.
    wanted: [bool; 3],
}

/// A request, for all of them.
struct Job {
    request: Vec<u8>,
    /// When nobody waits for it any more, if it is the end.
    deadline: Option<Instant>,
    /// One took it.
    taken: AtomicBool,
    /// Those who have neither taken it nor given it up.
    open: AtomicUsize,
    /// Why somebody gave it up: of those who may have some of it, if there is one.
    error: Mutex<Option<ExportError>>,
    tally: Arc<Tally>,
}

/// What became of the requests of one signal.
#[derive(Debug, Default)]
struct Tally {
    /// Nobody took them yet.
    untaken: AtomicUsize,
    /// Everybody gave them up.
    lost: AtomicU64,
}

#[derive(Debug)]
struct State {
    name: &'static str,
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    error: Mutex<Option<String>>,
}

impl fmt::Debug for Several {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.outputs.iter().map(|output| output.state.name)).finish()
    }
}

impl Several {
    /// These, by their names. The patience is for each request of each.
    ///
    /// # Errors
    /// That there can be no more threads.
    pub fn new(
        exporters: impl IntoIterator<Item = (&'static str, Box<dyn Exporter>)>,
        patience: Duration,
    ) -> std::io::Result<Self> {
        let mut several = Self { outputs: Vec::new(), tallies: Default::default(), patience };
        for (name, exporter) in exporters {
            let output = Output::new(name, SIGNALS.map(|signal| exporter.wants(signal)));
            several.outputs.push(output);
            // Dropped, it ends those that were started.
            several.outputs.last().map_or(Ok(()), |output| output.start(exporter))?;
        }
        Ok(several)
    }

    /// How they are, to be kept before this is connected.
    pub fn health(&self) -> OutputHealth {
        OutputHealth(self.outputs.iter().map(|output| output.state.clone()).collect())
    }

    /// Those who want a signal.
    fn wanting(&self, signal: Signal) -> impl Iterator<Item = &Output> {
        self.outputs.iter().filter(move |output| output.wanted[signal as usize])
    }

    fn hand_out(&self, signal: Signal, request: Vec<u8>, end: Option<Instant>) -> Result<(), ExportError> {
        let deadline = Instant::now() + self.patience;
        let deadline = end.map_or(deadline, |end| end.min(deadline));
        let tally = self.tallies[signal as usize].clone();
        tally.untaken.fetch_add(1, Ordering::SeqCst);
        // One more, who gives it up when all have it: nobody is the last before.
        let open = AtomicUsize::new(self.wanting(signal).count() + 1);
        let (taken, error) = (AtomicBool::new(false), Mutex::new(None));
        let job = Arc::new(Job { request, deadline: end, taken, open, error, tally });
        let waited: Vec<_> = self.wanting(signal).filter_map(|it| it.hand(signal, &job)).collect();
        job.settle(false);
        for (queue, wanted) in waited {
            queue.rounds.await_flush(wanted, deadline);
        }
        // It takes it when it can; whether it did is told by the flush.
        if job.taken.load(Ordering::SeqCst) || job.open.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        let error = job.error.lock().take();
        Err(error.unwrap_or_else(|| ExportError::permanent("no exporter took it")))
    }
}

impl Drop for Several {
    fn drop(&mut self) {
        let deadline = Instant::now() + self.patience;
        let queues = self.outputs.iter().flat_map(|output| &output.queues);
        queues.for_each(|queue| queue.rounds.stop(deadline));
    }
}

impl OutputHealth {
    /// How each is, in their order.
    pub fn reports(&self) -> Vec<OutputReport> {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let report = |state: &Arc<State>| OutputReport {
            name: state.name,
            delivered: count(&state.delivered),
            failed: count(&state.failed),
            dropped: count(&state.dropped),
            error: state.error.lock().clone(),
        };
        self.0.iter().map(report).collect()
    }
}

impl Exporter for Several {
    fn wants(&self, signal: Signal) -> bool {
        self.wanting(signal).next().is_some()
    }

    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        self.hand_out(signal, request, None)
    }

    fn export_within(&self, signal: Signal, request: Vec<u8>, within: Duration) -> Result<(), ExportError> {
        self.hand_out(signal, request, Some(Instant::now() + within))
    }

    fn flush(&self, signal: Signal, within: Duration) -> bool {
        let deadline = Instant::now() + within.min(self.patience);
        let asked: Vec<_> =
            self.wanting(signal).map(|it| it.queue(signal)).map(|it| (it, it.rounds.ask())).collect();
        for (queue, wanted) in asked {
            queue.rounds.await_flush(wanted, deadline);
        }
        let tally = &self.tallies[signal as usize];
        tally.lost.swap(0, Ordering::SeqCst) == 0 && tally.untaken.load(Ordering::SeqCst) == 0
    }
}

impl Job {
    /// Who refuses it says nothing of those who may have some of it.
    fn give_up(&self, error: ExportError) {
        let mut known = self.error.lock();
        if known.as_ref().is_none_or(ExportError::is_refusal) {
            *known = Some(error);
        }
    }

    /// One more has taken it, or has given it up.
    fn settle(&self, taken: bool) {
        if taken && !self.taken.swap(true, Ordering::SeqCst) {
            self.tally.untaken.fetch_sub(1, Ordering::SeqCst);
        }
        let is_last = self.open.fetch_sub(1, Ordering::SeqCst) == 1;
        if is_last && !self.taken.load(Ordering::SeqCst) {
            self.tally.lost.fetch_add(1, Ordering::SeqCst);
            self.tally.untaken.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Output {
    fn new(name: &'static str, wanted: [bool; 3]) -> Self {
        let state = State {
            name,
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            error: Mutex::new(None),
        };
        Self { state: Arc::new(state), queues: Default::default(), wanted }
    }

    fn start(&self, exporter: Box<dyn Exporter>) -> std::io::Result<()> {
        let exporter: Arc<dyn Exporter> = exporter.into();
        for signal in SIGNALS.into_iter().filter(|signal| self.wanted[*signal as usize]) {
            let queue = &self.queues[signal as usize];
            let (state, exporter, queue) = (self.state.clone(), exporter.clone(), queue.clone());
            let mut worker = Worker { state, exporter, signal, queue, backoff: Backoff::new(RETRY_WAIT_MAX) };
            std::thread::Builder::new().name(format!("export-{}", self.state.name)).spawn(move || {
                let _suppressed = suppress();
                worker.run();
            })?;
        }
        Ok(())
    }

    fn queue(&self, signal: Signal) -> &Queue {
        &self.queues[signal as usize]
    }

    /// Returns what to wait for, unless it is behind.
    fn hand(&self, signal: Signal, job: &Arc<Job>) -> Option<(&Queue, u64)> {
        let queue = self.queue(signal);
        let is_behind = queue.is_behind();
        if !queue.push(job.clone()) {
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
            job.settle(false);
            return None;
        }
        if is_behind {
            queue.rounds.wake();
            return None;
        }
        Some((queue, queue.rounds.ask()))
    }
}

/// The thread for one signal of one exporter.
struct Worker {
    state: Arc<State>,
    exporter: Arc<dyn Exporter>,
    signal: Signal,
    queue: Arc<Queue>,
    backoff: Backoff,
}

impl Worker {
    fn run(&mut self) {
        let queue = self.queue.clone();
        queue.rounds.worker().run(HOUR, |_| {
            while let Some(job) = queue.take() {
                let result = self.deliver(&job);
                let count = if result.is_ok() { &self.state.delivered } else { &self.state.failed };
                count.fetch_add(1, Ordering::Relaxed);
                queue.done();
                let taken = result.is_ok();
                if let Err(error) = result {
                    job.give_up(error);
                }
                job.settle(taken);
            }
            Outcome::Delivered
        });
    }

    /// Tries it while that may help and there is room for what comes meanwhile.
    fn deliver(&mut self, job: &Job) -> Result<(), ExportError> {
        let mut unsure = false;
        loop {
            let Err(error) = self.attempt(job) else {
                *self.state.error.lock() = None;
                self.backoff.reset();
                return Ok(());
            };
            *self.state.error.lock() = Some(error.to_string());
            let Some(wait) = error.retryable() else {
                self.backoff.reset();
                return Err(error.given_up(unsure));
            };
            unsure = true;
            let own = self.backoff.pause(rand::random());
            if !self.queue.rounds.pause(asked(wait), own) || self.queue.is_full() {
                return Err(error.given_up(unsure));
            }
        }
    }

    fn attempt(&self, job: &Job) -> Result<(), ExportError> {
        let request = job.request.clone();
        let export = || match job.deadline {
            Some(end) => {
                let left = end.saturating_duration_since(Instant::now());
                self.exporter.export_within(self.signal, request, left)
            }
            None => self.exporter.export(self.signal, request),
        };
        catch_unwind(AssertUnwindSafe(export))
            .unwrap_or_else(|_| Err(ExportError::permanent("the exporter panicked")))
    }
}
