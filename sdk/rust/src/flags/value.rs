//! How JSONLogic compares and converts, which is how JavaScript does.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

/// Integers beyond are not exact as floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Nothing, false, zero, the empty text and the empty list are false; everything else is true.
pub(super) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    }
}

/// A number, or NaN for what is none.
pub(super) fn number(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) if text.trim().is_empty() => 0.0,
        Value::String(text) => text.trim().parse().unwrap_or(f64::NAN),
        Value::Array(_) | Value::Object(_) => f64::NAN,
    }
}

/// JSON has no NaN and no infinity: those are nothing.
pub(super) fn from_number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < EXACT {
        // Exact, as it was just seen.
        return Value::Number(Number::from(number as i64));
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// `===`: of the same type and equal. Lists and objects are equal if what is in them is.
pub(super) fn strictly_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

/// `==`: equal after conversion. Nothing equals only itself.
pub(super) fn loosely_equal(a: &Value, b: &Value) -> bool {
    let composite = |value: &Value| value.is_array() || value.is_object();
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        _ if composite(a) || composite(b) || (a.is_string() && b.is_string()) => a == b,
        _ => number(a) == number(b),
    }
}

/// By letters if both are text, else by number; no order with what is no number.
pub(super) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => number(a).partial_cmp(&number(b)),
    }
}

/// As `cat` joins it.
pub(super) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(number) => Cow::Owned(from_number(number.as_f64().unwrap_or(f64::NAN)).to_string()),
        Value::Array(items) => {
            Cow::Owned(items.iter().map(|item| text(item).into_owned()).collect::<Vec<_>>().join(","))
        }
        Value::Bool(_) | Value::Object(_) => Cow::Owned(value.to_string()),
    }
}

/// An integer without loss: `10.0` is one, `3.14` is not.
pub(super) fn integer(value: Value) -> Option<i64> {
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

pub(super) fn string(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

pub(super) fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}
