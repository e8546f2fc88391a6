//! `rate`, `increase`, `delta`, `irate` and `idelta` of native histograms.

use std::ops::Range;
use std::sync::Arc;

use super::rate::{Kind, Reach, has_overlap, is_start_reset, start_and_time};
use crate::annotations::{HistogramOperation, Remark};
use crate::engine::range::{Patch, RangeStage, Work};
use crate::engine::series::{Points, Series};
use crate::histogram::{CounterResetHint, Histogram};

type Histograms = Points<Arc<Histogram>>;

/// A window of histograms and where remarks about it go.
struct Window<'a> {
    points: &'a Histograms,
    places: Range<usize>,
    name: &'a str,
    span: crate::ast::Span,
}

impl Window<'_> {
    fn get(&self, place: usize) -> &Histogram {
        &self.points.values[place]
    }

    fn remark(&self, remark: &Remark<'_>, work: &mut Work) {
        work.remarks.add(remark, self.span);
    }

    fn is_reset(&self, place: usize, before: &Histogram) -> bool {
        is_start_reset(start_and_time(self.points, place - 1), start_and_time(self.points, place))
            || self.get(place).detect_reset(before)
    }
}

/// `rate`, `increase`, `delta` of a window that has only histograms.
pub(in crate::engine) fn rate(
    stage: &RangeStage<'_>,
    points: &Histograms,
    (step, places): (usize, Range<usize>),
    kind: Kind,
    name: &str,
    work: &mut Work,
) -> Option<Histogram> {
    let bounds = (stage.windows.start(step), stage.windows.end(step));
    let reach = Reach::of(points, places.clone(), bounds.0, kind.counter);
    let window = Window { points, places, name, span: stage.call.first_span };
    let first = window.get(window.places.start);
    let mut increase = match window.places.len() {
        1 => None,
        _ => Some(increase(&window, kind.counter, work)?),
    };
    let zero = (first.count, increase.as_ref().map_or(0.0, |increase| increase.count));
    let factor = reach.factor(kind, bounds, stage.windows.range_seconds(), zero)?;
    if reach.began_ms.is_some() {
        increase = match increase {
            None => Some(first.clone()),
            Some(mut sum) => {
                add(&mut sum, first, &window, work)?;
                Some(sum)
            }
        };
    }
    let mut increase = increase?;
    increase.mul(factor);
    Some(increase)
}

/// What a window's samples went up by.
fn increase(window: &Window<'_>, counter: bool, work: &mut Work) -> Option<Histogram> {
    let (low, high) = (window.places.start, window.places.end);
    let (mut first, last) = (window.get(low), window.get(high - 1));
    let gauge = |histogram: &Histogram| histogram.counter_reset_hint == CounterResetHint::Gauge;
    let all_gauges = gauge(first) && gauge(last);
    let mut some_gauge = gauge(first) || gauge(last);
    // With a reset right after the first sample, its layout does not matter.
    let second = window.get(low + 1);
    let from_nothing;
    if counter && window.is_reset(low + 1, first) {
        from_nothing = Histogram {
            schema: second.schema,
            custom_values: second.custom_values.clone(),
            ..Histogram::default()
        };
        first = &from_nothing;
    }
    let custom = first.uses_custom_buckets();
    let mut schema = last.schema.min(first.schema);
    let mut mixed = last.uses_custom_buckets() != custom;
    if counter && !mixed {
        for place in low + 1..high - 1 {
            let histogram = window.get(place);
            schema = schema.min(histogram.schema);
            some_gauge |= gauge(histogram);
            mixed |= histogram.uses_custom_buckets() != custom;
        }
        // Prometheus forgets about gauges where it stumbles over one in the middle.
        some_gauge &= !mixed;
    }
    if counter && some_gauge {
        window.remark(&Remark::NotCounter(window.name), work);
    }
    if mixed {
        window.remark(&Remark::MixedExponentialCustom(window.name), work);
        return None;
    }
    let mut sum = last.copy_to_schema(schema);
    subtract(&mut sum, first, window, work)?;
    if counter {
        if has_overlap(window.points, low, high) {
            window.remark(&Remark::StartTimeOverlap(window.name), work);
        }
        let mut before = first;
        for place in low + 1..high {
            if window.is_reset(place, before) {
                add(&mut sum, before, window, work)?;
            }
            before = window.get(place);
        }
    } else if !all_gauges {
        window.remark(&Remark::NotGauge(window.name), work);
    }
    sum.counter_reset_hint = CounterResetHint::Gauge;
    sum.compact(0);
    Some(sum)
}

fn add(sum: &mut Histogram, other: &Histogram, window: &Window<'_>, work: &mut Work) -> Option<()> {
    combine(sum.add(other), HistogramOperation::Addition, window, work)
}

fn subtract(sum: &mut Histogram, other: &Histogram, window: &Window<'_>, work: &mut Work) -> Option<()> {
    combine(sum.sub(other), HistogramOperation::Subtraction, window, work)
}

/// Conflicting resets are no news here, for resets are dealt with one by one.
fn combine(
    result: Result<crate::histogram::Added, crate::histogram::MixedSchemas>,
    operation: HistogramOperation,
    window: &Window<'_>,
    work: &mut Work,
) -> Option<()> {
    match result {
        Ok(added) => {
            if added.bounds_reconciled {
                window.remark(&Remark::MismatchedCustomBuckets(operation), work);
            }
            Some(())
        }
        Err(_) => {
            window.remark(&Remark::MixedExponentialCustom(window.name), work);
            None
        }
    }
}

/// `irate` and `idelta` of a window that has histograms.
pub(in crate::engine) fn instant_rate(
    stage: &RangeStage<'_>,
    series: &Series,
    (floats, places): (Range<usize>, Range<usize>),
    per_second: bool,
    name: &str,
    work: &mut Work,
) -> Patch {
    if floats.len() + places.len() < 2 {
        return Patch::Clear;
    }
    let points = &series.histograms;
    let window = Window { points, places, name, span: stage.call.args_span };
    match last_two_histograms(&series.floats.times[floats], &points.times[window.places.clone()]) {
        0 => return Patch::Keep,
        1 => {
            window.remark(&Remark::MixedFloatsHistograms(name), work);
            return Patch::Clear;
        }
        _ => {}
    }
    let (before, last) = (window.places.end - 2, window.places.end - 1);
    let interval = points.times[last] - points.times[before];
    if interval == 0 {
        return Patch::Clear;
    }
    let gauge = |place| window.get(place).counter_reset_hint == CounterResetHint::Gauge;
    if per_second && (gauge(before) || gauge(last)) {
        window.remark(&Remark::NotCounter(name), work);
    }
    let gauges = gauge(before) && gauge(last);
    if !per_second && !gauges {
        window.remark(&Remark::NotGauge(name), work);
    }
    let mut difference = window.get(last).clone();
    if (!per_second || !window.is_reset(last, window.get(before)))
        && subtract(&mut difference, window.get(before), &window, work).is_none()
    {
        return Patch::Clear;
    }
    difference.counter_reset_hint = CounterResetHint::Gauge;
    difference.compact(0);
    if per_second {
        difference.div(interval as f64 / 1000.0);
    }
    Patch::Set(difference)
}

/// How many of the last two samples are histograms.
fn last_two_histograms(floats: &[i64], histograms: &[i64]) -> usize {
    let last_two = |times: &[i64]| {
        [times.len().checked_sub(2), times.len().checked_sub(1)].map(|place| place.map(|place| times[place]))
    };
    let floats = last_two(floats).into_iter().flatten().map(|time| (time, 0));
    let histograms = last_two(histograms).into_iter().flatten().map(|time| (time, 1));
    let mut latest: Vec<_> = floats.chain(histograms).collect();
    latest.sort_unstable();
    latest.iter().rev().take(2).map(|(_, histogram)| histogram).sum()
}
