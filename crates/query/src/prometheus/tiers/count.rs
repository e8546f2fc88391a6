//! Counts and averages, so that windows can answer them: a count is a sum of counts, and an average a
//! sum by a count.

use promql::ast::{Binary, BinaryOp, Call, Cardinality, Expr, ExprKind, MatchOp, Matcher, VectorMatching};
use promql::functions::function;

/// The label that tells the reader that a selector wants how many samples there are. No series can have
/// it: it is no name that may be written.
const MARK: &str = "\u{0}count";

/// The query with `count_over_time` and `avg_over_time` as what windows have.
pub(crate) fn counted(expr: &mut Expr) {
    const STACK_BYTES: usize = 1 << 20;
    stacker::maybe_grow(STACK_BYTES / 4, STACK_BYTES, || match &mut expr.kind {
        ExprKind::Number { .. } | ExprKind::String(_) | ExprKind::Vector(_) | ExprKind::Matrix(_) => {}
        ExprKind::Subquery(subquery) => counted(&mut subquery.expr),
        ExprKind::Aggregate(aggregate) => {
            counted(&mut aggregate.expr);
            aggregate.param.iter_mut().for_each(counted);
        }
        ExprKind::Binary(binary) => {
            counted(&mut binary.left);
            counted(&mut binary.right);
        }
        ExprKind::Unary { expr, .. } => counted(expr),
        ExprKind::Paren(inner) => counted(inner),
        ExprKind::Call(call) => {
            call.args.iter_mut().for_each(counted);
            match call.function.name {
                "count_over_time" => {
                    if let Some(counts) = counts(call) {
                        *call = counts;
                    }
                }
                "avg_over_time" => {
                    if let Some(quotient) = quotient(call, expr.span) {
                        expr.kind = quotient;
                    }
                }
                _ => {}
            }
        }
    });
}

/// The sum of the counts of a range selector.
fn counts(call: &Call) -> Option<Call> {
    let mut args = call.args.clone();
    let [Expr { kind: ExprKind::Matrix(matrix), .. }] = args.as_mut_slice() else { return None };
    if matrix.vector.range_mode.is_some() {
        return None;
    }
    let mark = Matcher { op: MatchOp::Equal, name: MARK.to_owned(), value: String::new(), regex: None };
    matrix.vector.matchers.push(mark);
    Some(Call { function: function("sum_over_time")?, args })
}

/// The sum of a range selector by its count.
fn quotient(call: &Call, span: promql::ast::Span) -> Option<ExprKind> {
    let of = |call: Call| Expr { kind: ExprKind::Call(call), span };
    let right = of(counts(call)?);
    let left = of(Call { function: function("sum_over_time")?, args: call.args.clone() });
    let matching = VectorMatching {
        cardinality: Cardinality::OneToOne,
        labels: Vec::new(),
        on: false,
        include: Vec::new(),
        fill_left: None,
        fill_right: None,
    };
    let (op, matching) = (BinaryOp::Div, Some(matching));
    Some(ExprKind::Binary(Box::new(Binary { op, left, right, return_bool: false, matching })))
}

/// Takes the mark out; whether it was there.
pub(super) fn without_mark(matchers: &mut Vec<Matcher>) -> bool {
    let before = matchers.len();
    matchers.retain(|matcher| matcher.name != MARK);
    matchers.len() < before
}
