use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Queue, State};
use crate::logging::entry::Entry;
use crate::logging::output::{Formatted, WriteError};
use crate::telemetry::suppress;

/// The first wait before another attempt.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(100);

/// What the thread has to do next.
struct Turn {
    batch: Vec<Arc<Entry>>,
    /// The flush to answer when the batch is written: nothing waits behind it.
    answers: Option<u64>,
    last: bool,
}

/// The thread of an output.
pub(super) fn run(queue: &Queue) {
    let _suppressed = suppress();
    loop {
        let turn = queue.next();
        let lost = queue.failed.load(Ordering::Relaxed);
        let mut batch = queue.format(turn.batch);
        queue.deliver(&mut batch);
        // What could not be delivered before the end is lost.
        queue.failed.fetch_add(batch.len() as u64, Ordering::Relaxed);
        let mut lossless = queue.failed.load(Ordering::Relaxed) == lost;
        if turn.last {
            lossless &= queue.guarded(|output| output.close()).is_ok();
        } else if turn.answers.is_some() {
            lossless &= queue.guarded(|output| output.flush()).is_ok();
        }
        let mut state = queue.state.lock();
        state.writing = 0;
        state.lossless &= lossless;
        if turn.answers.is_some() || turn.last {
            state.kept = std::mem::replace(&mut state.lossless, true);
        }
        state.done = turn.answers.unwrap_or(state.done);
        state.stopped = turn.last;
        queue.changed.notify_all();
        if turn.last {
            return;
        }
    }
}

impl Queue {
    /// Waits for a batch that is full or old enough, for a flush or for the end.
    fn next(&self) -> Turn {
        let mut state = self.state.lock();
        loop {
            let urgent = state.asked > state.done || state.stopping;
            let full = state.waiting.len() >= self.options.batch_max;
            let due = state.waiting.front().map(|(since, _)| *since + self.options.interval);
            let now = Instant::now();
            if urgent || full || due.is_some_and(|due| due <= now) {
                break;
            }
            match due {
                Some(due) => drop(self.changed.wait_until(&mut state, due)),
                None => self.changed.wait(&mut state),
            }
        }
        self.take(&mut state)
    }

    fn take(&self, state: &mut State) -> Turn {
        let length = state.waiting.len().min(self.options.batch_max);
        let batch: Vec<_> = state.waiting.drain(..length).map(|(_, entry)| entry).collect();
        state.bytes -= batch.iter().map(|entry| entry.weight()).sum::<usize>().min(state.bytes);
        state.writing = batch.len();
        let all = state.waiting.is_empty();
        let answers = (all && state.asked > state.done).then_some(state.asked);
        Turn { batch, answers, last: all && state.stopping }
    }

    fn format(&self, entries: Vec<Arc<Entry>>) -> Vec<Formatted> {
        let format = |entry: Arc<Entry>| {
            let mut line = Vec::new();
            let format = || self.formatter.format(&entry, &self.source, &mut line);
            if catch_unwind(AssertUnwindSafe(format)).is_err() {
                self.failed.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            Some(Formatted { entry, line })
        };
        entries.into_iter().filter_map(format).collect()
    }

    /// Writes a batch, again and again if that may help; what is left of it is lost.
    fn deliver(&self, batch: &mut Vec<Formatted>) {
        let mut wait = RETRY_WAIT_MIN;
        while !batch.is_empty() {
            let length = batch.len();
            let Err(error) = self.guarded(|output| output.write(batch)) else {
                self.pass();
                self.written.fetch_add(length as u64, Ordering::Relaxed);
                batch.clear();
                return;
            };
            self.written.fetch_add(error.written(length) as u64, Ordering::Relaxed);
            self.failed.fetch_add(error.settle(batch) as u64, Ordering::Relaxed);
            self.state.lock().writing = batch.len();
            let Some(asked) = error.retryable() else { return };
            if !batch.is_empty() && !self.pause(asked.max(wait)) {
                return;
            }
            wait = (wait * 2).min(self.options.retry_wait_max);
        }
    }

    /// Does something with the output. It may panic; that is an error of its own.
    fn guarded(
        &self,
        f: impl FnOnce(&mut dyn crate::logging::Output) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let result = catch_unwind(AssertUnwindSafe(|| f(&mut **self.output.lock())));
        let result = result.unwrap_or_else(|_| Err(WriteError::permanent("the output panicked")));
        // Only a write shows that it works again.
        result.inspect_err(|error| self.fail(&error.to_string()))
    }

    /// Waits before another attempt. False when it would come too late: after the end.
    fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait.min(self.options.retry_wait_max);
        let mut state = self.state.lock();
        loop {
            if state.deadline.is_some_and(|deadline| deadline <= until) {
                return false;
            }
            if self.changed.wait_until(&mut state, until).timed_out() {
                return true;
            }
        }
    }
}
