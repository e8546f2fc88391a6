//! The bounded queue and the thread of one output.

mod run;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Condvar, Mutex, RwLock};

use super::entry::Entry;
use super::format::Formatter;
use super::levels::Levels;
use super::output::Output;
use super::source::Source;

/// How records wait for an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// Records that may wait; more are dropped and counted.
    pub records_max: usize,
    /// Their bytes, roughly.
    pub bytes_max: usize,
    /// Records that are written together.
    pub batch_max: usize,
    /// A batch that is not full is written when its first record has waited so long.
    pub interval: Duration,
    /// The longest wait before another attempt.
    pub retry_wait_max: Duration,
}

impl QueueOptions {
    /// For outputs of this machine: at once.
    pub fn immediate() -> Self {
        Self { batch_max: 1024, interval: Duration::ZERO, ..Self::batched() }
    }

    /// For outputs elsewhere: 100 records or five seconds.
    pub fn batched() -> Self {
        Self {
            records_max: 8192,
            bytes_max: 16 << 20,
            batch_max: 100,
            interval: Duration::from_secs(5),
            retry_wait_max: Duration::from_secs(30),
        }
    }
}

/// How an output is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputHealth {
    /// Its name in the configuration.
    pub name: String,
    /// What went wrong last, if nothing has gone right since.
    pub error: Option<String>,
    /// Since when it goes wrong, or right.
    pub since: SystemTime,
    /// Records written.
    pub written: u64,
    /// Records there was no room for, or that came after the end.
    pub dropped: u64,
    /// Records that were refused, or not delivered in the end.
    pub failed: u64,
    /// Records that wait.
    pub waiting: usize,
    /// Records that may wait.
    pub records_max: usize,
}

pub(super) struct Queue {
    pub(super) name: String,
    filter: RwLock<Levels>,
    remote: bool,
    options: QueueOptions,
    state: Mutex<State>,
    changed: Condvar,
    status: Mutex<Status>,
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    output: Mutex<Box<dyn Output>>,
    formatter: Arc<dyn Formatter>,
    source: Arc<Source>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Instant, Arc<Entry>)>,
    bytes: usize,
    /// Taken out, not yet written.
    writing: usize,
    /// Flushes asked for and done.
    asked: u64,
    done: u64,
    /// Whether all that was written since the last flush is kept.
    lossless: bool,
    /// The same, of what the last flush was asked for.
    kept: bool,
    stopping: bool,
    /// When nobody waits for the end any more.
    deadline: Option<Instant>,
    stopped: bool,
}

struct Status {
    error: Option<String>,
    since: SystemTime,
}

/// What a queue is made of.
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) filter: Levels,
    pub(super) output: Box<dyn Output>,
    pub(super) formatter: Arc<dyn Formatter>,
    pub(super) options: QueueOptions,
}

impl Queue {
    /// Starts the thread.
    pub(super) fn start(parts: Parts, source: Arc<Source>) -> std::io::Result<Arc<Self>> {
        let queue = Arc::new(Self {
            name: parts.name,
            filter: RwLock::new(parts.filter),
            remote: parts.output.is_remote(),
            options: parts.options,
            state: Mutex::new(State { lossless: true, ..State::default() }),
            changed: Condvar::new(),
            status: Mutex::new(Status { error: None, since: SystemTime::now() }),
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            output: Mutex::new(parts.output),
            formatter: parts.formatter,
            source,
        });
        let running = queue.clone();
        std::thread::Builder::new().name("log-output".into()).spawn(move || run::run(&running))?;
        Ok(queue)
    }

    /// Whether the output wants such a record.
    pub(super) fn wants(
        &self,
        logger: &str,
        severity: crate::telemetry::otlp::Severity,
        local: bool,
    ) -> bool {
        !(local && self.remote) && self.filter.read().allow(logger, severity)
    }

    pub(super) fn set_filter(&self, filter: Levels) {
        *self.filter.write() = filter;
    }

    /// Adds a record, or counts that there was no room.
    pub(super) fn push(&self, entry: &Arc<Entry>, weight: usize) {
        let mut state = self.state.lock();
        let full =
            state.waiting.len() >= self.options.records_max || state.bytes + weight > self.options.bytes_max;
        if full || state.stopping {
            drop(state);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.push_back((Instant::now(), entry.clone()));
        state.bytes += weight;
        // The thread looks by itself when a batch is old enough; it must hear of the first and of a full one.
        let length = state.waiting.len();
        if length == 1 || length == self.options.batch_max {
            self.changed.notify_all();
        }
    }

    /// Lets it write now what waits. Returns what to wait for.
    pub(super) fn ask(&self) -> u64 {
        let mut state = self.state.lock();
        state.asked += 1;
        self.changed.notify_all();
        state.asked
    }

    /// False if what was asked for was not done by then, or something of it was lost.
    pub(super) fn await_asked(&self, wanted: u64, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        let open = |state: &mut State| state.done < wanted && !state.stopped;
        !self.changed.wait_while_until(&mut state, open, deadline).timed_out() && state.kept
    }

    /// Takes no more, and lets it write what waits.
    pub(super) fn stop(&self, deadline: Instant) {
        let mut state = self.state.lock();
        state.stopping = true;
        state.deadline.get_or_insert(deadline);
        self.changed.notify_all();
    }

    /// False if it had not ended by then, or something was lost.
    pub(super) fn await_stopped(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        let timed_out =
            self.changed.wait_while_until(&mut state, |state| !state.stopped, deadline).timed_out();
        !timed_out && state.kept
    }

    pub(super) fn health(&self) -> OutputHealth {
        let (waiting, status) = {
            let state = self.state.lock();
            let status = self.status.lock();
            (state.waiting.len() + state.writing, (status.error.clone(), status.since))
        };
        // While it writes, how that went last must do.
        let own = self.output.try_lock().and_then(|output| output.health().err());
        OutputHealth {
            name: self.name.clone(),
            error: status.0.or(own),
            since: status.1,
            written: self.written.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            waiting,
            records_max: self.options.records_max,
        }
    }

    fn pass(&self) {
        let mut status = self.status.lock();
        if status.error.take().is_some() {
            status.since = SystemTime::now();
            drop(status);
            tracing::info!(output = self.name, "log output works again");
        }
    }

    /// Told once, not for every batch: the line would come back to this output.
    fn fail(&self, error: &str) {
        let mut status = self.status.lock();
        if status.error.replace(error.to_owned()).is_none() {
            status.since = SystemTime::now();
            drop(status);
            tracing::warn!(output = self.name, error, "log output fails");
        }
    }
}
