//! The token bucket as one number: the time at which it would be full again (the "theoretical
//! arrival time" of the generic cell rate algorithm, ITU-T I.371). Times are nanoseconds.

use std::time::Duration;

use super::sync::{AtomicU64, Ordering};

/// How a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Between two tokens.
    pub(super) interval: u64,
    /// What it holds, as the time that it takes to fill.
    pub(super) depth: u64,
}

impl Shape {
    pub(super) fn new(calls: u32, per: Duration, burst: u32) -> Self {
        let per = u64::try_from(per.as_nanos()).unwrap_or(u64::MAX);
        let interval = (per / u64::from(calls.max(1))).max(1);
        Self { interval, depth: interval.saturating_mul(u64::from(burst.max(1))) }
    }
}

#[derive(Debug)]
pub(super) struct Bucket {
    full_at: AtomicU64,
}

impl Bucket {
    /// A full one.
    pub(super) fn new() -> Self {
        Self { full_at: AtomicU64::new(0) }
    }

    /// Takes a token, and tells how long it must be waited for. When that is longer than
    /// `patience`, takes none, and tells when it could be had without patience.
    pub(super) fn take(&self, shape: Shape, now: u64, patience: u64) -> Result<u64, u64> {
        let mut wait = 0;
        let next = |full_at: u64| {
            let (next, turn) = take(full_at, shape, now);
            wait = turn;
            (turn <= patience).then_some(next)
        };
        match self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(_) => Ok(wait),
            Err(_) => Err(wait),
        }
    }

    /// A token that was taken is not needed.
    pub(super) fn give_back(&self, shape: Shape) {
        let less = |full_at: u64| Some(full_at.saturating_sub(shape.interval));
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// When it is full again after one more is taken, and how long that one must be waited for.
pub(super) fn take(full_at: u64, shape: Shape, now: u64) -> (u64, u64) {
    let next = full_at.max(now).saturating_add(shape.interval);
    let wait = next.saturating_sub(now).saturating_sub(shape.depth);
    (next, wait)
}
