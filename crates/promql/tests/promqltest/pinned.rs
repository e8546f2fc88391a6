//! The query with its time written into it: it then gives the same whenever it is evaluated.

use promql::ast::{At, Expr, ExprKind, Place};

/// Functions whose result is another one at another time, even of what is pinned.
const TIME_DEPENDENT: [&str; 13] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "start",
    "time",
    "timestamp",
    "year",
];

/// Other times at which a pinned query is evaluated.
pub(crate) fn times(at_ms: i64) -> Vec<i64> {
    if at_ms == 0 { vec![-1000, 0, 1000] } else { vec![-10 * at_ms, 0, at_ms / 5, at_ms, 10 * at_ms] }
}

/// Nothing where a function depends on the time.
pub(crate) fn pin(expr: &Expr, at_ms: i64) -> Option<Expr> {
    let mut pinned = expr.clone();
    pin_in(&mut pinned, at_ms).then_some(pinned)
}

fn pin_in(expr: &mut Expr, at_ms: i64) -> bool {
    let pin = |place: &mut Place| {
        if !matches!(place.at, Some(At::Time(_))) {
            place.at = Some(At::Time(at_ms));
        }
    };
    match &mut expr.kind {
        ExprKind::Number { .. } | ExprKind::String(_) => true,
        ExprKind::Vector(selector) => {
            pin(&mut selector.place);
            true
        }
        ExprKind::Matrix(matrix) => {
            pin(&mut matrix.vector.place);
            true
        }
        // What is inside is evaluated at times that the subquery's own time decides.
        ExprKind::Subquery(subquery) => {
            pin(&mut subquery.place);
            true
        }
        ExprKind::Call(call) => {
            !TIME_DEPENDENT.contains(&call.function.name)
                && call.args.iter_mut().all(|argument| pin_in(argument, at_ms))
        }
        ExprKind::Aggregate(aggregate) => {
            aggregate.param.as_mut().is_none_or(|param| pin_in(param, at_ms))
                && pin_in(&mut aggregate.expr, at_ms)
        }
        ExprKind::Binary(binary) => pin_in(&mut binary.left, at_ms) && pin_in(&mut binary.right, at_ms),
        ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => pin_in(expr, at_ms),
    }
}
