//! Durations: `1h30m`, and arithmetic over them.

use std::fmt;

use super::number::Plain;
use crate::ast::{DurationExpr, DurationKind};

/// Seconds with units, from years to milliseconds; what is less is cut off.
pub(super) struct Seconds(pub(super) f64);

/// Milliseconds of each unit, and whether only a multiple of it is written with it.
const UNITS: [(&str, i64, bool); 7] = [
    ("y", 365 * 86_400_000, true),
    ("w", 7 * 86_400_000, true),
    ("d", 86_400_000, false),
    ("h", 3_600_000, false),
    ("m", 60_000, false),
    ("s", 1000, false),
    ("ms", 1, false),
];

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = (self.0.abs() * 1e9).round() as i64 / 1_000_000;
        if self.0 < 0.0 {
            f.write_str("-")?;
        }
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, milliseconds, exact) in UNITS {
            let count = rest / milliseconds;
            if count > 0 && !(exact && rest % milliseconds != 0) {
                write!(f, "{count}{unit}")?;
                rest -= count * milliseconds;
            }
        }
        Ok(())
    }
}

/// A range, step or offset: a lone number is written with units too.
pub(super) struct Outer<'a>(pub(super) &'a DurationExpr);

impl fmt::Display for Outer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            DurationKind::Literal { seconds, .. } => Seconds(*seconds).fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            DurationKind::Literal { seconds, duration: true } => Seconds(*seconds).fmt(f),
            DurationKind::Literal { seconds, duration: false } => Plain(*seconds).fmt(f),
            DurationKind::Step => f.write_str("step()"),
            DurationKind::Range => f.write_str("range()"),
            DurationKind::Unary { op, expr } => write!(f, "{}{expr}", op.as_str()),
            DurationKind::Binary { op, left, right } => write!(f, "{left} {} {right}", op.as_str()),
            DurationKind::Min(left, right) => write!(f, "min_of({left}, {right})"),
            DurationKind::Max(left, right) => write!(f, "max_of({left}, {right})"),
            DurationKind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}
