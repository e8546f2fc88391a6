//! What is refused, where, and in which words.

use crate::parse::{ParseOptions, parse, parse_selector};

/// The whole message; with everything experimental.
fn check(query: &str, expected: &str) {
    check_with(&ParseOptions::new(true), query, expected);
}

fn check_with(options: &ParseOptions, query: &str, expected: &str) {
    match parse(query, options) {
        Ok(expr) => panic!("{query} is {expr}"),
        Err(error) => {
            assert_eq!(error.to_string().replacen(" parse error:", "", 1), expected, "{query}");
            let span = error.span;
            assert!(span.start <= span.end && span.end <= query.len(), "{query}: {span:?}");
        }
    }
}

#[test]
fn numbers_and_words() {
    check("", "unknown position: no expression found in input");
    check("# nothing\n\n", "1:1: no expression found in input");
    check("1+", "1:3: unexpected end of input");
    check(".", "1:1: unexpected character: '.'");
    check("2.5.", "1:1: bad number or duration syntax: \"2.5.\"");
    check("100..4", "1:1: bad number or duration syntax: \"100..\"");
    check("0deadbeef", "1:1: bad number or duration syntax: \"0de\"");
    check("1_", "1:1: bad number or duration syntax: \"1_\"");
    check("0x", "1:1: error parsing number: strconv.ParseFloat: parsing \"0x\": invalid syntax");
    check("1e999", "1:1: error parsing number: strconv.ParseFloat: parsing \"1e999\": value out of range");
    check("a ! b", "1:3: unexpected character after '!': ' '");
    check("1 !~ 1", "1:3: unexpected character after '!': '~'");
    check("1 =~ 1", "1:3: unexpected character after '=': '~'");
    check("a }", "1:3: unexpected character: '}'");
    check("a ☺", "1:3: unexpected character: '☺'");
    check("a\n + ü", "2:4: unexpected character: 'ü'");
    check("*1", "1:1: unexpected <op:*>");
    check("@@", "1:1: unexpected <op:@>");
    check("-=", "1:2: unexpected \"=\"");
    check("1 5m", "1:3: unexpected duration \"5m\"");
    check("1 \"a long string\"", "1:3: unexpected string \"\\\"a long st\"...");
    check("a:b c:d", "1:5: unexpected metric identifier \"c:d\"");
    check("a start", "1:3: unexpected \"start\"");
}

#[test]
fn parentheses() {
    check("(1))", "1:5: unexpected right parenthesis ')'");
    check("((1)", "1:5: unclosed left parenthesis");
    check("(", "1:2: unclosed left parenthesis");
    check("()", "1:2: unexpected \")\"");
    check("sum(rate(", "1:10: unclosed left parenthesis");
    check("a]", "1:2: unexpected right bracket ']'");
}

#[test]
fn strings() {
    check("\"a", "1:1: unterminated quoted string");
    check("\"a\nb\"", "1:1: unterminated quoted string");
    check("`a", "1:1: unterminated raw string");
    check("\"\\", "1:1: escape sequence not terminated");
    check("\"\\c\"", "1:1: unknown escape sequence U+0063 'c'");
    check("\"\\'\"", "1:1: unknown escape sequence U+0027 '''");
    check("\"\\x.\"", "1:1: illegal character U+002E '.' in escape sequence");
    check("\"\\400\"", "1:1: escape sequence is an invalid Unicode code point");
    check("\"\\ud800\"", "1:1: escape sequence is an invalid Unicode code point");
    check("\"\u{fffd}\"", "1:1: invalid UTF-8 rune");
    check("label_replace(a, `b`, `c\u{fffd}`, `d`, `e`)", "1:23: invalid UTF-8 rune");
    check(
        "-\"a\"",
        "1:1: unary expression only allowed on expressions of type scalar or instant vector, got \"string\"",
    );
}

#[test]
fn selectors() {
    check("{", "1:2: unexpected end of input inside braces");
    check("a{b=c}", "1:5: unexpected identifier \"c\" in label matching, expected string");
    check("a{b:c=\"d\"}", "1:4: unexpected character inside braces: ':'");
    check("a{b!\"d\"}", "1:4: unexpected character after '!' inside braces: '\"'");
    check("a{b}", "1:4: unexpected \"}\" in label matching, expected label matching operator");
    check("a{,}", "1:3: unexpected \",\" in label matching, expected identifier or \"}\"");
    check("a{b=\"c\" d}", "1:9: unexpected identifier \"d\" in label matching, expected \",\" or \"}\"");
    check("a{\"b\"=}", "1:7: unexpected \"}\" in label matching, expected string");
    check("a{b==\"c\"}", "1:5: unexpected \"=\" in label matching, expected string");
    check("a{{", "1:3: unexpected left brace '{'");
    check("a{__name__=\"b\"}", "1:1: metric name must not be set twice: \"a\" or \"b\"");
    check("a{\"b\"}", "1:1: metric name must not be set twice: \"a\" or \"b\"");
    for nothing in ["{}", "{x=\"\"}", "{x=~\".*\"}", "{x!~\".+\"}", "{x!=\"a\"}", "{\"\"}"] {
        check(nothing, "1:1: vector selector must contain at least one non-empty matcher");
    }
}

#[test]
fn ranges() {
    check("a[5mm]", "1:3: bad number or duration syntax: \"5mm\"");
    check("a[5m1]", "1:3: bad number or duration syntax: \"5m1\"");
    check("a[5y1hs]", "1:3: unknown unit \"hs\" in duration \"5y1hs\"");
    check("a[5m1h]", "1:3: not a valid duration string: \"5m1h\"");
    check("a[5m1m]", "1:3: not a valid duration string: \"5m1m\"");
    check("a[300y]", "1:3: duration out of range");
    check("a[0m]", "1:3: duration must be greater than 0");
    check("a[-1]", "1:3: duration must be greater than 0");
    check("a[\"5m\"]", "1:3: unexpected character in duration expression: '\"'");
    check(
        "a[]",
        "1:3: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
    );
    check("a[", "1:3: unexpected end of input in duration expression");
    check("a[5m", "1:5: unclosed left bracket");
    check("a[:5m]", "1:4: unexpected colon before duration in duration expression");
    check("a[5m:5m:5m]", "1:8: unexpected colon ':'");
    check(
        "a[5m:+]",
        "1:7: unexpected \"]\" in subquery selector, expected number, duration, step(), range(), or \"]\"",
    );
    check("a[5m 5m]", "1:6: unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\"");
    check("a[5m:5m 5m]", "1:9: unexpected duration \"5m\" in subquery selector, expected \"]\"");
    check("a[5s x 5s]", "1:6: unexpected character: 'x', expected ':'");
    check("(a + b)[5m]", "1:8: ranges only allowed for vector selectors");
    check("1[5m] anchored", "1:2: ranges only allowed for vector selectors");
    check("a offset 1m[5m]", "1:12: no offset modifiers allowed before range");
    check("a offset step()[5m]", "1:16: no offset modifiers allowed before range");
    check("a @ end()[5m]", "1:10: no @ modifiers allowed before range");
    check("a[5d] offset 10s [10m:5s]", "1:1: subquery is only allowed on instant vector, got matrix instead");
    check("1[5m:]", "1:1: subquery is only allowed on instant vector, got scalar instead");
}

#[test]
fn places() {
    const OFFSET: &str = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
    const AT: &str =
        "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
    check("1 offset 1d", &format!("1:1: {OFFSET}"));
    check("rate(a[5m]) @ 5", &format!("1:1: {AT}"));
    check("a offset 1s offset 2s", "1:1: offset may not be set multiple times");
    check("a @ 1 @ 2", "1:1: @ <timestamp> may not be set multiple times");
    check(
        "a offset",
        "1:9: unexpected end of input in offset, expected number, duration, step(), or range()",
    );
    check(
        "a offset b",
        "1:10: unexpected identifier \"b\" in offset, expected number, duration, step(), or range()",
    );
    check("a @", "1:4: unexpected end of input in @, expected timestamp");
    check("a @ start", "1:10: unexpected end of input in @, expected timestamp");
    check("a @ +Inf", "1:1: timestamp out of bounds for @ modifier: +Inf");
    check("a @ NaN", "1:1: timestamp out of bounds for @ modifier: NaN");
    check("a @ 1e19", "1:1: timestamp out of bounds for @ modifier: 10000000000000000000.000000");
    check("a offset 9.5e10", "1:10: duration out of range");
    check("a anchored smoothed", "1:1: anchored and smoothed modifiers cannot be used together");
    check("a[5m:] anchored", "1:1: anchored modifier is not supported for subqueries");
    check("sum(a) smoothed", "1:1: smoothed modifier not implemented");
}

#[test]
fn duration_expressions() {
    check(
        "a[step]",
        "1:7: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
    );
    check("a[step()/0d]", "1:9: division by zero");
    check("a[5s%0]", "1:5: modulo by zero");
    check("a offset (4d/0)", "1:13: division by zero");
    check("a[9.5e10]", "1:3: duration out of range");
    check("a[5m+foo()]", "1:6: unexpected character: 'f', expected ':'");
    check("a[foo()]", "1:3: unexpected character in duration expression: 'f'");
}

#[test]
fn aggregations() {
    check("sum()", "1:1: no arguments for aggregate expression provided");
    check("topk(a)", "1:1: wrong number of arguments for aggregate expression provided, expected 2, got 1");
    check("sum(a, b)", "1:1: wrong number of arguments for aggregate expression provided, expected 1, got 2");
    check("topk(a,)", "1:7: trailing commas not allowed in function call args");
    check("topk(a, b)", "1:6: expected type scalar in aggregation parameter, got instant vector");
    check("count_values(5, b)", "1:14: expected type string in aggregation parameter, got scalar");
    check("sum(1)", "1:5: expected type instant vector in aggregation expression, got scalar");
    check("sum by (==) (a)", "1:9: unexpected <op:==> in grouping opts, expected label");
    check("sum by (a,,) (b)", "1:11: unexpected \",\" in grouping opts, expected label");
    check("sum by (a b) (c)", "1:11: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\"");
    check("sum by (\"\") (a)", "1:9: invalid label name for grouping: \"\"");
    check("sum (a) by b", "1:12: unexpected identifier \"b\" in grouping opts, expected \"(\"");
    check("sum a by (b)", "1:5: unexpected identifier \"a\"");
    check("sum (a) without (b) by (c)", "1:21: unexpected <by>");
    check("sum without (b) (a) by (c)", "1:21: unexpected <by>");
    check("sum by (b) a", "1:12: unexpected identifier \"a\" in aggregation");
    check("sum(abs(a b))", "1:11: unexpected identifier \"b\" in aggregation");
    check("sum(a) b", "1:8: unexpected identifier \"b\"");
}

#[test]
fn functions() {
    check("nothing()", "1:1: unknown function with name \"nothing\"");
    check("a > b()", "1:5: unknown function with name \"b\"");
    check("floor()", "1:1: expected 1 argument(s) in call to \"floor\", got 0");
    check("time(a)", "1:1: expected 0 argument(s) in call to \"time\", got 1");
    check("hour(a, a)", "1:1: expected at most 1 argument(s) in call to \"hour\", got 2");
    check("label_join(a, \"b\")", "1:1: expected at least 3 argument(s) in call to \"label_join\", got 2");
    check("floor(1)", "1:7: expected type instant vector in call to function \"floor\", got scalar");
    check("rate(avg)", "1:6: expected type range vector in call to function \"rate\", got instant vector");
    check("floor(a, )", "1:8: trailing commas not allowed in function call args");
    check("floor(,a)", "1:7: unexpected \",\"");
    check("info(a, b{c=\"d\"})", "1:9: expected label selectors only, got vector selector instead");
    check("info(a, {c=\"d\"} == 1)", "1:9: expected label selectors only");
    check("info(a, 1)", "1:1: expected type instant vector in call to function \"info\", got scalar");
}

#[test]
fn operators() {
    check("a and 1", "1:1: set operator \"and\" not allowed in binary scalar expression");
    check("1 or on (b) a", "1:1: vector matching only allowed between instant vectors");
    check("1 == 1", "1:3: comparisons between scalars must use BOOL modifier");
    check("a + bool b", "1:3: bool modifier can only be used on comparison operators");
    check("a + group_left (b) c", "1:5: unexpected <group_left>");
    check("a - on (b) ignoring (c) d", "1:12: unexpected <ignoring>");
    check("a and on (b) group_left c", "1:1: no grouping allowed for \"and\" operation");
    check("a + on (b) group_left (c, b) d", "1:3: label \"b\" must not occur in ON and GROUP clause at once");
    check("a + \"b\"", "1:5: binary expression must contain only scalar and instant vector types");
    check("a[5m] + 1", "1:1: binary expression must contain only scalar and instant vector types");
    check(
        "-a[5m]",
        "1:1: unary expression only allowed on expressions of type scalar or instant vector, got \"range vector\"",
    );
    check("a + fill (0) 1", "1:1: filling in missing series only allowed between instant vectors");
    check("a or fill (0) b", "1:1: filling in missing series not allowed for set operators");
    check("a + fill (b) c", "1:11: unexpected identifier \"b\"");
}

#[test]
fn what_is_experimental_is_off_by_default() {
    let check = |query, expected| check_with(&ParseOptions::default(), query, expected);
    check("a + mad_over_time(b[5m])", "1:5: function \"mad_over_time\" is not enabled");
    check(
        "a + limitk(1, b)",
        "1:5: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
    );
    check("a + fill (0) b", "1:1: binop fill modifiers are experimental and not enabled");
    check("a[5m] anchored", "1:1: anchored modifier is experimental and not enabled");
    check("a smoothed", "1:1: smoothed modifier is experimental and not enabled");
    check("a[5m + 5m]", "1:3: experimental duration expression is not enabled");
    check("a[step()]", "1:3: experimental duration expression is not enabled");
    check("a offset (5m)", "1:11: experimental duration expression is not enabled");
    check("a offset -(5m)", "1:12: experimental duration expression is not enabled");
    let options = ParseOptions::default();
    for stable in ["a[+5m]", "a offset -5m", "a offset +3", "a </ 1", "info", "limitk", "step"] {
        assert!(parse(stable, &options).is_ok(), "{stable}");
    }
}

#[test]
fn selector_alone() {
    let matchers = parse_selector("a{b=~\"c\"}").expect("a selector");
    assert_eq!(matchers.len(), 2);
    assert_eq!(parse_selector("{}").expect("fits everything"), []);
    for (text, expected) in [
        ("a[5m]", "1:2: parse error: unexpected \"[\""),
        ("sum(a)", "1:4: parse error: unexpected \"(\""),
        ("1", "1:1: parse error: unexpected number \"1\""),
        ("", "unknown position: parse error: unexpected end of input"),
    ] {
        assert_eq!(parse_selector(text).expect_err(text).to_string(), expected, "{text}");
    }
}
