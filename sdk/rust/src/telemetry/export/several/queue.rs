//! What waits for one signal of one exporter.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Job;
use crate::telemetry::pipeline::rounds::Rounds;

/// Requests that wait.
const REQUESTS_MAX: usize = 32;
/// Their bytes. One is always taken.
const BYTES_MAX: usize = 8 << 20;

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    pub(super) rounds: Rounds,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Arc<Job>>,
    bytes: usize,
    /// One was taken out and is not done.
    busy: bool,
}

impl Waiting {
    fn has_room(&self, bytes: usize) -> bool {
        self.jobs.is_empty() || (self.jobs.len() < REQUESTS_MAX && self.bytes + bytes <= BYTES_MAX)
    }
}

impl Queue {
    /// False if there is no room.
    pub(super) fn push(&self, job: Arc<Job>) -> bool {
        let mut waiting = self.waiting.lock();
        if !waiting.has_room(job.request.len()) {
            return false;
        }
        waiting.bytes += job.request.len();
        waiting.jobs.push_back(job);
        true
    }

    /// The oldest.
    pub(super) fn take(&self) -> Option<Arc<Job>> {
        let mut waiting = self.waiting.lock();
        let job = waiting.jobs.pop_front()?;
        waiting.bytes -= job.request.len();
        waiting.busy = true;
        Some(job)
    }

    /// What was taken out is done.
    pub(super) fn done(&self) {
        self.waiting.lock().busy = false;
    }

    /// Whether what comes has to wait.
    pub(super) fn is_behind(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.busy || !waiting.jobs.is_empty()
    }

    /// Whether there is no room for a request as long as those that wait.
    pub(super) fn is_full(&self) -> bool {
        let waiting = self.waiting.lock();
        !waiting.has_room(waiting.bytes.checked_div(waiting.jobs.len()).unwrap_or(0))
    }
}
