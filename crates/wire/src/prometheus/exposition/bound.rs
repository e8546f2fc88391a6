//! Bounds of histograms and quantiles of summaries, which are labels: however a target writes a number,
//! it is the same series.

use std::borrow::Cow;

use super::Labels;
use crate::prometheus::about::Kind;

/// Writes the number as Prometheus stores it where a label of a metric of this type is one.
pub fn normalize(kind: Kind, labels: &mut Labels<'_>) {
    let name = match kind {
        Kind::Histogram => "le",
        Kind::Summary => "quantile",
        _ => return,
    };
    for (_, value) in labels.iter_mut().filter(|(known, _)| known == name) {
        if let Ok(number) = value.parse() {
            let normal = written(number);
            if *value != normal {
                *value = Cow::Owned(normal);
            }
        }
    }
}

/// As OpenMetrics has it: `1.0`, `1e-07`, `+Inf`.
pub(super) fn written(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(-4..6) | Err(_) => format!("{value:?}"),
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}
