//! Sums and averages of native histograms.

use std::sync::Arc;

use crate::annotations::{HistogramOperation, Remark};
use crate::ast::Span;
use crate::engine::column::Column;
use crate::engine::function::over_time_histogram::Seen;
use crate::engine::query::Query;
use crate::histogram::{Compensation, Histogram, MixedSchemas};

/// A sum for each step at which there was a histogram.
pub(super) struct HistogramSums {
    steps: Vec<Option<Box<Sum>>>,
    average: bool,
}

struct Sum {
    /// The sum, or the mean where the sum would overflow.
    value: Histogram,
    rest: Option<Compensation>,
    count: f64,
    incremental: bool,
    seen: Seen,
    /// Exponential and custom buckets came together: there is no result.
    mixed: bool,
}

impl HistogramSums {
    pub(super) fn new(steps: usize, average: bool) -> Self {
        Self { steps: std::iter::repeat_with(|| None).take(steps).collect(), average }
    }

    pub(super) fn add(
        &mut self,
        query: &Query<'_>,
        step: usize,
        histogram: &Histogram,
        (name, span): (&str, Span),
    ) {
        let average = self.average;
        let Some(sum) = &mut self.steps[step] else {
            self.steps[step] = Some(Box::new(Sum::new(histogram)));
            return;
        };
        if sum.mixed {
            return;
        }
        sum.seen.hint(histogram);
        match sum.add(histogram, average) {
            Ok(reconciled) => {
                if reconciled {
                    query.remark(&Remark::MismatchedCustomBuckets(HistogramOperation::Aggregation), span);
                }
            }
            Err(MixedSchemas) => {
                query.remark(&Remark::MixedExponentialCustom(name), span);
                sum.mixed = true;
            }
        }
    }

    /// Puts the results beside the floats; where both were, there is none.
    pub(super) fn finish(self, query: &Query<'_>, column: &mut Column, span: Span) {
        for (step, sum) in self.steps.into_iter().enumerate() {
            let Some(sum) = sum else { continue };
            if column.present.get(step) {
                query.remark(&Remark::MixedFloatsHistogramsAggregation, span);
                column.present.clear(step);
            } else if !sum.mixed {
                if sum.seen.collision() {
                    query.remark(&Remark::CounterResetCollision(HistogramOperation::Aggregation), span);
                }
                column.set_histogram(step, Arc::new(sum.finish(self.average)));
            }
        }
    }
}

impl Sum {
    fn new(histogram: &Histogram) -> Self {
        let mut seen = Seen::default();
        seen.hint(histogram);
        Self { value: histogram.clone(), rest: None, count: 1.0, incremental: false, seen, mixed: false }
    }

    /// Whether custom bounds had to be reconciled.
    fn add(&mut self, histogram: &Histogram, average: bool) -> Result<bool, MixedSchemas> {
        self.count += 1.0;
        if !average {
            return Ok(self.value.kahan_add(histogram, &mut self.rest)?.bounds_reconciled);
        }
        if !self.incremental {
            let (mut next, mut next_rest) = (self.value.clone(), self.rest.clone());
            let added = next.kahan_add(histogram, &mut next_rest)?;
            if !next.has_overflow() {
                (self.value, self.rest) = (next, next_rest);
                return Ok(added.bounds_reconciled);
            }
            self.incremental = true;
            self.value.div(self.count - 1.0);
            if let Some(rest) = &mut self.rest {
                rest.div(self.count - 1.0);
            }
        }
        let share = (self.count - 1.0) / self.count;
        self.value.mul(share);
        if let Some(rest) = &mut self.rest {
            rest.mul(share);
        }
        let mut part = histogram.clone();
        part.div(self.count);
        Ok(self.value.kahan_add(&part, &mut self.rest)?.bounds_reconciled)
    }

    fn finish(mut self, average: bool) -> Histogram {
        if average && !self.incremental {
            self.value.div(self.count);
            if let Some(rest) = &mut self.rest {
                rest.div(self.count);
            }
        }
        if let Some(rest) = &self.rest {
            self.value.add_compensation(rest);
        }
        self.value.compact(0);
        self.value
    }
}
