//! What a duration is once the query's step and range are known.

use super::{BinaryOp, DurationExpr, DurationKind, UnaryOp};

/// Why a duration has no value. Prometheus' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The right side of `/` came to 0.
    #[error("division by zero")]
    DivisionByZero,
    /// The right side of `%` came to 0.
    #[error("modulo by zero")]
    ModuloByZero,
    /// A range or a step came to 0 or less; an offset may.
    #[error("duration must be greater than 0")]
    NotPositive,
    /// More than nanoseconds of 64 bits hold (292 years), or NaN.
    #[error("duration is out of range")]
    OutOfRange,
}

/// Seconds that fit into nanoseconds of 64 bits, as durations do in Prometheus.
const SECONDS_MAX: f64 = 9_223_372_036.854_776;

impl DurationExpr {
    /// Milliseconds, for an offset: maybe negative. `step_ms` is 0 for an instant query, and
    /// `range_ms` is from its start to its end.
    pub fn resolve(&self, step_ms: i64, range_ms: i64) -> Result<i64, DurationError> {
        let seconds = self.seconds(step_ms, range_ms)?;
        if !(-SECONDS_MAX..SECONDS_MAX).contains(&seconds) {
            return Err(DurationError::OutOfRange);
        }
        // Through nanoseconds, so that 0.3 - 0.1 seconds are 200 ms and not 199.
        Ok((seconds * 1e9).round() as i64 / 1_000_000)
    }

    /// Milliseconds, for a range or a step: more than nothing, but less than one counts as one.
    pub fn resolve_positive(&self, step_ms: i64, range_ms: i64) -> Result<i64, DurationError> {
        if self.seconds(step_ms, range_ms)? <= 0.0 {
            return Err(DurationError::NotPositive);
        }
        Ok(self.resolve(step_ms, range_ms)?.max(1))
    }

    fn seconds(&self, step_ms: i64, range_ms: i64) -> Result<f64, DurationError> {
        let seconds = |duration: &Self| duration.seconds(step_ms, range_ms);
        Ok(match &self.kind {
            DurationKind::Literal { seconds, .. } => *seconds,
            DurationKind::Step => step_ms as f64 / 1000.0,
            DurationKind::Range => range_ms as f64 / 1000.0,
            DurationKind::Paren(inner) => seconds(inner)?,
            DurationKind::Unary { op: UnaryOp::Plus, expr } => seconds(expr)?,
            DurationKind::Unary { op: UnaryOp::Minus, expr } => -seconds(expr)?,
            DurationKind::Min(left, right) => extreme(f64::min, seconds(left)?, seconds(right)?),
            DurationKind::Max(left, right) => extreme(f64::max, seconds(left)?, seconds(right)?),
            DurationKind::Binary { op, left, right } => arithmetic(*op, seconds(left)?, seconds(right)?)?,
        })
    }
}

/// What is no number wins, as in Go and unlike in Rust.
fn extreme(pick: fn(f64, f64) -> f64, left: f64, right: f64) -> f64 {
    if left.is_nan() || right.is_nan() { f64::NAN } else { pick(left, right) }
}

fn arithmetic(op: BinaryOp, left: f64, right: f64) -> Result<f64, DurationError> {
    match op {
        BinaryOp::Add => Ok(left + right),
        BinaryOp::Sub => Ok(left - right),
        BinaryOp::Mul => Ok(left * right),
        BinaryOp::Div if right == 0.0 => Err(DurationError::DivisionByZero),
        BinaryOp::Div => Ok(left / right),
        BinaryOp::Mod if right == 0.0 => Err(DurationError::ModuloByZero),
        BinaryOp::Mod => Ok(left % right),
        // The parser lets no other operator through.
        _ => Ok(left.powf(right)),
    }
}
