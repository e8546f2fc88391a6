//! Histograms as text: as Prometheus prints them, and as its tests write them.

use std::fmt;

use super::layout::Indexes;
use super::{Bucket, BucketSpan, CounterResetHint, Histogram};

/// A float as Go prints it with `%g` and `%v`: the shortest digits that give it back, with an exponent
/// below 1e-4 and from 1e6 on.
pub fn go_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    // `{:e}` has the shortest digits, as `1.5e-7`.
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let [lower, upper, count] = [self.lower, self.upper, self.count].map(go_float);
        write!(formatter, "{open}{lower},{upper}{close}:{count}")
    }
}

impl fmt::Display for Histogram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{count:{}, sum:{}", go_float(self.count), go_float(self.sum))?;
        let zero = (self.zero_count != 0.0).then(|| self.zero_bucket());
        let buckets = self.negative().rev().chain(zero).chain(self.positive());
        for bucket in buckets.filter(|bucket| bucket.count != 0.0) {
            write!(formatter, ", {bucket}")?;
        }
        formatter.write_str("}")
    }
}

impl Histogram {
    /// `{{schema:1 count:5 …}}`, as series descriptions have it.
    pub fn test_expression(&self) -> String {
        let mut parts = Vec::new();
        if self.schema != 0 {
            parts.push(format!("schema:{}", self.schema));
        }
        for (key, value) in [
            ("count", self.count),
            ("sum", self.sum),
            ("z_bucket", self.zero_count),
            ("z_bucket_w", self.zero_threshold),
        ] {
            if value != 0.0 {
                parts.push(format!("{key}:{}", go_float(value)));
            }
        }
        if self.uses_custom_buckets() {
            parts.push(format!("custom_values:{}", list(&self.custom_values)));
        }
        match self.counter_reset_hint {
            CounterResetHint::Unknown => {}
            CounterResetHint::Reset => parts.push("counter_reset_hint:reset".to_owned()),
            CounterResetHint::NotReset => parts.push("counter_reset_hint:not_reset".to_owned()),
            CounterResetHint::Gauge => parts.push("counter_reset_hint:gauge".to_owned()),
        }
        push_side(&mut parts, "", &self.positive_spans, &self.positive_buckets);
        push_side(&mut parts, "n_", &self.negative_spans, &self.negative_buckets);
        format!("{{{{{}}}}}", parts.join(" "))
    }
}

/// Only one run of buckets can be written: gaps become zeros. Gaps that are too wide for that (no
/// real histogram has them) end the list.
fn push_side(parts: &mut Vec<String>, prefix: &str, spans: &[BucketSpan], buckets: &[f64]) {
    const PLACES_MAX: i64 = 1 << 16;
    let mut filled =
        Indexes::new(spans, buckets.len()).zip(buckets).filter(|(_, count)| **count != 0.0).peekable();
    let Some(first) = filled.peek().map(|(index, _)| *index) else { return };
    if first != 0 {
        parts.push(format!("{prefix}offset:{first}"));
    }
    let mut counts = Vec::new();
    for (index, count) in filled {
        let place = i64::from(index) - i64::from(first);
        if place >= PLACES_MAX || place < counts.len() as i64 {
            break;
        }
        counts.resize(place as usize, 0.0);
        counts.push(*count);
    }
    parts.push(format!("{prefix}buckets:{}", list(&counts)));
}

fn list(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(|value| go_float(*value)).collect();
    format!("[{}]", values.join(" "))
}
