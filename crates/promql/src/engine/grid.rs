//! The times at which something is evaluated.

/// Times of a query lie within this of 1970: a few of them, and of the lengths that Prometheus
/// allows (292 years), add up without overflow.
pub(super) const TIME_MAX_MS: i64 = 1 << 60;

/// Equally spaced times; an instant evaluation has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) start_ms: i64,
    pub(super) step_ms: i64,
    pub(super) steps: usize,
}

impl Grid {
    pub(super) fn instant(time_ms: i64) -> Self {
        Self { start_ms: time_ms, step_ms: 1, steps: 1 }
    }

    /// Empty where the end comes before the start. A step is at least a millisecond.
    pub(super) fn new(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        let step_ms = step_ms.max(1);
        let length = i128::from(end_ms) - i128::from(start_ms);
        let steps = if length < 0 {
            0
        } else {
            usize::try_from(length / i128::from(step_ms) + 1).unwrap_or(usize::MAX)
        };
        Self { start_ms, step_ms, steps }
    }

    pub(super) fn time(&self, step: usize) -> i64 {
        let from_start = i64::try_from(step).unwrap_or(i64::MAX).saturating_mul(self.step_ms);
        self.start_ms.saturating_add(from_start)
    }

    pub(super) fn end_ms(&self) -> i64 {
        self.time(self.steps.saturating_sub(1))
    }

    /// The first step alone: where everything is the same at each step.
    pub(super) fn first(&self) -> Self {
        Self { steps: self.steps.min(1), ..*self }
    }
}
