//! `rate`, `increase` and `delta` of anchored and smoothed ranges, and smoothed selectors.
//!
//! An anchored range takes the last sample before it along; a smoothed one interpolates at both of
//! its ends. Nothing is extrapolated.

use std::ops::Range;
use std::sync::Arc;

use super::rate::Kind;
use crate::annotations::{HistogramOperation, Remark};
use crate::ast::{RangeMode, Span};
use crate::engine::column::Column;
use crate::engine::range::{RangeStage, Work};
use crate::engine::series::Series;
use crate::histogram::{Added, CounterResetHint, Histogram, MixedSchemas};

/// The places of the samples that matter in a window that reaches beyond its range. None where
/// there is nothing to tell from.
fn places(
    stage: &RangeStage<'_>,
    times: &[i64],
    window: &Range<usize>,
    step: usize,
) -> Option<(usize, usize)> {
    let (start, end) = (stage.windows.start(step), stage.windows.end(step));
    let smoothed = stage.call.input.mode() == Some(RangeMode::Smoothed);
    let inner = &times[window.clone()];
    let last = inner.len().checked_sub(1)?;
    let first = inner[..last].partition_point(|time| *time <= start).saturating_sub(1);
    let last = if smoothed { inner[..last].partition_point(|time| *time < end) } else { last };
    if inner[last] <= start || (smoothed && inner[first] > end) {
        return None;
    }
    Some((window.start + first, window.start + last))
}

/// Of a window that has only floats.
pub(in crate::engine) fn floats(
    stage: &RangeStage<'_>,
    series: &Series,
    window: &Range<usize>,
    step: usize,
    kind: Kind,
) -> Option<f64> {
    let (times, values) = (&series.floats.times, &series.floats.values);
    let (mut first, mut last) = places(stage, times, window, step)?;
    let (start, end) = (stage.windows.start(step), stage.windows.end(step));
    let smoothed = stage.call.input.mode() == Some(RangeMode::Smoothed);
    let at = |left: usize, time: i64| {
        interpolate((times[left], values[left]), (times[left + 1], values[left + 1]), time, kind.counter)
    };
    let left = if smoothed && times[first] < start && first + 1 < window.end {
        at(first, start)
    } else {
        values[first]
    };
    let right =
        if smoothed && last > window.start && times[last] > end { at(last - 1, end) } else { values[last] };
    let mut increase = right - left;
    if kind.counter {
        // What lies on the ends is in the two values already.
        first += usize::from(times[first] <= start);
        let inside = if times[last] >= end {
            first..last
        } else {
            last += 1;
            first..last
        };
        let mut before = left;
        for &value in values.get(inside).unwrap_or_default().iter().chain([&right]) {
            if value < before {
                increase += before;
            }
            before = value;
        }
    }
    Some(if kind.per_second { increase / stage.windows.range_seconds() } else { increase })
}

/// Between two samples; a counter that was reset is taken to have begun at zero.
fn interpolate(left: (i64, f64), right: (i64, f64), time: i64, counter: bool) -> f64 {
    let from = if counter && right.1 < left.1 { 0.0 } else { left.1 };
    from + (right.1 - from) * (time - left.0) as f64 / (right.0 - left.0) as f64
}

/// Where remarks about histograms go.
#[derive(Clone, Copy)]
struct About<'a> {
    name: &'a str,
    span: Span,
}

impl About<'_> {
    fn added(
        self,
        result: Result<Added, MixedSchemas>,
        operation: HistogramOperation,
        work: &mut Work,
    ) -> Option<()> {
        match result {
            Ok(added) => {
                if added.bounds_reconciled {
                    work.remarks.add(&Remark::MismatchedCustomBuckets(operation), self.span);
                }
                Some(())
            }
            Err(_) => {
                work.remarks.add(&Remark::MixedExponentialCustom(self.name), self.span);
                None
            }
        }
    }

    fn add(self, sum: &mut Histogram, other: &Histogram, work: &mut Work) -> Option<()> {
        self.added(sum.add(other), HistogramOperation::Addition, work)
    }

    fn subtract(self, sum: &mut Histogram, other: &Histogram, work: &mut Work) -> Option<()> {
        self.added(sum.sub(other), HistogramOperation::Subtraction, work)
    }

    fn interpolate(
        self,
        (left_time, left): (i64, &Histogram),
        (right_time, right): (i64, &Histogram),
        time: i64,
        counter: bool,
        work: &mut Work,
    ) -> Option<Histogram> {
        if time == left_time {
            return Some(left.clone());
        }
        let mut result = right.clone();
        if time == right_time {
            return Some(result);
        }
        let fraction = (time - left_time) as f64 / (right_time - left_time) as f64;
        if counter && right.detect_reset(left) {
            result.mul(fraction);
            return Some(result);
        }
        self.subtract(&mut result, left, work)?;
        result.mul(fraction);
        self.add(&mut result, left, work)?;
        Some(result)
    }
}

/// Of a window that has only histograms.
pub(in crate::engine) fn histograms(
    stage: &RangeStage<'_>,
    series: &Series,
    (step, window): (usize, Range<usize>),
    kind: Kind,
    name: &str,
    work: &mut Work,
) -> Option<Histogram> {
    let (times, values) = (&series.histograms.times, &series.histograms.values);
    let (first, last) = places(stage, times, &window, step)?;
    let (start, end) = (stage.windows.start(step), stage.windows.end(step));
    let smoothed = stage.call.input.mode() == Some(RangeMode::Smoothed);
    let about = About { name, span: stage.call.first_span };
    check_range(&values[first..=last], kind.counter, about, work)?;
    let point = |place: usize| (times[place], &*values[place]);
    let left = if smoothed && times[first] < start && first + 1 < window.end {
        about.interpolate(point(first), point(first + 1), start, kind.counter, work)?
    } else {
        Histogram::clone(&values[first])
    };
    let right = if smoothed && last > window.start && times[last] > end {
        about.interpolate(point(last - 1), point(last), end, kind.counter, work)?
    } else {
        Histogram::clone(&values[last])
    };
    let gauge = |histogram: &Histogram| histogram.counter_reset_hint == CounterResetHint::Gauge;
    let gauges = gauge(&left) && gauge(&right);
    if !kind.counter && !gauges {
        work.remarks.add(&Remark::NotGauge(name), about.span);
    }
    let mut increase = right.clone();
    about.subtract(&mut increase, &left, work)?;
    if kind.counter {
        let spanned = smoothed
            && times[first] < start
            && first < last
            && values[first + 1].detect_reset(&values[first]);
        if let Some(correction) = correction(&values[first..=last], spanned, &left, &right, about, work)? {
            about.add(&mut increase, &correction, work)?;
        }
    }
    if kind.per_second {
        increase.div(stage.windows.range_seconds());
    }
    increase.counter_reset_hint = CounterResetHint::Gauge;
    increase.compact(0);
    Some(increase)
}

fn check_range(values: &[Arc<Histogram>], counter: bool, about: About<'_>, work: &mut Work) -> Option<()> {
    let custom = values.first()?.uses_custom_buckets();
    for histogram in values {
        if histogram.uses_custom_buckets() != custom {
            work.remarks.add(&Remark::MixedExponentialCustom(about.name), about.span);
            return None;
        }
        if counter && histogram.counter_reset_hint == CounterResetHint::Gauge {
            work.remarks.add(&Remark::NotCounter(about.name), about.span);
        }
    }
    Some(())
}

/// What resets between the ends took away; the inner None where nothing was, the outer one where
/// it cannot be told. `spanned`: the left end was interpolated across a reset, which is made up for.
fn correction(
    values: &[Arc<Histogram>],
    spanned: bool,
    left: &Histogram,
    right: &Histogram,
    about: About<'_>,
    work: &mut Work,
) -> Option<Option<Histogram>> {
    let from = if spanned { 2 } else { 1 };
    // The last one is the right end, or what that was interpolated towards.
    let until = values.len() - 1;
    if from > until {
        return Some(None);
    }
    let mut before = if spanned { &*values[1] } else { left };
    let mut sum: Option<Histogram> = None;
    for now in values[from..until].iter().map(|histogram| &**histogram).chain([right]) {
        if now.detect_reset(before) {
            match &mut sum {
                None => sum = Some(before.clone()),
                Some(sum) => about.add(sum, before, work)?,
            }
        }
        before = now;
    }
    Some(sum)
}

/// `selector smoothed`: the value at each step, between the samples around it.
pub(in crate::engine) fn smooth_step(
    series: &Series,
    (floats, histograms): (Range<usize>, Range<usize>),
    (step, time): (usize, i64),
    (name, span): (&str, Span),
    column: &mut Column,
    work: &mut Work,
) {
    if !floats.is_empty() && !histograms.is_empty() {
        work.remarks.add(&Remark::MixedFloatsHistograms(name), span);
        return;
    }
    let around = |times: &[i64], places: &Range<usize>| {
        let next = places.start + times[places.clone()].partition_point(|sample| *sample < time);
        let exact = next < places.end && times[next] == time;
        let before = (next > places.start).then(|| next - 1);
        (before, (next < places.end).then_some(next), exact)
    };
    if !floats.is_empty() {
        let (times, values) = (&series.floats.times, &series.floats.values);
        match around(times, &floats) {
            (_, Some(next), true) => column.set(step, values[next]),
            (Some(before), Some(next), _) => {
                let value =
                    interpolate((times[before], values[before]), (times[next], values[next]), time, false);
                column.set(step, value);
            }
            (Some(before), None, _) => column.set(step, values[before]),
            (None, _, _) => {}
        }
        return;
    }
    let (times, values) = (&series.histograms.times, &series.histograms.values);
    let point = |place: usize| (times[place], &*values[place]);
    match around(times, &histograms) {
        (_, Some(next), true) => column.set_histogram(step, Arc::clone(&values[next])),
        (Some(before), Some(next), _) => {
            let about = About { name, span };
            // Whether these are counters is known for histograms, and no news to anybody.
            if check_range(&values[before..=next], false, about, work).is_none() {
                return;
            }
            let counter = values[next].counter_reset_hint != CounterResetHint::Gauge;
            let between = about.interpolate(point(before), point(next), time, counter, work);
            if let Some(between) = between {
                column.set_histogram(step, Arc::new(between));
            }
        }
        (Some(before), None, _) => column.set_histogram(step, Arc::clone(&values[before])),
        (None, _, _) => {}
    }
}
