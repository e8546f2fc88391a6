//! The bounded queue and the thread of one output.

mod run;
mod waiting;

#[cfg(test)]
mod loom_tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Mutex, RwLock};

use self::waiting::Waiting;
use super::entry::Entry;
use super::format::Formatter;
use super::levels::Levels;
use super::output::Output;
use super::source::Source;

/// What is shared between threads is made of; loom's tests give it others.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) use parking_lot::{Condvar, Mutex};
}

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
    waiting: Waiting<Arc<Entry>>,
    status: Mutex<Status>,
    written: AtomicU64,
    failed: AtomicU64,
    output: Mutex<Box<dyn Output>>,
    formatter: Arc<dyn Formatter>,
    source: Arc<Source>,
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
            waiting: Waiting::new(parts.options),
            status: Mutex::new(Status { error: None, since: SystemTime::now() }),
            written: AtomicU64::new(0),
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
        self.waiting.push(entry.clone(), weight);
    }

    /// Lets it write now what waits.
    pub(super) fn hurry(&self) {
        self.waiting.hurry();
    }

    /// The same, and what was written is to be kept. Returns what to wait for.
    pub(super) fn ask(&self) -> u64 {
        self.waiting.ask()
    }

    /// False if what was asked for was not done by then, or something of it was lost.
    pub(super) fn await_asked(&self, wanted: u64, deadline: Instant) -> bool {
        self.waiting.await_asked(wanted, deadline)
    }

    /// Takes no more, and lets it write what waits.
    pub(super) fn stop(&self, deadline: Instant) {
        self.waiting.stop(deadline);
    }

    /// False if it had not ended by then, or something was lost.
    pub(super) fn await_stopped(&self, deadline: Instant) -> bool {
        self.waiting.await_stopped(deadline)
    }

    pub(super) fn health(&self) -> OutputHealth {
        let (error, since) = {
            let status = self.status.lock();
            (status.error.clone(), status.since)
        };
        // While it writes, how that went last must do.
        let own = self.output.try_lock().and_then(|output| output.health().err());
        OutputHealth {
            name: self.name.clone(),
            error: error.or(own),
            since,
            written: self.written.load(Ordering::Relaxed),
            dropped: self.waiting.dropped(),
            failed: self.failed.load(Ordering::Relaxed),
            waiting: self.waiting.len(),
            records_max: self.waiting.options().records_max,
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
