//! Queries by chance. None looks at the time of day, for that moves; none ranks, for equals may rank
//! either way.

use proptest::prelude::*;

const RANGES: [&str; 5] = ["1m", "2m30s", "5m", "20m", "1s"];

const OVER_RANGES: [&str; 22] = [
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "resets",
    "changes",
    "avg_over_time",
    "sum_over_time",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "first_over_time",
    "last_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "mad_over_time",
    "deriv",
    "absent_over_time",
    "rate",
    "max_over_time",
];

const OF_VECTORS: [&str; 12] = [
    "abs",
    "ceil",
    "-",
    "sgn",
    "sqrt",
    "histogram_count",
    "histogram_sum",
    "histogram_avg",
    "histogram_stddev",
    "round",
    "sort",
    "absent",
];

const OPERATORS: [&str; 14] =
    ["+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">= bool", "and", "or", "unless"];

fn selector() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => Just("a".to_owned()),
        2 => Just("b".to_owned()),
        1 => Just("{__name__=~\"a|b\"}".to_owned()),
        1 => Just("a{i!=\"x\"}".to_owned()),
        1 => Just("a{i=~\"y|\"}".to_owned()),
    ];
    let offset = prop_oneof![6 => Just(""), 1 => Just(" offset 30s"), 1 => Just(" offset -45s")];
    (name, offset).prop_map(|(name, offset)| format!("{name}{offset}"))
}

fn range_selector() -> impl Strategy<Value = String> {
    (selector(), proptest::sample::select(&RANGES)).prop_map(|(selector, range)| {
        match selector.split_once(' ') {
            Some((name, offset)) => format!("{name}[{range}] {offset}"),
            None => format!("{selector}[{range}]"),
        }
    })
}

fn over_range() -> impl Strategy<Value = String> {
    let plain = (proptest::sample::select(&OVER_RANGES), range_selector())
        .prop_map(|(function, range)| format!("{function}({range})"));
    let extended = (
        proptest::sample::select(&["rate", "increase", "delta"][..]),
        proptest::sample::select(&["anchored", "smoothed"][..]),
        proptest::sample::select(&RANGES),
    )
        .prop_map(|(function, mode, range)| format!("{function}(a[{range}] {mode})"));
    let quantile = range_selector().prop_map(|range| format!("quantile_over_time(0.3, {range})"));
    let predicted = range_selector().prop_map(|range| format!("predict_linear({range}, 60)"));
    prop_oneof![8 => plain, 2 => extended, 1 => quantile, 1 => predicted]
}

/// What is evaluated series by series and keeps them apart.
pub(super) fn single() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![selector(), over_range()];
    leaf.prop_recursive(2, 4, 1, |inner| {
        prop_oneof![
            (proptest::sample::select(&OF_VECTORS[..10]), inner.clone())
                .prop_map(|(function, vector)| format!("{function}({vector})")),
            (inner.clone(), proptest::sample::select(&OPERATORS[..11]))
                .prop_map(|(vector, operator)| format!("({vector}) {operator} 3")),
            (proptest::sample::select(&["max_over_time", "rate", "sum_over_time"][..]), inner)
                .prop_map(|(function, vector)| format!("{function}(({vector})[3m:50s])")),
        ]
    })
    // These give one series for all.
    .prop_filter("absent", |query| !query.contains("absent"))
}

pub(super) fn vector() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![2 => selector(), 5 => over_range(), 1 => Just("vector(7)".to_owned())];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let grouping = prop_oneof![Just(""), Just("by (i) "), Just("without (j) "), Just("by (i, j, __name__) ")];
        let aggregation = prop_oneof![
            Just("sum"), Just("avg"), Just("count"), Just("min"), Just("max"), Just("group"), Just("stddev"),
        ];
        let matching = prop_oneof![4 => Just(""), 1 => Just("on (i) "), 1 => Just("ignoring (j) "), 1 => Just("on (i, j) ")];
        prop_oneof![
            3 => (aggregation, grouping.clone(), inner.clone())
                .prop_map(|(aggregation, grouping, vector)| format!("{aggregation} {grouping}({vector})")),
            1 => (grouping, inner.clone()).prop_map(|(grouping, vector)| format!("quantile {grouping}(0.4, {vector})")),
            2 => (proptest::sample::select(&OF_VECTORS), inner.clone())
                .prop_map(|(function, vector)| format!("{function}({vector})")),
            2 => (inner.clone(), proptest::sample::select(&OPERATORS), matching, inner.clone())
                .prop_map(|(left, operator, matching, right)| format!("({left}) {operator} {matching}({right})")),
            1 => (inner.clone(), proptest::sample::select(&OPERATORS[..11]))
                .prop_map(|(vector, operator)| format!("2 {operator} ({vector})")),
            1 => (proptest::sample::select(&["max_over_time", "rate", "avg_over_time"][..]), inner.clone())
                .prop_map(|(function, vector)| format!("{function}(({vector})[3m:50s] offset 10s)")),
            1 => inner.clone().prop_map(|vector| format!("label_replace({vector}, \"k\", \"$1\", \"i\", \"(.*)\")")),
            1 => inner.clone().prop_map(|vector| format!("limitk(2, {vector})")),
            1 => inner.clone().prop_map(|vector| format!("histogram_quantile(0.7, {vector})")),
            1 => inner.prop_map(|vector| format!("clamp_min({vector}, scalar(sum(a)))")),
        ]
    })
}
