//! Buckets one by one, with their bounds.

use super::bounds::bound;
use super::layout::Indexes;
use super::{CUSTOM_BUCKETS, Histogram};

/// A bucket with its bounds and its (not cumulative) count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bucket {
    /// -Inf for the first of custom buckets, and for the one of negative infinite observations.
    pub lower: f64,
    /// +Inf for the last of custom buckets, and for the one of positive infinite observations.
    pub upper: f64,
    /// An observation equal to `lower` is in here.
    pub lower_inclusive: bool,
    /// An observation equal to `upper` is in here.
    pub upper_inclusive: bool,
    /// Observations in this bucket alone.
    pub count: f64,
    /// Within schema and side; 0 for the zero bucket.
    pub index: i32,
}

impl Histogram {
    pub(super) fn positive_indexes(&self) -> Indexes<'_> {
        Indexes::new(&self.positive_spans, self.positive_buckets.len())
    }

    pub(super) fn negative_indexes(&self) -> Indexes<'_> {
        Indexes::new(&self.negative_spans, self.negative_buckets.len())
    }

    /// Away from zero, upwards.
    pub fn positive(&self) -> impl DoubleEndedIterator<Item = Bucket> + ExactSizeIterator + '_ {
        self.positive_indexes().zip(counts(&self.positive_buckets, self.positive_indexes().len())).map(
            |(index, count)| {
                let lower = bound(index.saturating_sub(1), self.schema, &self.custom_values);
                let upper = bound(index, self.schema, &self.custom_values);
                self.bucket(index, *count, lower, upper)
            },
        )
    }

    /// Away from zero, downwards.
    pub fn negative(&self) -> impl DoubleEndedIterator<Item = Bucket> + ExactSizeIterator + '_ {
        self.negative_indexes().zip(counts(&self.negative_buckets, self.negative_indexes().len())).map(
            |(index, count)| {
                let lower = -bound(index, self.schema, &[]);
                let upper = -bound(index.saturating_sub(1), self.schema, &[]);
                self.bucket(index, *count, lower, upper)
            },
        )
    }

    fn bucket(&self, index: i32, count: f64, lower: f64, upper: f64) -> Bucket {
        let (lower_inclusive, upper_inclusive) =
            if self.schema == CUSTOM_BUCKETS { (index == 0, true) } else { (lower < 0.0, upper > 0.0) };
        Bucket { lower, upper, lower_inclusive, upper_inclusive, count, index }
    }

    /// The bucket around zero.
    pub fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
            index: 0,
        }
    }

    /// Nothing where the zero bucket is empty or, with custom bounds, does not exist.
    fn filled_zero_bucket(&self) -> Option<Bucket> {
        (self.zero_count > 0.0 && !self.uses_custom_buckets()).then(|| self.zero_bucket())
    }

    /// All buckets from the lowest to the highest. Those that reach into the zero bucket are cut at
    /// its edge.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let negative = self.negative().rev().map(|bucket| self.cut_at_zero(bucket));
        let positive = self.positive().map(|bucket| self.cut_at_zero(bucket));
        negative.chain(self.filled_zero_bucket()).chain(positive)
    }

    /// As [`Self::buckets`], from the highest to the lowest.
    pub fn buckets_reversed(&self) -> impl Iterator<Item = Bucket> + '_ {
        let positive = self.positive().rev().map(|bucket| self.cut_at_zero(bucket));
        let negative = self.negative().map(|bucket| self.cut_at_zero(bucket));
        positive.chain(self.filled_zero_bucket()).chain(negative)
    }

    fn cut_at_zero(&self, mut bucket: Bucket) -> Bucket {
        let threshold = self.zero_threshold;
        if bucket.upper < 0.0 && bucket.upper > -threshold {
            bucket.upper = -threshold;
        } else if bucket.lower > 0.0 && bucket.lower < threshold {
            bucket.lower = threshold;
        }
        bucket
    }

    /// With observations on one side only, those of the zero bucket are taken to be on that side too.
    pub(super) fn narrow_zero_bucket(&self, bucket: &mut Bucket) {
        match (self.negative_buckets.is_empty(), self.positive_buckets.is_empty()) {
            (true, false) => bucket.lower = 0.0,
            (false, true) => bucket.upper = 0.0,
            _ => {}
        }
    }
}

/// As many counts as there are places for them.
fn counts(buckets: &[f64], places: usize) -> std::slice::Iter<'_, f64> {
    buckets[..places].iter()
}
