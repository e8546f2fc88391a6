//! What numbers, durations and strings are worth.

use super::parsed;
use crate::ast::ExprKind;

fn number(query: &str) -> (f64, bool) {
    match parsed(query).kind {
        ExprKind::Number { value, duration } => (value, duration),
        other => panic!("{query} is {other:?}"),
    }
}

#[test]
fn numbers() {
    for (query, expected) in [
        ("1", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("123.4567", 123.4567),
        ("5e-3", 0.005),
        ("5E+3", 5000.0),
        ("+5.5e-3", 0.0055),
        ("0xc", 12.0),
        ("0X_1F", 31.0),
        ("0755", 493.0),
        ("-0755", -493.0),
        ("089", 89.0),
        ("0", 0.0),
        ("1_000", 1000.0),
        ("1_0.2_5", 10.25),
        ("99999999999999999999", 1e20),
        ("inf", f64::INFINITY),
        ("-INF", f64::NEG_INFINITY),
    ] {
        assert_eq!(number(query), (expected, false), "{query}");
    }
    assert!(number("nAn").0.is_nan());
    assert!(number("-0").0.is_sign_negative());
}

#[test]
fn durations_are_seconds() {
    for (query, expected) in [
        ("5m", 300.0),
        ("-5m", -300.0),
        ("0s", 0.0),
        ("1h30m", 5400.0),
        ("1ms", 0.001),
        ("1y2w3d4h5m6s7ms", 33_019_506.007),
        ("292y", 292.0 * 365.0 * 86_400.0),
    ] {
        assert_eq!(number(query), (expected, true), "{query}");
    }
}

#[test]
fn strings() {
    for (query, expected) in [
        (r#""a \" b""#, "a \" b"),
        (r"'a \' b'", "a ' b"),
        (r"`a \n ' b`", r"a \n ' b"),
        ("`two\nlines`", "two\nlines"),
        (r#""\a\b\f\n\r\t\v\\""#, "\x07\x08\x0c\n\r\t\x0b\\"),
        (r#""\x41\101\u1234\U00010111☺""#, "AA\u{1234}\u{10111}☺"),
        (r#""\xc3\xbc""#, "ü"),
        (r#""\xff!""#, "\u{fffd}!"),
    ] {
        assert_eq!(parsed(query).kind, ExprKind::String(expected.into()), "{query}");
    }
}
