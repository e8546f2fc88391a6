//! Sums and differences of histograms.

use std::borrow::Cow;

use super::bounds::within_threshold;
use super::layout::{self, Indexes, SpanBuilder};
use super::resolution::{reduce, reduce_kahan, steps};
use super::{BucketSpan, CounterResetHint, Histogram, MixedSchemas, custom, kahan};

/// What there is to tell the user about a sum or a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// One says that the counter was reset, the other that it was not.
    pub counter_reset_collision: bool,
    /// The custom bounds differed: the result has those that are in both.
    pub bounds_reconciled: bool,
}

/// What rounding lost of a sum of histograms, in the layout of the sum.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compensation {
    /// What to add to [`Histogram::count`].
    pub count: f64,
    /// What to add to [`Histogram::sum`].
    pub sum: f64,
    /// What to add to [`Histogram::zero_count`].
    pub zero_count: f64,
    pub(super) positive: Vec<f64>,
    pub(super) negative: Vec<f64>,
}

impl Compensation {
    fn of(sum: &Histogram) -> Self {
        Self {
            positive: vec![0.0; sum.positive_buckets.len()],
            negative: vec![0.0; sum.negative_buckets.len()],
            ..Self::default()
        }
    }

    /// When the sum is scaled, so is this.
    pub fn mul(&mut self, factor: f64) -> &mut Self {
        self.for_each_number(|number| *number *= factor);
        self
    }

    /// The counterpart of [`Self::mul`]; dividing by zero leaves no buckets, as [`Histogram::div`].
    pub fn div(&mut self, divisor: f64) -> &mut Self {
        if divisor == 0.0 {
            self.positive.clear();
            self.negative.clear();
        }
        self.for_each_number(|number| *number /= divisor);
        self
    }

    fn for_each_number(&mut self, mut change: impl FnMut(&mut f64)) {
        change(&mut self.count);
        change(&mut self.sum);
        change(&mut self.zero_count);
        self.positive.iter_mut().for_each(&mut change);
        self.negative.iter_mut().for_each(&mut change);
    }
}

impl CounterResetHint {
    /// The hint of a sum, and whether the two contradict each other.
    pub fn combine(self, other: Self) -> (Self, bool) {
        use CounterResetHint::{Gauge, Unknown};
        match (self, other) {
            (a, b) if a == b => (a, false),
            (Gauge, _) | (_, Gauge) => (Gauge, false),
            (Unknown, _) | (_, Unknown) => (Unknown, false),
            _ => (Unknown, true),
        }
    }
}

impl Histogram {
    /// Adds another one. Both take the lower resolution and the wider zero bucket of the two; custom
    /// bounds become those that both have. Empty buckets may stay: see [`Histogram::compact`].
    pub fn add(&mut self, other: &Self) -> Result<Added, MixedSchemas> {
        self.combine(other, 1.0)
    }

    /// As [`Histogram::add`]. For the operator `-`, the caller makes the result a gauge.
    pub fn sub(&mut self, other: &Self) -> Result<Added, MixedSchemas> {
        self.combine(other, -1.0)
    }

    fn combine(&mut self, other: &Self, sign: f64) -> Result<Added, MixedSchemas> {
        let mut added = self.begin(other)?;
        if !self.uses_custom_buckets() {
            let (other_zero_count, _) = self.reconcile_zero_buckets(other, None);
            self.zero_count += sign * other_zero_count;
        }
        self.count += sign * other.count;
        self.sum += sign * other.sum;
        if self.uses_custom_buckets() {
            added.bounds_reconciled = custom::combine(self, other, None, sign);
            return Ok(added);
        }
        if other.schema < self.schema {
            self.reduce_resolution(other.schema);
        }
        let (schema, threshold) = (self.schema, self.zero_threshold);
        for (spans, buckets, theirs) in [
            (&mut self.positive_spans, &mut self.positive_buckets, positive(other)),
            (&mut self.negative_spans, &mut self.negative_buckets, negative(other)),
        ] {
            merge(spans, buckets, None, &theirs.fitted(other.schema, schema, threshold), sign);
        }
        Ok(added)
    }

    /// Adds another one and keeps what rounding loses. The first call of a sum makes the
    /// compensation; [`Histogram::add_compensation`] ends it.
    pub fn kahan_add(
        &mut self,
        other: &Self,
        compensation: &mut Option<Compensation>,
    ) -> Result<Added, MixedSchemas> {
        let mut added = self.begin(other)?;
        let rest = compensation.get_or_insert_with(|| Compensation::of(self));
        rest.positive.resize(self.positive_buckets.len(), 0.0);
        rest.negative.resize(self.negative_buckets.len(), 0.0);
        if !self.uses_custom_buckets() {
            let (zero_count, zero_rest) = self.reconcile_zero_buckets(other, Some(rest));
            kahan::increase(&mut self.zero_count, &mut rest.zero_count, zero_count);
            kahan::increase(&mut self.zero_count, &mut rest.zero_count, zero_rest);
        }
        kahan::increase(&mut self.count, &mut rest.count, other.count);
        kahan::increase(&mut self.sum, &mut rest.sum, other.sum);
        if self.uses_custom_buckets() {
            added.bounds_reconciled = custom::combine(self, other, Some(&mut rest.positive), 1.0);
            return Ok(added);
        }
        if other.schema < self.schema {
            self.reduce_kahan(other.schema, rest);
        }
        let (schema, threshold) = (self.schema, self.zero_threshold);
        for (spans, buckets, rest, theirs) in [
            (&mut self.positive_spans, &mut self.positive_buckets, &mut rest.positive, positive(other)),
            (&mut self.negative_spans, &mut self.negative_buckets, &mut rest.negative, negative(other)),
        ] {
            merge(spans, buckets, Some(rest), &theirs.fitted(other.schema, schema, threshold), 1.0);
        }
        Ok(added)
    }

    /// Ends a sum of [`Histogram::kahan_add`].
    pub fn add_compensation(&mut self, compensation: &Compensation) -> &mut Self {
        self.count += compensation.count;
        self.sum += compensation.sum;
        self.zero_count += compensation.zero_count;
        for (count, rest) in self.positive_buckets.iter_mut().zip(&compensation.positive) {
            *count += rest;
        }
        for (count, rest) in self.negative_buckets.iter_mut().zip(&compensation.negative) {
            *count += rest;
        }
        self
    }

    fn begin(&mut self, other: &Self) -> Result<Added, MixedSchemas> {
        self.check_compatible(other)?;
        let (hint, collision) = self.counter_reset_hint.combine(other.counter_reset_hint);
        self.counter_reset_hint = hint;
        Ok(Added { counter_reset_collision: collision, bounds_reconciled: false })
    }

    fn reduce_kahan(&mut self, schema: i32, rest: &mut Compensation) {
        let steps = steps(self.schema, schema);
        (self.positive_spans, self.positive_buckets, rest.positive) =
            reduce_kahan(&self.positive_spans, &self.positive_buckets, &rest.positive, steps);
        (self.negative_spans, self.negative_buckets, rest.negative) =
            reduce_kahan(&self.negative_spans, &self.negative_buckets, &rest.negative, steps);
        self.schema = schema;
    }
}

/// One side of a histogram that is added.
pub(super) struct Side<'a> {
    spans: Cow<'a, [BucketSpan]>,
    buckets: Cow<'a, [f64]>,
}

pub(super) fn positive(histogram: &Histogram) -> Side<'_> {
    Side {
        spans: Cow::Borrowed(&histogram.positive_spans),
        buckets: Cow::Borrowed(&histogram.positive_buckets),
    }
}

fn negative(histogram: &Histogram) -> Side<'_> {
    Side {
        spans: Cow::Borrowed(&histogram.negative_spans),
        buckets: Cow::Borrowed(&histogram.negative_buckets),
    }
}

impl Side<'_> {
    /// In the schema of the sum, and without what is in its zero bucket already. That is decided in
    /// the side's own schema: a wider bucket may lie across the edge.
    fn fitted(self, from: i32, to: i32, threshold: f64) -> Self {
        let visible = self.without_hidden(from, threshold);
        if from <= to || visible.buckets.is_empty() {
            return visible;
        }
        let (spans, buckets) = reduce(&visible.spans, &visible.buckets, steps(from, to));
        Self { spans: Cow::Owned(spans), buckets: Cow::Owned(buckets) }
    }

    fn without_hidden(self, schema: i32, threshold: f64) -> Self {
        let indexes = Indexes::new(&self.spans, self.buckets.len());
        let hidden = indexes.clone().take_while(|index| within_threshold(*index, schema, threshold)).count();
        if hidden == 0 {
            return self;
        }
        let mut spans = SpanBuilder::default();
        let (mut buckets, mut rest) = (Vec::new(), self.buckets.iter().skip(hidden));
        for index in indexes.skip(hidden) {
            if let (true, Some(count)) = (spans.push(index), rest.next()) {
                buckets.push(*count);
            }
        }
        Self { spans: Cow::Owned(spans.finish()), buckets: Cow::Owned(buckets) }
    }
}

/// Adds one side to another of the same schema, with places for what is new.
pub(super) fn merge(
    spans: &mut Vec<BucketSpan>,
    buckets: &mut Vec<f64>,
    rest: Option<&mut Vec<f64>>,
    other: &Side<'_>,
    sign: f64,
) {
    if other.buckets.is_empty() {
        return;
    }
    let mut none = Vec::new();
    let kahan = rest.is_some();
    let rest = rest.unwrap_or(&mut none);
    if **spans == *other.spans && buckets.len() == other.buckets.len() {
        add_each(buckets, kahan.then_some(rest), other.buckets.iter().map(|count| sign * count));
        return;
    }
    let ours = Indexes::new(spans, buckets.len());
    let theirs = Indexes::new(&other.spans, other.buckets.len());
    let (union, places) = layout::union(ours.clone(), theirs.clone());
    if union != *spans || places != buckets.len() {
        let mut wider = vec![0.0; places];
        let mut wider_rest = vec![0.0; if kahan { places } else { 0 }];
        layout::scatter(ours, Indexes::new(&union, places), |to, from| {
            wider[to] = buckets[from];
            if kahan {
                wider_rest[to] = rest[from];
            }
        });
        *buckets = wider;
        *rest = wider_rest;
        *spans = union;
    }
    let places = Indexes::new(spans, buckets.len());
    layout::scatter(theirs, places, |to, from| {
        let count = sign * other.buckets[from];
        if kahan {
            kahan::increase(&mut buckets[to], &mut rest[to], count);
        } else {
            buckets[to] += count;
        }
    });
}

/// The common case: both have the same layout.
fn add_each(buckets: &mut [f64], rest: Option<&mut Vec<f64>>, counts: impl Iterator<Item = f64>) {
    match rest {
        None => buckets.iter_mut().zip(counts).for_each(|(bucket, count)| *bucket += count),
        Some(rest) => {
            for ((bucket, rest), count) in buckets.iter_mut().zip(rest).zip(counts) {
                kahan::increase(bucket, rest, count);
            }
        }
    }
}
