//! Durations: `1h30m`, `100ms`, `0`.

use super::DescriptionError;
use super::cursor::Cursor;

/// Units from the largest to the smallest, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A duration as Prometheus writes it, in milliseconds.
pub fn parse_duration_ms(text: &str) -> Result<i64, DescriptionError> {
    let mut cursor = Cursor::new(text);
    let duration = parse(&mut cursor)?;
    if cursor.at_end() { Ok(duration) } else { Err(cursor.error("not a duration")) }
}

/// Each unit at most once, the larger first; `0` needs none.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<i64, DescriptionError> {
    let mut total: i64 = 0;
    let mut units = &UNITS[..];
    let mut any = false;
    while cursor.peek().is_some_and(|next| next.is_ascii_digit()) {
        let digits = cursor.take_while(|next| next.is_ascii_digit());
        let number: i64 = digits.parse().map_err(|_| cursor.error("the duration is too long"))?;
        let unit = cursor.rest();
        let unit = if unit.starts_with("ms") { "ms" } else { unit.get(..1).unwrap_or_default() };
        let Some(place) = units.iter().position(|(name, _)| *name == unit) else {
            if number == 0 && !any {
                return Ok(0);
            }
            return Err(cursor.error("expected a unit of time"));
        };
        cursor.eat_text(unit);
        let part = number.checked_mul(units[place].1).and_then(|part| total.checked_add(part));
        total = part.ok_or_else(|| cursor.error("the duration is too long"))?;
        units = &units[place + 1..];
        any = true;
    }
    if any { Ok(total) } else { Err(cursor.error("expected a duration")) }
}
