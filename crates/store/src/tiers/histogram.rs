//! What the histograms or summaries of a series come to, window by window.
//!
//! Enters: points of one series in the order of their times. Leaves: windows, ascending. Must hold:
//! windows are those of numbers; within one all points have the same layout but for the exponential
//! schema: where bounds, quantiles or the zero bucket change, another window begins, so that rows of a
//! window add up bucket by bucket.

use super::window::{NANOS_PER_MS, NO_RECORDED_VALUE, add_exactly};

/// The schema of explicit bounds.
const EXPLICIT: i32 = -53;
/// Prometheus' hints.
const RESET: i32 = 1;
const NOT_RESET: i32 = 2;

/// A bucket: its index, as OpenTelemetry counts, and how many observations it has.
pub(super) type Bucket = (i32, f64);

/// A histogram or summary. Counts are doubles, as they are for whoever reads them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) time: i64,
    pub(super) start: Option<i64>,
    pub(super) flags: i32,
    pub(super) count: f64,
    pub(super) sum: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    /// None of a summary.
    pub(super) schema: Option<i32>,
    pub(super) zero_threshold: f64,
    pub(super) zero_count: f64,
    /// Ascending.
    pub(super) positive: Vec<Bucket>,
    pub(super) negative: Vec<Bucket>,
    pub(super) bounds: Vec<f64>,
    pub(super) quantiles: Vec<f64>,
    pub(super) quantile_values: Vec<f64>,
    pub(super) reset_hint: Option<i32>,
    /// Its sender does not count in integers.
    pub(super) is_double: bool,
}

impl Point {
    fn is_stale(&self) -> bool {
        self.flags & NO_RECORDED_VALUE != 0
    }

    fn is_exponential(&self) -> bool {
        self.schema.is_some_and(|schema| schema != EXPLICIT)
    }

    /// Whether the buckets, or quantiles, of the two are the same but for their resolution.
    fn is_like(&self, other: &Self) -> bool {
        let kind = |point: &Self| (point.schema.is_none(), point.is_exponential());
        let same = |a: &[f64], b: &[f64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
        };
        kind(self) == kind(other)
            && self.zero_threshold.to_bits() == other.zero_threshold.to_bits()
            && self.is_double == other.is_double
            && self.sum.is_some() == other.sum.is_some()
            && same(&self.bounds, &other.bounds)
            && same(&self.quantiles, &other.quantiles)
            && self.quantile_values.len() == other.quantile_values.len()
    }

    /// Whether this point is of a younger counter than the one before, which is like it: as a query
    /// decides it.
    fn is_reset(&self, before: &Self) -> bool {
        match self.reset_hint {
            Some(RESET) => return true,
            Some(NOT_RESET) => return false,
            _ => {}
        }
        // A finer resolution comes with a new counter only.
        if self.count < before.count || self.zero_count < before.zero_count || self.schema > before.schema {
            return true;
        }
        let steps = self.steps_from(before);
        fell(&self.positive, &before.positive, steps) || fell(&self.negative, &before.negative, steps)
    }

    /// How many times the buckets of a finer one are merged by two to be as these.
    fn steps_from(&self, finer: &Self) -> u32 {
        match (self.schema, finer.schema) {
            (Some(own), Some(other)) if self.is_exponential() => {
                other.saturating_sub(own).max(0).cast_unsigned()
            }
            _ => 0,
        }
    }

    /// Adds what another one, which is like it, observed.
    fn add(&mut self, other: &Self, lost: &mut f64) {
        let (own, others) = (other.steps_from(self), self.steps_from(other));
        self.positive = added(&self.positive, own, &other.positive, others);
        self.negative = added(&self.negative, own, &other.negative, others);
        self.schema = self.schema.min(other.schema);
        self.count += other.count;
        self.zero_count += other.zero_count;
        if let Some((sum, value)) = self.sum.as_mut().zip(other.sum) {
            add_exactly(sum, lost, value);
        }
        self.min = self.min.into_iter().chain(other.min).reduce(f64::min);
        self.max = self.max.into_iter().chain(other.max).reduce(f64::max);
        self.quantile_values.iter_mut().zip(&other.quantile_values).for_each(|(own, other)| *own += other);
    }

    /// Takes over what `of` picks of its numbers and another one's; of a summary.
    fn pick(&mut self, other: &Self, of: fn(f64, f64) -> f64) {
        self.count = of(self.count, other.count);
        self.sum = self.sum.zip(other.sum).map(|(own, other)| of(own, other));
        self.quantile_values
            .iter_mut()
            .zip(&other.quantile_values)
            .for_each(|(own, other)| *own = of(*own, *other));
    }
}

/// The buckets of a coarser schema.
fn reduced(buckets: &[Bucket], steps: u32) -> impl Iterator<Item = Bucket> {
    // An index of 32 bits is 0 or -1 after so many.
    buckets.iter().map(move |(index, count)| (index >> steps.min(31), *count))
}

fn added(a: &[Bucket], steps_a: u32, b: &[Bucket], steps_b: u32) -> Vec<Bucket> {
    let mut all: Vec<Bucket> = reduced(a, steps_a).chain(reduced(b, steps_b)).collect();
    all.sort_by_key(|(index, _)| *index);
    all.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    all
}

/// Whether a bucket has less than it had.
fn fell(now: &[Bucket], before: &[Bucket], steps: u32) -> bool {
    let before = added(before, steps, &[], 0);
    before.iter().any(|(index, count)| {
        let own = now.binary_search_by_key(index, |(index, _)| *index).map_or(0.0, |place| now[place].1);
        own < *count
    })
}

/// A window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Window {
    /// Of the last point; of the marker where there is nothing else.
    pub(super) time: i64,
    pub(super) first_time: i64,
    pub(super) points: i64,
    pub(super) stale_time: Option<i64>,
    /// What is kept of it, and under which name.
    pub(super) parts: Vec<(&'static str, Point)>,
}

/// The points of an open window.
#[derive(Debug)]
struct Open {
    end: i64,
    time: i64,
    stale_time: Option<i64>,
    points: i64,
    values: Option<Box<Values>>,
}

#[derive(Debug)]
struct Values {
    first: Point,
    last: Point,
    sum: Point,
    lost: f64,
    /// What the counter had before each reset, added up.
    resets: Option<Point>,
    /// Of a summary: the least and the greatest of each of its numbers.
    bounds: Option<(Point, Point)>,
}

impl Open {
    fn of(end: i64, point: Point) -> Self {
        let mut open = Self { end, time: point.time, stale_time: None, points: 0, values: None };
        open.add(point);
        open
    }

    fn takes(&self, end: i64, point: &Point) -> bool {
        let alike = self.values.as_ref().is_none_or(|values| values.last.is_like(point));
        self.end == end && (point.is_stale() || alike)
    }

    fn add(&mut self, point: Point) {
        if point.is_stale() {
            self.stale_time = Some(point.time);
            return;
        }
        (self.time, self.stale_time) = (point.time, None);
        self.points += 1;
        match &mut self.values {
            Some(values) => values.add(point),
            None => self.values = Some(Box::new(Values::of(point))),
        }
    }

    fn close(self) -> Window {
        let Self { time, stale_time, points, values, .. } = self;
        let Some(values) = values else {
            let last = ("last", Point { flags: NO_RECORDED_VALUE, ..Point::default() });
            return Window { time, first_time: time, points, stale_time, parts: vec![last] };
        };
        Window { time, first_time: values.first.time, points, stale_time, parts: values.parts(points) }
    }
}

impl Values {
    fn of(point: Point) -> Self {
        let bounds = point.schema.is_none().then(|| (point.clone(), point.clone()));
        let (first, sum) = (point.clone(), point.clone());
        Self { first, last: point, sum, lost: 0.0, resets: None, bounds }
    }

    fn add(&mut self, point: Point) {
        if point.is_reset(&self.last) {
            match &mut self.resets {
                Some(resets) => resets.add(&self.last, &mut 0.0),
                None => self.resets = Some(self.last.clone()),
            }
        }
        self.sum.add(&point, &mut self.lost);
        if let Some((least, greatest)) = &mut self.bounds {
            least.pick(&point, f64::min);
            greatest.pick(&point, f64::max);
        }
        self.last = point;
    }

    /// Of one point there is only the last.
    fn parts(mut self, points: i64) -> Vec<(&'static str, Point)> {
        if points == 1 {
            return vec![("last", self.last)];
        }
        self.sum.sum = self.sum.sum.map(|sum| if sum.is_finite() { sum + self.lost } else { sum });
        let mut parts = vec![("first", self.first), ("last", self.last), ("sum", self.sum)];
        parts.extend(self.resets.map(|resets| ("resets", resets)));
        if let Some((least, greatest)) = self.bounds {
            parts.extend([("min", least), ("max", greatest)]);
        }
        parts
    }
}

/// Makes windows of points that come one after the other.
#[derive(Debug)]
pub(super) struct Folding {
    resolution: i64,
    open: Option<Open>,
    /// The last point: of several within a millisecond the last one counts, as in a query.
    pending: Option<Point>,
}

impl Folding {
    pub(super) fn new(resolution_ms: u64) -> Self {
        let resolution = i64::try_from(resolution_ms).unwrap_or(i64::MAX).max(1);
        Self { resolution, open: None, pending: None }
    }

    /// The next point of the series.
    pub(super) fn push(&mut self, point: Point, each: &mut impl FnMut(Window)) {
        let millis = |point: &Point| point.time.div_euclid(NANOS_PER_MS);
        let now = millis(&point);
        if let Some(before) = self.pending.replace(point)
            && millis(&before) != now
        {
            self.take(before, each);
        }
    }

    /// The series ends.
    pub(super) fn finish(&mut self, each: &mut impl FnMut(Window)) {
        if let Some(last) = self.pending.take() {
            self.take(last, each);
        }
        self.open.take().into_iter().for_each(|open| each(open.close()));
    }

    fn take(&mut self, point: Point, each: &mut impl FnMut(Window)) {
        let end = (point.time.div_euclid(NANOS_PER_MS) - 1).div_euclid(self.resolution);
        match &mut self.open {
            Some(open) if open.takes(end, &point) => open.add(point),
            open => open.replace(Open::of(end, point)).into_iter().for_each(|open| each(open.close())),
        }
    }
}

#[cfg(test)]
mod tests;
