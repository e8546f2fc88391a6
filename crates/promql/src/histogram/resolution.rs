//! Coarser buckets: neighbours become one.

use super::layout::{Indexes, SpanBuilder};
use super::{BucketSpan, Histogram, kahan};

impl Histogram {
    /// A copy in a schema of lower resolution. With custom bounds, or where the schema is not lower,
    /// a plain copy.
    pub fn copy_to_schema(&self, schema: i32) -> Self {
        let mut copy = self.clone();
        copy.reduce_resolution(schema);
        copy
    }

    /// Changes the schema to one of lower resolution; anything else is left as it is.
    pub fn reduce_resolution(&mut self, schema: i32) {
        if self.uses_custom_buckets() || schema >= self.schema {
            return;
        }
        let steps = steps(self.schema, schema);
        (self.positive_spans, self.positive_buckets) =
            reduce(&self.positive_spans, &self.positive_buckets, steps);
        (self.negative_spans, self.negative_buckets) =
            reduce(&self.negative_spans, &self.negative_buckets, steps);
        self.schema = schema;
    }
}

/// How often the width of a bucket doubles (as an exponent) from one schema to another.
pub(super) fn steps(from: i32, to: i32) -> u32 {
    u32::try_from(i64::from(from) - i64::from(to)).unwrap_or(0).min(31)
}

/// The index in the coarser schema.
pub(super) fn target_index(index: i32, steps: u32) -> i32 {
    (index.saturating_sub(1) >> steps) + 1
}

pub(super) fn reduce(spans: &[BucketSpan], buckets: &[f64], steps: u32) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut builder = SpanBuilder::default();
    let mut reduced: Vec<f64> = Vec::with_capacity(buckets.len());
    for (index, count) in Indexes::new(spans, buckets.len()).zip(buckets) {
        if builder.push(target_index(index, steps)) {
            reduced.push(*count);
        } else if let Some(last) = reduced.last_mut() {
            *last += count;
        }
    }
    (builder.finish(), reduced)
}

/// As [`reduce`], for a sum and its compensation.
pub(super) fn reduce_kahan(
    spans: &[BucketSpan],
    buckets: &[f64],
    compensation: &[f64],
    steps: u32,
) -> (Vec<BucketSpan>, Vec<f64>, Vec<f64>) {
    let mut builder = SpanBuilder::default();
    let mut reduced: Vec<f64> = Vec::with_capacity(buckets.len());
    let mut rests: Vec<f64> = Vec::with_capacity(buckets.len());
    for ((index, count), rest) in Indexes::new(spans, buckets.len()).zip(buckets).zip(compensation) {
        if builder.push(target_index(index, steps)) {
            reduced.push(*count);
            rests.push(*rest);
        } else if let (Some(last), Some(last_rest)) = (reduced.last_mut(), rests.last_mut()) {
            kahan::increase(last, last_rest, *count);
            kahan::increase(last, last_rest, *rest);
        }
    }
    (builder.finish(), reduced, rests)
}
