use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::Rng;

use super::Queue;
use crate::logging::entry::Entry;
use crate::logging::output::{Formatted, WriteError};
use crate::telemetry::suppress;

/// The first wait before another attempt.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(100);

/// Attempts of a batch that the receiver may not digest.
const DOUBTFUL_ATTEMPTS_MAX: u32 = 10;

/// The thread of an output.
pub(super) fn run(queue: &Queue) {
    let _suppressed = suppress();
    queue.waiting.worker().run(|turn| {
        let lost = queue.failed.load(Ordering::Relaxed);
        let mut batch = queue.format(turn.batch);
        queue.waiting.set_writing(batch.len());
        queue.deliver(&mut batch);
        // What could not be delivered before the end is lost.
        queue.failed.fetch_add(batch.len() as u64, Ordering::Relaxed);
        queue.waiting.set_writing(0);
        let lossless = queue.failed.load(Ordering::Relaxed) == lost;
        let kept = match (turn.last, turn.flush) {
            (true, _) => queue.guarded(|output| output.close()).is_ok(),
            (false, true) => queue.guarded(|output| output.flush()).is_ok(),
            (false, false) => true,
        };
        lossless && kept
    });
}

impl Queue {
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
        let (mut wait, mut doubtful) = (RETRY_WAIT_MIN, 0);
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
            self.waiting.set_writing(batch.len());
            let Some(asked) = error.retryable() else { return };
            doubtful += u32::from(error.is_doubtful());
            if doubtful >= DOUBTFUL_ATTEMPTS_MAX {
                return;
            }
            // Not all at the same time, and never earlier than asked.
            let pause = wait.mul_f64(rand::rng().random_range(0.5..=1.0)).max(asked);
            if !batch.is_empty() && !self.waiting.pause(pause) {
                return;
            }
            wait = (wait * 2).min(self.waiting.options().retry_wait_max);
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
}
