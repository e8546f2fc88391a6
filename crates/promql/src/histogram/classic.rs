//! Quantiles and fractions of classic histograms: cumulative buckets with a label `le`.

use std::cmp::Ordering;

use super::almost_equal;

/// All observations up to a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassicBucket {
    /// The value of `le`, included; +Inf for the bucket of all observations.
    pub upper_bound: f64,
    /// Cumulative: observations up to the bound, or their rate.
    pub count: f64,
}

/// What had to be changed so that counts never decrease.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Monotonicity {
    /// Decreases were removed; the fields below say between which bounds and how large.
    pub forced: bool,
    /// Differences that can only come from rounding were ignored.
    pub ignored_small_deltas: bool,
    /// The lowest upper bound whose count was raised; meaningless unless `forced`.
    pub bucket_min: f64,
    /// The highest upper bound whose count was raised; meaningless unless `forced`.
    pub bucket_max: f64,
    /// By how much a count was raised at most.
    pub difference_max: f64,
}

/// Relative difference of counts that is taken as rounding.
const SMALL_DELTA: f64 = 1e-12;

/// `histogram_quantile`: linear within a bucket, the lowest one begins at 0 if it ends above, and in
/// the highest one it is that bucket's lower bound. NaN without observations, with fewer than two
/// buckets, and without a bucket for +Inf. Sorts and merges the buckets.
pub fn quantile(q: f64, buckets: &mut Vec<ClassicBucket>) -> (f64, Monotonicity) {
    let untouched = Monotonicity::default();
    if q.is_nan() {
        return (f64::NAN, untouched);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, untouched);
    }
    if q > 1.0 {
        return (f64::INFINITY, untouched);
    }
    if !sort(buckets) {
        return (f64::NAN, untouched);
    }
    let changed = make_monotonic(buckets);
    let [finite @ .., all] = &buckets[..] else { return (f64::NAN, changed) };
    let Some(highest) = finite.last() else { return (f64::NAN, changed) };
    if all.count == 0.0 {
        return (f64::NAN, changed);
    }
    let mut rank = q * all.count;
    let Some(place) = first_reaching(finite, rank) else { return (highest.upper_bound, changed) };
    let bucket = finite[place];
    if place == 0 {
        if bucket.upper_bound <= 0.0 {
            return (bucket.upper_bound, changed);
        }
        return (bucket.upper_bound * (rank / bucket.count), changed);
    }
    let before = finite[place - 1];
    rank -= before.count;
    let share = rank / (bucket.count - before.count);
    (before.upper_bound + (bucket.upper_bound - before.upper_bound) * share, changed)
}

/// The first bucket that holds the rank. A NaN among the counts compares as in a binary search.
fn first_reaching(buckets: &[ClassicBucket], rank: f64) -> Option<usize> {
    let place = buckets.partition_point(|bucket| bucket.count.partial_cmp(&rank).is_none_or(Ordering::is_lt));
    (place < buckets.len()).then_some(place)
}

/// `histogram_fraction`: how much of all observations lies between two values.
pub fn fraction(lower: f64, upper: f64, buckets: &mut Vec<ClassicBucket>) -> f64 {
    if !sort(buckets) {
        return f64::NAN;
    }
    let count = buckets.last().map_or(0.0, |all| all.count);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let rank =
        |value: f64| rank_of(value, buckets).map_or(count, |rank| if rank > count { count } else { rank });
    (rank(upper) - rank(lower)) / count
}

/// How many observations lie below a value; nothing above the last finite bound.
fn rank_of(value: f64, buckets: &[ClassicBucket]) -> Option<f64> {
    let lowest = buckets.first()?;
    let mut start = if lowest.upper_bound <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut rank = 0.0;
    for bucket in buckets {
        if start >= value {
            return Some(rank);
        }
        if bucket.upper_bound > value {
            if start == f64::NEG_INFINITY {
                return Some(bucket.count);
            }
            return Some(rank + (bucket.count - rank) * (value - start) / (bucket.upper_bound - start));
        }
        rank = bucket.count;
        start = bucket.upper_bound;
    }
    None
}

/// Sorts by bound and merges what has the same; whether the last one is that of all observations.
fn sort(buckets: &mut Vec<ClassicBucket>) -> bool {
    buckets.sort_by(|a, b| a.upper_bound.total_cmp(&b.upper_bound));
    if buckets.last().is_none_or(|last| last.upper_bound != f64::INFINITY) {
        return false;
    }
    buckets.dedup_by(|next, kept| {
        let same = next.upper_bound == kept.upper_bound;
        if same {
            kept.count += next.count;
        }
        same
    });
    true
}

fn make_monotonic(buckets: &mut [ClassicBucket]) -> Monotonicity {
    let mut changed =
        Monotonicity { bucket_min: f64::INFINITY, bucket_max: f64::NEG_INFINITY, ..Monotonicity::default() };
    let Some((first, rest)) = buckets.split_first_mut() else { return changed };
    let mut before = first.count;
    for bucket in rest {
        if bucket.count == before {
            continue;
        }
        if almost_equal(before, bucket.count, SMALL_DELTA) {
            changed.ignored_small_deltas = true;
            bucket.count = before;
        } else if bucket.count < before {
            changed.forced = true;
            changed.bucket_min = changed.bucket_min.min(bucket.upper_bound);
            changed.bucket_max = changed.bucket_max.max(bucket.upper_bound);
            changed.difference_max = changed.difference_max.max(before - bucket.count);
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
    changed
}
