//! Sums, extremes and counts of floats over windows that move.
//!
//! What a window has in common with the one before is not computed again. Sums do this only where
//! it gives the same bits: whole numbers small enough that no sum of them is ever rounded.

use crate::engine::column::Column;
use crate::engine::range::{RangeStage, Work};
use crate::engine::series::Points;
use crate::histogram::kahan;

/// Whether every sum of a part of these is exact.
fn sums_are_exact(values: &[f64]) -> bool {
    /// Adding and taking it away rounds to whole numbers.
    const ROUNDER: f64 = (3_u64 << 51) as f64;
    let limit = (1_u64 << 51) as f64 / values.len().max(1) as f64;
    let exact = |value: &f64| ((value + ROUNDER) - ROUNDER == *value) & (value.abs() <= limit);
    values.iter().all(exact)
}

/// `sum_over_time` and `avg_over_time`.
pub(in crate::engine) fn sum(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    average: bool,
    work: &mut Work,
) -> Column {
    let values = &points.values[..];
    let (mut read, mut pulse) = (0, stage.pulse());
    let column = if sums_are_exact(values) {
        let (mut from, mut to, mut sum) = (0, 0, 0.0);
        stage.windows.column(&points.times, |window| {
            let (low, high) = (window.low, window.high);
            read += window.len();
            if low >= to {
                (from, to, sum) = (low, low, 0.0);
            }
            sum += values[to..high].iter().sum::<f64>();
            sum -= values[from..low].iter().sum::<f64>();
            (from, to) = (low, high);
            Some(if average { sum / window.len() as f64 } else { sum })
        })
    } else {
        stage.windows.column(&points.times, |window| {
            read += window.len();
            let values = &values[window.places()];
            let sum = |values| if average { kahan_average(values) } else { kahan_sum(values) };
            pulse.beat(window.len()).then(|| sum(values))
        })
    };
    pulse.end(work);
    work.read += read as u64;
    column
}

fn kahan_sum(values: &[f64]) -> f64 {
    let (mut sum, mut rest) = (0.0, 0.0);
    values.iter().for_each(|value| kahan::increase(&mut sum, &mut rest, *value));
    if sum.is_infinite() { sum } else { sum + rest }
}

/// The mean by sum and count; where the sum would overflow, from there on step by step.
fn kahan_average(values: &[f64]) -> f64 {
    let (mut sum, mut rest) = (values[0], 0.0);
    for (place, value) in values.iter().enumerate().skip(1) {
        let (mut next, mut next_rest) = (sum, rest);
        kahan::increase(&mut next, &mut next_rest, *value);
        if next.is_infinite() {
            return incremental_average(&values[place..], place as f64, sum, rest);
        }
        (sum, rest) = (next, next_rest);
    }
    let count = values.len() as f64;
    sum / count + rest / count
}

fn incremental_average(values: &[f64], mut count: f64, sum: f64, rest: f64) -> f64 {
    let (mut mean, mut rest) = (sum / count, rest / count);
    for value in values {
        count += 1.0;
        let share = (count - 1.0) / count;
        mean *= share;
        rest *= share;
        kahan::increase(&mut mean, &mut rest, value / count);
    }
    mean + rest
}

/// Which extreme, and whether its time is wanted: then of equal ones the latest, else the first.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Extreme {
    pub(in crate::engine) max: bool,
    pub(in crate::engine) time: bool,
}

/// `min_over_time`, `max_over_time` and the times of the extremes. NaN counts only where there is
/// nothing else.
pub(in crate::engine) fn extreme(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    extreme: Extreme,
    work: &mut Work,
) -> Column {
    let values = &points.values[..];
    // Candidates in order of time, each better than all that come after it.
    let mut candidates = std::mem::take(&mut work.places);
    candidates.clear();
    let (mut first, mut taken, mut read) = (0, 0, 0);
    let beaten = |old: f64, new: f64| {
        let better = if extreme.max { new > old } else { new < old };
        better || (extreme.time && new == old)
    };
    let column = stage.windows.column(&points.times, |window| {
        let (low, high) = (window.low, window.high);
        read += window.len();
        for place in taken.max(low)..high {
            if values[place].is_nan() {
                continue;
            }
            while candidates.len() > first && beaten(values[candidates[candidates.len() - 1]], values[place])
            {
                candidates.pop();
            }
            candidates.push(place);
        }
        taken = high;
        while candidates.get(first).is_some_and(|place| *place < low) {
            first += 1;
        }
        // Without a number the last sample stands for the time, any NaN for the value.
        let place = candidates.get(first).copied().unwrap_or(high - 1);
        Some(if extreme.time { points.times[place] as f64 / 1000.0 } else { values[place] })
    });
    work.read += read as u64;
    work.places = candidates;
    column
}

/// Counts the pairs of neighbours in each window that differ in some way: `changes`, `resets`.
pub(in crate::engine) fn count_pairs(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    counts: impl Fn(usize) -> bool,
    work: &mut Work,
) -> Column {
    let (mut from, mut to, mut count) = (0, 0, 0_usize);
    let mut read = 0;
    let column = stage.windows.column(&points.times, |window| {
        let (low, high) = (window.low, window.high);
        read += window.len();
        if low >= to {
            (from, to, count) = (low, low + 1, 0);
        }
        count += (to..high).filter(|place| counts(*place)).count();
        count -= (from + 1..low + 1).filter(|place| counts(*place)).count();
        (from, to) = (low, high);
        Some(count as f64)
    });
    work.read += read as u64;
    column
}

/// What needs no look at the values between the ends of a window.
pub(in crate::engine) fn ends(
    stage: &RangeStage<'_>,
    points: &Points<f64>,
    value: impl Fn(usize, usize) -> f64,
    work: &mut Work,
) -> Column {
    let mut read = 0;
    let column = stage.windows.column(&points.times, |window| {
        read += window.len();
        Some(value(window.low, window.high))
    });
    work.read += read as u64;
    column
}

#[cfg(test)]
mod tests {
    use super::{kahan_average, kahan_sum, sums_are_exact};

    #[test]
    fn only_small_whole_numbers_are_summed_by_sliding() {
        assert!(sums_are_exact(&[1.0, -2.0, 1e12, 0.0]));
        for odd in [0.5, f64::NAN, f64::INFINITY, 1e15, 1e300, f64::MIN_POSITIVE] {
            assert!(!sums_are_exact(&[1.0, odd, 2.0]), "{odd}");
        }
    }

    #[test]
    fn cancellation_is_survived() {
        assert_eq!(kahan_sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(kahan_average(&[f64::MAX, f64::MAX]), f64::MAX);
    }
}
