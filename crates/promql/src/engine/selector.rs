//! Instant selectors: the last sample before each step, if it is young enough.

use std::sync::Arc;

use super::column::Column;
use super::function::extended;
use super::grid::Grid;
use super::plan::Selector;
use super::range::Work;
use super::series::{Series, is_stale};
use super::windows::{Window, Windows};
use crate::source::Chunk;

/// The windows in which the samples of an instant selector lie.
pub(super) fn windows(selector: &Selector, grid: &Grid, lookback_ms: i64) -> Windows {
    let after_ms = if selector.mode.is_some() { lookback_ms } else { 0 };
    Windows::at(grid, selector.place, lookback_ms, 0, after_ms)
}

/// Calls with each step that has a sample and the sample's place.
fn each_last(chunk: &Chunk, windows: &Windows, mut call: impl FnMut(usize, usize)) {
    windows.each(&chunk.times_ms, |step, _, high| {
        let last = high - 1;
        let stale = match chunk.histograms.get(last) {
            Some(Some(histogram)) => histogram.is_stale(),
            _ => is_stale(chunk.values[last]),
        };
        if !stale {
            call(step, last);
        }
    });
}

/// The values.
pub(super) fn values(chunk: &Chunk, windows: &Windows, work_read: &mut u64) -> Column {
    if chunk.histograms.is_empty() {
        let last = |window: &Window| Some(chunk.values[window.high - 1]).filter(|value| !is_stale(*value));
        let column = windows.column(&chunk.times_ms, last);
        *work_read += column.present.count() as u64;
        return column;
    }
    let mut column = Column::none(windows.steps);
    each_last(chunk, windows, |step, place| match &chunk.histograms[place] {
        Some(histogram) => column.set_histogram(step, Arc::clone(histogram)),
        None => column.set(step, chunk.values[place]),
    });
    *work_read += column.samples() as u64;
    column
}

/// The times of the samples in seconds, or when what they count began.
pub(super) fn times(chunk: &Chunk, windows: &Windows, start: bool, work_read: &mut u64) -> Column {
    let mut column = Column::none(windows.steps);
    let mut read = 0;
    each_last(chunk, windows, |step, place| {
        read += 1;
        if start {
            let started = chunk.start_times_ms.get(place).copied().unwrap_or(0);
            column.set(step, started as f64 / 1000.0);
        } else {
            column.set(step, chunk.times_ms[place] as f64 / 1000.0);
        }
    });
    *work_read += read;
    column
}

/// The times of the samples in milliseconds: of info series the newest wins.
pub(super) fn sample_times(chunk: &Chunk, windows: &Windows) -> Vec<(usize, i64)> {
    let mut times = Vec::new();
    each_last(chunk, windows, |step, place| times.push((step, chunk.times_ms[place])));
    times
}

/// `selector smoothed`.
pub(super) fn smoothed(
    selector: &Selector,
    windows: &Windows,
    name: &str,
    series: &Series,
    work: &mut Work,
) -> Column {
    let mut column = Column::none(windows.steps);
    let about = (name, selector.span);
    windows.each_pair(&series.floats.times, &series.histograms.times, |step, floats, histograms| {
        work.read += (floats.len() + histograms.len()) as u64;
        let at = (step, windows.end(step));
        extended::smooth_step(series, (floats, histograms), at, about, &mut column, work);
    });
    column
}
