use crate::TimeRange;

const NANOS_PER_MS: i64 = 1_000_000;

/// A range in steps of equal width that begin at multiples of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) step_ms: i64,
    first_ms: i64,
    count: i64,
}

impl Steps {
    /// Steps of a width that people count in, so many or a few fewer.
    pub(super) fn about(range: TimeRange, count: u32) -> Self {
        const NICE_MS: [i64; 26] = [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000,
            300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 43_200_000, 86_400_000,
        ];
        const DAY_MS: i64 = 86_400_000;
        let length_ms = range.to.saturating_sub(range.from).max(1).div_ceil_by(NANOS_PER_MS);
        let exact = length_ms.div_ceil_by(i64::from(count.max(1)));
        let nice = NICE_MS.into_iter().find(|nice| *nice >= exact);
        Self::of(range, nice.unwrap_or_else(|| exact.div_ceil_by(DAY_MS) * DAY_MS))
    }

    /// Steps of this width.
    pub(super) fn of(range: TimeRange, step_ms: i64) -> Self {
        let step_ms = step_ms.max(1);
        let first = range.from.div_euclid(NANOS_PER_MS).div_euclid(step_ms);
        let last = (range.to - 1).max(range.from).div_euclid(NANOS_PER_MS).div_euclid(step_ms);
        Self { step_ms, first_ms: first * step_ms, count: last - first + 1 }
    }

    /// Where the first step begins, in nanoseconds since 1970.
    pub(super) fn begin(self) -> i64 {
        self.first_ms.saturating_mul(NANOS_PER_MS)
    }

    /// In nanoseconds.
    pub(super) fn width(self) -> i64 {
        self.step_ms.saturating_mul(NANOS_PER_MS)
    }

    pub(super) fn count(self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    /// In which step a moment is.
    pub(super) fn index(self, unix_nano: i64) -> Option<usize> {
        let index = unix_nano.saturating_sub(self.begin()).div_euclid(self.width());
        usize::try_from(index).ok().filter(|index| *index < self.count())
    }

    /// Where each step begins.
    pub(super) fn times_ms(self) -> impl Iterator<Item = i64> {
        (0..self.count).map(move |index| self.first_ms + index * self.step_ms)
    }
}

trait DivCeil {
    fn div_ceil_by(self, divisor: i64) -> i64;
}

impl DivCeil for i64 {
    fn div_ceil_by(self, divisor: i64) -> i64 {
        self / divisor + i64::from(self % divisor > 0)
    }
}
