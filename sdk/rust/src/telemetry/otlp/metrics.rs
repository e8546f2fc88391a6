use std::borrow::Cow;
use std::sync::Arc;

use super::exponential::ExponentialPoint;
use super::value::{KeyValue, Resource, Scope};
use super::writer::Writer;

/// One metric with its points.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The name, with dots.
    pub name: Cow<'static, str>,
    /// What it means.
    pub description: Cow<'static, str>,
    /// The unit in UCUM.
    pub unit: Cow<'static, str>,
    /// The points.
    pub data: Data,
}

/// The kind of a metric and its points.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A value that is what it is at that time.
    Gauge(Vec<NumberPoint>),
    /// A value that adds up.
    Sum {
        /// The points.
        points: Vec<NumberPoint>,
        /// It never falls, but for a restart.
        monotonic: bool,
        /// Since when it adds up.
        temporality: Temporality,
    },
    /// How values are distributed over buckets.
    Histogram {
        /// The points.
        points: Vec<HistogramPoint>,
        /// Since when it adds up.
        temporality: Temporality,
    },
    /// How values are distributed over buckets that grow by a constant factor.
    Exponential {
        /// The points.
        points: Vec<ExponentialPoint>,
        /// Since when it adds up.
        temporality: Temporality,
    },
}

impl Data {
    /// Whether there is no point.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Gauge(points) | Self::Sum { points, .. } => points.is_empty(),
            Self::Histogram { points, .. } => points.is_empty(),
            Self::Exponential { points, .. } => points.is_empty(),
        }
    }

    /// Drops the points whose attributes a reader may not see.
    pub(crate) fn retain(&mut self, may_see: impl Fn(&[KeyValue]) -> bool) {
        match self {
            Self::Gauge(points) | Self::Sum { points, .. } => {
                points.retain(|point| may_see(&point.attributes));
            }
            Self::Histogram { points, .. } => points.retain(|point| may_see(&point.attributes)),
            Self::Exponential { points, .. } => points.retain(|point| may_see(&point.attributes)),
        }
    }
}

/// Since when a value adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Since the last point.
    Delta = 1,
    /// Since the start.
    Cumulative = 2,
}

/// A number as it was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Int(i64),
    /// A floating point number.
    Double(f64),
}

/// One value of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberPoint {
    /// The series' labels.
    pub attributes: Arc<[KeyValue]>,
    /// Since when a sum adds up; 0 for a gauge.
    pub start_time_unix_nano: u64,
    /// When.
    pub time_unix_nano: u64,
    /// The value.
    pub value: Number,
}

/// One distribution of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramPoint {
    /// The series' labels.
    pub attributes: Arc<[KeyValue]>,
    /// Since when it adds up.
    pub start_time_unix_nano: u64,
    /// When.
    pub time_unix_nano: u64,
    /// The sum of all values.
    pub sum: f64,
    /// How many fell into each bucket: one more than there are bounds.
    pub bucket_counts: Vec<u64>,
    /// The buckets' upper bounds, inclusive, rising.
    pub bounds: Arc<[f64]>,
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// What is beyond `i64` is held at its end: OTLP has no unsigned numbers.
impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl HistogramPoint {
    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.bucket_counts.iter().sum()
    }
}

/// An `ExportMetricsServiceRequest`.
pub fn encode_metrics<'a>(
    resource: &Resource,
    scopes: impl IntoIterator<Item = (&'a Scope, &'a [Metric])>,
) -> Vec<u8> {
    super::request(resource, scopes, |writer, metrics| {
        metrics.iter().for_each(|metric| writer.message(2, |writer| metric.write(writer)));
    })
}

impl Metric {
    fn write(&self, writer: &mut Writer) {
        writer.bytes(1, &*self.name);
        writer.bytes(2, &*self.description);
        writer.bytes(3, &*self.unit);
        match &self.data {
            Data::Gauge(points) => writer.message(5, |writer| numbers(writer, points)),
            Data::Sum { points, monotonic, temporality } => writer.message(7, |writer| {
                numbers(writer, points);
                writer.integer(2, *temporality as u64);
                writer.integer(3, u64::from(*monotonic));
            }),
            Data::Histogram { points, temporality } => writer.message(9, |writer| {
                points.iter().for_each(|point| writer.message(1, |writer| point.write(writer)));
                writer.integer(2, *temporality as u64);
            }),
            Data::Exponential { points, temporality } => writer.message(10, |writer| {
                points.iter().for_each(|point| writer.message(1, |writer| point.write(writer)));
                writer.integer(2, *temporality as u64);
            }),
        }
    }
}

fn numbers(writer: &mut Writer, points: &[NumberPoint]) {
    points.iter().for_each(|point| writer.message(1, |writer| point.write(writer)));
}

impl NumberPoint {
    fn write(&self, writer: &mut Writer) {
        writer.fixed64(2, self.start_time_unix_nano);
        writer.fixed64(3, self.time_unix_nano);
        match self.value {
            Number::Double(value) => writer.always_fixed64(4, value.to_bits()),
            Number::Int(value) => writer.always_fixed64(6, value.cast_unsigned()),
        }
        self.attributes.iter().for_each(|attribute| writer.message(7, |writer| attribute.write(writer)));
    }
}

impl HistogramPoint {
    fn write(&self, writer: &mut Writer) {
        writer.fixed64(2, self.start_time_unix_nano);
        writer.fixed64(3, self.time_unix_nano);
        writer.fixed64(4, self.count());
        writer.always_fixed64(5, self.sum.to_bits());
        writer.packed64(6, self.bucket_counts.iter().copied());
        writer.packed64(7, self.bounds.iter().map(|bound| bound.to_bits()));
        self.attributes.iter().for_each(|attribute| writer.message(9, |writer| attribute.write(writer)));
    }
}
