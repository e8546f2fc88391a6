//! `resets` and `changes`, also of series with histograms and of anchored ranges.

use std::ops::Range;

use super::rate::{is_start_reset, start_and_time};
use super::sliding::count_pairs;
use crate::ast::RangeMode;
use crate::engine::column::{Cell, Column};
use crate::engine::plan::RangeFunction;
use crate::engine::range::{RangeStage, Work};
use crate::engine::series::{Points, Series};

/// Of floats alone.
pub(in crate::engine) fn floats(stage: &RangeStage<'_>, points: &Points<f64>, work: &mut Work) -> Column {
    let values = &points.values;
    match stage.call.function {
        RangeFunction::Changes => {
            let changed = |place: usize| {
                let (before, now) = (values[place - 1], values[place]);
                before != now && !(before.is_nan() && now.is_nan())
            };
            count_pairs(stage, points, changed, work)
        }
        _ => {
            let reset = |place: usize| {
                values[place] < values[place - 1]
                    || is_start_reset(start_and_time(points, place - 1), start_and_time(points, place))
            };
            count_pairs(stage, points, reset, work)
        }
    }
}

/// Of anything: each window is walked.
pub(in crate::engine) fn walked(stage: &RangeStage<'_>, series: &Series, work: &mut Work) -> Column {
    let mut column = Column::none(stage.windows.steps);
    let (mut read, mut pulse) = (0, stage.pulse());
    let anchored = stage.call.input.mode() == Some(RangeMode::Anchored);
    stage.windows.each_pair(
        &series.floats.times,
        &series.histograms.times,
        |step, mut floats, mut histograms| {
            read += floats.len() + histograms.len();
            if !pulse.beat(floats.len() + 100 * histograms.len()) {
                return;
            }
            if anchored && !anchor(series, &mut floats, &mut histograms, stage.windows.start(step)) {
                return;
            }
            column.set(step, count(stage.call.function, series, floats, histograms) as f64);
        },
    );
    pulse.end(work);
    work.read += read as u64;
    column
}

/// Of what lies before the start only the last sample is taken, of whichever kind. False where
/// nothing lies after it.
fn anchor(series: &Series, floats: &mut Range<usize>, histograms: &mut Range<usize>, start_ms: i64) -> bool {
    let after = |times: &[i64], places: &Range<usize>| {
        places.start + times[places.clone()].partition_point(|time| *time <= start_ms)
    };
    let (float_times, histogram_times) = (&series.floats.times, &series.histograms.times);
    let (first_float, first_histogram) = (after(float_times, floats), after(histogram_times, histograms));
    if first_float >= floats.end && first_histogram >= histograms.end {
        return false;
    }
    let before =
        |times: &[i64], places: &Range<usize>, first: usize| (first > places.start).then(|| times[first - 1]);
    let last_float = before(float_times, floats, first_float);
    let last_histogram = before(histogram_times, histograms, first_histogram);
    floats.start = first_float;
    histograms.start = first_histogram;
    match (last_float, last_histogram) {
        (None, None) => {}
        (Some(float), histogram) if histogram.is_none_or(|histogram| float >= histogram) => floats.start -= 1,
        _ => histograms.start -= 1,
    }
    true
}

fn count(function: RangeFunction, series: &Series, floats: Range<usize>, histograms: Range<usize>) -> usize {
    let (mut float, mut histogram) = (floats.start, histograms.start);
    let mut before: Option<(Cell<'_>, (i64, i64))> = None;
    let mut found = 0;
    while float < floats.end || histogram < histograms.end {
        let float_first = histogram >= histograms.end
            || (float < floats.end && series.floats.times[float] <= series.histograms.times[histogram]);
        let now = if float_first {
            float += 1;
            (Cell::Float(series.floats.values[float - 1]), start_and_time(&series.floats, float - 1))
        } else {
            histogram += 1;
            let cell = Cell::Histogram(&series.histograms.values[histogram - 1]);
            (cell, start_and_time(&series.histograms, histogram - 1))
        };
        if let Some(before) = before
            && counts(function, before, now)
        {
            found += 1;
        }
        before = Some(now);
    }
    found
}

fn counts(function: RangeFunction, before: (Cell<'_>, (i64, i64)), now: (Cell<'_>, (i64, i64))) -> bool {
    let changes = function == RangeFunction::Changes;
    match (before.0, now.0) {
        (Cell::Float(before), Cell::Float(now)) if changes => {
            before != now && !(before.is_nan() && now.is_nan())
        }
        (Cell::Histogram(before), Cell::Histogram(now)) if changes => !now.equals(before),
        (Cell::Float(old), Cell::Float(new)) => new < old || is_start_reset(before.1, now.1),
        (Cell::Histogram(old), Cell::Histogram(new)) => {
            is_start_reset(before.1, now.1) || new.detect_reset(old)
        }
        _ => true,
    }
}
