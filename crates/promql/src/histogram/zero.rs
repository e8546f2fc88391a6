//! Zero buckets of different widths.

use std::cmp::Ordering;

use super::add::Compensation;
use super::{Histogram, kahan};

/// A zero bucket as it would be.
#[derive(Clone, Copy)]
pub(super) struct WidenedZero {
    pub(super) count: f64,
    pub(super) rest: f64,
    /// At least the one that was asked for: it never ends within a filled bucket.
    pub(super) threshold: f64,
}

impl Histogram {
    /// What the zero bucket would be with a larger (or equal) threshold.
    pub(super) fn widened_zero(&self, threshold: f64, compensation: Option<&Compensation>) -> WidenedZero {
        let rest = compensation.map_or(0.0, |compensation| compensation.zero_count);
        let mut widened = WidenedZero { count: self.zero_count, rest, threshold };
        // A smaller threshold cannot be had any more, and one that is no number never.
        if threshold.partial_cmp(&self.zero_threshold) != Some(Ordering::Greater) {
            widened.threshold = self.zero_threshold;
            return widened;
        }
        loop {
            widened.count = self.zero_count;
            widened.rest = rest;
            self.take_positive(&mut widened, compensation);
            let positive = widened.threshold;
            self.take_negative(&mut widened, compensation);
            // Wider because of the negative side: the positive one has to be looked at again.
            if widened.threshold == positive {
                return widened;
            }
        }
    }

    fn take_positive(&self, widened: &mut WidenedZero, compensation: Option<&Compensation>) {
        for (place, bucket) in self.positive().enumerate() {
            if bucket.lower >= widened.threshold {
                break;
            }
            let rest = compensation.and_then(|compensation| compensation.positive.get(place));
            widened.take(bucket.count, rest.copied().unwrap_or(0.0));
            if bucket.upper > widened.threshold {
                if bucket.count != 0.0 {
                    widened.threshold = bucket.upper;
                }
                break;
            }
        }
    }

    fn take_negative(&self, widened: &mut WidenedZero, compensation: Option<&Compensation>) {
        for (place, bucket) in self.negative().enumerate() {
            if bucket.upper <= -widened.threshold {
                break;
            }
            let rest = compensation.and_then(|compensation| compensation.negative.get(place));
            widened.take(bucket.count, rest.copied().unwrap_or(0.0));
            if bucket.lower < -widened.threshold {
                if bucket.count != 0.0 {
                    widened.threshold = -bucket.lower;
                }
                break;
            }
        }
    }

    /// Gives this histogram a zero bucket that holds those of both and ends within no filled bucket
    /// of either. Gives the zero count (and what rounding lost of it) that the other would have.
    pub(super) fn reconcile_zero_buckets(
        &mut self,
        other: &Self,
        mut compensation: Option<&mut Compensation>,
    ) -> (f64, f64) {
        let mut theirs = WidenedZero { count: other.zero_count, rest: 0.0, threshold: other.zero_threshold };
        loop {
            // No order at all, with NaN, ends it, too.
            let order = theirs.threshold.partial_cmp(&self.zero_threshold);
            if order.is_none_or(Ordering::is_eq) {
                return (theirs.count, theirs.rest);
            }
            if theirs.threshold < self.zero_threshold {
                theirs = other.widened_zero(self.zero_threshold, None);
            }
            if theirs.threshold > self.zero_threshold {
                let ours = self.widened_zero(theirs.threshold, compensation.as_deref());
                self.zero_count = ours.count;
                self.zero_threshold = ours.threshold;
                if let Some(compensation) = compensation.as_deref_mut() {
                    compensation.zero_count = ours.rest;
                }
                self.drop_buckets_in_zero(compensation.as_deref_mut());
            }
        }
    }

    /// The threshold is at a bucket's edge; what is below is in the zero count already.
    fn drop_buckets_in_zero(&mut self, compensation: Option<&mut Compensation>) {
        let threshold = self.zero_threshold;
        let positive = self.positive().take_while(|bucket| bucket.lower < threshold).count();
        let negative = self.negative().take_while(|bucket| bucket.upper > -threshold).count();
        self.positive_buckets[..positive].fill(0.0);
        self.negative_buckets[..negative].fill(0.0);
        match compensation {
            Some(compensation) => {
                fill_start(&mut compensation.positive, positive);
                fill_start(&mut compensation.negative, negative);
                self.compact_with(compensation);
            }
            None => {
                self.compact(0);
            }
        }
    }
}

fn fill_start(rests: &mut [f64], places: usize) {
    let places = places.min(rests.len());
    rests[..places].fill(0.0);
}

impl WidenedZero {
    fn take(&mut self, count: f64, rest: f64) {
        kahan::increase(&mut self.count, &mut self.rest, count);
        kahan::increase(&mut self.count, &mut self.rest, rest);
    }
}
