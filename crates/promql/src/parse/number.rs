//! What numbers and durations are worth: Go's `strconv` and Prometheus' `model.Duration`.

use super::escape::quote;

/// As `strconv.ParseInt` with base 0 and, where that fails, `strconv.ParseFloat`.
pub(super) fn number(text: &str) -> Result<f64, String> {
    if let Some(integer) = integer(text) {
        return Ok(integer as f64);
    }
    let failed =
        |why: &str| format!("error parsing number: strconv.ParseFloat: parsing {}: {why}", quote(text));
    if !underscores_fit(text) {
        return Err(failed("invalid syntax"));
    }
    let value = if text.contains('_') { text.replace('_', "").parse::<f64>() } else { text.parse::<f64>() };
    match value {
        Ok(value) if value.is_infinite() && text.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            Err(failed("value out of range"))
        }
        Ok(value) => Ok(value),
        Err(_) => Err(failed("invalid syntax")),
    }
}

/// With the prefixes `0x`, `0b`, `0o` and `0`; nothing if it is no such number or too large.
fn integer(text: &str) -> Option<i64> {
    if !underscores_fit(text) {
        return None;
    }
    let (digits, base) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', b'b' | b'B', ..] => (&text[2..], 2),
        [b'0', b'o' | b'O', ..] => (&text[2..], 8),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    if digits.contains('_') {
        i64::from_str_radix(&digits.replace('_', ""), base).ok()
    } else {
        i64::from_str_radix(digits, base).ok()
    }
}

/// Each stands between digits, where a prefix counts as one.
fn underscores_fit(text: &str) -> bool {
    if !text.contains('_') {
        return true;
    }
    let prefixed = matches!(text.as_bytes(), [b'0', b'x' | b'X' | b'b' | b'B' | b'o' | b'O', ..]);
    let hexadecimal = matches!(text.as_bytes(), [b'0', b'x' | b'X', ..]);
    let is_digit = |byte: u8| byte.is_ascii_digit() || (hexadecimal && byte.is_ascii_hexdigit());
    let digits = &text.as_bytes()[if prefixed { 2 } else { 0 }..];
    (0..digits.len()).filter(|&at| digits[at] == b'_').all(|at| {
        let before = if at == 0 { prefixed } else { is_digit(digits[at - 1]) };
        before && digits.get(at + 1).is_some_and(|&byte| is_digit(byte))
    })
}

/// Units from the largest to the smallest, in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000_000_000),
    ("w", 7 * 24 * 3_600_000_000_000),
    ("d", 24 * 3_600_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// `1h30m` in seconds.
pub(super) fn duration(text: &str) -> Result<f64, String> {
    let invalid = || format!("not a valid duration string: {}", quote(text));
    let out_of_range = || "duration out of range".to_owned();
    let mut rest = text;
    let mut smallest = None;
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let value: u64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let (name, after) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        rest = after;
        let unit = UNITS.iter().position(|(unit, _)| *unit == name);
        let unit = unit.ok_or_else(|| format!("unknown unit {} in duration {}", quote(name), quote(text)))?;
        if smallest.is_some_and(|smallest| unit <= smallest) {
            return Err(invalid());
        }
        smallest = Some(unit);
        let nanoseconds = value.checked_mul(UNITS[unit].1).ok_or_else(out_of_range)?;
        total = total.checked_add(nanoseconds).ok_or_else(out_of_range)?;
        if i64::try_from(total).is_err() {
            return Err(out_of_range());
        }
    }
    Ok((total / 1_000_000_000) as f64 + (total % 1_000_000_000) as f64 / 1e9)
}
