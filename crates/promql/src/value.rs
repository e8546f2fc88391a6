//! What a query gives.

use crate::labels::Labels;
use crate::source::Point;

/// The answer, by the type of the expression. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Milliseconds and value.
    Scalar {
        /// Of the evaluation.
        time_ms: i64,
        /// The number.
        value: f64,
    },
    /// A string literal; only an instant query gives one.
    String {
        /// Of the evaluation.
        time_ms: i64,
        /// The literal without its quotes.
        value: String,
    },
    /// One sample for each series; only an instant query gives one.
    Vector(Vector),
    /// Several samples for each series: a range on its own, or a range query.
    Matrix(Matrix),
}

/// One sample a series, all at one time unless a function says otherwise.
pub type Vector = Vec<Sample>;

/// One series at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Without the metric's name where an operator or function took it.
    pub labels: Labels,
    /// Of the evaluation, milliseconds since 1970; not of the sample that was read.
    pub time_ms: i64,
    /// Float or histogram.
    pub point: Point,
}

/// Several samples a series, sorted by labels.
pub type Matrix = Vec<Series>;

/// One series at several times.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Without the metric's name where an operator or function took it.
    pub labels: Labels,
    /// Milliseconds since 1970 and sample, in ascending order of time; steps without a sample are
    /// left out.
    pub points: Vec<(i64, Point)>,
}
