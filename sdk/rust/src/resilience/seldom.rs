use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::clock;

/// Says once in a while what would be said very often.
#[derive(Debug)]
pub(super) struct Seldom {
    every: Duration,
    last: Mutex<Option<Instant>>,
}

impl Seldom {
    pub(super) const fn new(every: Duration) -> Self {
        Self { every, last: Mutex::new(None) }
    }

    /// Whether it is time to say it.
    pub(super) fn now(&self) -> bool {
        let (now, mut last) = (clock::now(), self.last.lock());
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= self.every);
        if due {
            *last = Some(now);
        }
        due
    }
}
