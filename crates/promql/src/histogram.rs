//! Native histograms with float counts, and what PromQL does with them.
//!
//! Enters: histograms as stores and queries have them. Leaves: sums, quantiles, trimmed copies, text.
//! Must hold: the same results as Prometheus' `FloatHistogram`; nothing here panics on spans and
//! buckets that do not fit together ([`Histogram::validate`] says so instead); where two histograms
//! have the same layout, nothing is allocated.

mod add;
mod almost_equal;
mod bounds;
mod buckets;
pub mod classic;
mod compact;
mod custom;
mod display;
pub mod kahan;
mod layout;
mod quantile;
mod reset;
mod resolution;
mod stats;
#[cfg(test)]
mod tests;
mod trim;
mod validate;
mod zero;

use std::sync::Arc;

pub use add::{Added, Compensation};
pub use almost_equal::almost_equal;
pub use buckets::Bucket;
pub use display::go_float;
pub use quantile::{Fraction, NanObservations, Quantile};
pub use validate::Invalid;

/// Schema of a histogram whose bounds are its own ([`Histogram::custom_values`]).
pub const CUSTOM_BUCKETS: i32 = -53;

/// The coarsest schema of exponential buckets: each bound is 2^16 times the one before.
pub const EXPONENTIAL_MIN: i32 = -4;

/// The finest schema of exponential buckets: 256 of them from one power of two to the next.
pub const EXPONENTIAL_MAX: i32 = 8;

/// The NaN that ends a series; a histogram carries it as its sum.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// A native histogram; counts are absolute, one for each bucket of the spans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Not part of the data: [`Self::equals`] leaves it out.
    pub counter_reset_hint: CounterResetHint,
    /// -4 to 8: bounds are powers of 2^(2^-schema); or [`CUSTOM_BUCKETS`].
    pub schema: i32,
    /// How far the zero bucket reaches to either side, included; 0 with custom bounds.
    pub zero_threshold: f64,
    /// Observations in the zero bucket; 0 with custom bounds.
    pub zero_count: f64,
    /// All observations, those of NaN too, which are in no bucket.
    pub count: f64,
    /// Of all observed values; NaN where one was, and [`STALE_NAN_BITS`] at the end of a series.
    pub sum: f64,
    /// Where the buckets above zero are; with custom bounds, all buckets.
    pub positive_spans: Vec<BucketSpan>,
    /// Where the buckets below zero are, away from zero; empty with custom bounds.
    pub negative_spans: Vec<BucketSpan>,
    /// Counts, not cumulative; as many as the lengths of the spans add up to.
    pub positive_buckets: Vec<f64>,
    /// Counts, not cumulative; as many as the lengths of the spans add up to.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds without +Inf, ascending; empty unless the schema says custom.
    pub custom_values: Arc<[f64]>,
}

/// A run of buckets: the gap to the run before (to bucket 0 for the first) and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketSpan {
    /// Buckets left out; negative only in the first span, for an index below 0.
    pub offset: i32,
    /// Buckets in a row.
    pub length: u32,
}

/// What the sender knew about a counter reset between the sample before and this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CounterResetHint {
    /// Nothing; the buckets have to be compared ([`Histogram::detect_reset`]).
    #[default]
    Unknown,
    /// The counter began anew.
    Reset,
    /// The counter went on.
    NotReset,
    /// This is no counter: counts may go down.
    Gauge,
}

/// One has exponential buckets, the other its own bounds; there is no common layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot apply this operation on histograms with a mix of exponential and custom bucket schemas")]
pub struct MixedSchemas;

impl Histogram {
    /// The bounds are the histogram's own.
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS
    }

    /// The bounds are powers of two's roots.
    pub fn is_exponential(&self) -> bool {
        is_exponential(self.schema)
    }

    /// The marker that ends a series.
    pub fn is_stale(&self) -> bool {
        self.sum.to_bits() == STALE_NAN_BITS
    }

    /// Whether the two can be added, subtracted and compared.
    pub fn check_compatible(&self, other: &Self) -> Result<(), MixedSchemas> {
        if self.uses_custom_buckets() == other.uses_custom_buckets() { Ok(()) } else { Err(MixedSchemas) }
    }

    /// Scales all counts and the sum; a negative factor makes a gauge.
    pub fn mul(&mut self, factor: f64) -> &mut Self {
        self.for_each_number(|number| *number *= factor);
        if factor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
        self
    }

    /// The counterpart of [`Self::mul`]; dividing by zero leaves no buckets.
    pub fn div(&mut self, divisor: f64) -> &mut Self {
        if divisor == 0.0 {
            self.positive_spans.clear();
            self.negative_spans.clear();
            self.positive_buckets.clear();
            self.negative_buckets.clear();
        }
        self.for_each_number(|number| *number /= divisor);
        if divisor < 0.0 {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
        self
    }

    fn for_each_number(&mut self, mut change: impl FnMut(&mut f64)) {
        change(&mut self.zero_count);
        change(&mut self.count);
        change(&mut self.sum);
        self.positive_buckets.iter_mut().for_each(&mut change);
        self.negative_buckets.iter_mut().for_each(&mut change);
    }

    /// Some number went to infinity: an average then has to be built step by step.
    pub fn has_overflow(&self) -> bool {
        self.zero_count.is_infinite()
            || self.count.is_infinite()
            || self.sum.is_infinite()
            || self.positive_buckets.iter().any(|count| count.is_infinite())
            || self.negative_buckets.iter().any(|count| count.is_infinite())
            || self.custom_values.iter().any(|bound| bound.is_infinite())
    }

    /// Equality of data: numbers bit by bit (a NaN equals itself), layouts whatever the empty spans
    /// between them, not the counter reset hint.
    pub fn equals(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        let all_same =
            |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b));
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && (!self.uses_custom_buckets() || self.custom_values == other.custom_values)
            && self.zero_threshold == other.zero_threshold
            && same(self.zero_count, other.zero_count)
            && layout::same(&self.negative_spans, &other.negative_spans)
            && all_same(&self.negative_buckets, &other.negative_buckets)
            && layout::same(&self.positive_spans, &other.positive_spans)
            && all_same(&self.positive_buckets, &other.positive_buckets)
    }

    /// Bytes as Prometheus counts them for its limits.
    pub fn size_bytes(&self) -> usize {
        // Prometheus' structure on 64 bits; its spans, buckets and bounds take 8 bytes each.
        const STRUCTURE: usize = 168;
        let parts = self.positive_spans.len()
            + self.negative_spans.len()
            + self.positive_buckets.len()
            + self.negative_buckets.len()
            + self.custom_values.len();
        STRUCTURE + 8 * parts
    }

    /// How many float samples (of 16 bytes) this one weighs against the limit of samples.
    pub fn samples(&self) -> usize {
        (self.size_bytes() + 8) / 16
    }
}

fn is_exponential(schema: i32) -> bool {
    (EXPONENTIAL_MIN..=EXPONENTIAL_MAX).contains(&schema)
}
