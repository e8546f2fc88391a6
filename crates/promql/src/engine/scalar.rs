//! Scalars: one number at each step.

use super::QueryError;
use super::column::Cell;
use super::grid::Grid;
use super::plan::ScalarPlan;
use super::query::Query;
use super::stream::stream;
use crate::ast::BinaryOp;

/// Evaluated for every step.
#[derive(Clone, Debug)]
pub(super) enum ScalarColumn {
    Same(f64),
    Steps(Vec<f64>),
}

impl ScalarColumn {
    pub(super) fn get(&self, step: usize) -> f64 {
        match self {
            Self::Same(value) => *value,
            Self::Steps(values) => values[step],
        }
    }

    pub(super) fn values(&self, steps: usize) -> impl Iterator<Item = f64> + '_ {
        (0..steps).map(|step| self.get(step))
    }

    pub(super) fn into_values(self, steps: usize) -> Vec<f64> {
        match self {
            Self::Same(value) => vec![value; steps],
            Self::Steps(values) => values,
        }
    }

    fn map(self, change: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Same(value) => Self::Same(change(value)),
            Self::Steps(mut values) => {
                values.iter_mut().for_each(|value| *value = change(*value));
                Self::Steps(values)
            }
        }
    }

    fn zip(self, other: &Self, join: impl Fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (left, Self::Same(right)) => left.map(|left| join(left, *right)),
            (Self::Same(left), Self::Steps(right)) => {
                Self::Steps(right.iter().map(|right| join(left, *right)).collect())
            }
            (Self::Steps(mut left), Self::Steps(right)) => {
                left.iter_mut().zip(right).for_each(|(left, right)| *left = join(*left, *right));
                Self::Steps(left)
            }
        }
    }
}

pub(super) fn evaluate(
    query: &Query<'_>,
    plan: &ScalarPlan,
    grid: &Grid,
) -> Result<ScalarColumn, QueryError> {
    query.check()?;
    Ok(match plan {
        ScalarPlan::Number(value) => ScalarColumn::Same(*value),
        ScalarPlan::Time => {
            ScalarColumn::Steps((0..grid.steps).map(|step| grid.time(step) as f64 / 1000.0).collect())
        }
        ScalarPlan::Negate(inner) => evaluate(query, inner, grid)?.map(|value| -value),
        ScalarPlan::Binary { op, left, right } => {
            let (left, right) = (evaluate(query, left, grid)?, evaluate(query, right, grid)?);
            left.zip(&right, |left, right| operate(*op, left, right))
        }
        ScalarPlan::Min(left, right) => {
            let (left, right) = (evaluate(query, left, grid)?, evaluate(query, right, grid)?);
            left.zip(&right, go_min)
        }
        ScalarPlan::Max(left, right) => {
            let (left, right) = (evaluate(query, left, grid)?, evaluate(query, right, grid)?);
            left.zip(&right, go_max)
        }
        ScalarPlan::Of(vector) => {
            // NaN unless there is exactly one float.
            let mut values = vec![f64::NAN; grid.steps];
            let mut floats = vec![0_u8; grid.steps];
            stream(query, vector, grid, &mut |row| {
                for (step, cell) in row.column.cells() {
                    if let Cell::Float(value) = cell {
                        floats[step] = floats[step].saturating_add(1);
                        values[step] = if floats[step] == 1 { value } else { f64::NAN };
                    }
                }
                Ok(())
            })?;
            ScalarColumn::Steps(values)
        }
    })
}

/// An operator between two numbers; comparisons give 0 or 1.
pub(super) fn operate(op: BinaryOp, left: f64, right: f64) -> f64 {
    let truth = |truth: bool| f64::from(u8::from(truth));
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Atan2 => left.atan2(right),
        BinaryOp::Equal => truth(left == right),
        BinaryOp::NotEqual => truth(left != right),
        BinaryOp::Greater => truth(left > right),
        BinaryOp::Less => truth(left < right),
        BinaryOp::GreaterEqual => truth(left >= right),
        BinaryOp::LessEqual => truth(left <= right),
        // The parser allows none of these between numbers.
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless | BinaryOp::TrimUpper | BinaryOp::TrimLower => {
            f64::NAN
        }
    }
}

/// Go's `math.Min`: -Inf beats NaN, NaN beats the rest.
pub(super) fn go_min(left: f64, right: f64) -> f64 {
    if left == f64::NEG_INFINITY || right == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if left.is_nan() || right.is_nan() {
        f64::NAN
    } else if left == 0.0 && right == 0.0 {
        if left.is_sign_negative() { left } else { right }
    } else {
        left.min(right)
    }
}

/// Go's `math.Max`: +Inf beats NaN, NaN beats the rest.
pub(super) fn go_max(left: f64, right: f64) -> f64 {
    -go_min(-left, -right)
}
