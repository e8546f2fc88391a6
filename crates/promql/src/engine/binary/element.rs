//! An operator between two values of one step.

use std::sync::Arc;

use crate::annotations::{HistogramOperation, Remark, Remarks};
use crate::ast::{BinaryOp, Span};
use crate::engine::column::{Cell, Column};
use crate::engine::scalar;
use crate::histogram::{CounterResetHint, Histogram};

/// A value on its own.
#[derive(Clone, Debug)]
pub(in crate::engine) enum Element {
    Float(f64),
    Histogram(Arc<Histogram>),
}

impl Element {
    pub(in crate::engine) fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Float(value) => Cell::Float(*value),
            Self::Histogram(histogram) => Cell::Histogram(histogram),
        }
    }

    pub(in crate::engine) fn put(self, column: &mut Column, step: usize) {
        match self {
            Self::Float(value) => {
                if let Some(histogram) = column.histograms.get_mut(step) {
                    *histogram = None;
                }
                column.set(step, value);
            }
            Self::Histogram(histogram) => column.set_histogram(step, histogram),
        }
    }
}

impl From<Histogram> for Element {
    fn from(histogram: Histogram) -> Self {
        Self::Histogram(Arc::new(histogram))
    }
}

pub(in crate::engine) fn is_comparison(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Greater
            | BinaryOp::Less
            | BinaryOp::GreaterEqual
            | BinaryOp::LessEqual
    )
}

pub(in crate::engine) fn is_arithmetic(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Mod
            | BinaryOp::Pow
            | BinaryOp::Atan2
    )
}

pub(in crate::engine) fn symbol(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Mod => "%",
        BinaryOp::Pow => "^",
        BinaryOp::Atan2 => "atan2",
        BinaryOp::Equal => "==",
        BinaryOp::NotEqual => "!=",
        BinaryOp::Greater => ">",
        BinaryOp::Less => "<",
        BinaryOp::GreaterEqual => ">=",
        BinaryOp::LessEqual => "<=",
        BinaryOp::And => "and",
        BinaryOp::Or => "or",
        BinaryOp::Unless => "unless",
        BinaryOp::TrimUpper => "</",
        BinaryOp::TrimLower => ">/",
    }
}

/// The result and whether a comparison holds. None where the two do not go together, with a remark.
pub(in crate::engine) fn operate(
    op: BinaryOp,
    left: Cell<'_>,
    right: Cell<'_>,
    span: Span,
    remarks: &mut Remarks,
) -> Option<(Element, bool)> {
    let result = match (left, right) {
        (Cell::Float(left), Cell::Float(right)) => floats(op, left, right),
        (Cell::Float(left), Cell::Histogram(right)) => match op {
            BinaryOp::Mul => Some((scaled(right, |copy| copy.mul(left)), true)),
            _ => None,
        },
        (Cell::Histogram(left), Cell::Float(right)) => match op {
            BinaryOp::Mul => Some((scaled(left, |copy| copy.mul(right)), true)),
            BinaryOp::Div => Some((scaled(left, |copy| copy.div(right)), true)),
            BinaryOp::TrimUpper => Some((left.trim_upper(right).into(), true)),
            BinaryOp::TrimLower => Some((left.trim_lower(right).into(), true)),
            _ => None,
        },
        (Cell::Histogram(left), Cell::Histogram(right)) => match op {
            BinaryOp::Add | BinaryOp::Sub => return combine(op, left, right, span, remarks),
            BinaryOp::Equal => Some((Element::Histogram(Arc::clone(left)), left.equals(right))),
            BinaryOp::NotEqual => Some((Element::Histogram(Arc::clone(left)), !left.equals(right))),
            _ => None,
        },
    };
    if result.is_none() {
        let kind = |cell| match cell {
            Cell::Float(_) => "float",
            Cell::Histogram(_) => "histogram",
        };
        let remark = Remark::IncompatibleTypes { left: kind(left), operator: symbol(op), right: kind(right) };
        remarks.add(&remark, span);
    }
    result
}

fn floats(op: BinaryOp, left: f64, right: f64) -> Option<(Element, bool)> {
    if is_arithmetic(op) {
        return Some((Element::Float(scalar::operate(op, left, right)), true));
    }
    // A comparison keeps the left one.
    is_comparison(op).then(|| (Element::Float(left), scalar::operate(op, left, right) != 0.0))
}

fn scaled(histogram: &Arc<Histogram>, scale: impl FnOnce(&mut Histogram) -> &mut Histogram) -> Element {
    let mut copy = Histogram::clone(histogram);
    scale(&mut copy).compact(0);
    copy.into()
}

fn combine(
    op: BinaryOp,
    left: &Histogram,
    right: &Histogram,
    span: Span,
    remarks: &mut Remarks,
) -> Option<(Element, bool)> {
    let mut result = left.clone();
    let (combined, operation) = if op == BinaryOp::Add {
        (result.add(right), HistogramOperation::Addition)
    } else {
        (result.sub(right), HistogramOperation::Subtraction)
    };
    let Ok(added) = combined else {
        remarks.add(&Remark::IncompatibleBucketLayout { operator: symbol(op) }, span);
        return None;
    };
    if op == BinaryOp::Sub {
        result.counter_reset_hint = CounterResetHint::Gauge;
    }
    if added.counter_reset_collision {
        remarks.add(&Remark::CounterResetCollision(operation), span);
    }
    if added.bounds_reconciled {
        remarks.add(&Remark::MismatchedCustomBuckets(operation), span);
    }
    result.compact(0);
    Some((result.into(), true))
}
