//! `deriv`, `predict_linear` and `double_exponential_smoothing`.

use crate::engine::QueryError;
use crate::engine::column::Column;
use crate::engine::range::{RangeStage, Work};
use crate::engine::scalar::ScalarColumn;
use crate::engine::series::Points;
use crate::histogram::kahan;

/// `deriv`: the slope of a line through the samples.
pub(in crate::engine) fn slope(stage: &RangeStage<'_>, points: &Points<f64>, work: &mut Work) -> Column {
    lines(stage, points, work, |_, times, values| line(times, values, times[0]).0)
}

/// `predict_linear`: where the line will be after some seconds.
pub(in crate::engine) fn predict(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    ahead: &ScalarColumn,
    work: &mut Work,
) -> Column {
    lines(stage, points, work, |step, times, values| {
        let (slope, now) = line(times, values, stage.grid.time(step));
        slope * ahead.get(step) + now
    })
}

fn lines(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    work: &mut Work,
    value: impl Fn(usize, &[i64], &[f64]) -> f64,
) -> Column {
    let (mut read, mut pulse) = (0, stage.pulse());
    let column = stage.windows.column(&points.times, |window| {
        read += window.len();
        let (times, values) = (&points.times[window.places()], &points.values[window.places()]);
        (window.len() > 1 && pulse.beat(window.len())).then(|| value(window.step, times, values))
    });
    pulse.end(work);
    work.read += read as u64;
    column
}

/// Least squares: the slope a second, and the value at some time.
fn line(times: &[i64], values: &[f64], zero_ms: i64) -> (f64, f64) {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let mut sums = [(0.0, 0.0); 4];
    for (time, value) in times.iter().zip(values) {
        let x = (time - zero_ms) as f64 / 1e3;
        for ((sum, rest), term) in sums.iter_mut().zip([x, *value, x * value, x * x]) {
            kahan::increase(sum, rest, term);
        }
    }
    let [x, y, xy, xx] = sums.map(|(sum, rest)| sum + rest);
    let count = values.len() as f64;
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}

/// `double_exponential_smoothing`.
pub(in crate::engine) fn smooth(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    scalars: &[ScalarColumn],
    work: &mut Work,
) -> Column {
    let [smoothing, trend, ..] = scalars else { return Column::none(stage.windows.steps) };
    let (mut read, mut pulse) = (0, stage.pulse());
    let column = stage.windows.column(&points.times, |window| {
        read += window.len();
        let (smoothing, trend) = (smoothing.get(window.step), trend.get(window.step));
        (window.len() > 1 && pulse.beat(window.len()))
            .then(|| smoothed(&points.values[window.places()], smoothing, trend))
    });
    pulse.end(work);
    work.read += read as u64;
    column
}

/// The factors have to lie between 0 and 1, at every step.
pub(in crate::engine) fn check_factors(scalars: &[ScalarColumn], steps: usize) -> Result<(), QueryError> {
    for (scalar, (name, short)) in scalars.iter().zip([("smoothing", "sf"), ("trend", "tf")]) {
        let outside = |factor: &f64| *factor <= 0.0 || *factor >= 1.0;
        if let Some(factor) = scalar.values(steps).find(outside) {
            let text = format!("invalid {name} factor. Expected: 0 < {short} < 1, got: {factor:.6}");
            return Err(QueryError::Execution(text));
        }
    }
    Ok(())
}

fn smoothed(values: &[f64], smoothing: f64, trend_factor: f64) -> f64 {
    let (mut before, mut now) = (0.0, values[0]);
    let mut trend = values[1] - values[0];
    for (place, value) in values.iter().enumerate().skip(1) {
        if place > 1 {
            trend = trend_factor * (now - before) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * value + (1.0 - smoothing) * (now + trend);
        (before, now) = (now, next);
    }
    now
}
