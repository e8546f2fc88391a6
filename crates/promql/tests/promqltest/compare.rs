//! Whether an answer is the expected one.

use promql::Labels;
use promql::histogram::{Bucket, Histogram, almost_equal, go_float};
use promql::series_description::SequenceValue;

use super::script::{Eval, Expected, ExpectedSeries, Times, When};

/// The relative error that values may have.
const EPSILON: f64 = 1e-6;

/// A number or a native histogram as whoever evaluates gives it.
pub(crate) trait Point {
    /// Whether it is what is expected.
    fn fits(&self, expected: &SequenceValue) -> bool;
    /// For people.
    fn show(&self) -> String;
}

/// An answer with points of some kind.
#[derive(Debug)]
pub(crate) enum Value<P> {
    Scalar(f64),
    String(String),
    Vector(Vector<P>),
    Matrix(Matrix<P>),
}

pub(crate) type Vector<P> = Vec<(Labels, P)>;

/// By series: milliseconds and points.
pub(crate) type Matrix<P> = Vec<(Labels, Vec<(i64, P)>)>;

/// Compares an answer; the text says what differs.
pub(crate) fn check<P: Point>(eval: &Eval, value: &Value<P>) -> Result<(), String> {
    match (value, &eval.expected) {
        (Value::Matrix(matrix), Expected::RangeVector(times, series)) => check_matrix(series, matrix, *times),
        (Value::Matrix(matrix), Expected::Series(series)) => match eval.when {
            When::Range(times) => check_matrix(series, matrix, times),
            When::Instant { .. } => Err(format!("expected a vector, got {}", show(value))),
        },
        (Value::Vector(vector), Expected::Series(series)) => check_vector(series, vector, eval.ordered),
        (Value::Scalar(value), Expected::Scalar(expected)) => {
            let same = same_number(*expected, *value);
            if same {
                Ok(())
            } else {
                Err(format!("expected {}, got {}", go_float(*expected), go_float(*value)))
            }
        }
        (Value::String(value), Expected::String(expected)) => {
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
pub(crate) fn check_sorted<P>(matrix: &Matrix<P>) -> Result<(), String> {
    match matrix.windows(2).find(|two| two[0].0 > two[1].0) {
        Some(two) => Err(format!("not sorted: {} before {}", show_labels(&two[0].0), show_labels(&two[1].0))),
        None => Ok(()),
    }
}

fn check_matrix<P: Point>(
    expected: &[ExpectedSeries],
    matrix: &Matrix<P>,
    times: Times,
) -> Result<(), String> {
    check_sorted(matrix)?;
    for (labels, all) in matrix {
        let points = all.iter().map(|(time, point)| format!("{} @{time}", point.show()));
        let points = points.collect::<Vec<_>>().join(" ");
        let wanted = find(expected, labels);
        let labels = show_labels(labels);
        let wanted = wanted.ok_or_else(|| format!("unexpected {labels} {points}"))?;
        let mut at = times.start_ms;
        let mut got = all.iter();
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
    check_missing(expected, |labels| matrix.iter().any(|(known, _)| known == labels))
}

/// Compares a vector, also one that a range query gave at one step.
pub(crate) fn check_vector<P: Point>(
    expected: &[ExpectedSeries],
    vector: &Vector<P>,
    ordered: bool,
) -> Result<(), String> {
    for (place, (labels, point)) in vector.iter().enumerate() {
        let shown = show_labels(labels);
        let wanted = find(expected, labels).ok_or_else(|| format!("unexpected {shown} {}", point.show()))?;
        if ordered && expected.get(place).is_none_or(|at_place| at_place.labels != *labels) {
            return Err(format!("{shown} is not expected at place {}", place + 1));
        }
        let value = wanted.values.first().unwrap_or(&SequenceValue::Gap);
        if let Some(got) = differs(value, point) {
            return Err(format!("{shown}: expected {}, got {got}", show_value(value)));
        }
    }
    check_missing(expected, |labels| vector.iter().any(|(known, _)| known == labels))?;
    if vector.len() == expected.len() { Ok(()) } else { Err("a series comes twice".to_owned()) }
}

/// Compares a point with what is expected of a scalar.
pub(crate) fn check_scalar<P: Point>(expected: f64, point: &P) -> Result<(), String> {
    match differs(&SequenceValue::Float(expected), point) {
        Some(got) => Err(format!("expected {}, got {got}", go_float(expected))),
        None => Ok(()),
    }
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
fn differs<P: Point>(expected: &SequenceValue, got: &P) -> Option<String> {
    (!got.fits(expected)).then(|| got.show())
}

impl Point for promql::Point {
    fn fits(&self, expected: &SequenceValue) -> bool {
        match (expected, self) {
            (SequenceValue::Float(expected), Self::Float(got)) => same_number(*expected, *got),
            (SequenceValue::Histogram { histogram, hint_written }, Self::Histogram(got)) => {
                same_histogram(histogram, got)
                    && (!hint_written || histogram.counter_reset_hint == got.counter_reset_hint)
            }
            _ => false,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Float(value) => go_float(*value),
            Self::Histogram(histogram) => histogram.test_expression(),
        }
    }
}

/// Whether a number is as near to the expected one as it has to be.
pub(crate) fn same_number(expected: f64, got: f64) -> bool {
    almost_equal(expected, got, EPSILON)
}

fn same_histogram(expected: &Histogram, got: &Histogram) -> bool {
    let almost = same_number;
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

fn show<P: Point>(value: &Value<P>) -> String {
    match value {
        Value::Scalar(value) => format!("the scalar {}", go_float(*value)),
        Value::String(value) => format!("the string {value:?}"),
        Value::Vector(vector) => {
            let show = |(labels, point): &(Labels, P)| format!("{} {}", show_labels(labels), point.show());
            format!("the vector [{}]", vector.iter().map(show).collect::<Vec<_>>().join("; "))
        }
        Value::Matrix(matrix) => format!("a matrix of {} series", matrix.len()),
    }
}
