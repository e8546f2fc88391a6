//! Work that goes on in the background: a panic is contained and counted, the work starts again.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

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
    state: Mutex<(Option<String>, i64)>,
}

impl Unit {
    /// What it died of last, while it has not run well since; and since when it is as it is.
    pub fn state(&self) -> (Option<String>, i64) {
        self.state.lock().clone()
    }

    fn set(&self, trouble: Option<String>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        *self.state.lock() = (trouble, i64::try_from(since).unwrap_or(i64::MAX));
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
        let unit = Arc::new(Unit { name, failures: AtomicU64::new(0), state: Mutex::new((None, 0)) });
        unit.set(None);
        self.0.units.lock().push(Arc::clone(&unit));
        let stop = self.stop();
        self.0.tracker.spawn(async move {
            let mut backoff = BACKOFF_FIRST;
            loop {
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
                unit.set(Some(reason));
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(backoff) => {}
                }
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        });
    }

    /// Tells all work to end and waits for it.
    pub async fn finish(&self) {
        self.0.stop.cancel();
        self.0.tracker.close();
        self.0.tracker.wait().await;
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_else(|| "without a message".into()))
}
