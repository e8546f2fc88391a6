//! What is the same at every step because each selector in it is fixed by `@`.

use crate::ast::{Expr, ExprKind};

/// These look at the time of evaluation, whatever their arguments.
const TIME_DEPENDENT: &[&str] = &[
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "start_timestamp",
    "time",
    "timestamp",
    "year",
];

/// Whether evaluating once is enough.
pub(super) fn is_invariant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number { .. } | ExprKind::String(_) => true,
        ExprKind::Vector(selector) => selector.place.at.is_some(),
        ExprKind::Matrix(selector) => selector.vector.place.at.is_some(),
        ExprKind::Subquery(subquery) => subquery.place.at.is_some(),
        ExprKind::Call(call) => {
            !TIME_DEPENDENT.contains(&call.function.name) && call.args.iter().all(is_invariant)
        }
        ExprKind::Aggregate(aggregate) => {
            is_invariant(&aggregate.expr) && aggregate.param.as_ref().is_none_or(is_invariant)
        }
        ExprKind::Binary(binary) => is_invariant(&binary.left) && is_invariant(&binary.right),
        ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => is_invariant(expr),
    }
}
