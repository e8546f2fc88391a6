use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{ExportError, Exporter, Signal};
use crate::telemetry::suppress;

/// Hands every request to several exporters, each on a thread of its own: one that fails, hangs or
/// panics takes nothing from the others.
///
/// It waits for all of them, so that a flush is a flush, but for no one longer than its patience: who
/// is behind gets what comes into a bounded queue, and what does not fit is counted. A request is
/// delivered when one of them took it.
pub struct Several {
    outputs: Vec<Output>,
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

/// Requests that wait for one exporter.
const QUEUE_MAX: usize = 32;
/// How often a request is tried by each.
const ATTEMPTS_MAX: u32 = 3;
/// The longest wait before another attempt, whatever the receiver asks for.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);

struct Output {
    state: Arc<State>,
    requests: SyncSender<Job>,
    /// What it answered to requests that were waited for.
    answers: Mutex<Receiver<(u64, Result<(), ExportError>)>>,
}

struct Job {
    number: u64,
    signal: Signal,
    request: Arc<Vec<u8>>,
}

#[derive(Debug)]
struct State {
    name: &'static str,
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    error: Mutex<Option<String>>,
    /// The last request that was handed to it, and the last that it is done with.
    asked: AtomicU64,
    done: AtomicU64,
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
        let outputs = exporters.into_iter().map(|(name, exporter)| Output::start(name, exporter));
        Ok(Self { outputs: outputs.collect::<Result<_, _>>()?, patience })
    }

    /// How they are, to be kept before this is connected.
    pub fn health(&self) -> OutputHealth {
        OutputHealth(self.outputs.iter().map(|output| output.state.clone()).collect())
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
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        let (request, deadline) = (Arc::new(request), Instant::now() + self.patience);
        let waited: Vec<_> = self.outputs.iter().map(|it| (it, it.ask(signal, request.clone()))).collect();
        let mut result = Err(ExportError::permanent("no exporter took it"));
        for (output, asked) in waited {
            let answer = match asked {
                Asked::Waited(number) => output.answer(number, deadline),
                // It takes it when it can; whether it does is told by its health.
                Asked::Queued => Ok(()),
                Asked::Dropped => Err(ExportError::permanent(format!("{} is behind", output.state.name))),
            };
            if result.is_err() {
                result = answer;
            }
        }
        // Each has tried as often as it may.
        result.map_err(|error| ExportError { retry: None, ..error })
    }
}

enum Asked {
    Waited(u64),
    Queued,
    Dropped,
}

impl Output {
    fn start(name: &'static str, exporter: Box<dyn Exporter>) -> std::io::Result<Self> {
        let (requests, jobs) = sync_channel::<Job>(QUEUE_MAX);
        // As many answers as there can be requests: nobody waits to give one.
        let (answered, answers) = sync_channel(QUEUE_MAX + 2);
        let state = Arc::new(State {
            name,
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            error: Mutex::new(None),
            asked: AtomicU64::new(0),
            done: AtomicU64::new(0),
        });
        let worker = Worker { state: state.clone(), exporter };
        let work = move || {
            let _suppressed = suppress();
            for job in jobs {
                let answer = worker.deliver(&job);
                worker.state.done.store(job.number, Ordering::Release);
                // Nobody waits for it any more when nobody took the ones before.
                let _ = answered.try_send((job.number, answer));
            }
        };
        std::thread::Builder::new().name(format!("export-{name}")).spawn(work)?;
        Ok(Self { state, requests, answers: Mutex::new(answers) })
    }

    fn ask(&self, signal: Signal, request: Arc<Vec<u8>>) -> Asked {
        let number = self.state.asked.load(Ordering::Relaxed) + 1;
        // Answers that nobody waits for any more would leave no room for the next one.
        self.answers.lock().try_iter().for_each(drop);
        let is_behind = self.state.done.load(Ordering::Acquire) + 1 < number;
        match self.requests.try_send(Job { number, signal, request }) {
            Ok(()) => {
                self.state.asked.store(number, Ordering::Relaxed);
                if is_behind { Asked::Queued } else { Asked::Waited(number) }
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.state.dropped.fetch_add(1, Ordering::Relaxed);
                Asked::Dropped
            }
        }
    }

    /// Waits for the answer to a request; answers to earlier ones come too late.
    fn answer(&self, number: u64, deadline: Instant) -> Result<(), ExportError> {
        let answers = self.answers.lock();
        loop {
            match answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((other, answer)) if other == number => return answer,
                Ok(_) => {}
                // From now on it is behind, and goes on by itself.
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ExportError::permanent("its thread is gone"));
                }
            }
        }
    }
}

struct Worker {
    state: Arc<State>,
    exporter: Box<dyn Exporter>,
}

impl Worker {
    fn deliver(&self, job: &Job) -> Result<(), ExportError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let export = || self.exporter.export(job.signal, job.request.to_vec());
            let result = catch_unwind(AssertUnwindSafe(export))
                .unwrap_or_else(|_| Err(ExportError::permanent("the exporter panicked")));
            let Err(error) = result else {
                self.state.delivered.fetch_add(1, Ordering::Relaxed);
                *self.state.error.lock() = None;
                return Ok(());
            };
            *self.state.error.lock() = Some(error.to_string());
            match error.retryable().filter(|_| attempt < ATTEMPTS_MAX) {
                Some(wait) => std::thread::sleep(wait.min(RETRY_WAIT_MAX)),
                None => {
                    self.state.failed.fetch_add(1, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    }
}
