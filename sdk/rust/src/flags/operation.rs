//! The operations that flagd adds to JSONLogic. What does not fit is not an error: a condition is
//! false and a split chooses nothing, as in flagd.

use semver::{BuildMetadata, Prerelease, Version};
use serde_json::Value;

use super::murmur3::murmur3;

/// Weights and their sum, as flagd has it.
const WEIGHT_MAX: u64 = i32::MAX as u64;

/// `fractional`: one of several variants by the hash of a key. The key is the first argument if that
/// is text, else the flag's key followed by the targeting key.
pub(super) fn fractional(arguments: &[Value], flag_key: &str, targeting_key: Option<&str>) -> Value {
    let implicit = || targeting_key.map(|key| format!("{flag_key}{key}"));
    let (key, shares) = match arguments {
        [Value::String(key), shares @ ..] => (Some(key.clone()), shares),
        [Value::Null, shares @ ..] => (implicit(), shares),
        shares => (implicit(), shares),
    };
    let shares: Option<Vec<_>> = shares.iter().map(share).collect();
    let (Some(key), Some(shares), true) = (key, shares, arguments.len() > 1) else { return Value::Null };
    let total: u64 = shares.iter().map(|(_, weight)| weight).sum();
    if total > WEIGHT_MAX {
        return Value::Null;
    }
    let bucket = (u64::from(murmur3(key.as_bytes())) * total) >> 32;
    let mut end = 0;
    let chosen = shares.into_iter().find(|(_, weight)| {
        end += weight;
        bucket < end
    });
    chosen.map_or(Value::Null, |(variant, _)| variant.clone())
}

/// `["red", 25]`, or `["red"]` which weighs 1.
fn share(value: &Value) -> Option<(&Value, u64)> {
    let (variant, weight) = match value.as_array()?.as_slice() {
        [variant] | [variant, Value::Null] => (variant, 1),
        [variant, weight, ..] => (variant, whole(weight)?),
        [] => return None,
    };
    let is_scalar = !variant.is_array() && !variant.is_object();
    (is_scalar && weight <= WEIGHT_MAX).then_some((variant, weight))
}

fn whole(value: &Value) -> Option<u64> {
    let number = value.as_f64()?;
    (number >= 0.0 && number.fract() == 0.0 && number <= WEIGHT_MAX as f64).then_some(number as u64)
}

/// `sem_ver`: how two versions stand to each other. `^` is the same major, `~` the same minor.
pub(super) fn sem_ver(arguments: &[Value]) -> bool {
    let [Value::String(ours), Value::String(operator), Value::String(theirs)] = arguments else {
        return false;
    };
    let (Some(ours), Some(theirs)) = (version(ours), version(theirs)) else { return false };
    let order = ours.cmp_precedence(&theirs);
    match operator.as_str() {
        "=" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "^" => ours.major == theirs.major,
        "~" => (ours.major, ours.minor) == (theirs.major, theirs.minor),
        _ => false,
    }
}

/// `1.2.3-rc.1+build`, `v1.2` and `1`.
fn version(text: &str) -> Option<Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    if let Ok(version) = Version::parse(text) {
        return Some(version);
    }
    let part = |part: &str| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_canonical = part == "0" || !part.starts_with('0');
        (is_number && is_canonical).then(|| part.parse().ok()).flatten()
    };
    let (major, minor) = match text.split_once('.') {
        Some((major, minor)) => (part(major)?, part(minor)?),
        None => (part(text)?, 0),
    };
    Some(Version { major, minor, patch: 0, pre: Prerelease::EMPTY, build: BuildMetadata::EMPTY })
}

/// `starts_with` and `ends_with`.
pub(super) fn affix(arguments: &[Value], matches: fn(&str, &str) -> bool) -> bool {
    match arguments {
        [Value::String(text), Value::String(affix)] => matches(text, affix),
        _ => false,
    }
}

/// `lower` and `upper`: only ASCII, so that it is the same everywhere.
pub(super) fn case(arguments: &[Value], convert: fn(&str) -> String) -> Value {
    match arguments {
        [Value::String(text)] => Value::String(convert(text)),
        _ => Value::Null,
    }
}
