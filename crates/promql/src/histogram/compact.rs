//! Leaving out buckets that count nothing.

use super::add::Compensation;
use super::layout::{Indexes, SpanBuilder};
use super::{BucketSpan, Histogram};

impl Histogram {
    /// Leaves out empty buckets, and empty spans with them. Runs of up to `empty_max` empty buckets
    /// between filled ones stay (or come, between spans) as zeros.
    pub fn compact(&mut self, empty_max: usize) -> &mut Self {
        compact(&mut self.positive_spans, &mut self.positive_buckets, None, empty_max);
        compact(&mut self.negative_spans, &mut self.negative_buckets, None, empty_max);
        self
    }

    /// As [`Self::compact`] with 0; a bucket whose compensation is not zero stays.
    pub(super) fn compact_with(&mut self, compensation: &mut Compensation) {
        let Compensation { positive, negative, .. } = compensation;
        compact(&mut self.positive_spans, &mut self.positive_buckets, Some(positive), 0);
        compact(&mut self.negative_spans, &mut self.negative_buckets, Some(negative), 0);
    }
}

fn compact(
    spans: &mut Vec<BucketSpan>,
    buckets: &mut Vec<f64>,
    mut compensation: Option<&mut Vec<f64>>,
    empty_max: usize,
) {
    if is_compact(spans, buckets, empty_max) {
        return;
    }
    let mut builder = SpanBuilder::default();
    let mut kept = Vec::with_capacity(buckets.len());
    let mut kept_compensation = Vec::new();
    let mut last: Option<i32> = None;
    for (place, index) in Indexes::new(spans, buckets.len()).enumerate() {
        let rest = compensation.as_ref().and_then(|values| values.get(place)).copied().unwrap_or(0.0);
        if (buckets[place] == 0.0 && rest == 0.0) || last.is_some_and(|last| index <= last) {
            continue;
        }
        // A gap that is small enough becomes zeros.
        let gap = last.map_or(0, |last| (i64::from(index) - i64::from(last) - 1).unsigned_abs());
        if gap > 0 && gap <= empty_max as u64 && gap <= GAP_FILLED_MAX {
            let first = last.map_or(index, |last| last + 1);
            for empty in first..index {
                builder.push(empty);
                kept.push(0.0);
                kept_compensation.push(0.0);
            }
        }
        builder.push(index);
        kept.push(buckets[place]);
        kept_compensation.push(rest);
        last = Some(index);
    }
    *spans = builder.finish();
    *buckets = kept;
    if let Some(values) = compensation.as_mut() {
        **values = kept_compensation;
    }
}

/// Whatever a caller asks for, a gap between two buckets that are this far apart is not filled: the
/// indexes of data from outside may lie two thousand million apart.
const GAP_FILLED_MAX: u64 = 1 << 16;

/// Nothing to do: no empty bucket, and no two spans that could be one.
fn is_compact(spans: &[BucketSpan], buckets: &[f64], empty_max: usize) -> bool {
    let total: usize = spans.iter().fold(0, |sum, span| sum.saturating_add(span.length as usize));
    total == buckets.len()
        && !buckets.contains(&0.0)
        && spans.iter().all(|span| span.length > 0)
        && spans.iter().skip(1).all(|span| usize::try_from(span.offset).is_ok_and(|gap| gap > empty_max))
}
