//! When each record of the made data happened: evenly over a range, with some chance, no two at the
//! same nanosecond.

use super::template::mix;

const HOUR: u64 = 3_600_000_000_000;
/// The range that records are spread over.
const SPREAD: u64 = 48 * HOUR;

/// A range of time and how many things happen in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeline {
    /// Begin, in nanoseconds since 1970.
    pub(crate) from: u64,
    step: u64,
}

impl Timeline {
    /// `count` things in the two days that ended with the hour before `now`.
    pub(crate) fn ending_before(now: u64, count: u64) -> Self {
        Self::beginning(now / HOUR * HOUR - SPREAD, count)
    }

    /// `count` things from here on.
    pub(crate) fn beginning(from: u64, count: u64) -> Self {
        Self { from, step: SPREAD / count.max(1) }
    }

    /// End of the range.
    pub(crate) fn to(&self) -> u64 {
        self.from + SPREAD
    }

    /// When the thing with this number happens.
    pub(crate) fn at(&self, number: u64) -> u64 {
        self.from + number * self.step + mix(number) % self.step.max(1)
    }
}
