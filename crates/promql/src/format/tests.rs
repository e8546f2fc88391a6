//! What is printed.

use super::format_query;
use crate::parse::tests::parsed;

fn check(query: &str, expected: &str) {
    assert_eq!(parsed(query).to_string(), expected, "{query}");
}

/// Prints as it was written.
fn same(query: &str) {
    check(query, query);
}

#[test]
fn aggregations_and_matching() {
    check("sum by() (a)", "sum(a)");
    check("sum(a) by(code)", "sum by (code) (a)");
    check("sum without() (a)", "sum without () (a)");
    same("topk(5, a{job=\"s\"})");
    same("count_values(\"value\", a)");
    check("a - on() c", "a - on () c");
    check("a - on(b) group_left c", "a - on (b) group_left () c");
    same("a - on (b) group_left (x, y) c");
    same("a - ignoring (b) group_right (\"x y\") c");
    check("a - ignoring() c", "a - c");
    check("a and on(x) b", "a and on (x) b");
    check("up > BOOL 0", "up > bool 0");
    check("a + fill(1e-9) b", "a + fill (1e-09) b");
    check("a + fill_right(1e21) fill_left(2) b", "a + fill_left (2) fill_right (1e+21) b");
    same("a </ 1 >/ -2");
}

#[test]
fn selectors_and_places() {
    same("a{b!=\"c\"}[1m]");
    same("{__name__=\"a\"}");
    check("{\"a\"}", "{__name__=\"a\"}");
    check("a{z=\"1\", b=\"2\"}", "a{b=\"2\",z=\"1\"}");
    same("a{\"l.x\"=\"a\\n☺\\\"\"}");
    same("a offset -7m");
    check("a offset 0", "a");
    same("a[12m] offset -3m");
    check("a[1m] offset 1m @ 10", "a[1m] @ 10.000 offset 1m");
    same("a @ start() smoothed offset 1m");
    same("a[5m] anchored @ end()");
    same("a[1h:5m] offset 1m");
    same("a[1h:] @ 1.500");
}

#[test]
fn durations() {
    check("a[1d]", "a[1d]");
    check("a[7d]", "a[1w]");
    check("a[8d]", "a[8d]");
    check("a[365d]", "a[1y]");
    check("a[90m]", "a[1h30m]");
    check("a[1.5]", "a[1s500ms]");
    check("a[-5 + 2m*(step())]", "a[-5 + 2m * (step())]");
    same("a offset -(5m)");
    check("a offset +(5)", "a offset (5)");
    same("a offset -min_of(step(), 5m)");
    same("a[max_of(range(), -step())]");
    check("5m + -90s + 1", "5m + -1m30s + 1");
}

#[test]
fn numbers_and_strings() {
    check("1e3", "1000");
    check("1e-7", "0.0000001");
    check("+Inf - -Inf", "+Inf - -Inf");
    check("Inf ^ 2", "Inf ^ 2");
    check("nan", "NaN");
    check("0x1F", "31");
    check("'a\\'\"\\x00ü'", "\"a'\\\"\\x00ü\"");
    check("- -1 * -a", "1 * -a");
}

#[test]
fn long_queries_are_broken_up() {
    let long = |name: &str| format!("{name}{{a_label_of_some_length=\"and a value of some length too\"}}");
    let (one, two) = (long("the_first_metric"), long("the_second_metric"));
    let query = format!(
        "sum by (x) (rate({one}[5m])) / on (x) group_left () histogram_quantile(0.9, -({two} + {one}))"
    );
    let expected = [
        &format!("  sum by (x) (rate({one}[5m]))"),
        "/ on (x) group_left ()",
        "  histogram_quantile(",
        "    0.9,",
        "    -(",
        &format!("        {two}"),
        "      +",
        &format!("        {one}"),
        "    )",
        "  )",
    ];
    assert_eq!(format_query(&parsed(&query)), expected.join("\n"));
    let query = format!("topk by (x) (5, {one} > bool {two})");
    let expected = ["topk by (x) (", "  5,", &format!("    {one}"), "  > bool", &format!("    {two}"), ")"];
    assert_eq!(format_query(&parsed(&query)), expected.join("\n"));
}

#[test]
fn what_fits_stays_on_a_line() {
    let exactly = format!("{} + b", "a".repeat(96));
    assert_eq!(format_query(&parsed(&exactly)), exactly);
    let one_more = format!("{} + b", "a".repeat(97));
    assert_eq!(format_query(&parsed(&one_more)), format!("  {}\n+\n  b", "a".repeat(97)));
}

#[test]
fn long_subqueries_keep_their_brackets() {
    let metric = "a".repeat(90);
    let query = format!("max_over_time(rate({metric}[5m])[1h:1m] offset 5m)");
    let expected = format!("max_over_time(\n  rate({metric}[5m])[1h:1m] offset 5m\n)");
    assert_eq!(format_query(&parsed(&query)), expected);
}
