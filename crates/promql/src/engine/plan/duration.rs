//! Lengths of time with the query's step and range put in.

use crate::ast::{BinaryOp, DurationExpr, DurationKind, UnaryOp};
use crate::engine::QueryError;

/// What durations can refer to, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    pub(super) step: f64,
    pub(super) range: f64,
}

/// An offset, milliseconds; may be negative.
pub(super) fn offset_ms(expr: &DurationExpr, reference: Reference) -> Result<i64, QueryError> {
    to_ms(seconds(expr, reference)?)
}

/// A range or step, milliseconds; more than zero.
pub(super) fn length_ms(expr: &DurationExpr, reference: Reference) -> Result<i64, QueryError> {
    let seconds = seconds(expr, reference)?;
    if seconds <= 0.0 {
        return Err(QueryError::Execution("duration must be greater than 0".into()));
    }
    to_ms(seconds)
}

fn to_ms(seconds: f64) -> Result<i64, QueryError> {
    /// Nanoseconds have to fit into 64 bits, for Prometheus counts in them.
    const LIMIT: f64 = (1_u64 << 63) as f64 / 1e9;
    if seconds.is_nan() || seconds.abs() > LIMIT {
        return Err(QueryError::Execution("duration is out of range".into()));
    }
    Ok((seconds * 1000.0) as i64)
}

fn seconds(expr: &DurationExpr, reference: Reference) -> Result<f64, QueryError> {
    Ok(match &expr.kind {
        DurationKind::Literal { seconds, .. } => *seconds,
        DurationKind::Step => reference.step,
        DurationKind::Range => reference.range,
        DurationKind::Paren(inner) => seconds(inner, reference)?,
        DurationKind::Unary { op, expr } => match op {
            UnaryOp::Plus => seconds(expr, reference)?,
            UnaryOp::Minus => -seconds(expr, reference)?,
        },
        DurationKind::Min(left, right) => {
            super::super::scalar::go_min(seconds(left, reference)?, seconds(right, reference)?)
        }
        DurationKind::Max(left, right) => {
            super::super::scalar::go_max(seconds(left, reference)?, seconds(right, reference)?)
        }
        DurationKind::Binary { op, left, right } => {
            let (left, right) = (seconds(left, reference)?, seconds(right, reference)?);
            return operate(*op, left, right);
        }
    })
}

fn operate(op: BinaryOp, left: f64, right: f64) -> Result<f64, QueryError> {
    let fail = |text: &str| Err(QueryError::Execution(text.into()));
    match op {
        BinaryOp::Add => Ok(left + right),
        BinaryOp::Sub => Ok(left - right),
        BinaryOp::Mul => Ok(left * right),
        BinaryOp::Div if right == 0.0 => fail("division by zero"),
        BinaryOp::Div => Ok(left / right),
        BinaryOp::Mod if right == 0.0 => fail("modulo by zero"),
        BinaryOp::Mod => Ok(left % right),
        BinaryOp::Pow => Ok(left.powf(right)),
        _ => fail("unexpected operator in a duration"),
    }
}
