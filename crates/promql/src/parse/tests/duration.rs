//! Arithmetic over durations.

use super::parsed;
use crate::ast::{DurationError, DurationExpr, ExprKind};

fn range(text: &str) -> DurationExpr {
    match parsed(&format!("a[{text}]")).kind {
        ExprKind::Matrix(matrix) => matrix.range,
        other => panic!("{text} is {other:?}"),
    }
}

fn offset(text: &str) -> DurationExpr {
    match parsed(&format!("a offset {text}")).kind {
        ExprKind::Vector(vector) => vector.place.offset.expect("an offset"),
        other => panic!("{text} is {other:?}"),
    }
}

/// With a step of 10 s in a range of 60 s.
#[test]
fn ranges_resolve() {
    for (text, expected) in [
        ("5m", 300_000),
        ("1.5", 1500),
        ("11s+10s-5*2^2", 1000),
        ("-(10s-5s)+20s", 15_000),
        ("-10s+15s", 5000),
        ("0--2^2+8", 12_000),
        ("2^3^2/512", 1000),
        ("1h30m % 1h", 1_800_000),
        ("step()", 10_000),
        ("1+(STep()-5)*2", 11_000),
        ("range() / 2", 30_000),
        ("max_of(min_of(step()+1,1h),1ms)", 11_000),
        ("min_of(range(), 8s)", 8000),
        ("0.3-0.1", 200),
        ("0.0001", 1),
    ] {
        assert_eq!(range(text).resolve_positive(10_000, 60_000), Ok(expected), "{text}");
    }
}

#[test]
fn offsets_resolve() {
    for (text, expected) in [
        ("-7m", -420_000),
        ("+3", 3000),
        ("-step()", -10_000),
        ("-(min_of(step(), 2s)-5)", 3000),
        ("+(5)", 5000),
        ("(-1^2)", -1000),
        ("(2 ^ 2) + 8", 12_000),
        ("-min_of(5s,step()+8s)", -5000),
        ("(step()*-2)", -20_000),
        ("0", 0),
    ] {
        assert_eq!(offset(text).resolve(10_000, 60_000), Ok(expected), "{text}");
    }
}

/// Only parentheses make an operator part of an offset that begins with a number or a call.
#[test]
fn offset_ends_with_its_operand() {
    for query in ["a offset -2 * 2", "a offset 5s-8", "a offset min_of(step(), 1s)+8", "a offset -(1s) ^ 0"] {
        assert!(matches!(parsed(query).kind, ExprKind::Binary(_)), "{query}");
    }
}

#[test]
fn some_have_no_value() {
    for (text, expected) in [
        ("1/(step()-10)", DurationError::DivisionByZero),
        ("1%(step()-10)", DurationError::ModuloByZero),
        ("step()-10", DurationError::NotPositive),
        ("-step()", DurationError::NotPositive),
        ("9e9*step()", DurationError::OutOfRange),
        ("max_of(1, (0-1)^0.5)", DurationError::OutOfRange),
    ] {
        assert_eq!(range(text).resolve_positive(10_000, 60_000), Err(expected), "{text}");
    }
    assert_eq!(DurationError::NotPositive.to_string(), "duration must be greater than 0");
}
