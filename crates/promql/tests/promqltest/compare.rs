//! Whether an answer is the expected one.

use promql::histogram::{Bucket, Histogram, almost_equal, go_float};
use promql::series_description::SequenceValue;
use promql::{Labels, Matrix, Point, Value, Vector};

use super::script::{Eval, Expected, ExpectedSeries, Times, When};

/// The relative error that values may have.
const EPSILON: f64 = 1e-6;

/// Compares an answer; the text says what differs.
pub(crate) fn check(eval: &Eval, value: &Value) -> Result<(), String> {
    match (value, &eval.expected) {
        (Value::Matrix(matrix), Expected::RangeVector(times, series)) => check_matrix(series, matrix, *times),
        (Value::Matrix(matrix), Expected::Series(series)) => match eval.when {
            When::Range(times) => check_matrix(series, matrix, times),
            When::Instant { .. } => Err(format!("expected a vector, got {}", show(value))),
        },
        (Value::Vector(vector), Expected::Series(series)) => check_vector(series, vector, eval.ordered),
        (Value::Scalar { value, .. }, Expected::Scalar(expected)) => {
            let same = almost_equal(*expected, *value, EPSILON);
            if same {
                Ok(())
            } else {
                Err(format!("expected {}, got {}", go_float(*expected), go_float(*value)))
            }
        }
        (Value::String { value, .. }, Expected::String(expected)) => {
            if value == expected {
                Ok(())
            } else {
                Err(format!("expected {expected:?}, got {value:?}"))
            }
        }
        (_, expected) => Err(format!("expected {}, got {}", kind(expected), show(value))),
    }
}

fn kind(expected: &Expected) -> &'static str {
    match expected {
        Expected::Series(_) => "series",
        Expected::RangeVector(..) => "a range vector",
        Expected::Scalar(_) => "a scalar",
        Expected::String(_) => "a string",
    }
}

/// A matrix comes in the order of its labels.
pub(crate) fn check_sorted(matrix: &Matrix) -> Result<(), String> {
    match matrix.windows(2).find(|two| two[0].labels > two[1].labels) {
        Some(two) => {
            Err(format!("not sorted: {} before {}", show_labels(&two[0].labels), show_labels(&two[1].labels)))
        }
        None => Ok(()),
    }
}

fn check_matrix(expected: &[ExpectedSeries], matrix: &Matrix, times: Times) -> Result<(), String> {
    check_sorted(matrix)?;
    for series in matrix {
        let labels = show_labels(&series.labels);
        let points = series.points.iter().map(|(time, point)| format!("{} @{time}", show_point(point)));
        let points = points.collect::<Vec<_>>().join(" ");
        let wanted = find(expected, &series.labels).ok_or_else(|| format!("unexpected {labels} {points}"))?;
        let mut at = times.start_ms;
        let mut got = series.points.iter();
        for value in &wanted.values {
            if at > times.end_ms {
                return Err(format!("more values are expected of {labels} than there are steps"));
            }
            if !matches!(value, SequenceValue::Gap) {
                let differs = match got.next() {
                    Some((time, point)) if *time == at => differs(value, point),
                    Some((time, _)) => Some(format!("a point @{time}")),
                    None => Some("nothing".to_owned()),
                };
                if let Some(got) = differs {
                    let value = show_value(value);
                    return Err(format!("{labels} @{at}: expected {value}, got {got} (all: {points})"));
                }
            }
            at += times.step_ms;
        }
        if let Some((time, _)) = got.next() {
            return Err(format!("{labels}: unexpected point @{time} (all: {points})"));
        }
    }
    check_missing(expected, |labels| matrix.iter().any(|series| series.labels == *labels))
}

/// Compares a vector, also one that a range query gave at one step.
pub(crate) fn check_vector(
    expected: &[ExpectedSeries],
    vector: &Vector,
    ordered: bool,
) -> Result<(), String> {
    for (place, sample) in vector.iter().enumerate() {
        let labels = show_labels(&sample.labels);
        let wanted = find(expected, &sample.labels)
            .ok_or_else(|| format!("unexpected {labels} {}", show_point(&sample.point)))?;
        if ordered && expected.get(place).is_none_or(|at_place| at_place.labels != sample.labels) {
            return Err(format!("{labels} is not expected at place {}", place + 1));
        }
        let value = wanted.values.first().unwrap_or(&SequenceValue::Gap);
        if let Some(got) = differs(value, &sample.point) {
            return Err(format!("{labels}: expected {}, got {got}", show_value(value)));
        }
    }
    check_missing(expected, |labels| vector.iter().any(|sample| sample.labels == *labels))?;
    if vector.len() == expected.len() { Ok(()) } else { Err("a series comes twice".to_owned()) }
}

fn find<'a>(expected: &'a [ExpectedSeries], labels: &Labels) -> Option<&'a ExpectedSeries> {
    expected.iter().find(|series| series.labels == *labels)
}

fn check_missing(expected: &[ExpectedSeries], is_there: impl Fn(&Labels) -> bool) -> Result<(), String> {
    match expected.iter().find(|series| !is_there(&series.labels)) {
        Some(series) => {
            let values = series.values.iter().map(show_value).collect::<Vec<_>>().join(" ");
            Err(format!("expected {} {values}, got nothing", show_labels(&series.labels)))
        }
        None => Ok(()),
    }
}

/// What there is instead, if it is something else.
fn differs(expected: &SequenceValue, got: &Point) -> Option<String> {
    let same = match (expected, got) {
        (SequenceValue::Float(expected), Point::Float(got)) => almost_equal(*expected, *got, EPSILON),
        (SequenceValue::Histogram { histogram, hint_written }, Point::Histogram(got)) => {
            same_histogram(histogram, got)
                && (!hint_written || histogram.counter_reset_hint == got.counter_reset_hint)
        }
        _ => false,
    };
    (!same).then(|| show_point(got))
}

fn same_histogram(expected: &Histogram, got: &Histogram) -> bool {
    let almost = |a, b| almost_equal(a, b, EPSILON);
    let same_buckets = |a: Vec<Bucket>, b: Vec<Bucket>| {
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.index == b.index && almost(a.count, b.count))
    };
    let compact = |histogram: &Histogram| {
        let mut histogram = histogram.clone();
        histogram.compact(0);
        histogram
    };
    let (expected, got) = (compact(expected), compact(got));
    expected.schema == got.schema
        && almost(expected.count, got.count)
        && almost(expected.sum, got.sum)
        && (!expected.uses_custom_buckets() || expected.custom_values == got.custom_values)
        && expected.zero_threshold == got.zero_threshold
        && almost(expected.zero_count, got.zero_count)
        && same_buckets(expected.negative().collect(), got.negative().collect())
        && same_buckets(expected.positive().collect(), got.positive().collect())
}

pub(crate) fn show_labels(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn show_value(value: &SequenceValue) -> String {
    match value {
        SequenceValue::Gap => "_".to_owned(),
        SequenceValue::Float(value) => go_float(*value),
        SequenceValue::Histogram { histogram, .. } => histogram.test_expression(),
    }
}

fn show_point(point: &Point) -> String {
    match point {
        Point::Float(value) => go_float(*value),
        Point::Histogram(histogram) => histogram.test_expression(),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Scalar { value, .. } => format!("the scalar {}", go_float(*value)),
        Value::String { value, .. } => format!("the string {value:?}"),
        Value::Vector(vector) => {
            let show = |sample: &promql::Sample| {
                format!("{} {}", show_labels(&sample.labels), show_point(&sample.point))
            };
            format!("the vector [{}]", vector.iter().map(show).collect::<Vec<_>>().join("; "))
        }
        Value::Matrix(matrix) => format!("a matrix of {} series", matrix.len()),
    }
}
