//! What has to hold for every query: printing loses nothing, and no text makes the parser panic.

use proptest::prelude::*;

use super::parsed;
use crate::ast::{DurationExpr, DurationKind, Expr, ExprKind, Matcher, Place, Span, VectorSelector};
use crate::format::format_query;
use crate::parse::{ParseOptions, parse, parse_selector};

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    proptest::sample::select(texts).prop_map(str::to_owned)
}

fn duration() -> impl Strategy<Value = String> + Clone {
    let leaf = one_of(&["5m", "1h30m", "90", "1.5", "step()", "range()", "7ms", "1y", "2w1d"]);
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), one_of(&["+", "-", "*", "/", "%", "^", " - -"]), inner.clone())
                .prop_map(|(left, op, right)| format!("{left}{op}{right}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.clone().prop_map(|inner| format!("-({inner})")),
            (one_of(&["min_of", "max_of"]), inner.clone(), inner)
                .prop_map(|(name, left, right)| format!("{name}({left}, {right})")),
        ]
    })
}

fn place() -> impl Strategy<Value = String> + Clone {
    let offset = prop_oneof![
        one_of(&["", " offset 5m", " offset -90", " offset 0", " offset -step()", " offset +max_of(1, 2)"]),
        duration().prop_map(|duration| format!(" offset ({duration})")),
        duration().prop_map(|duration| format!(" offset -({duration})")),
    ];
    let at = one_of(&["", " @ 5", " @ -1.2345", " @ start()", " @ end()"]);
    (offset, at, any::<bool>())
        .prop_map(|(offset, at, first)| if first { offset + &at } else { at + &offset })
}

fn selector() -> impl Strategy<Value = String> + Clone {
    one_of(&[
        "a",
        "a:b",
        "sum",
        "offset",
        "a{b=\"c\"}",
        "a{z!=\"\", b=~\"c|d.*\", b!~'e{}'}",
        "{\"my.metric\"}",
        "{__name__=\"a\", \"l.x\"=\"v\"}",
        "{__name__=~\"a\", x=\"\\xff\\u0001\\\"☺\"}",
    ])
}

fn matrix() -> impl Strategy<Value = String> + Clone {
    let range = prop_oneof![one_of(&["5m", "300", "1.5"]), duration()];
    (selector(), range, one_of(&["", " anchored", " smoothed"]), place())
        .prop_map(|(selector, range, mode, place)| format!("{selector}[{range}]{mode}{place}"))
}

fn scalar() -> impl Strategy<Value = String> + Clone {
    let leaf = one_of(&["1", "-1.5", "0x1F", "1e-7", "1e30", "Inf", "5m", "-90s", "NaN", "time()", "pi()"]);
    leaf.prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (
                inner.clone(),
                one_of(&["+", "-", "*", "/", "%", "^", "atan2", "== bool", "< bool"]),
                inner.clone()
            )
                .prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            inner.clone().prop_map(|inner| format!("-{inner}")),
            inner.prop_map(|inner| format!("({inner})")),
        ]
    })
}

fn vector() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        selector(),
        // In parentheses, since an operator behind `offset (5m)` belongs to the offset.
        (selector(), one_of(&["", " smoothed"]), place())
            .prop_map(|(name, mode, place)| format!("({name}{mode}{place})")),
        matrix().prop_map(|matrix| format!("rate({matrix})")),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let operator = one_of(&[
            "+",
            "-",
            "*",
            "/",
            "%",
            "^",
            "atan2",
            "==",
            "!=",
            "< bool",
            ">=",
            "</",
            ">/",
            "and",
            "or",
            "unless",
            "and on (x)",
            "/ ignoring (x, \"y z\") group_left ()",
            "* on () group_right (by)",
            "+ fill (0)",
            "- on (x) fill_left (-Inf) fill_right (1e-9)",
        ]);
        let aggregate = one_of(&["sum", "avg", "group", "topk", "count_values", "quantile", "limit_ratio"]);
        let grouping = one_of(&["", "by (x, \"y z\")", "without ()", "by ()", "without (on, a:b)"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            (inner.clone(), scalar()).prop_map(|(left, right)| format!("({left} > {right})")),
            (scalar(), inner.clone()).prop_map(|(left, right)| format!("({left} - {right})")),
            (aggregate, grouping, scalar(), inner.clone(), any::<bool>()).prop_map(aggregation),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.clone().prop_map(|inner| format!("-{inner}")),
            inner.clone().prop_map(|inner| format!("label_replace({inner}, 'a', `b`, \"c\\n\", \"\")")),
            (inner.clone(), prop_oneof![one_of(&["5m"]), duration()], one_of(&["", "1m", "step()"]), place())
                .prop_map(|(inner, range, step, place)| format!(
                    "max_over_time(({inner})[{range}:{step}]{place})"
                )),
        ]
    })
}

fn aggregation((name, grouping, param, inner, first): (String, String, String, String, bool)) -> String {
    let param = match name.as_str() {
        "count_values" => "\"label\", ".to_owned(),
        "topk" | "quantile" | "limit_ratio" => format!("{param}, "),
        _ => String::new(),
    };
    if first {
        format!("{name} {grouping} ({param}{inner})")
    } else {
        format!("{name}({param}{inner}) {grouping}")
    }
}

/// Without what printing may change: places, the order of matchers, and how a lone range was
/// written.
fn canonical(mut expr: Expr) -> Expr {
    expr.span = Span::default();
    match &mut expr.kind {
        // What is no number equals nothing.
        ExprKind::Number { value, .. } if value.is_nan() => *value = 0.25,
        ExprKind::Number { .. } | ExprKind::String(_) => {}
        ExprKind::Vector(vector) => canonical_selector(vector),
        ExprKind::Matrix(matrix) => {
            matrix.vector_span = Span::default();
            canonical_selector(&mut matrix.vector);
            canonical_duration(&mut matrix.range, true);
        }
        ExprKind::Subquery(subquery) => {
            replace(&mut subquery.expr);
            canonical_duration(&mut subquery.range, true);
            if let Some(step) = &mut subquery.step {
                canonical_duration(step, true);
            }
            canonical_place(&mut subquery.place);
        }
        ExprKind::Call(call) => call.args.iter_mut().for_each(replace),
        ExprKind::Aggregate(aggregate) => {
            aggregate.param.iter_mut().for_each(replace);
            replace(&mut aggregate.expr);
        }
        ExprKind::Binary(binary) => {
            replace(&mut binary.left);
            replace(&mut binary.right);
        }
        ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => replace(expr),
    }
    expr
}

fn replace(expr: &mut Expr) {
    *expr = canonical(expr.clone());
}

fn canonical_selector(vector: &mut VectorSelector) {
    vector.matchers.sort_by_key(Matcher::to_string);
    canonical_place(&mut vector.place);
}

fn canonical_place(place: &mut Place) {
    let zero = |offset: &DurationExpr| matches!(offset.kind, DurationKind::Literal { seconds: 0.0, .. });
    place.offset = place.offset.take().filter(|offset| !zero(offset));
    if let Some(offset) = &mut place.offset {
        canonical_duration(offset, true);
    }
}

fn canonical_duration(duration: &mut DurationExpr, outer: bool) {
    duration.span = Span::default();
    match &mut duration.kind {
        DurationKind::Literal { duration, .. } => *duration |= outer,
        DurationKind::Step | DurationKind::Range => {}
        DurationKind::Unary { expr, .. } | DurationKind::Paren(expr) => canonical_duration(expr, false),
        DurationKind::Binary { left, right, .. }
        | DurationKind::Min(left, right)
        | DurationKind::Max(left, right) => {
            canonical_duration(left, false);
            canonical_duration(right, false);
        }
    }
}

proptest! {
    // Expressions in selectors are slow to compile without optimisation.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn printing_loses_nothing(query in vector()) {
        let expr = parsed(&query);
        let printed = expr.to_string();
        let again = parsed(&printed);
        prop_assert_eq!(again.to_string(), &*printed);
        let expr = canonical(expr);
        prop_assert_eq!(&canonical(again), &expr);
        let pretty = format_query(&expr);
        prop_assert_eq!(&canonical(parsed(&pretty)), &expr, "{}", pretty);
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn no_mutation_makes_it_panic(query in vector(), edits in mutations()) {
        let mut chars: Vec<char> = query.chars().collect();
        for (at, edit) in edits {
            let at = at.index(chars.len() + 1);
            match edit {
                Some(text) => drop(chars.splice(at..at, text.chars())),
                None => chars.truncate(at.max(1)),
            }
            if at < chars.len() && at % 2 == 0 {
                chars.remove(at);
            }
        }
        survives(&String::from_iter(chars));
    }
}

fn mutations() -> impl Strategy<Value = Vec<(proptest::sample::Index, Option<String>)>> {
    let text = one_of(&[
        "(", ")", "[", "]", "{", "}", ":", ",", "\"", "'", "`", "\\", "#", "\n", "@", "-", "^", " offset ",
        " by ", " on ", " bool ", "5m", "0x", "1e", "_", ".", "=~", "!", "ü", "\u{fffd}", "step()", " fill(",
        "</",
    ]);
    proptest::collection::vec((any::<proptest::sample::Index>(), proptest::option::weighted(0.9, text)), 1..6)
}

/// Both ways, and what is accepted can be printed.
fn survives(text: &str) {
    for options in [ParseOptions::default(), ParseOptions::new(true)] {
        match parse(text, &options) {
            Ok(expr) => assert!(!(expr.to_string() + &format_query(&expr)).is_empty()),
            Err(error) => {
                assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{error:?}")
            }
        }
    }
    drop(parse_selector(text));
}
