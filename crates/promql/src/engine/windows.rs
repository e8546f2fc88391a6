//! Ranges that move over the samples of a series.
//!
//! Must hold: a window is open at its start and closed at its end; both only move forward, so a
//! series is walked once whatever the number of steps.

use std::ops::Range;

use super::bits::Bits;
use super::column::Column;
use super::grid::Grid;
use super::plan::{Place, RangeInput};
use crate::ast::RangeMode;
use crate::source::Apart;

/// As long as Prometheus lets ranges be: 292 years.
const LENGTH_MAX_MS: i64 = i64::MAX / 1_000_000;

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
        let lookback_ms = lookback_ms.clamp(0, LENGTH_MAX_MS);
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

    /// Whether a sample is in so few windows that to look at it in each costs less than to remember what
    /// was seen of it.
    pub(super) fn overlap_little(&self) -> bool {
        const WINDOWS: i64 = 8;
        self.steps == 1 || self.range_ms <= self.step_ms.saturating_mul(WINDOWS)
    }

    /// Times of a query are bounded so that no sum of a few of them overflows.
    pub(super) fn end(&self, step: usize) -> i64 {
        self.first_end + step as i64 * self.step_ms
    }

    pub(super) fn start(&self, step: usize) -> i64 {
        self.end(step) - self.range_ms
    }

    pub(super) fn range_seconds(&self) -> f64 {
        self.range_ms as f64 / 1000.0
    }

    /// First and last millisecond that any window looks at, both included.
    pub(super) fn span(&self) -> (i64, i64) {
        let start = self.start(0) - self.before_ms + 1;
        let end = self.end(self.steps.saturating_sub(1)) + self.after_ms;
        (start, end)
    }

    /// Where no window looks between the first and the last time, unless the gaps are short: to tell many
    /// short runs of samples apart costs more than to take what is between them along.
    pub(super) fn apart(&self) -> Option<Apart> {
        const WORTH: i64 = 4;
        let length_ms = self.before_ms + self.range_ms + self.after_ms;
        let is_worth = self.steps > 1 && length_ms.saturating_mul(WORTH) <= self.step_ms;
        is_worth.then_some(Apart { every_ms: self.step_ms, length_ms })
    }

    /// The windows of one series, step by step.
    #[inline]
    pub(super) fn walk<'t>(&self, times: &'t [i64]) -> Walk<'t> {
        Walk { windows: *self, times, step: 0, low: 0, high: 0, end_ms: self.first_end }
    }

    /// Calls with each step and the places of its samples, except where there are none.
    #[inline]
    pub(super) fn each(&self, times: &[i64], mut call: impl FnMut(usize, usize, usize)) {
        let mut walk = self.walk(times);
        for _ in 0..self.steps {
            let window = walk.advance();
            if !window.is_empty() {
                call(window.step, window.low, window.high);
            }
        }
    }

    /// A column with what is made of each window that has samples.
    #[inline]
    pub(super) fn column(&self, times: &[i64], mut make: impl FnMut(&Window) -> Option<f64>) -> Column {
        let mut values = Vec::with_capacity(self.steps);
        let mut words = Vec::with_capacity(self.steps.div_ceil(64));
        let mut walk = self.walk(times);
        for first in (0..self.steps).step_by(64) {
            let mut word = 0_u64;
            for place in 0..(self.steps - first).min(64) {
                let window = walk.advance();
                let made = if window.is_empty() { None } else { make(&window) };
                word |= u64::from(made.is_some()) << place;
                values.push(made.unwrap_or(0.0));
            }
            words.push(word);
        }
        Column { values, present: Bits::from_words(words, self.steps), histograms: Vec::new() }
    }

    /// The same over two series of times; also where only one has samples.
    pub(super) fn each_pair(
        &self,
        floats: &[i64],
        histograms: &[i64],
        mut call: impl FnMut(usize, Range<usize>, Range<usize>),
    ) {
        let (mut first, mut second) = (self.walk(floats), self.walk(histograms));
        for step in 0..self.steps {
            let (floats, histograms) = (first.advance().places(), second.advance().places());
            if !floats.is_empty() || !histograms.is_empty() {
                call(step, floats, histograms);
            }
        }
    }
}

/// Goes over the windows of a series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'t> {
    windows: Windows,
    times: &'t [i64],
    step: usize,
    low: usize,
    high: usize,
    end_ms: i64,
}

impl Walk<'_> {
    /// The window of the next step.
    #[inline]
    pub(super) fn advance(&mut self) -> Window {
        let (end_ms, step) = (self.end_ms, self.step);
        let start_ms = end_ms - self.windows.range_ms;
        let (from, to) = (start_ms - self.windows.before_ms, end_ms + self.windows.after_ms);
        while self.high < self.times.len() && self.times[self.high] <= to {
            self.high += 1;
        }
        while self.low < self.high && self.times[self.low] <= from {
            self.low += 1;
        }
        self.end_ms += self.windows.step_ms;
        self.step += 1;
        Window { step, low: self.low, high: self.high, start_ms, end_ms }
    }
}

/// A step's range and the places of its samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) step: usize,
    pub(super) low: usize,
    /// Behind the last one.
    pub(super) high: usize,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

impl Window {
    pub(super) fn len(&self) -> usize {
        self.high - self.low
    }

    pub(super) fn is_empty(&self) -> bool {
        self.high == self.low
    }

    pub(super) fn places(&self) -> Range<usize> {
        self.low..self.high
    }
}
