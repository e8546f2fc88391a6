//! What is told of metrics since the last time: the difference between what they say and what was
//! taken. Instruments only add up; nothing of theirs is reset, so that nothing is lost between.

use std::sync::Arc;

use super::TemporalityPreference;
use crate::telemetry::otlp::{
    Data, ExponentialBuckets, ExponentialPoint, HistogramPoint, KeyValue, Metric, Number, NumberPoint,
    Resource, Scope, Temporality, encode_metrics,
};

/// What was taken of metrics, by who wants to know only what is new.
pub(super) struct Told {
    preference: TemporalityPreference,
    /// What those of which only the new is told said when it was last taken, by name.
    metrics: Vec<Metric>,
    /// When that was.
    since: Option<u64>,
}

/// Points that go together.
pub(super) struct Points {
    pub(super) request: Vec<u8>,
    pub(super) count: usize,
    /// What is told once they are taken.
    metrics: Vec<Metric>,
    at: u64,
}

impl Told {
    pub(super) fn new(preference: TemporalityPreference) -> Self {
        Self { preference, metrics: Vec::new(), since: None }
    }

    /// Whether everything is told since the start.
    pub(super) fn is_cumulative(&self) -> bool {
        self.preference == TemporalityPreference::Cumulative
    }

    /// What is to be sent of what instruments say at this time; of each is said whether a callback was
    /// asked for it.
    pub(super) fn points(&self, resource: &Resource, all: Vec<(Metric, bool)>, now: u64) -> Points {
        let mut told = Vec::new();
        let mut send = Vec::with_capacity(all.len());
        for (metric, observed) in all {
            let whole = match self.preference {
                TemporalityPreference::Cumulative => true,
                TemporalityPreference::Delta => false,
                TemporalityPreference::LowMemory => observed,
            };
            if whole {
                send.push(metric);
                continue;
            }
            let before = self.metrics.binary_search_by(|it| it.name.cmp(&metric.name)).ok();
            let before = before.map(|place| &self.metrics[place].data);
            let Metric { name, description, unit, data } = metric;
            let (data, whole) = difference(data, before, self.since.map(|since| since.min(now)));
            if let Some(data) = whole {
                told.push(Metric { name: name.clone(), description: "".into(), unit: "".into(), data });
            }
            send.push(Metric { name, description, unit, data });
        }
        send.retain(|metric| !metric.data.is_empty());
        let scope = Scope::named(env!("CARGO_PKG_NAME"));
        Points {
            request: encode_metrics(resource, [(&scope, &send[..])]),
            count: send.iter().map(|metric| metric.data.len()).sum(),
            metrics: told,
            at: now,
        }
    }

    /// They were taken.
    pub(super) fn take(&mut self, points: Points) {
        if !self.is_cumulative() {
            (self.metrics, self.since) = (points.metrics, Some(points.at));
        }
    }
}

/// What is new, and all that was told once that is taken; none of what is always told since the start.
fn difference(data: Data, before: Option<&Data>, since: Option<u64>) -> (Data, Option<Data>) {
    let temporality = Temporality::Delta;
    match data {
        Data::Sum { points, monotonic: true, .. } => {
            let before = match before {
                Some(Data::Sum { points, .. }) => &points[..],
                _ => &[],
            };
            let sum = |points| Data::Sum { points, monotonic: true, temporality };
            let (new, told) = split(points, before, since);
            (sum(new), Some(sum(told)))
        }
        Data::Histogram { points, .. } => {
            let before = match before {
                Some(Data::Histogram { points, .. }) => &points[..],
                _ => &[],
            };
            let histogram = |points| Data::Histogram { points, temporality };
            let (new, told) = split(points, before, since);
            (histogram(new), Some(histogram(told)))
        }
        Data::Exponential { points, .. } => {
            let before = match before {
                Some(Data::Exponential { points, .. }) => &points[..],
                _ => &[],
            };
            let exponential = |points| Data::Exponential { points, temporality };
            let (new, told) = split(points, before, since);
            (exponential(new), Some(exponential(told)))
        }
        Data::Gauge(_) | Data::Sum { .. } => (data, None),
    }
}

/// The points of which something is new, and what all of them say. Points are in an order that stays.
fn split<P: Point>(points: Vec<P>, before: &[P], since: Option<u64>) -> (Vec<P>, Vec<P>) {
    let (mut new, mut told, mut next) = (Vec::new(), Vec::with_capacity(points.len()), 0);
    for point in points {
        let same = |it: &&P| {
            let (own, other) = (point.attributes(), it.attributes());
            Arc::ptr_eq(own, other) || own == other
        };
        let mut known = before.get(next).filter(same);
        next += usize::from(known.is_some());
        known = known.or_else(|| before.iter().find(same));
        let mut rest = point.clone();
        since.iter().for_each(|since| *rest.start() = *since);
        if let Some(known) = known {
            rest.subtract(known);
        }
        if rest.is_nothing() {
            // What is told of it stays as it was: a sum may be a little ahead of its counts.
            told.extend(known.cloned());
        } else {
            new.push(rest);
            told.push(point);
        }
    }
    (new, told)
}

trait Point: Clone {
    fn attributes(&self) -> &Arc<[KeyValue]>;
    fn start(&mut self) -> &mut u64;
    /// Takes away what was told. Who now says less has begun anew, and all of it is new.
    fn subtract(&mut self, told: &Self);
    fn is_nothing(&self) -> bool;
}

impl Point for NumberPoint {
    fn attributes(&self) -> &Arc<[KeyValue]> {
        &self.attributes
    }

    fn start(&mut self) -> &mut u64 {
        &mut self.start_time_unix_nano
    }

    fn subtract(&mut self, told: &Self) {
        self.value = match (self.value, told.value) {
            (Number::Int(now), Number::Int(told)) if now >= told => Number::Int(now - told),
            (Number::Double(now), Number::Double(told)) if now >= told => Number::Double(now - told),
            (now, _) => now,
        };
    }

    fn is_nothing(&self) -> bool {
        matches!(self.value, Number::Int(0)) || self.value == Number::Double(0.0)
    }
}

impl Point for HistogramPoint {
    fn attributes(&self) -> &Arc<[KeyValue]> {
        &self.attributes
    }

    fn start(&mut self) -> &mut u64 {
        &mut self.start_time_unix_nano
    }

    fn subtract(&mut self, told: &Self) {
        self.sum -= told.sum;
        let counts = self.bucket_counts.iter_mut().zip(&told.bucket_counts);
        counts.for_each(|(now, told)| *now = now.saturating_sub(*told));
    }

    fn is_nothing(&self) -> bool {
        self.count() == 0
    }
}

impl Point for ExponentialPoint {
    fn attributes(&self) -> &Arc<[KeyValue]> {
        &self.attributes
    }

    fn start(&mut self) -> &mut u64 {
        &mut self.start_time_unix_nano
    }

    fn subtract(&mut self, told: &Self) {
        // Buckets are only ever merged.
        let by = (told.scale - self.scale).clamp(0, 31);
        self.sum -= told.sum;
        self.count = self.count.saturating_sub(told.count);
        self.zero_count = self.zero_count.saturating_sub(told.zero_count);
        self.positive = rest(&self.positive, &told.positive, by);
        self.negative = rest(&self.negative, &told.negative, by);
        // Those of what is new are not known.
        (self.min, self.max) = (None, None);
    }

    fn is_nothing(&self) -> bool {
        self.count == 0
    }
}

/// What is in buckets without what was told, whose buckets were since merged so often.
fn rest(now: &ExponentialBuckets, told: &ExponentialBuckets, by: i32) -> ExponentialBuckets {
    let mut counts = now.counts.clone();
    for (index, count) in (told.offset..).zip(&told.counts) {
        let place = usize::try_from((index >> by) - now.offset).ok();
        if let Some(left) = place.and_then(|place| counts.get_mut(place)) {
            *left = left.saturating_sub(*count);
        }
    }
    let Some(first) = counts.iter().position(|count| *count > 0) else {
        return ExponentialBuckets::default();
    };
    let end = counts.iter().rposition(|count| *count > 0).map_or(first, |last| last + 1);
    let offset = now.offset.saturating_add(i32::try_from(first).unwrap_or(i32::MAX));
    ExponentialBuckets { offset, counts: counts[first..end].to_vec() }
}
