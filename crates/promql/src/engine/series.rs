//! The samples of one series, made ready for windows to run over them.
//!
//! Enters: a chunk as the source decoded it. Leaves: floats and histograms apart, in order of time.
//! Must hold: a series without histograms never pays for them.

use std::sync::Arc;

use super::QueryError;
use super::column::{Cell, Column};
use super::grid::Grid;
use crate::histogram::{CounterResetHint, Histogram, STALE_NAN_BITS};
use crate::source::{Chunk, Samples};

/// Samples of one kind as columns.
#[derive(Clone, Debug)]
pub(super) struct Points<T> {
    pub(super) times: Vec<i64>,
    pub(super) values: Vec<T>,
    /// Start times: empty, or as long as the others.
    pub(super) starts: Vec<i64>,
}

impl<T> Default for Points<T> {
    fn default() -> Self {
        Self { times: Vec::new(), values: Vec::new(), starts: Vec::new() }
    }
}

impl<T> Points<T> {
    fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
        self.starts.clear();
    }

    fn push(&mut self, time: i64, value: T, start: Option<i64>) {
        self.times.push(time);
        self.values.push(value);
        self.starts.extend(start);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }
}

/// A series; its buffers are used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) floats: Points<f64>,
    pub(super) histograms: Points<Arc<Histogram>>,
}

pub(super) fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// How a chunk is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    /// First and last millisecond of the selection.
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) start_times: bool,
    pub(super) statistics_only: bool,
}

/// Decodes and cuts a chunk to the selection.
pub(super) fn take(samples: Samples<'_>, intake: &Intake, chunk: &mut Chunk) -> Result<(), QueryError> {
    match samples {
        Samples::Decoded(decoded) => *chunk = decoded,
        Samples::Encoded(decode) => {
            chunk.clear();
            decode(chunk)?;
        }
    }
    let length = chunk.times_ms.len();
    let fits = |length_of: usize| length_of == 0 || length_of == length;
    if chunk.values.len() != length || !fits(chunk.histograms.len()) || !fits(chunk.start_times_ms.len()) {
        let text = "the columns of a series differ in length";
        return Err(QueryError::Storage(crate::source::SourceError(text.into())));
    }
    let before = if intake.statistics_only { last_before(chunk, intake.start_ms) } else { None };
    cut(chunk, intake);
    if !intake.start_times {
        chunk.start_times_ms.clear();
    }
    if intake.statistics_only && !chunk.histograms.is_empty() {
        keep_statistics(&mut chunk.histograms, before.as_deref());
    }
    Ok(())
}

fn cut(chunk: &mut Chunk, intake: &Intake) {
    let end = chunk.times_ms.partition_point(|time| *time <= intake.end_ms);
    let start = chunk.times_ms.partition_point(|time| *time < intake.start_ms).min(end);
    if start == 0 && end == chunk.times_ms.len() {
        return;
    }
    fn keep<T>(column: &mut Vec<T>, start: usize, end: usize) {
        if !column.is_empty() {
            column.truncate(end);
            column.drain(..start);
        }
    }
    keep(&mut chunk.times_ms, start, end);
    keep(&mut chunk.values, start, end);
    keep(&mut chunk.histograms, start, end);
    keep(&mut chunk.start_times_ms, start, end);
}

/// The sample right before the selection, if it is a histogram.
fn last_before(chunk: &Chunk, start_ms: i64) -> Option<Arc<Histogram>> {
    let start = chunk.times_ms.partition_point(|time| *time < start_ms);
    let last = chunk.histograms.get(start.checked_sub(1)?)?.clone();
    last.filter(|histogram| !histogram.is_stale())
}

/// Only counts and sums stay. Resets cannot be found without buckets later on, so they are found
/// here: from the sample before, unless the sample itself says what it is. Of the first sample only
/// that it goes on from the one before the selection: that is what Prometheus' storage knows of it.
fn keep_statistics(histograms: &mut [Option<Arc<Histogram>>], previous: Option<&Histogram>) {
    if let (Some(Some(first)), Some(previous)) = (histograms.first_mut(), previous)
        && first.goes_on(previous)
    {
        let hint = CounterResetHint::NotReset;
        *first = Arc::new(Histogram { counter_reset_hint: hint, ..Histogram::clone(first) });
    }
    let mut before: Option<Arc<Histogram>> = None;
    for histogram in histograms.iter_mut().flatten() {
        if histogram.is_stale() {
            continue;
        }
        let hint = match (histogram.counter_reset_hint, &before) {
            (CounterResetHint::Unknown, Some(before)) if histogram.detect_reset(before) => {
                CounterResetHint::Reset
            }
            (CounterResetHint::Unknown, Some(_)) => CounterResetHint::NotReset,
            (hint, _) => hint,
        };
        let statistics = Histogram {
            counter_reset_hint: hint,
            count: histogram.count,
            sum: histogram.sum,
            ..Histogram::default()
        };
        before = Some(std::mem::replace(histogram, Arc::new(statistics)));
    }
}

impl Series {
    /// Takes the samples out of a chunk, without the markers that end a series.
    pub(super) fn fill(&mut self, chunk: &mut Chunk) {
        self.histograms.clear();
        if chunk.histograms.is_empty() {
            std::mem::swap(&mut self.floats.times, &mut chunk.times_ms);
            std::mem::swap(&mut self.floats.values, &mut chunk.values);
            std::mem::swap(&mut self.floats.starts, &mut chunk.start_times_ms);
            self.drop_stale_floats();
            return;
        }
        self.floats.clear();
        for (place, histogram) in chunk.histograms.iter_mut().enumerate() {
            let (time, start) = (chunk.times_ms[place], chunk.start_times_ms.get(place).copied());
            match histogram.take() {
                Some(histogram) if histogram.is_stale() => {}
                Some(histogram) => self.histograms.push(time, histogram, start),
                None if is_stale(chunk.values[place]) => {}
                None => self.floats.push(time, chunk.values[place], start),
            }
        }
    }

    fn drop_stale_floats(&mut self) {
        let Points { times, values, starts } = &mut self.floats;
        // Many are looked at together, without a branch for each.
        let any_stale = |values: &[f64]| values.iter().fold(false, |any, value| any | is_stale(*value));
        if !values.chunks(64).any(any_stale) {
            return;
        }
        let mut kept = 0;
        for place in 0..values.len() {
            if is_stale(values[place]) {
                continue;
            }
            times[kept] = times[place];
            values[kept] = values[place];
            if !starts.is_empty() {
                starts[kept] = starts[place];
            }
            kept += 1;
        }
        times.truncate(kept);
        values.truncate(kept);
        starts.truncate(kept);
    }

    /// From the steps of a subquery. Hints of resets would be wrong, for samples between the steps
    /// are missing or come twice.
    pub(super) fn fill_from_steps(&mut self, column: &Column, grid: &Grid) {
        self.floats.clear();
        self.histograms.clear();
        for (step, cell) in column.cells() {
            match cell {
                Cell::Float(value) => self.floats.push(grid.time(step), value, None),
                Cell::Histogram(histogram) => {
                    self.histograms.push(grid.time(step), without_reset_hint(histogram), None);
                }
            }
        }
    }

    pub(super) fn samples(&self) -> usize {
        let histograms = self.histograms.values.iter().map(|histogram| histogram.samples());
        self.floats.times.len() + histograms.sum::<usize>()
    }
}

fn without_reset_hint(histogram: &Arc<Histogram>) -> Arc<Histogram> {
    match histogram.counter_reset_hint {
        CounterResetHint::Reset | CounterResetHint::NotReset => Arc::new(Histogram {
            counter_reset_hint: CounterResetHint::Unknown,
            ..Histogram::clone(histogram)
        }),
        CounterResetHint::Unknown | CounterResetHint::Gauge => Arc::clone(histogram),
    }
}
