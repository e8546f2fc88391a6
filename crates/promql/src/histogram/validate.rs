//! Whether a histogram from outside is one.

use super::{BucketSpan, CUSTOM_BUCKETS, EXPONENTIAL_MAX, EXPONENTIAL_MIN, Histogram};

/// What is wrong; the texts are Prometheus'.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// Neither exponential nor custom.
    #[error(
        "histogram has an invalid schema, which must be between {EXPONENTIAL_MIN} and {EXPONENTIAL_MAX} for \
         exponential buckets, or {CUSTOM_BUCKETS} for custom buckets, got schema {0}"
    )]
    Schema(i32),
    /// Spans would overlap; with custom bounds, the first begins below bucket 0.
    #[error("span number {number} with offset {offset}: histogram has a span whose offset is negative")]
    SpanOffset {
        /// Of the span, from 1.
        number: usize,
        /// Of the span, less than 0.
        offset: i32,
    },
    /// One side has more or fewer counts than its spans have places.
    #[error(
        "spans need {needed} buckets, have {found} buckets: histogram spans specify different number of \
         buckets than provided"
    )]
    BucketsOfSpans {
        /// Lengths of the spans, added up.
        needed: u64,
        /// Counts that are there.
        found: usize,
    },
    /// A bucket of either side counts less than nothing.
    #[error(
        "bucket number {number} has observation count of {count}: histogram has a bucket whose observation \
         count is negative"
    )]
    NegativeBucket {
        /// Of the bucket on its side, from 1, gaps left out.
        number: usize,
        /// Of the bucket, less than 0.
        count: f64,
    },
    /// The count of all observations is less than nothing.
    #[error("histogram's observation count is negative: {0}")]
    NegativeCount(f64),
    /// The zero bucket counts less than nothing.
    #[error(
        "zero bucket has observation count of {0}: histogram has a bucket whose observation count is negative"
    )]
    NegativeZeroCount(f64),
    /// The schema fixes the bounds, yet there are bounds.
    #[error("histogram with exponential schema must not have custom bounds")]
    BoundsOfExponential,
    /// A custom bound is no number.
    #[error("custom buckets: histogram custom bounds must not be NaN")]
    NanBound,
    /// A custom bound is not above the one before.
    #[error("custom buckets: histogram custom bounds must be in strictly increasing order")]
    BoundsOrder,
    /// The last custom bound is +Inf, which is implied.
    #[error("custom buckets: histogram custom bounds must be finite")]
    InfiniteBound,
    /// Spans reach beyond the bucket that ends at +Inf.
    #[error(
        "custom buckets: only {bounds} custom bounds defined which is insufficient to cover total span length \
         of {length}"
    )]
    TooFewBounds {
        /// Custom bounds, without +Inf.
        bounds: usize,
        /// Buckets that the spans reach over, gaps included.
        length: i64,
    },
    /// There is no zero bucket with custom bounds, yet it has observations.
    #[error("custom buckets: must have zero count of 0")]
    CustomZeroCount,
    /// There is no zero bucket with custom bounds, yet it has a width.
    #[error("custom buckets: must have zero threshold of 0")]
    CustomZeroThreshold,
    /// With custom bounds, all buckets are on the positive side.
    #[error("custom buckets: must not have negative spans or buckets")]
    CustomNegative,
}

impl Histogram {
    /// Whether spans, buckets and bounds fit together and no count is negative. (That the counts of
    /// the buckets make up the count is not checked: sums of floats seldom do.)
    pub fn validate(&self) -> Result<(), Invalid> {
        check_spans(&self.positive_spans, self.positive_buckets.len())?;
        check_spans(&self.negative_spans, self.negative_buckets.len())?;
        if self.uses_custom_buckets() {
            self.check_custom()?;
        } else if !self.is_exponential() {
            return Err(Invalid::Schema(self.schema));
        } else if !self.custom_values.is_empty() {
            return Err(Invalid::BoundsOfExponential);
        }
        if self.zero_count < 0.0 {
            return Err(Invalid::NegativeZeroCount(self.zero_count));
        }
        if self.count < 0.0 {
            return Err(Invalid::NegativeCount(self.count));
        }
        check_counts(&self.negative_buckets)?;
        check_counts(&self.positive_buckets)
    }

    fn check_custom(&self) -> Result<(), Invalid> {
        if self.custom_values.iter().any(|bound| bound.is_nan()) {
            return Err(Invalid::NanBound);
        }
        if self.custom_values.windows(2).any(|two| two[1] <= two[0]) {
            return Err(Invalid::BoundsOrder);
        }
        if self.custom_values.last() == Some(&f64::INFINITY) {
            return Err(Invalid::InfiniteBound);
        }
        if let Some(first) = self.positive_spans.first().filter(|span| span.offset < 0) {
            return Err(Invalid::SpanOffset { number: 1, offset: first.offset });
        }
        let length: i64 =
            self.positive_spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
        let bounds = self.custom_values.len();
        if i64::try_from(bounds).is_ok_and(|bounds| bounds + 1 < length) {
            return Err(Invalid::TooFewBounds { bounds, length });
        }
        if self.zero_count != 0.0 {
            return Err(Invalid::CustomZeroCount);
        }
        if self.zero_threshold != 0.0 {
            return Err(Invalid::CustomZeroThreshold);
        }
        if !self.negative_spans.is_empty() || !self.negative_buckets.is_empty() {
            return Err(Invalid::CustomNegative);
        }
        Ok(())
    }
}

fn check_spans(spans: &[BucketSpan], found: usize) -> Result<(), Invalid> {
    let negative = spans.iter().enumerate().skip(1).find(|(_, span)| span.offset < 0);
    if let Some((place, span)) = negative {
        return Err(Invalid::SpanOffset { number: place + 1, offset: span.offset });
    }
    let needed: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if needed == found as u64 { Ok(()) } else { Err(Invalid::BucketsOfSpans { needed, found }) }
}

fn check_counts(buckets: &[f64]) -> Result<(), Invalid> {
    match buckets.iter().enumerate().find(|(_, count)| **count < 0.0) {
        Some((place, count)) => Err(Invalid::NegativeBucket { number: place + 1, count: *count }),
        None => Ok(()),
    }
}
