//! Queries that are too deep are refused, and long ones are not.

use super::parsed;
use crate::parse::{HEIGHT_MAX, NESTING_MAX, ParseOptions, parse};

fn refused(query: &str, expected: &str) {
    let error = parse(query, &ParseOptions::new(true)).expect_err("too deep");
    assert!(error.message.contains(expected), "{error}");
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| format!("{}1{}", "(".repeat(levels), ")".repeat(levels));
    parsed(&nested(NESTING_MAX - 1));
    let message = format!("nested more than {NESTING_MAX} levels deep");
    refused(&nested(NESTING_MAX), &message);
    refused(&nested(100_000), &message);
    for deep in
        ["(", "-", "sum(", "abs(", "a[5m:] + (", "2 ^ ", "a offset (", "a[(", "a[-", "a[min_of(", "a[2^"]
    {
        let query = deep.repeat(100_000);
        assert!(parse(&query, &ParseOptions::new(true)).is_err(), "{deep}");
    }
    refused(&format!("a[{}", "(".repeat(100_000)), &message);
    refused(&format!("a[{}", "-".repeat(100_000)), &message);
}

#[test]
fn height_is_bounded() {
    let chain = |operators: usize| format!("a{}", " or a".repeat(operators));
    let tree = parsed(&chain(HEIGHT_MAX - 1));
    assert_eq!(tree.to_string(), chain(HEIGHT_MAX - 1));
    let message = format!("more than {HEIGHT_MAX} operations in one another");
    refused(&chain(HEIGHT_MAX), &message);
    refused(&chain(100_000), &message);
    refused(&format!("a[1{}]", "+1".repeat(100_000)), &message);
    refused(&format!("a{}", "[1m:]".repeat(100_000)), &message);
    refused(&format!("(a{}) + b{}", " + a".repeat(300), " + (c)".repeat(300)), &message);
}

#[test]
fn width_is_not() {
    let labels: Vec<String> = (0..10_000).map(|label| format!("l{label}=\"v\"")).collect();
    parsed(&format!("a{{{}}}", labels.join(",")));
    let args: Vec<String> = (0..10_000).map(|arg| format!("\"l{arg}\"")).collect();
    parsed(&format!("label_join(a, \"x\", \"y\", {})", args.join(",")));
}
