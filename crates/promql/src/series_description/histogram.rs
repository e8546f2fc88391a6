//! `{{schema:1 sum:-0.3 count:3.1 z_bucket:7 buckets:[5 10] offset:-3 counter_reset_hint:gauge}}`.

use super::DescriptionError;
use super::cursor::Cursor;
use crate::histogram::{
    BucketSpan, CUSTOM_BUCKETS, CounterResetHint, EXPONENTIAL_MAX, EXPONENTIAL_MIN, Histogram,
};

/// A histogram, and whether its counter reset hint was written.
pub(super) struct Written {
    pub(super) histogram: Histogram,
    pub(super) hint_written: bool,
}

pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Written, DescriptionError> {
    if !cursor.eat_text("{{") {
        return Err(cursor.error("expected `{{`"));
    }
    let mut histogram = Histogram::default();
    let (mut offset, mut negative_offset) = (0, 0);
    let mut seen: Vec<&str> = Vec::new();
    loop {
        cursor.skip_space();
        if cursor.eat_text("}}") {
            break;
        }
        let key = cursor.take_while(|next| next.is_ascii_lowercase() || next == '_');
        if seen.contains(&key) {
            return Err(cursor.error(format!("duplicate key `{key}` in histogram")));
        }
        seen.push(key);
        cursor.expect(':')?;
        match key {
            "schema" => histogram.schema = schema(cursor)?,
            "sum" => histogram.sum = cursor.signed_number()?,
            "count" => histogram.count = cursor.signed_number()?,
            "z_bucket" => histogram.zero_count = cursor.signed_number()?,
            "z_bucket_w" => histogram.zero_threshold = cursor.signed_number()?,
            "custom_values" => histogram.custom_values = list(cursor)?.into(),
            "buckets" => histogram.positive_buckets = list(cursor)?,
            "n_buckets" => histogram.negative_buckets = list(cursor)?,
            "offset" => offset = integer(cursor)?,
            "n_offset" => negative_offset = integer(cursor)?,
            "counter_reset_hint" => histogram.counter_reset_hint = hint(cursor)?,
            _ => return Err(cursor.error(format!("bad histogram descriptor found: `{key}`"))),
        }
    }
    histogram.positive_spans = one_span(offset, histogram.positive_buckets.len());
    histogram.negative_spans = one_span(negative_offset, histogram.negative_buckets.len());
    Ok(Written { histogram, hint_written: seen.contains(&"counter_reset_hint") })
}

fn one_span(offset: i32, buckets: usize) -> Vec<BucketSpan> {
    match u32::try_from(buckets) {
        Ok(0) | Err(_) => Vec::new(),
        Ok(length) => vec![BucketSpan { offset, length }],
    }
}

fn integer(cursor: &mut Cursor<'_>) -> Result<i32, DescriptionError> {
    let digits = cursor.take_while(|next| next.is_ascii_digit() || next == '-');
    digits.parse().map_err(|_| cursor.error("expected a whole number"))
}

fn schema(cursor: &mut Cursor<'_>) -> Result<i32, DescriptionError> {
    let schema = integer(cursor)?;
    if schema == CUSTOM_BUCKETS || (EXPONENTIAL_MIN..=EXPONENTIAL_MAX).contains(&schema) {
        return Ok(schema);
    }
    Err(cursor.error(format!(
        "a schema is {CUSTOM_BUCKETS} or from {EXPONENTIAL_MIN} to {EXPONENTIAL_MAX}, not {schema}"
    )))
}

fn hint(cursor: &mut Cursor<'_>) -> Result<CounterResetHint, DescriptionError> {
    match cursor.take_while(|next| next.is_ascii_lowercase() || next == '_') {
        "unknown" => Ok(CounterResetHint::Unknown),
        "reset" => Ok(CounterResetHint::Reset),
        "not_reset" => Ok(CounterResetHint::NotReset),
        "gauge" => Ok(CounterResetHint::Gauge),
        _ => Err(cursor.error("a counter reset hint is unknown, reset, not_reset or gauge")),
    }
}

fn list(cursor: &mut Cursor<'_>) -> Result<Vec<f64>, DescriptionError> {
    cursor.expect('[')?;
    let mut values = Vec::new();
    loop {
        cursor.skip_space();
        if cursor.eat(']') {
            return Ok(values);
        }
        values.push(cursor.signed_number()?);
    }
}
