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
    if !extreme.time && stage.windows.overlap_little() {
        let mut read = 0;
        let column = stage.windows.column(&points.times, |window| {
            read += window.len();
            let own = &values[window.places()];
            Some(if extreme.max { extreme_of::<true>(own) } else { extreme_of::<false>(own) })
        });
        work.read += read as u64;
        return column;
    }
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

/// The largest of some values or the smallest, of equal ones the first; the last one where none is a number. Many
/// are looked at together, without a branch for each.
fn extreme_of<const MAX: bool>(values: &[f64]) -> f64 {
    const TOGETHER: usize = 8;
    let worst = if MAX { f64::NEG_INFINITY } else { f64::INFINITY };
    let better = |old: f64, new: f64| if MAX { new > old } else { new < old };
    let of = |old: f64, new: f64| if better(old, new) { new } else { old };
    let (parts, rest) = values.as_chunks::<TOGETHER>();
    let mut best = [worst; TOGETHER];
    for part in parts {
        best.iter_mut().zip(part).for_each(|(best, value)| *best = of(*best, *value));
    }
    let found = best.iter().chain(rest).copied().fold(worst, of);
    // Of two zeros it is not known which was first, and of the worst not whether it is a number.
    if found != worst && found != 0.0 {
        return found;
    }
    let first = |found: Option<f64>, value: &f64| match found {
        _ if value.is_nan() => found,
        Some(old) if !better(old, *value) => found,
        _ => Some(*value),
    };
    values.iter().fold(None, first).unwrap_or_else(|| values.last().copied().unwrap_or(f64::NAN))
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
    use proptest::prelude::*;

    use super::{extreme_of, kahan_average, kahan_sum, sums_are_exact};

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

    fn value() -> impl Strategy<Value = f64> {
        let special =
            prop::sample::select(vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN]);
        prop_oneof![special, -3.0_f64..3.0, (-3_i32..3).prop_map(f64::from)]
    }

    fn one_by_one(values: &[f64], better: impl Fn(f64, f64) -> bool) -> Option<f64> {
        let mut found: Option<f64> = None;
        for value in values.iter().filter(|value| !value.is_nan()) {
            if found.is_none_or(|old| better(old, *value)) {
                found = Some(*value);
            }
        }
        found.or(values.last().copied())
    }

    proptest! {
        #[test]
        fn an_extreme_is_the_same_many_at_a_time(values in prop::collection::vec(value(), 1..40)) {
            let bits = |value: Option<f64>| value.map(f64::to_bits);
            let max = one_by_one(&values, |old, new| new > old);
            prop_assert_eq!(Some(extreme_of::<true>(&values).to_bits()), bits(max));
            let min = one_by_one(&values, |old, new| new < old);
            prop_assert_eq!(Some(extreme_of::<false>(&values).to_bits()), bits(min));
        }
    }
}
