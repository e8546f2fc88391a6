//! `</` and `>/`: the part of a histogram below or above a value.

use super::quantile::log_fraction;
use super::{Bucket, Histogram};

/// Which part stays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Below,
    Above,
}

struct Cut {
    at: f64,
    keep: Keep,
    custom: bool,
}

/// What stays of a bucket: the count, and where its observations are taken to be.
struct Kept {
    count: f64,
    middle: f64,
}

/// What is left, summed up.
#[derive(Default)]
struct Left {
    count: f64,
    sum: f64,
    changed: bool,
}

impl Histogram {
    /// `</`: the observations below a value, the bucket that it lies in divided by interpolation. The
    /// sum is an estimate from the middles of the buckets, unless nothing is cut off.
    pub fn trim_upper(&self, at: f64) -> Self {
        self.trim(at, Keep::Below)
    }

    /// `>/`: the observations above a value.
    pub fn trim_lower(&self, at: f64) -> Self {
        self.trim(at, Keep::Above)
    }

    fn trim(&self, at: f64, keep: Keep) -> Self {
        let cut = Cut { at, keep, custom: self.uses_custom_buckets() };
        let mut trimmed = self.clone();
        let mut left = Left::default();
        let has_positive = cut.side(self.positive(), true, &mut trimmed.positive_buckets, &mut left);
        let has_negative = cut.side(self.negative(), false, &mut trimmed.negative_buckets, &mut left);
        if self.zero_count > 0.0 {
            let kept = cut.zero(self.zero_bucket(), has_negative, has_positive);
            left.changed |= kept.count != self.zero_count;
            trimmed.zero_count = kept.count;
            left.add(&kept);
        }
        if left.changed {
            trimmed.count = left.count;
            trimmed.sum = left.sum;
            trimmed.compact(0);
        }
        trimmed
    }
}

impl Left {
    fn add(&mut self, kept: &Kept) {
        self.count += kept.count;
        self.sum += kept.middle * kept.count;
    }
}

impl Cut {
    /// Whether the side has a filled bucket.
    fn side(
        &self,
        source: impl Iterator<Item = Bucket>,
        positive: bool,
        buckets: &mut [f64],
        left: &mut Left,
    ) -> bool {
        let mut filled = false;
        for (bucket, count) in source.zip(buckets).filter(|(bucket, _)| bucket.count != 0.0) {
            filled = true;
            let kept = self.bucket(&bucket, positive);
            left.changed |= kept.count != *count;
            *count = kept.count;
            left.add(&kept);
        }
        filled
    }

    fn bucket(&self, bucket: &Bucket, positive: bool) -> Kept {
        let (whole, part) = match self.keep {
            Keep::Below => (bucket.upper <= self.at, bucket.lower < self.at),
            Keep::Above => (bucket.lower >= self.at, bucket.upper > self.at),
        };
        if whole {
            let middle = self.middle(bucket.lower, bucket.upper, positive);
            return Kept { count: bucket.count, middle };
        }
        if !part {
            return Kept { count: 0.0, middle: 0.0 };
        }
        if bucket.lower == f64::NEG_INFINITY {
            return self.endless_below(bucket);
        }
        if bucket.upper == f64::INFINITY {
            return self.endless_above(bucket);
        }
        let below = bucket.count * self.fraction_below(bucket);
        match self.keep {
            Keep::Below => Kept { count: below, middle: self.middle(bucket.lower, self.at, positive) },
            Keep::Above => {
                Kept { count: bucket.count - below, middle: self.middle(self.at, bucket.upper, positive) }
            }
        }
    }

    fn fraction_below(&self, bucket: &Bucket) -> f64 {
        if self.custom {
            (self.at - bucket.lower) / (bucket.upper - bucket.lower)
        } else {
            log_fraction(bucket, self.at)
        }
    }

    /// The first of custom buckets. With a positive end it is taken to begin at zero; else nothing is
    /// known about where its observations are, so those that might be beyond the cut go.
    fn endless_below(&self, bucket: &Bucket) -> Kept {
        let finite = bucket.upper > 0.0 && bucket.upper != f64::INFINITY;
        match self.keep {
            Keep::Below if self.at > 0.0 && finite => {
                Kept { count: bucket.count * self.at / bucket.upper, middle: self.at / 2.0 }
            }
            Keep::Below if bucket.upper <= 0.0 => Kept { count: bucket.count, middle: self.at },
            Keep::Above if self.at >= 0.0 && finite => Kept {
                count: bucket.count * (1.0 - self.at / bucket.upper),
                middle: (self.at + bucket.upper) / 2.0,
            },
            _ => Kept { count: 0.0, middle: 0.0 },
        }
    }

    /// The last bucket: above a cut within it, all of it stays.
    fn endless_above(&self, bucket: &Bucket) -> Kept {
        match self.keep {
            Keep::Above if self.at >= bucket.lower => Kept { count: bucket.count, middle: self.at },
            _ => Kept { count: 0.0, middle: 0.0 },
        }
    }

    fn zero(&self, bucket: Bucket, has_negative: bool, has_positive: bool) -> Kept {
        let lower = if has_positive && !has_negative { 0.0 } else { bucket.lower };
        let upper = if has_negative && !has_positive { 0.0 } else { bucket.upper };
        let (at, width) = (self.at, upper - lower);
        let all = Kept { count: bucket.count, middle: (lower + upper) / 2.0 };
        let none = Kept { count: 0.0, middle: 0.0 };
        match self.keep {
            Keep::Below if at <= lower => none,
            Keep::Below if at >= upper => all,
            Keep::Below => Kept { count: bucket.count * ((at - lower) / width), middle: (lower + at) / 2.0 },
            Keep::Above if at <= lower => all,
            Keep::Above if at >= upper => none,
            Keep::Above => Kept { count: bucket.count * ((upper - at) / width), middle: (at + upper) / 2.0 },
        }
    }

    /// Where the observations between two values are taken to be.
    fn middle(&self, lower: f64, upper: f64, positive: bool) -> f64 {
        match (lower.is_infinite(), upper.is_infinite()) {
            (true, true) => 0.0,
            (true, false) if upper > 0.0 => upper / 2.0,
            (true, false) => upper,
            (false, true) => lower,
            _ if self.custom => (lower + upper) / 2.0,
            _ => {
                let middle = (lower * upper).abs().sqrt();
                if positive { middle } else { -middle }
            }
        }
    }
}
