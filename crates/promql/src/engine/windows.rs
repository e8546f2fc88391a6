//! Ranges that move over the samples of a series.
//!
//! Must hold: a window is open at its start and closed at its end; both only move forward, so a
//! series is walked once whatever the number of steps.

use std::ops::Range;

use super::grid::Grid;
use super::plan::{Place, RangeInput};
use crate::ast::RangeMode;

/// Where the windows lie, in times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    /// End of the first window.
    first_end: i64,
    /// From one to the next; 0 where `@` fixes them.
    step_ms: i64,
    pub(super) steps: usize,
    pub(super) range_ms: i64,
    /// How far before the start and after the end samples are taken along.
    before_ms: i64,
    after_ms: i64,
}

impl Windows {
    pub(super) fn new(grid: &Grid, input: &RangeInput, lookback_ms: i64) -> Self {
        let (before_ms, after_ms) = match input.mode() {
            None => (0, 0),
            Some(RangeMode::Anchored) => (lookback_ms, 0),
            Some(RangeMode::Smoothed) => (lookback_ms, lookback_ms),
        };
        Self::at(grid, input.place, input.range_ms, before_ms, after_ms)
    }

    pub(super) fn at(grid: &Grid, place: Place, range_ms: i64, before_ms: i64, after_ms: i64) -> Self {
        Self {
            first_end: place.time(grid.start_ms),
            step_ms: if place.at_ms.is_some() { 0 } else { grid.step_ms },
            steps: grid.steps,
            range_ms,
            before_ms,
            after_ms,
        }
    }

    pub(super) fn end(&self, step: usize) -> i64 {
        let moved = i64::try_from(step).unwrap_or(i64::MAX).saturating_mul(self.step_ms);
        self.first_end.saturating_add(moved)
    }

    pub(super) fn start(&self, step: usize) -> i64 {
        self.end(step).saturating_sub(self.range_ms)
    }

    pub(super) fn range_seconds(&self) -> f64 {
        self.range_ms as f64 / 1000.0
    }

    /// First and last millisecond that any window looks at, both included.
    pub(super) fn span(&self) -> (i64, i64) {
        let start = self.start(0).saturating_sub(self.before_ms).saturating_add(1);
        let end = self.end(self.steps.saturating_sub(1)).saturating_add(self.after_ms);
        (start, end)
    }

    /// Calls with each step and the places of its samples, except where there are none.
    #[inline]
    pub(super) fn each(&self, times: &[i64], mut call: impl FnMut(usize, usize, usize)) {
        let mut cursor = Cursor::default();
        for step in 0..self.steps {
            let places = self.advance(&mut cursor, times, step);
            if !places.is_empty() {
                call(step, places.start, places.end);
            }
        }
    }

    /// The same over two series of times; also where only one has samples.
    pub(super) fn each_pair(
        &self,
        floats: &[i64],
        histograms: &[i64],
        mut call: impl FnMut(usize, Range<usize>, Range<usize>),
    ) {
        let (mut first, mut second) = (Cursor::default(), Cursor::default());
        for step in 0..self.steps {
            let floats = self.advance(&mut first, floats, step);
            let histograms = self.advance(&mut second, histograms, step);
            if !floats.is_empty() || !histograms.is_empty() {
                call(step, floats, histograms);
            }
        }
    }

    #[inline]
    fn advance(&self, cursor: &mut Cursor, times: &[i64], step: usize) -> Range<usize> {
        let end = self.end(step);
        let start = end.saturating_sub(self.range_ms).saturating_sub(self.before_ms);
        let end = end.saturating_add(self.after_ms);
        while cursor.end < times.len() && times[cursor.end] <= end {
            cursor.end += 1;
        }
        while cursor.start < cursor.end && times[cursor.start] <= start {
            cursor.start += 1;
        }
        cursor.start..cursor.end
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    start: usize,
    end: usize,
}
