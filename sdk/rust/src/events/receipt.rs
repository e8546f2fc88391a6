use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::bus::EmitError;

/// Becomes the position of the last of the events once they are stored, or why they are not. Wait for
/// it on a thread, or `await` it in any runtime. Dropping it changes nothing for the events.
#[must_use = "only the receipt tells whether the events were stored"]
pub struct Receipt(Arc<Slot>);

/// The end that is filled. Dropped unfilled, it says that nobody will know.
pub(super) struct Promise(Arc<Slot>);

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    outcome: Option<Result<u64, EmitError>>,
    waker: Option<Waker>,
}

pub(super) fn pair() -> (Promise, Receipt) {
    let slot = Arc::new(Slot::default());
    (Promise(slot.clone()), Receipt(slot))
}

impl Promise {
    pub(super) fn keep(self, outcome: Result<u64, EmitError>) {
        self.fill(outcome);
    }

    fn fill(&self, outcome: Result<u64, EmitError>) {
        let waker = {
            let mut state = self.0.state.lock();
            if state.outcome.is_some() {
                return;
            }
            state.outcome = Some(outcome);
            state.waker.take()
        };
        self.0.filled.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.fill(Err(EmitError::Closed));
    }
}

impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Receipt").field(&self.0.state.lock().outcome).finish()
    }
}

impl Receipt {
    /// Waits at most so long.
    ///
    /// # Errors
    /// They were not stored, or nobody knows yet.
    pub fn wait(&self, at_most: Duration) -> Result<u64, EmitError> {
        // A time that does not fit is as good as for ever.
        let far = Duration::from_secs(365 * 24 * 3600);
        let deadline = Instant::now() + at_most.min(far);
        let mut state = self.0.state.lock();
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            if self.0.filled.wait_until(&mut state, deadline).timed_out() {
                return state.outcome.clone().unwrap_or(Err(EmitError::Unknown));
            }
        }
    }
}

impl Future for Receipt {
    type Output = Result<u64, EmitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state.lock();
        match &state.outcome {
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
