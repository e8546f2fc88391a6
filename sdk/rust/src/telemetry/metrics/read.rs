use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::exponential::Sketch;
use super::family::{Family, Series};
use super::instrument::Buckets;
use super::registry::{Callback, Kind, Observer, Role};
use crate::telemetry::otlp::{Data, HistogramPoint, KeyValue, Number, NumberPoint, Temporality};

impl Data {
    /// How many points there are.
    pub(in crate::telemetry) fn len(&self) -> usize {
        match self {
            Self::Gauge(points) | Self::Sum { points, .. } => points.len(),
            Self::Histogram { points, .. } => points.len(),
            Self::Exponential { points, .. } => points.len(),
        }
    }
}

/// Reads instruments at one time.
pub(super) struct Reader<'a> {
    pub(super) start: u64,
    pub(super) now: u64,
    pub(super) limit: usize,
    /// Labels that every series has besides.
    pub(super) constant: &'a [(String, String)],
}

impl Reader<'_> {
    pub(super) fn read(&self, kind: &Kind) -> Data {
        use std::sync::atomic::Ordering::Relaxed;
        match kind {
            Kind::Counter(family) => self.sum(true, self.points(family, |cell| cell.total().into())),
            Kind::UpDownCounter(family) => self.sum(false, self.points(family, |cell| cell.total().into())),
            Kind::Gauge(family) => {
                Data::Gauge(self.points(family, |cell| f64::from_bits(cell.load(Relaxed)).into()))
            }
            Kind::Histogram { family, .. } => self.histogram(family),
            Kind::Exponential(family) => self.exponential(family),
            Kind::Observed { role, callback } => {
                let points = self.observed(callback);
                match role {
                    Role::Counter => self.sum(true, points),
                    Role::UpDownCounter => self.sum(false, points),
                    Role::Gauge => Data::Gauge(points),
                }
            }
        }
    }

    fn sum(&self, monotonic: bool, mut points: Vec<NumberPoint>) -> Data {
        points.iter_mut().for_each(|point| point.start_time_unix_nano = self.start);
        Data::Sum { points, monotonic, temporality: Temporality::Cumulative }
    }

    fn points<C>(&self, family: &Family<C>, value: impl Fn(&C) -> Number) -> Vec<NumberPoint> {
        let all = family.all();
        all.iter().map(|series| self.point(series.attributes.clone(), value(&series.cell))).collect()
    }

    fn point(&self, attributes: Arc<[KeyValue]>, value: Number) -> NumberPoint {
        NumberPoint { attributes, start_time_unix_nano: 0, time_unix_nano: self.now, value }
    }

    fn histogram(&self, family: &Family<Buckets>) -> Data {
        let all = family.all();
        let points = all.iter().map(|series| HistogramPoint {
            attributes: series.attributes.clone(),
            start_time_unix_nano: self.start,
            time_unix_nano: self.now,
            sum: series.cell.sum(),
            bucket_counts: series.cell.counts(),
            bounds: series.cell.bounds.clone(),
        });
        Data::Histogram { points: points.collect(), temporality: Temporality::Cumulative }
    }

    fn exponential(&self, family: &Family<Sketch>) -> Data {
        let point =
            |series: &Arc<Series<Sketch>>| series.cell.point(series.attributes.clone(), self.start, self.now);
        let points = family.all().iter().map(point).collect();
        Data::Exponential { points, temporality: Temporality::Cumulative }
    }

    /// A callback that panics gives nothing, this time.
    fn observed(&self, callback: &Callback) -> Vec<NumberPoint> {
        let mut observer = Observer { points: Vec::new(), limit: self.limit };
        if catch_unwind(AssertUnwindSafe(|| callback(&mut observer))).is_err() {
            observer.points.clear();
        }
        let points = observer.points.into_iter().map(|(mut labels, value)| {
            for (name, constant) in self.constant {
                if labels.iter().all(|label| label.key != **name) {
                    labels.push(KeyValue::new(name.clone(), constant.clone()));
                }
            }
            self.point(labels.into(), value)
        });
        points.collect()
    }
}
