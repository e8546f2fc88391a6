//! A bounded number that goes up in parts and down in wholes.

use super::sync::{AtomicU64, Ordering};

/// Parts of a token.
const WHOLE: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Tokens {
    parts: AtomicU64,
    deposit: u64,
    max: u64,
}

impl Tokens {
    pub(super) fn new(ratio: f64, burst: u32) -> Self {
        let max = u64::from(burst) * WHOLE;
        // From a float, `as` gives 0 for what is no number.
        let deposit = (ratio.clamp(0.0, 1_000.0) * WHOLE as f64).round() as u64;
        Self { parts: AtomicU64::new(max), deposit, max }
    }

    pub(super) fn deposit(&self) {
        self.change(|parts| Some((parts + self.deposit).min(self.max)));
    }

    pub(super) fn withdraw(&self) -> bool {
        self.change(|parts| parts.checked_sub(WHOLE))
    }

    pub(super) fn available(&self) -> u32 {
        u32::try_from(self.parts.load(Ordering::Relaxed) / WHOLE).unwrap_or(u32::MAX)
    }

    /// Nothing else is published by it: its own order is enough.
    fn change(&self, next: impl Fn(u64) -> Option<u64>) -> bool {
        self.parts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}
