//! Values as Prometheus' JSON has them: numbers are texts, times are seconds.

use std::fmt::Write;

use promql::histogram::Histogram;
use promql::{Labels, Point, Sample, Series, Value};

/// The data of a query's answer; `statistics` is a further member of it.
pub(super) fn data(value: &Value, statistics: Option<&str>) -> String {
    let kind = match value {
        Value::Scalar { .. } => "scalar",
        Value::String { .. } => "string",
        Value::Vector(_) => "vector",
        Value::Matrix(_) => "matrix",
    };
    let mut out = String::with_capacity(bytes_guess(value));
    let _ = write!(out, "{{\"resultType\":\"{kind}\",\"result\":");
    match value {
        Value::Scalar { time_ms, value } => {
            out.push('[');
            time(&mut out, *time_ms);
            out.push(',');
            // Without an exponent, unlike the values of vectors.
            if value.is_finite() {
                let _ = write!(out, "\"{value}\"");
            } else {
                number(&mut out, *value);
            }
            out.push(']');
        }
        Value::String { time_ms, value } => {
            out.push('[');
            time(&mut out, *time_ms);
            out.push(',');
            text(&mut out, value);
            out.push(']');
        }
        Value::Vector(samples) => list(&mut out, samples, sample),
        Value::Matrix(series) => list(&mut out, series, one_series),
    }
    if let Some(statistics) = statistics {
        let _ = write!(out, ",\"stats\":{statistics}");
    }
    out.push('}');
    out
}

/// About as many bytes as an answer has, so that it is not copied while it grows.
fn bytes_guess(value: &Value) -> usize {
    const ELEMENT: usize = 256;
    const POINT: usize = 32;
    ELEMENT
        + match value {
            Value::Scalar { .. } | Value::String { .. } => 0,
            Value::Vector(samples) => samples.len() * ELEMENT,
            Value::Matrix(series) => {
                series.iter().map(|series| ELEMENT + series.points.len() * POINT).sum::<usize>()
            }
        }
}

/// Elements with commas, in brackets.
pub(super) fn list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

fn sample(out: &mut String, sample: &Sample) {
    out.push_str("{\"metric\":");
    labels(out, &sample.labels);
    match &sample.point {
        Point::Float(value) => {
            out.push_str(",\"value\":");
            number_at(out, sample.time_ms, *value);
        }
        Point::Histogram(value) => {
            out.push_str(",\"histogram\":");
            histogram_at(out, sample.time_ms, value);
        }
    }
    out.push('}');
}

fn one_series(out: &mut String, series: &Series) {
    out.push_str("{\"metric\":");
    labels(out, &series.labels);
    let numbers = || {
        series.points.iter().filter_map(|(time, point)| match point {
            Point::Float(value) => Some((*time, *value)),
            Point::Histogram(_) => None,
        })
    };
    let histograms = || {
        series.points.iter().filter_map(|(time, point)| match point {
            Point::Histogram(value) => Some((*time, value)),
            Point::Float(_) => None,
        })
    };
    if numbers().next().is_some() {
        out.push_str(",\"values\":");
        list(out, numbers(), |out, (time, value)| number_at(out, time, value));
    }
    if histograms().next().is_some() {
        out.push_str(",\"histograms\":");
        list(out, histograms(), |out, (time, value)| histogram_at(out, time, value));
    }
    out.push('}');
}

/// `{"name":"value"}`
pub(super) fn labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (number, (name, value)) in labels.iter().enumerate() {
        if number > 0 {
            out.push(',');
        }
        text(out, name);
        out.push(':');
        text(out, value);
    }
    out.push('}');
}

/// A JSON text.
pub(super) fn text(out: &mut String, text: &str) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

fn number_at(out: &mut String, time_ms: i64, value: f64) {
    out.push('[');
    time(out, time_ms);
    out.push(',');
    number(out, value);
    out.push(']');
}

/// Seconds, with three places where there are milliseconds.
pub(super) fn time(out: &mut String, time_ms: i64) {
    if time_ms < 0 {
        out.push('-');
    }
    out.push_str(itoa::Buffer::new().format(time_ms.unsigned_abs() / 1000));
    let fraction = time_ms.unsigned_abs() % 1000;
    if fraction != 0 {
        // With the thousand that is left out its zeros are written.
        let mut digits = itoa::Buffer::new();
        out.push('.');
        out.push_str(digits.format(1000 + fraction).get(1..).unwrap_or_default());
    }
}

/// Below it each whole number is a double, so that none has shorter digits than its own.
const WHOLE_BELOW: f64 = 9_007_199_254_740_992.0;

/// The shortest digits that give the number back, in quotes; with an exponent where it is below
/// 1e-6 or from 1e21 on.
pub(super) fn number(out: &mut String, value: f64) {
    let magnitude = value.abs();
    if magnitude < WHOLE_BELOW && value.fract() == 0.0 && (magnitude > 0.0 || value.is_sign_positive()) {
        out.push('"');
        #[expect(clippy::cast_possible_truncation, reason = "it is a whole number that fits")]
        out.push_str(itoa::Buffer::new().format(value as i64));
        out.push('"');
        return;
    }
    if let Some(thousandths) = thousandths(value) {
        out.push('"');
        if value < 0.0 {
            out.push('-');
        }
        let mut digits = itoa::Buffer::new();
        out.push_str(digits.format(thousandths / 1000));
        out.push('.');
        let fraction = digits.format(1000 + thousandths % 1000);
        out.push_str(fraction.get(1..).unwrap_or_default().trim_end_matches('0'));
        out.push('"');
        return;
    }
    // Where this writes no exponent either.
    if magnitude == 0.0 || (1e-5..1e16).contains(&magnitude) {
        let mut digits = ryu::Buffer::new();
        let digits = digits.format_finite(value);
        out.push('"');
        out.push_str(digits.strip_suffix(".0").unwrap_or(digits));
        out.push('"');
        return;
    }
    let _ = if value.is_nan() {
        write!(out, "\"NaN\"")
    } else if value.is_infinite() {
        write!(out, "\"{}Inf\"", if value > 0.0 { '+' } else { '-' })
    } else if !(1e-6..1e21).contains(&magnitude) {
        let scientific = format!("{value:e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        write!(out, "\"{digits}e{sign}{exponent:0>2}\"")
    } else {
        write!(out, "\"{value}\"")
    };
}

/// Without its sign, if it is the double of a number with three decimals: with up to 15 digits no other one of as
/// few is the same double, and the general way takes many times as long.
fn thousandths(value: f64) -> Option<u64> {
    const BELOW: f64 = 1e12;
    let magnitude = value.abs();
    if magnitude >= BELOW {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the next whole number, which fits")]
    let thousandths = (magnitude * 1000.0 + 0.5) as i64;
    (thousandths > 0 && thousandths as f64 / 1000.0 == magnitude).then_some(thousandths.cast_unsigned())
}

fn histogram_at(out: &mut String, time_ms: i64, histogram: &Histogram) {
    out.push('[');
    time(out, time_ms);
    out.push_str(",{\"count\":");
    number(out, histogram.count);
    out.push_str(",\"sum\":");
    number(out, histogram.sum);
    let buckets: Vec<_> = histogram.buckets().filter(|bucket| bucket.count != 0.0).collect();
    if !buckets.is_empty() {
        out.push_str(",\"buckets\":");
        list(out, &buckets, |out, bucket| {
            // Which bounds belong to the bucket.
            let rule = match (bucket.lower_inclusive, bucket.upper_inclusive) {
                (false, true) => 0,
                (true, false) => 1,
                (false, false) => 2,
                (true, true) => 3,
            };
            let _ = write!(out, "[{rule}");
            for value in [bucket.lower, bucket.upper, bucket.count] {
                out.push(',');
                number(out, value);
            }
            out.push(']');
        });
    }
    out.push_str("}]");
}
