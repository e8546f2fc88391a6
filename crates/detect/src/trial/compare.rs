//! Whether what there is, is what was expected; and both as lines that people can compare.

use promql::histogram::{Bucket, Histogram, go_float};
use promql::{Labels, Point, Sample};

use super::Expected;
use crate::rules::Texts;

/// The labels of an alert, and its annotations, one a line.
pub(super) fn alert_lines((labels, annotations): &(Texts<String>, Texts<String>)) -> Vec<String> {
    let labels: Labels = labels.iter().collect();
    let annotations = annotations.iter().map(|(name, text)| format!("  {name}: {text}"));
    std::iter::once(labels.to_string()).chain(annotations).collect()
}

/// A sample as a line.
pub(super) fn sample_line(labels: &Labels, point: &Point) -> String {
    let value = match point {
        Point::Float(value) => go_float(*value),
        Point::Histogram(histogram) => histogram.test_expression(),
    };
    format!("{labels} {value}")
}

/// Whether the samples are those that were expected, whatever their order.
pub(super) fn samples(expected: &mut [Expected], got: &mut [Sample], fuzzy: bool) -> bool {
    expected.sort_by(|left, right| left.labels.cmp(&right.labels));
    got.sort_by(|left, right| left.labels.cmp(&right.labels));
    expected.len() == got.len()
        && expected
            .iter()
            .zip(got)
            .all(|(expected, got)| expected.labels == got.labels && same_point(expected, &got.point, fuzzy))
}

fn same_point(expected: &Expected, got: &Point, fuzzy: bool) -> bool {
    match (&expected.point, got) {
        (Point::Float(expected), Point::Float(got)) => same_float(*expected, *got, fuzzy),
        (Point::Histogram(histogram), Point::Histogram(got)) => {
            let same_hint = histogram.counter_reset_hint == got.counter_reset_hint;
            (!expected.hint_written || same_hint) && same_histogram(histogram, got, fuzzy)
        }
        _ => false,
    }
}

/// The same number; `fuzzy` lets the last bit of the mantissa be another.
fn same_float(left: f64, right: f64, fuzzy: bool) -> bool {
    left == right
        || (left.is_nan() && right.is_nan())
        || (fuzzy && (left.next_up() == right || left.next_down() == right))
}

/// The same to as many digits as are written: `promtool` compares the texts.
fn same_histogram(left: &Histogram, right: &Histogram, fuzzy: bool) -> bool {
    let same = |left: f64, right: f64| same_float(left, right, fuzzy);
    let same_buckets = |left: Vec<Bucket>, right: Vec<Bucket>| {
        left.len() == right.len()
            && left
                .iter()
                .zip(&right)
                .all(|(left, right)| left.index == right.index && same(left.count, right.count))
    };
    let compact = |histogram: &Histogram| {
        let mut histogram = histogram.clone();
        histogram.compact(0);
        histogram
    };
    let (left, right) = (compact(left), compact(right));
    left.schema == right.schema
        && same(left.count, right.count)
        && same(left.sum, right.sum)
        && left.custom_values == right.custom_values
        && left.zero_threshold == right.zero_threshold
        && same(left.zero_count, right.zero_count)
        && same_buckets(left.negative().collect(), right.negative().collect())
        && same_buckets(left.positive().collect(), right.positive().collect())
}
