//! `1+2x10 _ stale _x3 {{…}}x2`.

use std::sync::Arc;

use super::cursor::Cursor;
use super::histogram::Written;
use super::{DescriptionError, SequenceValue, VALUES_MAX, duration, histogram};
use crate::histogram::{Histogram, STALE_NAN_BITS};

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Vec<SequenceValue>, DescriptionError> {
    let mut values = Vec::new();
    while next_item(cursor, values.len())? {
        if cursor.eat('_') {
            let times = limited(cursor, values.len())?.unwrap_or(1);
            values.extend(std::iter::repeat_n(SequenceValue::Gap, times));
        } else if cursor.rest().starts_with("{{") {
            parse_histograms(cursor, &mut values)?;
        } else {
            parse_floats(cursor, &mut values)?;
        }
    }
    Ok(values)
}

/// Items stand apart; whether there is another.
fn next_item(cursor: &mut Cursor<'_>, values: usize) -> Result<bool, DescriptionError> {
    let spaced = cursor.skip_space();
    if cursor.at_end() {
        return Ok(false);
    }
    if !spaced {
        return Err(cursor.error("expected a space before the next value"));
    }
    if values >= VALUES_MAX { Err(cursor.error(too_many())) } else { Ok(true) }
}

fn too_many() -> String {
    format!("a series may have {VALUES_MAX} values")
}

fn limited(cursor: &mut Cursor<'_>, values: usize) -> Result<Option<usize>, DescriptionError> {
    let times = cursor.times()?;
    if times.is_some_and(|times| times >= VALUES_MAX - values) {
        return Err(cursor.error(too_many()));
    }
    Ok(times)
}

fn parse_floats(cursor: &mut Cursor<'_>, values: &mut Vec<SequenceValue>) -> Result<(), DescriptionError> {
    let start =
        if cursor.eat_text("stale") { f64::from_bits(STALE_NAN_BITS) } else { cursor.signed_number()? };
    let step = match cursor.peek() {
        Some('+' | '-') => Some(cursor.signed_number()?),
        _ => None,
    };
    let times = limited(cursor, values.len())?;
    if step.is_some() && times.is_none() {
        return Err(cursor.error("expected `x` and how often"));
    }
    let mut value = start;
    for _ in 0..=times.unwrap_or(0) {
        values.push(SequenceValue::Float(value));
        // Without a step, adding nothing would make a stale marker an ordinary NaN.
        if let Some(step) = step {
            value += step;
        }
    }
    Ok(())
}

fn parse_histograms(
    cursor: &mut Cursor<'_>,
    values: &mut Vec<SequenceValue>,
) -> Result<(), DescriptionError> {
    let Written { histogram: start, hint_written } = histogram::parse(cursor)?;
    let subtract = cursor.peek() == Some('-');
    let step = match cursor.peek() {
        Some('+' | '-') => {
            cursor.sign();
            Some(histogram::parse(cursor)?.histogram)
        }
        _ => None,
    };
    let times = limited(cursor, values.len())?;
    if step.is_some() && times.is_none() {
        return Err(cursor.error("expected `x` and how often"));
    }
    let mut current = Arc::new(start);
    for left in (0..=times.unwrap_or(0)).rev() {
        values.push(SequenceValue::Histogram { histogram: current.clone(), hint_written });
        if let (Some(step), true) = (&step, left > 0) {
            current = Arc::new(combine(&current, step, subtract).map_err(|message| cursor.error(message))?);
        }
    }
    Ok(())
}

fn combine(current: &Histogram, step: &Histogram, subtract: bool) -> Result<Histogram, String> {
    if current.schema > step.schema {
        return Err(format!(
            "error combining histograms: cannot merge from schema {} to {}",
            step.schema, current.schema
        ));
    }
    let mut next = current.clone();
    let combined = if subtract { next.sub(step) } else { next.add(step) };
    combined.map_err(|error| error.to_string())?;
    Ok(next)
}

/// Durations before (or after) the sample's time.
pub(super) fn parse_start_times(cursor: &mut Cursor<'_>) -> Result<Vec<Option<i64>>, DescriptionError> {
    let mut offsets = Vec::new();
    while next_item(cursor, offsets.len())? {
        if cursor.eat('_') {
            let times = limited(cursor, offsets.len())?.unwrap_or(1);
            offsets.extend(std::iter::repeat_n(None, times));
            continue;
        }
        let mut offset = signed_duration(cursor)?;
        let step = match cursor.peek() {
            Some('+' | '-') => signed_duration(cursor)?,
            _ => 0,
        };
        for _ in 0..=limited(cursor, offsets.len())?.unwrap_or(0) {
            offsets.push(Some(offset));
            offset = offset.saturating_add(step);
        }
    }
    Ok(offsets)
}

fn signed_duration(cursor: &mut Cursor<'_>) -> Result<i64, DescriptionError> {
    let negative = cursor.sign() < 0.0;
    let duration = duration::parse(cursor)?;
    Ok(if negative { -duration } else { duration })
}
