//! Whether a counter began anew between two samples.

use super::bounds::within_threshold;
use super::layout::Indexes;
use super::resolution::{steps, target_index};
use super::{BucketSpan, CounterResetHint, Histogram, custom};

impl Histogram {
    /// Whether this sample comes from a younger counter than the one before: a count got smaller or a
    /// filled bucket is gone. A hint that says so (or the contrary) is believed.
    pub fn detect_reset(&self, previous: &Self) -> bool {
        match self.counter_reset_hint {
            CounterResetHint::Reset => return true,
            CounterResetHint::NotReset => return false,
            // A gauge should not come here; where a query wants it, it is treated as a counter.
            CounterResetHint::Unknown | CounterResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.uses_custom_buckets() {
            if !previous.uses_custom_buckets() {
                return true;
            }
            if self.custom_values != previous.custom_values {
                return custom::is_reset(self, previous);
            }
        }
        // A finer resolution or a narrower zero bucket comes with a new counter only.
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let zero = previous.widened_zero(self.zero_threshold, None);
        if zero.threshold != self.zero_threshold || self.zero_count < zero.count {
            return true;
        }
        self.side_is_reset(Side::positive(self), Side::positive(previous), previous.schema)
            || self.side_is_reset(Side::negative(self), Side::negative(previous), previous.schema)
    }

    /// Whether this sample, which says nothing itself, and the one before are of one counter with one
    /// layout, so that Prometheus would keep them in one chunk.
    pub(crate) fn goes_on(&self, previous: &Self) -> bool {
        self.counter_reset_hint == CounterResetHint::Unknown
            && previous.counter_reset_hint != CounterResetHint::Gauge
            && !self.is_stale()
            && self.schema == previous.schema
            && self.zero_threshold == previous.zero_threshold
            && self.custom_values == previous.custom_values
            && !self.detect_reset(previous)
    }

    fn side_is_reset(&self, current: Side<'_>, previous: Side<'_>, schema: i32) -> bool {
        let steps = steps(schema, self.schema);
        if steps == 0 && current.spans == previous.spans && current.buckets.len() == previous.buckets.len() {
            return current.buckets.iter().zip(previous.buckets).any(|(now, before)| now < before);
        }
        let mut current = current.counts().peekable();
        // What is in the wider zero bucket was compared there; its edge lies in the finer schema.
        let hidden = |index: &(i32, f64)| within_threshold(index.0, schema, self.zero_threshold);
        let reduced = |(index, count)| (if steps == 0 { index } else { target_index(index, steps) }, count);
        let mut previous = previous.counts().skip_while(hidden).map(reduced).peekable();
        while let Some((index, mut before)) = previous.next() {
            while let Some((_, count)) = previous.next_if(|(next, _)| *next == index) {
                before += count;
            }
            while current.next_if(|(at, _)| *at < index).is_some() {}
            let now = current.peek().filter(|(at, _)| *at == index);
            let reset = match now {
                Some((_, now)) => *now < before,
                None => before != 0.0,
            };
            if reset {
                return true;
            }
        }
        false
    }
}

#[derive(Clone, Copy)]
struct Side<'a> {
    spans: &'a [BucketSpan],
    buckets: &'a [f64],
}

impl<'a> Side<'a> {
    fn positive(histogram: &'a Histogram) -> Self {
        Self { spans: &histogram.positive_spans, buckets: &histogram.positive_buckets }
    }

    fn negative(histogram: &'a Histogram) -> Self {
        Self { spans: &histogram.negative_spans, buckets: &histogram.negative_buckets }
    }

    /// Indexes and counts.
    fn counts(self) -> impl Iterator<Item = (i32, f64)> + 'a {
        Indexes::new(self.spans, self.buckets.len()).zip(self.buckets.iter().copied())
    }
}
