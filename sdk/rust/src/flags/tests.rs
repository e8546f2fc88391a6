#![allow(clippy::unwrap_used)]

mod client;
mod files;
mod logic;
#[cfg(feature = "open-feature")]
mod open_feature;
mod rules;

use serde_json::{Value, json};

use super::{Context, FlagSet};

/// What a rule comes to, as a text in a flag whose variants are all that it may say.
fn choose(rule: Value, context: &Context) -> Option<String> {
    let names = ["true", "false", "red", "green", "blue", "1", "2", "3", "a", "b"];
    let variants: serde_json::Map<_, _> = names.iter().map(|name| ((*name).into(), json!(*name))).collect();
    let flag = json!({ "state": "ENABLED", "variants": variants, "targeting": rule });
    let set = FlagSet::parse(&json!({ "flags": { "flag": flag } }).to_string()).unwrap();
    set.evaluate("flag", context, 0).variant
}

/// Whether a condition holds.
fn holds(condition: Value, context: &Context) -> bool {
    choose(json!({ "if": [condition, "true", "false"] }), context).unwrap() == "true"
}
