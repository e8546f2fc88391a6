//! Statistics of the floats of each window that have to look at all of them.

use crate::engine::column::Column;
use crate::engine::range::{RangeStage, Work};
use crate::engine::scalar::ScalarColumn;
use crate::engine::series::Points;
use crate::histogram::kahan;

/// `stdvar_over_time`, and `stddev_over_time` with the root.
pub(in crate::engine) fn variance(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    root: bool,
    work: &mut Work,
) -> Column {
    each_window(stage, points, work, |_, window, _| {
        let (mut count, mut mean, mut mean_rest) = (0.0, 0.0, 0.0);
        let (mut squares, mut squares_rest) = (0.0, 0.0);
        for value in window {
            count += 1.0;
            let delta = value - (mean + mean_rest);
            kahan::increase(&mut mean, &mut mean_rest, delta / count);
            kahan::increase(&mut squares, &mut squares_rest, delta * (value - (mean + mean_rest)));
        }
        let variance: f64 = (squares + squares_rest) / count;
        if root { variance.sqrt() } else { variance }
    })
}

/// `quantile_over_time`.
pub(in crate::engine) fn quantile(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    q: &ScalarColumn,
    work: &mut Work,
) -> Column {
    each_window(stage, points, work, |step, window, scratch| {
        scratch.clear();
        scratch.extend_from_slice(window);
        quantile_of(q.get(step), scratch)
    })
}

/// `mad_over_time`: the median of the distances from the median.
pub(in crate::engine) fn median_deviation(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    work: &mut Work,
) -> Column {
    each_window(stage, points, work, |_, window, scratch| {
        if window.iter().any(|value| value.is_nan()) {
            return f64::NAN;
        }
        scratch.clear();
        scratch.extend_from_slice(window);
        let median = quantile_of(0.5, scratch);
        scratch.iter_mut().for_each(|value| *value = (*value - median).abs());
        quantile_of(0.5, scratch)
    })
}

fn each_window(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    work: &mut Work,
    value: impl Fn(usize, &[f64], &mut Vec<f64>) -> f64,
) -> Column {
    let mut read = 0;
    let mut pulse = stage.pulse();
    let scratch = &mut work.scratch;
    let column = stage.windows.column(&points.times, |window| {
        read += window.len();
        pulse.beat(window.len()).then(|| value(window.step, &points.values[window.places()], scratch))
    });
    pulse.end(work);
    work.read += read as u64;
    column
}

/// Sorts; between two values the quantile is interpolated. NaN is smaller than everything.
pub(in crate::engine) fn quantile_of(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|left, right| {
        right.is_nan().cmp(&left.is_nan()).then_with(|| left.total_cmp(right))
    });
    let last = values.len() - 1;
    let rank = q * last as f64;
    let below = (rank.floor().max(0.0) as usize).min(last);
    let above = (below + 1).min(last);
    let weight = rank - rank.floor();
    values[below] * (1.0 - weight) + values[above] * weight
}
