//! `sum_over_time` and `avg_over_time` of native histograms.

use std::ops::Range;
use std::sync::Arc;

use crate::annotations::{HistogramOperation, Remark};
use crate::ast::Span;
use crate::engine::range::Work;
use crate::histogram::{Compensation, CounterResetHint, Histogram, MixedSchemas};

/// What has to be told about a sum once it is done.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Seen {
    reset: bool,
    no_reset: bool,
    pub(in crate::engine) bounds_reconciled: bool,
}

impl Seen {
    pub(in crate::engine) fn hint(&mut self, histogram: &Histogram) {
        self.reset |= histogram.counter_reset_hint == CounterResetHint::Reset;
        self.no_reset |= histogram.counter_reset_hint == CounterResetHint::NotReset;
    }

    pub(in crate::engine) fn collision(&self) -> bool {
        self.reset && self.no_reset
    }
}

/// Of a window that has only histograms.
pub(in crate::engine) fn sum(
    window: &[Arc<Histogram>],
    average: bool,
    (name, span): (&str, Span),
    work: &mut Work,
) -> Option<Histogram> {
    let mut seen = Seen::default();
    let result = if average { average_of(window, &mut seen) } else { sum_of(window, &mut seen) };
    let Ok(histogram) = result else {
        work.remarks.add(&Remark::MixedExponentialCustom(name), span);
        return None;
    };
    if seen.collision() {
        work.remarks.add(&Remark::CounterResetCollision(HistogramOperation::Aggregation), span);
    }
    if seen.bounds_reconciled {
        work.remarks.add(&Remark::MismatchedCustomBuckets(HistogramOperation::Aggregation), span);
    }
    Some(histogram)
}

fn sum_of(window: &[Arc<Histogram>], seen: &mut Seen) -> Result<Histogram, MixedSchemas> {
    let mut sum = Histogram::clone(&window[0]);
    seen.hint(&sum);
    let mut rest = None;
    for histogram in &window[1..] {
        seen.hint(histogram);
        seen.bounds_reconciled |= sum.kahan_add(histogram, &mut rest)?.bounds_reconciled;
    }
    if let Some(rest) = &rest {
        sum.add_compensation(rest);
    }
    Ok(sum)
}

/// By sum and count; where the sum would overflow, from there on step by step.
fn average_of(window: &[Arc<Histogram>], seen: &mut Seen) -> Result<Histogram, MixedSchemas> {
    let mut sum = Histogram::clone(&window[0]);
    seen.hint(&sum);
    let mut rest: Option<Compensation> = None;
    for (place, histogram) in window.iter().enumerate().skip(1) {
        seen.hint(histogram);
        let (mut next, mut next_rest) = (sum.clone(), rest.clone());
        seen.bounds_reconciled |= next.kahan_add(histogram, &mut next_rest)?.bounds_reconciled;
        if next.has_overflow() {
            return incremental(&window[place..], place as f64, sum, rest, seen);
        }
        (sum, rest) = (next, next_rest);
    }
    let count = window.len() as f64;
    sum.div(count);
    if let Some(mut rest) = rest {
        sum.add_compensation(rest.div(count));
    }
    Ok(sum)
}

fn incremental(
    window: &[Arc<Histogram>],
    mut count: f64,
    mut mean: Histogram,
    mut rest: Option<Compensation>,
    seen: &mut Seen,
) -> Result<Histogram, MixedSchemas> {
    mean.div(count);
    if let Some(rest) = &mut rest {
        rest.div(count);
    }
    for histogram in window {
        seen.hint(histogram);
        count += 1.0;
        let share = (count - 1.0) / count;
        mean.mul(share);
        if let Some(rest) = &mut rest {
            rest.mul(share);
        }
        let mut part = Histogram::clone(histogram);
        part.div(count);
        seen.bounds_reconciled |= mean.kahan_add(&part, &mut rest)?.bounds_reconciled;
    }
    if let Some(rest) = &rest {
        mean.add_compensation(rest);
    }
    Ok(mean)
}

/// The earlier of two kinds' samples, or the later.
pub(in crate::engine) fn is_float_picked(
    (floats, float_times): (&Range<usize>, &[i64]),
    (histograms, histogram_times): (&Range<usize>, &[i64]),
    last: bool,
) -> bool {
    if histograms.is_empty() {
        return true;
    }
    if floats.is_empty() {
        return false;
    }
    if last {
        float_times[floats.end - 1] > histogram_times[histograms.end - 1]
    } else {
        float_times[floats.start] < histogram_times[histograms.start]
    }
}
