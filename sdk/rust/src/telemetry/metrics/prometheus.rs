//! The Prometheus text format: names, units and suffixes translated as OpenTelemetry prescribes.

use std::fmt::Write;

use crate::telemetry::otlp::{
    Data, ExponentialPoint, HistogramPoint, KeyValue, Metric, Number, NumberPoint, Value,
};

/// Quantiles that stand for a distribution whose buckets this format does not know.
const QUANTILES: &[f64] = &[0.5, 0.9, 0.95, 0.99, 0.999];

/// The two text formats.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Version 0.0.4 of Prometheus'.
    Prometheus,
    /// Version 1.0 of OpenMetrics.
    OpenMetrics,
}

pub(super) fn render(metrics: &[Metric], dialect: Dialect) -> String {
    let mut page = String::new();
    for metric in metrics {
        let name = family_name(metric);
        head(&mut page, metric, &name, dialect);
        match &metric.data {
            Data::Gauge(points) | Data::Sum { points, .. } => {
                points.iter().for_each(|point| number(&mut page, &name, point));
            }
            Data::Histogram { points, .. } => {
                points.iter().for_each(|point| histogram(&mut page, &name, point))
            }
            Data::Exponential { points, .. } => {
                points.iter().for_each(|point| summary(&mut page, &name, point));
            }
        }
    }
    if dialect == Dialect::OpenMetrics {
        page.push_str("# EOF\n");
    }
    page
}

fn head(page: &mut String, metric: &Metric, name: &str, dialect: Dialect) {
    let kind = match &metric.data {
        Data::Gauge(_) | Data::Sum { monotonic: false, .. } => "gauge",
        Data::Sum { monotonic: true, .. } => "counter",
        Data::Histogram { .. } => "histogram",
        Data::Exponential { .. } => "summary",
    };
    let help = metric.description.replace('\\', "\\\\").replace('\n', "\\n");
    match dialect {
        Dialect::Prometheus => drop(writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}")),
        Dialect::OpenMetrics => {
            // The family of a counter is named without the suffix of its samples.
            let family = if kind == "counter" { name.strip_suffix("_total").unwrap_or(name) } else { name };
            let _ = writeln!(page, "# HELP {family} {}\n# TYPE {family} {kind}", help.replace('"', "\\\""));
            let unit = unit_name(&metric.unit);
            if !unit.is_empty() && family.ends_with(&format!("_{unit}")) {
                let _ = writeln!(page, "# UNIT {family} {unit}");
            }
        }
    }
}

fn summary(page: &mut String, name: &str, point: &ExponentialPoint) {
    for quantile in QUANTILES {
        if let Some(value) = point.quantile(*quantile) {
            let labels = labels(&point.attributes, Some(("quantile", &float(*quantile))));
            let _ = writeln!(page, "{name}{labels} {}", float(value));
        }
    }
    let labels = labels(&point.attributes, None);
    let _ = writeln!(page, "{name}_sum{labels} {}\n{name}_count{labels} {}", float(point.sum), point.count);
}

fn number(page: &mut String, name: &str, point: &NumberPoint) {
    let value = match point.value {
        Number::Int(value) => value.to_string(),
        Number::Double(value) => float(value),
    };
    let _ = writeln!(page, "{name}{} {value}", labels(&point.attributes, None));
}

fn histogram(page: &mut String, name: &str, point: &HistogramPoint) {
    let bounds = point.bounds.iter().copied().chain([f64::INFINITY]);
    let mut total = 0;
    for (bound, count) in bounds.zip(&point.bucket_counts) {
        total += count;
        let _ =
            writeln!(page, "{name}_bucket{} {total}", labels(&point.attributes, Some(("le", &float(bound)))));
    }
    let labels = labels(&point.attributes, None);
    let _ = writeln!(page, "{name}_sum{labels} {}\n{name}_count{labels} {total}", float(point.sum));
}

fn float(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".into(),
        f64::NEG_INFINITY => "-Inf".into(),
        value if value.is_nan() => "NaN".into(),
        value => value.to_string(),
    }
}

fn labels(attributes: &[KeyValue], last: Option<(&str, &str)>) -> String {
    let own = attributes.iter().map(|it| (legal(&it.key, false), label_value(&it.value)));
    let all = own.chain(last.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let written: Vec<_> = all.map(|(name, value)| format!("{name}=\"{}\"", escaped(&value))).collect();
    if written.is_empty() { String::new() } else { format!("{{{}}}", written.join(",")) }
}

fn label_value(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => format!("{value:?}"),
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// `fresnel.store.wal.append.duration` in `s` is `fresnel_store_wal_append_duration_seconds`.
fn family_name(metric: &Metric) -> String {
    let mut name = legal(&metric.name, true);
    let ratio = metric.unit == "1" && matches!(metric.data, Data::Gauge(_));
    let suffix = if ratio { "ratio".into() } else { unit_name(&metric.unit) };
    if !suffix.is_empty() && !name.ends_with(&format!("_{suffix}")) {
        name = format!("{name}_{suffix}");
    }
    if matches!(metric.data, Data::Sum { monotonic: true, .. }) && !name.ends_with("_total") {
        name.push_str("_total");
    }
    name
}

/// The word for a UCUM unit; empty for counts of things (`{request}`) and pure numbers.
fn unit_name(unit: &str) -> String {
    match unit.split_once('/') {
        Some((amount, per)) => {
            let per = match per {
                "s" => "second",
                "min" => "minute",
                "h" => "hour",
                other => &legal(other, false),
            };
            format!("{}_per_{per}", unit_name(amount)).trim_start_matches('_').to_owned()
        }
        None => match unit {
            "" | "1" => String::new(),
            annotation if annotation.starts_with('{') => String::new(),
            "s" => "seconds".into(),
            "ms" => "milliseconds".into(),
            "us" => "microseconds".into(),
            "ns" => "nanoseconds".into(),
            "min" => "minutes".into(),
            "h" => "hours".into(),
            "d" => "days".into(),
            "By" => "bytes".into(),
            "KiBy" => "kibibytes".into(),
            "MiBy" => "mebibytes".into(),
            "GiBy" => "gibibytes".into(),
            "%" => "percent".into(),
            "Hz" => "hertz".into(),
            "Cel" => "celsius".into(),
            "V" => "volts".into(),
            "A" => "amperes".into(),
            "J" => "joules".into(),
            "W" => "watts".into(),
            "m" => "meters".into(),
            "g" => "grams".into(),
            other => legal(other, false),
        },
    }
}

/// A name with only the characters that Prometheus allows.
fn legal(name: &str, colons: bool) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || (colons && c == ':');
    let mut legal = String::with_capacity(name.len());
    for c in name.chars() {
        if allowed(c) {
            legal.push(c);
        } else if !legal.ends_with('_') {
            legal.push('_');
        }
    }
    if legal.starts_with(|c: char| c.is_ascii_digit()) { format!("_{legal}") } else { legal }
}
