//! Work that goes on in the background: a panic is contained and counted, the work starts again.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// What has run for this long since its last restart is well again.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// Starts work and knows how it is.
#[derive(Clone, Debug)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tracker: TaskTracker,
    stop: CancellationToken,
    units: Mutex<Vec<Arc<Unit>>>,
}

/// A piece of background work.
#[derive(Debug)]
pub struct Unit {
    pub name: &'static str,
    pub failures: AtomicU64,
    state: Mutex<State>,
}

/// How a piece of work is.
#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    /// When it began to run; nothing while it waits to.
    begun: Option<Instant>,
    backoff: Duration,
}

/// Why work ended that should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub reason: String,
    pub since_unix_ms: i64,
}

impl State {
    fn begin(&mut self, now: Instant) {
        self.begun = Some(now);
    }

    /// Notes an end; how long to wait before the next run. What ran well begins anew with short
    /// pauses.
    fn end(&mut self, trouble: Trouble, now: Instant) -> Duration {
        let well = self.is_well(now);
        self.trouble = Some(trouble);
        self.begun = None;
        self.backoff =
            if well || self.backoff.is_zero() { BACKOFF_FIRST } else { (self.backoff * 2).min(BACKOFF_MAX) };
        self.backoff
    }

    /// Whether it has run for long enough since it was last begun.
    fn is_well(&self, now: Instant) -> bool {
        self.begun.is_some_and(|begun| now.saturating_duration_since(begun) >= WELL_AFTER)
    }

    fn trouble(&self, now: Instant) -> Option<Trouble> {
        self.trouble.clone().filter(|_| !self.is_well(now))
    }
}

impl Unit {
    /// What it died of last, while it has not run well since.
    pub fn trouble(&self, now: Instant) -> Option<Trouble> {
        self.state.lock().trouble(now)
    }
}

impl Supervisor {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// The signal on which all work ends.
    pub fn stop(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// How each piece of work is.
    pub fn units(&self) -> Vec<Arc<Unit>> {
        self.0.units.lock().clone()
    }

    /// Runs the future that `make` makes; when it panics or returns before the stop, makes it
    /// again after a pause that doubles.
    pub fn spawn<F, W>(&self, name: &'static str, mut make: F)
    where
        F: FnMut(CancellationToken) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let unit = Arc::new(Unit { name, failures: AtomicU64::new(0), state: Mutex::default() });
        self.0.units.lock().push(Arc::clone(&unit));
        let stop = self.stop();
        self.0.tracker.spawn(async move {
            loop {
                unit.state.lock().begin(Instant::now());
                let work = AssertUnwindSafe(make(stop.clone())).catch_unwind();
                let ended = work.await;
                if stop.is_cancelled() {
                    return;
                }
                let reason = match ended {
                    Ok(()) => "ended by itself".to_owned(),
                    Err(panic) => message(panic.as_ref()),
                };
                unit.failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(unit = name, error = %reason, "restart background work");
                let trouble = Trouble { reason, since_unix_ms: now_unix_ms() };
                let backoff = unit.state.lock().end(trouble, Instant::now());
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(backoff) => {}
                }
            }
        });
    }

    /// Tells all work to end and waits for it, within a bound; whether all of it has ended.
    pub async fn finish(&self, within: Duration) -> bool {
        self.0.stop.cancel();
        self.0.tracker.close();
        tokio::time::timeout(within, self.0.tracker.wait()).await.is_ok()
    }
}

fn now_unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// What a panic said.
pub fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_else(|| "without a message".into()))
}

#[cfg(test)]
mod tests;
