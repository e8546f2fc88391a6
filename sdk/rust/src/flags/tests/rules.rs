//! Flags as flagd has them: its operations, its shared rules, its reasons and errors.

use serde_json::{Value, json};

use super::{choose, holds};
use crate::flags::murmur3::murmur3;
use crate::flags::{Context, ErrorCode, FlagSet, Reason};

fn set(text: &Value) -> FlagSet {
    FlagSet::parse(&text.to_string()).unwrap()
}

#[test]
fn versions_are_compared() {
    let cases = [
        ("1.2.3", "=", "1.2.3", true),
        ("v1.2.3", "=", "1.2.3", true),
        ("1.2.3+build", "=", "1.2.3", true),
        ("1.2", "=", "1.2.0", true),
        ("1.2.3-alpha", "<", "1.2.3", true),
        ("1.2.3-alpha.2", "<", "1.2.3-alpha.10", true),
        ("1.10.0", ">", "1.9.0", true),
        ("1.2.3", ">=", "1.2.3", true),
        ("1.2.3", "<=", "1.2.2", false),
        ("1.2.3", "!=", "1.2.4", true),
        ("1.9.9", "^", "1.0.0", true),
        ("2.0.0", "^", "1.0.0", false),
        ("1.2.9", "~", "1.2.0", true),
        ("1.3.0", "~", "1.2.0", false),
        ("01.2.3", "=", "1.2.3", false),
        ("one", "=", "1.0.0", false),
        ("1.0.0", "like", "1.0.0", false),
    ];
    for (ours, operator, theirs, expected) in cases {
        let rule = json!({"sem_ver": [{"var": "version"}, operator, theirs]});
        assert_eq!(
            holds(rule, &Context::new().with("version", ours)),
            expected,
            "{ours} {operator} {theirs}"
        );
    }
    assert!(!holds(json!({"sem_ver": ["1.0.0", "="]}), &Context::new()));
}

#[test]
fn texts_are_compared() {
    let context = Context::new().with("email", "Ann@Example.com").with("age", 3);
    assert!(holds(json!({"starts_with": [{"var": "email"}, "Ann"]}), &context));
    assert!(holds(json!({"ends_with": [{"var": "email"}, "Example.com"]}), &context));
    assert!(!holds(json!({"ends_with": [{"var": "age"}, "3"]}), &context));
    assert!(!holds(json!({"starts_with": [{"var": "email"}]}), &context));
    assert!(holds(json!({"==": [{"lower": [{"var": "email"}]}, "ann@example.com"]}), &context));
    assert!(holds(json!({"==": [{"upper": "ß"}, "ß"]}), &context));
}

/// flagd's own formula, written another way: the hash over 2^32, times the weights.
#[test]
fn a_split_goes_by_the_hash_of_its_key() {
    let rule = json!({"fractional": [{"var": "email"}, ["red", 50], ["green", 30], ["blue", 20]]});
    let mut counts = std::collections::BTreeMap::new();
    for user in 0..2000 {
        let email = format!("user-{user}@example.com");
        let share = f64::from(murmur3(email.as_bytes())) / 4_294_967_296.0 * 100.0;
        let expected = if share < 50.0 {
            "red"
        } else if share < 80.0 {
            "green"
        } else {
            "blue"
        };
        let context = Context::user(format!("{user}")).with("email", email);
        let chosen = choose(rule.clone(), &context).unwrap();
        assert_eq!(chosen, expected, "{user}");
        *counts.entry(chosen).or_insert(0) += 1;
    }
    // The same users each time: these counts are facts, not chances.
    assert!((900..1100).contains(&counts["red"]), "{counts:?}");
    assert!((500..700).contains(&counts["green"]), "{counts:?}");
}

#[test]
fn without_a_key_a_split_goes_by_flag_and_user() {
    let implicit = json!({"fractional": [["red", 1], ["green", 1], ["blue", 2]]});
    let explicit = json!({"fractional": [
        {"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}, ["red"], ["green"], ["blue", 2]]});
    for user in 0..100 {
        let context = Context::user(format!("u{user}"));
        assert_eq!(choose(implicit.clone(), &context), choose(explicit.clone(), &context), "{user}");
    }
    let nobody = Context::new();
    assert_eq!(choose(implicit, &nobody), None, "no key at all: the rule chooses nothing");
    let missing = json!({"fractional": [{"var": "nobody"}, ["red", 1], ["green", 0]]});
    assert_eq!(choose(missing, &Context::user("u")).unwrap(), "red");
}

#[test]
fn widening_a_split_moves_nobody_back() {
    let rule = |percent: u32| json!({"fractional": [["a", percent], ["b", 100 - percent]]});
    for user in 0..300 {
        let context = Context::user(format!("u{user}"));
        let chosen: Vec<_> = (0..=100).step_by(10).map(|it| choose(rule(it), &context).unwrap()).collect();
        let first = chosen.iter().position(|variant| variant == "a").unwrap();
        assert!(chosen[first..].iter().all(|variant| variant == "a"), "{user}: {chosen:?}");
    }
}

#[test]
fn splits_that_make_no_sense_choose_nothing() {
    for shares in [
        json!(["k", ["red", -1], ["green", 2]]),
        json!(["k", ["red", 0.5], ["green", 2]]),
        json!(["k", ["red", "much"]]),
        json!(["k", [["red"], 1]]),
        json!(["k", "red"]),
        json!(["k", ["red", 2_147_483_647], ["green", 1]]),
        json!(["k", ["red", 0]]),
        json!(["k"]),
    ] {
        assert_eq!(choose(json!({ "fractional": shares }), &Context::user("u")), None, "{shares}");
    }
}

#[test]
fn rules_are_shared_by_name() {
    let set = set(&json!({
        "flags": {"f": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
            "targeting": {"if": [{"$ref": "ours"}, "on"]}}},
        "$evaluators": {"ours": {"and": [{"$ref": "mail"}, true]}, "mail": {"in": ["@ours", {"var": "mail"}]}},
    }));
    let on = set.evaluate("f", &Context::new().with("mail", "ann@ours"), 0);
    assert_eq!((on.variant.as_deref(), on.reason), (Some("on"), Reason::TargetingMatch));
    let off = set.evaluate("f", &Context::new().with("mail", "ann@theirs"), 0);
    assert_eq!((off.variant.as_deref(), off.reason), (Some("off"), Reason::Default));
}

#[test]
fn the_reason_says_where_a_value_comes_from() {
    let set = set(&json!({
        "metadata": {"owner": "shop", "version": 1},
        "flags": {
            "plain": {"state": "ENABLED", "variants": {"x": "X"}, "defaultVariant": "x", "targeting": {}},
            "code": {"state": "ENABLED", "variants": {"x": "X"}, "defaultVariant": null},
            "off": {"state": "DISABLED", "variants": {"x": "X"}, "defaultVariant": "x",
                "metadata": {"version": 2}, "targeting": {"if": [true, "x"]}},
            "wrong": {"state": "ENABLED", "variants": {"x": "X"}, "targeting": {"if": [true, "y"]}},
            "truth": {"state": "ENABLED", "variants": {"true": "T"}, "targeting": {"==": [1, 1]}},
            "clock": {"state": "ENABLED", "variants": {"late": "L"}, "targeting":
                {"if": [{">": [{"var": "$flagd.timestamp"}, 100]}, "late"]}},
        },
    }));
    let ask = |key: &str| set.evaluate(key, &Context::new(), 101);
    assert_eq!((ask("plain").value, ask("plain").reason), (Some(json!("X")), Reason::Static));
    assert_eq!((ask("code").value, ask("code").variant, ask("code").reason), (None, None, Reason::Default));
    assert_eq!((ask("off").value, ask("off").reason), (Some(json!("X")), Reason::Disabled));
    assert_eq!(Value::Object(ask("off").metadata), json!({"owner": "shop", "version": 2}));
    assert_eq!(ask("wrong").error.unwrap().code, ErrorCode::ParseError);
    assert_eq!(ask("wrong").reason, Reason::Error);
    assert_eq!(ask("truth").variant.as_deref(), Some("true"));
    assert_eq!(ask("clock").variant.as_deref(), Some("late"));
    assert_eq!(set.evaluate("clock", &Context::new(), 100).reason, Reason::Default);
    assert_eq!(ask("nobody").error.unwrap().code, ErrorCode::FlagNotFound);
}

/// A context cannot pretend to be flagd.
#[test]
fn the_name_of_flagd_is_not_of_the_context() {
    let context = Context::new().with("$flagd", json!({"flagKey": "other"}));
    assert!(holds(json!({"==": [{"var": "$flagd.flagKey"}, "flag"]}), &context));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let deep = (0..70).fold(json!(true), |rule, _| json!({ "!": rule }));
    let text = json!({"flags": {
        "a": {"variants": {"x": 1}},
        "b": {"state": "ENABLED", "variants": {"x": 1, "y": "2"}},
        "c": {"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": "z"},
        "d": {"state": "ENABLED", "variants": {"x": 1}, "targeting": {"shout": [1]}},
        "e": {"state": "ENABLED", "variants": {"x": 1}, "targeting": {"$ref": "loop"}},
        "f": {"state": "ENABLED", "variants": {"x": 1}, "targeting": {"$ref": "gone"}},
        "g": {"state": "ENABLED", "variants": {"x": 9_007_199_254_740_993_i64}},
        "h": {"state": "ENABLED", "variants": {"x": 1}, "targeting": deep},
        "i": {"state": "ENABLED", "variants": {"x": null}},
    }, "$evaluators": {"loop": {"$ref": "loop"}}});
    let error = FlagSet::parse(&text.to_string()).unwrap_err();
    assert_eq!(
        error.problems,
        [
            "flag `a`: `state` must be `ENABLED` or `DISABLED`",
            "flag `b`: its variants are of several types",
            "flag `c`: the default variant `z` is not one of its variants",
            "flag `d`: its rule has the unknown operation `shout`",
            "flag `e`: its rule is nested deeper than 64, or refers to itself",
            "flag `f`: its rule refers to `gone`, which is not in `$evaluators`",
            "flag `g`: the integer of variant `x` is beyond 2^53 - 1",
            "flag `h`: its rule is nested deeper than 64, or refers to itself",
            "flag `i`: a variant has no value",
        ]
    );
    assert!(FlagSet::parse("[]").is_err());
    assert!(FlagSet::parse("{").unwrap_err().to_string().starts_with("no JSON: "));
}
