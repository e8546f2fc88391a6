//! Native histograms as the API's JSON has them: bounds and counts of the buckets that are not
//! empty. It has no schema, no bounds of empty buckets and no hints of resets.

use promql::histogram::{CUSTOM_BUCKETS, Histogram, go_float};
use promql::series_description::SequenceValue;
use serde_json::Value as Json;

use crate::api::{Point, number};
use crate::promqltest::compare::{self, same_number};

/// Bounds are powers of two to a fraction: the last digits may be others.
const BOUND_EPSILON: f64 = 1e-12;

/// A histogram of an answer.
#[derive(Clone, Debug)]
pub(crate) struct WireHistogram {
    count: f64,
    sum: f64,
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Which bounds belong to it: 0 the upper one, 1 the lower one, 2 none, 3 both.
    rule: u64,
    lower: f64,
    upper: f64,
    count: f64,
}

impl WireHistogram {
    pub(crate) fn of(json: &Json) -> Self {
        let bucket = |bucket: &Json| Bucket {
            rule: bucket[0].as_u64().unwrap(),
            lower: number(&bucket[1]),
            upper: number(&bucket[2]),
            count: number(&bucket[3]),
        };
        let buckets = json["buckets"].as_array().into_iter().flatten().map(bucket).collect();
        Self { count: number(&json["count"]), sum: number(&json["sum"]), buckets }
    }

    /// The form that a histogram of a test file has there, from its indices and not from the bounds
    /// that the engine gives.
    fn expected(histogram: &Histogram) -> Self {
        let threshold = histogram.zero_threshold;
        let mut buckets: Vec<_> = histogram
            .negative()
            .map(|bucket| {
                let (near, far) = bounds(histogram, bucket.index);
                Bucket { rule: 1, lower: -far, upper: -near.max(threshold), count: bucket.count }
            })
            .collect();
        buckets.reverse();
        // One that is negative, or no number, is not shown, as in Prometheus.
        if histogram.zero_count > 0.0 && histogram.schema != CUSTOM_BUCKETS {
            buckets.push(Bucket {
                rule: 3,
                lower: -threshold,
                upper: threshold,
                count: histogram.zero_count,
            });
        }
        buckets.extend(histogram.positive().map(|bucket| {
            let (near, far) = bounds(histogram, bucket.index);
            if histogram.schema == CUSTOM_BUCKETS {
                let rule = if bucket.index == 0 { 3 } else { 0 };
                return Bucket { rule, lower: near, upper: far, count: bucket.count };
            }
            Bucket { rule: 0, lower: near.max(threshold), upper: far, count: bucket.count }
        }));
        buckets.retain(|bucket| bucket.count != 0.0);
        Self { count: histogram.count, sum: histogram.sum, buckets }
    }

    fn fits(&self, expected: &Histogram) -> bool {
        let expected = Self::expected(expected);
        same_number(expected.count, self.count)
            && same_number(expected.sum, self.sum)
            && expected.buckets.len() == self.buckets.len()
            && expected.buckets.iter().zip(&self.buckets).all(|(expected, got)| expected.is(got))
    }
}

impl Bucket {
    fn is(&self, got: &Self) -> bool {
        let same = |a: f64, b: f64| a == b || (a - b).abs() <= BOUND_EPSILON * a.abs();
        self.rule == got.rule
            && same(self.lower, got.lower)
            && same(self.upper, got.upper)
            && same_number(self.count, got.count)
    }
}

/// The bounds of the bucket of an index, the one nearer to zero first.
fn bounds(histogram: &Histogram, index: i32) -> (f64, f64) {
    if histogram.schema == CUSTOM_BUCKETS {
        let bound =
            |index: i32| usize::try_from(index).ok().and_then(|index| histogram.custom_values.get(index));
        let lower = bound(index - 1).copied().unwrap_or(f64::NEG_INFINITY);
        return (lower, bound(index).copied().unwrap_or(f64::INFINITY));
    }
    let bound = |index: i32| (f64::from(index) * (-f64::from(histogram.schema)).exp2()).exp2();
    (bound(index - 1), bound(index))
}

impl compare::Point for Point {
    fn fits(&self, expected: &SequenceValue) -> bool {
        match (expected, self) {
            (SequenceValue::Float(expected), Self::Float(got)) => same_number(*expected, *got),
            (SequenceValue::Histogram { histogram, .. }, Self::Histogram(got)) => got.fits(histogram),
            _ => false,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Float(value) => go_float(*value),
            Self::Histogram(histogram) => format!("{histogram:?}"),
        }
    }
}
