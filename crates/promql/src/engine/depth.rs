//! Deep queries get a stack of their own.
//!
//! Plans are built and evaluated recursively. How deep a tree can be is bounded by the parser, but
//! not by what the stack of the caller is good for.

use super::QueryError;
use crate::ast::{DurationExpr, DurationKind, Expr, ExprKind};

/// Up to here the caller's stack is enough.
const SHALLOW: usize = 40;
/// What a level may take, with debug assertions too.
const LEVEL_BYTES: usize = 64 << 10;

/// Runs a query, on another thread if it is deep.
pub(super) fn run<T: Send>(
    expr: &Expr,
    query: impl FnOnce() -> Result<T, QueryError> + Send,
) -> Result<T, QueryError> {
    let limit = crate::parse::HEIGHT_MAX + 1;
    let height = height(expr, limit);
    if height >= limit {
        let text = format!("expression is nested deeper than {}", crate::parse::HEIGHT_MAX);
        return Err(QueryError::Invalid(text));
    }
    if height <= SHALLOW {
        return query();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size((height + 16) * LEVEL_BYTES);
        let running = thread
            .spawn_scoped(scope, query)
            .map_err(|error| QueryError::Execution(format!("no thread for a deep query: {error}")))?;
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The height of a tree, counted up to a limit.
fn height(expr: &Expr, limit: usize) -> usize {
    if limit == 0 {
        return 0;
    }
    let below = |expr: &Expr| height(expr, limit - 1);
    1 + match &expr.kind {
        ExprKind::Number { .. } | ExprKind::String(_) => 0,
        ExprKind::Vector(selector) => {
            selector.place.offset.as_ref().map_or(0, |offset| duration_height(offset, limit - 1))
        }
        ExprKind::Matrix(selector) => {
            let offset = selector.vector.place.offset.iter();
            offset
                .chain([&selector.range])
                .map(|duration| duration_height(duration, limit - 1))
                .max()
                .unwrap_or(0)
        }
        ExprKind::Subquery(subquery) => {
            let durations = subquery.step.iter().chain(&subquery.place.offset).chain([&subquery.range]);
            let durations = durations.map(|duration| duration_height(duration, limit - 1)).max().unwrap_or(0);
            below(&subquery.expr).max(durations)
        }
        ExprKind::Call(call) => call.args.iter().map(below).max().unwrap_or(0),
        ExprKind::Aggregate(aggregate) => {
            below(&aggregate.expr).max(aggregate.param.as_ref().map_or(0, below))
        }
        ExprKind::Binary(binary) => below(&binary.left).max(below(&binary.right)),
        ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => below(expr),
    }
}

fn duration_height(duration: &DurationExpr, limit: usize) -> usize {
    if limit == 0 {
        return 0;
    }
    let below = |duration: &DurationExpr| duration_height(duration, limit - 1);
    1 + match &duration.kind {
        DurationKind::Literal { .. } | DurationKind::Step | DurationKind::Range => 0,
        DurationKind::Unary { expr, .. } | DurationKind::Paren(expr) => below(expr),
        DurationKind::Binary { left, right, .. }
        | DurationKind::Min(left, right)
        | DurationKind::Max(left, right) => below(left).max(below(right)),
    }
}
