mod read;

use arrow_array::RecordBatch;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type};
use arrow_schema::DataType;
use model::{Table, schema};

use super::super::judge::{Judge, Reason};
use super::buckets::{Buckets, Counts};
use super::{Exemplars, Head, Kind, Points, Run, Sets};
use crate::columns::{self, List, Nullable};
use crate::proto::{Reader, Refused};

/// The schema of histograms with explicit bounds.
const CUSTOM_BOUNDS: i32 = -53;
/// Scales beyond these are nobody's: OpenTelemetry's SDKs use -10 to 20.
const SCALES: std::ops::RangeInclusive<i32> = -50..=50;

/// Columns of [`Table::Histograms`].
#[derive(Default)]
pub(super) struct Histograms {
    pub(super) points: Points,
    count: Vec<i64>,
    sum: Nullable<Float64Type>,
    min: Nullable<Float64Type>,
    max: Nullable<Float64Type>,
    schema: Nullable<Int32Type>,
    zero_threshold: Vec<f64>,
    zero_count: Vec<i64>,
    positive: Buckets,
    negative: Buckets,
    custom_bounds: List<Float64Type>,
    quantiles: List<Float64Type>,
    quantile_values: List<Float64Type>,
    /// Of the point being read.
    positive_counts: Counts,
    negative_counts: Counts,
}

/// What is single of the point being read.
#[derive(Default)]
struct Point {
    head: Head,
    count: u64,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    schema: Option<i32>,
    zero_threshold: f64,
    zero_count: u64,
    bounds: usize,
    quantiles: usize,
}

impl Histograms {
    pub(super) fn expect(&mut self, records: usize) {
        self.points.reserve(records);
        self.count.reserve(records);
        self.sum.reserve(records);
        self.min.reserve(records);
        self.max.reserve(records);
        self.schema.reserve(records);
        self.zero_threshold.reserve(records);
        self.zero_count.reserve(records);
        self.positive.expect(records);
        self.negative.expect(records);
        self.custom_bounds.reserve(records);
        self.quantiles.reserve(records);
        self.quantile_values.reserve(records);
    }

    /// Reads a point of a kind except for the columns that every point has.
    pub(super) fn read<'a>(
        &mut self,
        kind: Kind,
        message: Reader<'a>,
        attributes: &mut Run<'a>,
        sets: &Sets,
        exemplars: &mut Exemplars,
        judge: &mut Judge<'_>,
    ) -> Result<Head, Refused> {
        self.positive_counts.clear();
        self.negative_counts.clear();
        let mut point = Point::default();
        let to = &mut point;
        match kind {
            Kind::ExponentialHistogram => {
                self.read_exponential(to, message, attributes, sets, exemplars, judge)?
            }
            Kind::Summary => self.read_summary(to, message, attributes, sets, judge)?,
            _ => self.read_explicit(to, message, attributes, sets, exemplars, judge)?,
        }
        self.push(&point, judge);
        Ok(point.head)
    }

    fn push(&mut self, point: &Point, judge: &mut Judge<'_>) {
        self.count.push(judge.count(point.count));
        self.sum.push(point.sum);
        self.min.push(point.min);
        self.max.push(point.max);
        self.schema.push(point.schema);
        self.zero_threshold.push(point.zero_threshold);
        self.zero_count.push(judge.count(point.zero_count));
        self.positive.push(&self.positive_counts, judge);
        self.negative.push(&self.negative_counts, judge);
        self.custom_bounds.end_row();
        self.quantiles.end_row();
        self.quantile_values.end_row();
    }

    #[cold]
    pub(super) fn truncate(&mut self, rows: usize) {
        self.points.truncate(rows);
        self.count.truncate(rows);
        self.sum.truncate(rows);
        self.min.truncate(rows);
        self.max.truncate(rows);
        self.schema.truncate(rows);
        self.zero_threshold.truncate(rows);
        self.zero_count.truncate(rows);
        self.positive.truncate(rows);
        self.negative.truncate(rows);
        self.custom_bounds.truncate(rows);
        self.quantiles.truncate(rows);
        self.quantile_values.truncate(rows);
    }

    pub(super) fn finish(self) -> RecordBatch {
        let doubles = schema::list(DataType::Float64);
        let [positive_spans, positive_buckets] = self.positive.finish();
        let [negative_spans, negative_buckets] = self.negative.finish();
        let columns = vec![
            columns::numbers::<UInt32Type>(self.points.series),
            columns::numbers::<Int64Type>(self.points.time),
            self.points.start_time.finish(),
            columns::numbers::<Int32Type>(self.points.flags),
            columns::numbers::<Int64Type>(self.count),
            self.sum.finish(),
            self.min.finish(),
            self.max.finish(),
            self.schema.finish(),
            columns::numbers::<Float64Type>(self.zero_threshold),
            columns::numbers::<Int64Type>(self.zero_count),
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            self.custom_bounds.finish(&doubles),
            self.quantiles.finish(&doubles),
            self.quantile_values.finish(&doubles),
        ];
        columns::batch(schema::rows(Table::Histograms), columns)
    }
}
