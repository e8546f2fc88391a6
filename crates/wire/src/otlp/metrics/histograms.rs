mod read;

use super::buckets::Counts;
use super::{Exemplars, Head, Kind, Run, Sets};
use crate::judge::{Judge, Reason};
use crate::points::{self, CUSTOM_BOUNDS};
use crate::proto::{Reader, Refused};

/// Scales beyond these are nobody's: OpenTelemetry's SDKs use -10 to 20.
const SCALES: std::ops::RangeInclusive<i32> = -50..=50;

/// Histogram points and what they are read with.
#[derive(Default)]
pub(super) struct Histograms {
    pub(super) rows: points::Histograms,
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
        let rows = &mut self.rows;
        rows.count.push(judge.count(point.count));
        rows.sum.push(point.sum);
        rows.min.push(point.min);
        rows.max.push(point.max);
        rows.schema.push(point.schema);
        rows.zero_threshold.push(point.zero_threshold);
        rows.zero_count.push(judge.count(point.zero_count));
        rows.positive.push(&self.positive_counts, judge);
        rows.negative.push(&self.negative_counts, judge);
        rows.custom_bounds.end_row();
        rows.quantiles.end_row();
        rows.quantile_values.end_row();
    }
}
