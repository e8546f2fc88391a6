//! Quantiles and fractions of native histograms.

use super::{Bucket, Histogram};

/// What a quantile tells about observations that were no numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NanObservations {
    /// There were none, or they do not matter.
    #[default]
    None,
    /// The quantile lies among them.
    ResultIsNan,
    /// They count as larger than everything, so the quantile is higher than without them.
    SkewedHigher,
}

/// A quantile and what there is to tell the user about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// In the unit of the observations; -Inf below quantile 0, +Inf above 1, NaN without
    /// observations.
    pub value: f64,
    /// What observations of NaN did to the value.
    pub nan_observations: NanObservations,
}

/// A fraction and whether observations that were no numbers are in none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fraction {
    /// From 0 to 1; NaN without observations, or where a bound is NaN.
    pub value: f64,
    /// There were observations of NaN: they are in the whole, but between no two values.
    pub nan_observations: bool,
}

impl From<f64> for Quantile {
    fn from(value: f64) -> Self {
        Self { value, nan_observations: NanObservations::None }
    }
}

impl Histogram {
    /// `histogram_quantile`. Within exponential buckets observations are taken to be spread evenly on
    /// a logarithmic scale, within custom ones and the zero bucket on a linear one.
    pub fn quantile(&self, q: f64) -> Quantile {
        if q < 0.0 {
            return f64::NEG_INFINITY.into();
        }
        if q > 1.0 {
            return f64::INFINITY.into();
        }
        if self.count == 0.0 || q.is_nan() {
            return f64::NAN.into();
        }
        // Observations of NaN are in the count but in no bucket: only from below the ranks are right.
        if self.sum.is_nan() || q < 0.5 {
            self.quantile_at(q * self.count, true, self.buckets())
        } else {
            self.quantile_at((1.0 - q) * self.count, false, self.buckets_reversed())
        }
    }

    fn quantile_at(
        &self,
        mut rank: f64,
        forward: bool,
        mut buckets: impl Iterator<Item = Bucket>,
    ) -> Quantile {
        let mut bucket = Bucket::default();
        let mut count = 0.0;
        for next in buckets.by_ref() {
            bucket = next;
            count += bucket.count;
            if bucket.count != 0.0 && count >= rank {
                break;
            }
        }
        if self.uses_custom_buckets() {
            if bucket.lower == f64::NEG_INFINITY {
                if bucket.upper <= 0.0 {
                    return bucket.upper.into();
                }
                bucket.lower = 0.0;
            } else if bucket.upper == f64::INFINITY {
                return bucket.lower.into();
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            self.narrow_zero_bucket(&mut bucket);
        }
        // Sums of buckets may be a little more than the count.
        if count > self.count {
            count = self.count;
        }
        if count < rank {
            if self.sum.is_nan() {
                return Quantile { value: f64::NAN, nan_observations: NanObservations::ResultIsNan };
            }
            return bucket.upper.into();
        }
        if forward {
            rank -= count - bucket.count;
        } else {
            rank = count - rank;
        }
        let mut nan_observations = NanObservations::None;
        if self.sum.is_nan() {
            let all = buckets.fold(count, |sum, bucket| sum + bucket.count);
            if all < self.count {
                nan_observations = NanObservations::SkewedHigher;
            }
        }
        Quantile { value: self.within(&bucket, rank / bucket.count), nan_observations }
    }

    /// The value at a fraction of a bucket's observations.
    fn within(&self, bucket: &Bucket, fraction: f64) -> f64 {
        if self.uses_custom_buckets() || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
            return bucket.lower + (bucket.upper - bucket.lower) * fraction;
        }
        let lower = bucket.lower.abs().log2();
        let upper = bucket.upper.abs().log2();
        if bucket.lower > 0.0 {
            (lower + (upper - lower) * fraction).exp2()
        } else {
            -(upper + (lower - upper) * (1.0 - fraction)).exp2()
        }
    }

    /// `histogram_fraction`: how much of all observations lies between two values.
    pub fn fraction(&self, lower: f64, upper: f64) -> Fraction {
        let plain = |value| Fraction { value, nan_observations: false };
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return plain(f64::NAN);
        }
        if lower >= upper {
            return plain(0.0);
        }
        let (mut rank, mut count) = (0.0, 0.0);
        let (mut lower_rank, mut upper_rank) = (None, None);
        let mut buckets = self.buckets();
        for mut bucket in buckets.by_ref() {
            count += bucket.count;
            let around_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            if around_zero {
                self.narrow_zero_bucket(&mut bucket);
            }
            for (value, place) in [(lower, &mut lower_rank), (upper, &mut upper_rank)] {
                if place.is_none() {
                    *place = self.rank_in(&bucket, value, rank, around_zero);
                }
            }
            if lower_rank.is_some() && upper_rank.is_some() {
                break;
            }
            rank += bucket.count;
        }
        let mut nan_observations = false;
        if self.sum.is_nan() {
            count = buckets.fold(count, |sum, bucket| sum + bucket.count);
            nan_observations = count < self.count;
        } else {
            count = self.count;
        }
        let at_most = |rank: Option<f64>| rank.map_or(count, |rank| if rank > count { count } else { rank });
        let value = (at_most(upper_rank) - at_most(lower_rank)) / self.count;
        Fraction { value, nan_observations }
    }

    /// How many observations lie below a value, if that is decided with this bucket.
    fn rank_in(&self, bucket: &Bucket, value: f64, rank: f64, around_zero: bool) -> Option<f64> {
        if bucket.lower >= value {
            return Some(rank);
        }
        if bucket.upper > value {
            let linear = self.uses_custom_buckets() || around_zero;
            return Some(if linear {
                linear_rank(bucket, value, rank)
            } else {
                log_rank(bucket, value, rank)
            });
        }
        None
    }
}

fn linear_rank(bucket: &Bucket, value: f64, rank: f64) -> f64 {
    // Nothing is known about where in an endless bucket its observations are.
    if bucket.lower == f64::NEG_INFINITY {
        return bucket.count;
    }
    rank + bucket.count * (value - bucket.lower) / (bucket.upper - bucket.lower)
}

fn log_rank(bucket: &Bucket, value: f64, rank: f64) -> f64 {
    rank + bucket.count * log_fraction(bucket, value)
}

/// How much of an exponential bucket lies below a value in it.
pub(super) fn log_fraction(bucket: &Bucket, value: f64) -> f64 {
    let lower = bucket.lower.abs().log2();
    let upper = bucket.upper.abs().log2();
    let at = value.abs().log2();
    if value > 0.0 { (at - lower) / (upper - lower) } else { 1.0 - (at - upper) / (lower - upper) }
}
