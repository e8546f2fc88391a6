//! The threads of those who subscribed: how many there may be, and that they are gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// All of them.
pub(super) struct Readers {
    limit: usize,
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Default)]
struct State {
    /// By number, which thread it is; none before it runs.
    inside: HashMap<u64, Option<ThreadId>>,
    next: u64,
}

impl Readers {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default(), left: Condvar::new() })
    }

    pub(super) fn count(&self) -> usize {
        self.state.lock().inside.len()
    }

    /// Waits until this one is gone. False if it is not by then. Nobody waits for itself.
    pub(super) fn await_one(&self, number: u64, deadline: Instant) -> bool {
        self.wait(deadline, |inside| inside.get(&number).is_none_or(is_own))
    }

    /// As [`Readers::await_one`], for all of them.
    pub(super) fn await_all(&self, deadline: Instant) -> bool {
        self.wait(deadline, |inside| inside.values().all(is_own))
    }

    fn wait(&self, deadline: Instant, over: impl Fn(&HashMap<u64, Option<ThreadId>>) -> bool) -> bool {
        let mut state = self.state.lock();
        while !over(&state.inside) {
            if self.left.wait_until(&mut state, deadline).timed_out() {
                return over(&state.inside);
            }
        }
        true
    }
}

fn is_own(thread: &Option<ThreadId>) -> bool {
    *thread == Some(thread::current().id())
}

/// One of them, until it is dropped.
pub(super) struct Place {
    readers: Arc<Readers>,
    number: u64,
}

impl Place {
    /// Fails with the limit.
    pub(super) fn take(readers: &Arc<Readers>) -> Result<Self, usize> {
        let mut state = readers.state.lock();
        if state.inside.len() >= readers.limit {
            return Err(readers.limit);
        }
        let number = state.next;
        state.next += 1;
        state.inside.insert(number, None);
        Ok(Self { readers: readers.clone(), number })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Works on this thread. Whatever the work held is dropped before the place is.
    pub(super) fn within(self, work: impl FnOnce()) {
        self.readers.state.lock().inside.insert(self.number, Some(thread::current().id()));
        work();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.readers.state.lock().inside.remove(&self.number);
        self.readers.left.notify_all();
    }
}
