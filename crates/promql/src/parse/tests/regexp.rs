//! RE2's syntax.

use proptest::prelude::*;

use crate::ast::{MatchOp, Matcher};

fn matches(pattern: &str, value: &str) -> bool {
    match Matcher::new(MatchOp::Regex, "l".into(), pattern.into()) {
        Ok(matcher) => matcher.matches(value),
        Err(error) => panic!("{pattern}: {error}"),
    }
}

#[test]
fn expressions_are_anchored_and_dots_match_newlines() {
    assert!(matches("a|b", "a") && !matches("a|b", "ab"));
    assert!(matches("a.b", "a\nb"));
    assert!(matches("(?i)AbC", "aBc"));
    assert!(matches("", "") && !matches("", "a"));
    assert!(!matches("a$", "a\n"));
}

#[test]
fn braces_that_repeat_nothing_are_braces() {
    assert!(matches("/api/{id}", "/api/{id}"));
    assert!(matches("a{,3}{1", "a{,3}{1"));
    assert!(matches("a{2,}b{2}c{1,2}", "aabbcc"));
    assert!(matches(r"\{x\}", "{x}"));
}

#[test]
fn classes_do_not_nest() {
    assert!(matches("[[a]+", "a[a"));
    assert!(matches("[a&&b]+", "a&b"));
    assert!(matches("[a~~b]+", "a~b"));
    assert!(matches("[]a]+", "]a"));
    assert!(matches("[^]a]", "b"));
    assert!(matches("[a-c-]+", "ab-"));
    assert!(matches("[-a^]+", "-^a"));
    assert!(matches("[[:alpha:]_]+", "ab_"));
    assert!(matches("[[:^digit:]]", "a"));
    assert!(matches("[[:]+", "[:") && matches("[[:é]+", "é["));
    assert!(matches(r"[\d\s\]]+", "1 ]"));
    assert!(matches(r"[\D]", "a"));
}

#[test]
fn classes_are_ascii() {
    assert!(
        matches(r"\d\w\s", "1a ")
            && !matches(r"\d", "٣")
            && !matches(r"\w", "ü")
            && !matches(r"\s", "\u{a0}")
    );
    assert!(matches(r"\D\W\S", "aüb"));
    assert!(matches(r"\pL\p{Greek}\PL", "aα1"));
    assert!(matches(r"a\b.b", "a b"));
}

#[test]
fn escapes() {
    assert!(matches(r"\Qa.b{\E.", "a.b{c"));
    assert!(matches(r"\Qa.b", "a.b"));
    assert!(matches(r"\x41\x{263a}\.\-\/\<\>\%", "A☺.-/<>%"));
    assert!(matches(r"\012\t\z", "\n\t"));
}

#[test]
fn what_is_wrong_is_said() {
    for (pattern, expected) in [
        ("(", "unclosed group"),
        ("a)", "unopened group"),
        ("[a", "missing closing ]: `[a`"),
        ("*", "repetition operator missing expression"),
        (r"\", "trailing backslash"),
        ("[[:no:]]", "invalid character class range: `[:no:]`"),
        (r"\p{Greek", "invalid escape sequence"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\Z", r"invalid escape sequence: `\Z`"),
        ("(a{1000}){1000}", "expression too large"),
        (r"(?P<x>a)\1", r"invalid escape sequence: `\1`"),
    ] {
        let error = Matcher::new(MatchOp::Regex, "l".into(), pattern.into()).expect_err(pattern);
        assert!(
            error.starts_with("error parsing regexp: ") && error.contains(expected),
            "{pattern}: {error}"
        );
    }
}

/// Meta-characters escaped, nothing else.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

proptest! {
    #[test]
    fn quoted_text_matches_itself(text in any::<String>()) {
        prop_assert!(matches(&quoted(&text), &text));
        let in_class: String = text.chars().map(|c| format!("[{}]", quoted(&c.to_string()))).collect();
        prop_assert!(matches(&in_class, &text), "{}", in_class);
    }

    #[test]
    fn no_pattern_makes_it_panic(parts in proptest::collection::vec(proptest::sample::select(vec![
        "\\", "[", "]", "[:", ":]", "alpha", "{", "}", "p", "x", "1", ",", "(", ")", "?", "*", "^", "-", "&&", "Q", "E",
        "d", "W", "b", "<", "0", "ü", "|", ".", "(?i)",
    ]), 0..12)) {
        drop(Matcher::new(MatchOp::Regex, "l".into(), parts.concat()));
    }
}
