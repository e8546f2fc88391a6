//! What a query gives.

use crate::labels::Labels;
use crate::source::Point;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Milliseconds and value.
    Scalar {
        time_ms: i64,
        value: f64,
    },
    String {
        time_ms: i64,
        value: String,
    },
    Vector(Vector),
    Matrix(Matrix),
}

/// One sample a series, all at one time unless a function says otherwise.
pub type Vector = Vec<Sample>;

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: Labels,
    pub time_ms: i64,
    pub point: Point,
}

/// Several samples a series, sorted by labels.
pub type Matrix = Vec<Series>;

#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Labels,
    pub points: Vec<(i64, Point)>,
}
