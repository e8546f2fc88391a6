//! Where nodes stand.

use super::parsed;
use crate::ast::{Expr, ExprKind};

/// The text of every node, outer ones first.
fn check(query: &str, expected: &[&str]) {
    let mut texts = Vec::new();
    collect(&parsed(query), query, &mut texts);
    assert_eq!(texts, expected);
}

fn collect<'a>(expr: &Expr, query: &'a str, texts: &mut Vec<&'a str>) {
    texts.push(&query[expr.span.start..expr.span.end]);
    match &expr.kind {
        ExprKind::Call(call) => call.args.iter().for_each(|arg| collect(arg, query, texts)),
        ExprKind::Aggregate(aggregate) => {
            let operands = aggregate.param.iter().chain([&aggregate.expr]);
            operands.for_each(|operand| collect(operand, query, texts));
        }
        ExprKind::Binary(binary) => {
            [&binary.left, &binary.right].into_iter().for_each(|side| collect(side, query, texts));
        }
        ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => collect(expr, query, texts),
        ExprKind::Subquery(subquery) => collect(&subquery.expr, query, texts),
        ExprKind::Matrix(matrix) => {
            texts.push(&query[matrix.vector_span.start..matrix.vector_span.end]);
        }
        ExprKind::Number { .. } | ExprKind::String(_) | ExprKind::Vector(_) => {}
    }
}

#[test]
fn operands_are_found() {
    check(" a  +  - 2 ", &["a  +  - 2", "a", "- 2"]);
    check("-(u{b=\"ä\"})", &["-(u{b=\"ä\"})", "(u{b=\"ä\"})", "u{b=\"ä\"}"]);
    check("- a", &["- a", "a"]);
}

#[test]
fn aggregations_end_with_their_parenthesis() {
    check("(sum(a) )", &["(sum(a) )", "sum(a)", "a"]);
    check("(sum(a) by (b) )", &["(sum(a) by (b) )", "sum(a) by (b)", "a"]);
    check(
        "sum by (b) (a) + topk(1, c)",
        &["sum by (b) (a) + topk(1, c)", "sum by (b) (a)", "a", "topk(1, c)", "1", "c"],
    );
}

#[test]
fn modifiers_belong_to_selectors() {
    check(
        "rate(a{b=\"c\"}[5m] offset 1m)",
        &["rate(a{b=\"c\"}[5m] offset 1m)", "a{b=\"c\"}[5m] offset 1m", "a{b=\"c\"}"],
    );
    check("a @ end() * 1", &["a @ end() * 1", "a @ end()", "1"]);
    check(
        "(a offset (1m + 2m)) / 1",
        &["(a offset (1m + 2m)) / 1", "(a offset (1m + 2m))", "a offset (1m + 2m)", "1"],
    );
    check("(a)[5m:1m] @ 7", &["(a)[5m:1m] @ 7", "(a)", "a"]);
    check("a[5m] smoothed", &["a[5m] smoothed", "a"]);
}
