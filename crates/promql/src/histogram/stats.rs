//! Average and spread of what a histogram observed.

use super::{Histogram, kahan};

impl Histogram {
    /// The mean of all observations; NaN without any.
    pub fn average(&self) -> f64 {
        self.sum / self.count
    }

    /// The variance, with each observation taken at the (geometric, for exponential buckets) middle
    /// of its bucket.
    pub fn variance(&self) -> f64 {
        let mean = self.average();
        let (mut variance, mut rest) = (0.0, 0.0);
        for bucket in self.buckets().filter(|bucket| bucket.count != 0.0) {
            let value = if self.uses_custom_buckets() {
                (bucket.upper + bucket.lower) / 2.0
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
            };
            let delta = value - mean;
            kahan::increase(&mut variance, &mut rest, bucket.count * delta * delta);
        }
        (variance + rest) / self.count
    }

    /// The square root of [`Self::variance`], in the unit of the observations.
    pub fn standard_deviation(&self) -> f64 {
        self.variance().sqrt()
    }
}
