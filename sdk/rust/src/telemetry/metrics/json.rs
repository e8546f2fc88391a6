//! The snapshot as JSON, for those who want neither text format.

use serde_json::{Map, Value as Json, json};

use crate::telemetry::otlp::{
    Data, ExponentialPoint, HistogramPoint, KeyValue, Metric, Number, NumberPoint, Value,
};

pub(super) fn render(metrics: &[Metric], now: u64) -> Json {
    json!({ "timestamp": now, "metrics": metrics.iter().map(metric).collect::<Vec<_>>() })
}

fn metric(metric: &Metric) -> Json {
    let (kind, points): (_, Vec<_>) = match &metric.data {
        Data::Gauge(points) => ("gauge", points.iter().map(number).collect()),
        Data::Sum { points, monotonic: true, .. } => ("counter", points.iter().map(number).collect()),
        Data::Sum { points, .. } => ("up_down_counter", points.iter().map(number).collect()),
        Data::Histogram { points, .. } => ("histogram", points.iter().map(histogram).collect()),
        Data::Exponential { points, .. } => {
            ("exponential_histogram", points.iter().map(exponential).collect())
        }
    };
    json!({
        "name": metric.name,
        "type": kind,
        "unit": metric.unit,
        "description": metric.description,
        "points": points,
    })
}

fn number(point: &NumberPoint) -> Json {
    let value = match point.value {
        Number::Int(value) => json!(value),
        Number::Double(value) => json!(value),
    };
    json!({ "attributes": attributes(&point.attributes), "value": value })
}

fn histogram(point: &HistogramPoint) -> Json {
    json!({
        "attributes": attributes(&point.attributes),
        "count": point.count(),
        "sum": point.sum,
        "bounds": &*point.bounds,
        "counts": point.bucket_counts,
    })
}

fn exponential(point: &ExponentialPoint) -> Json {
    let quantiles = [("0.5", 0.5), ("0.9", 0.9), ("0.95", 0.95), ("0.99", 0.99), ("0.999", 0.999)];
    let quantiles: Map<_, _> =
        quantiles.iter().map(|(name, share)| ((*name).to_owned(), json!(point.quantile(*share)))).collect();
    json!({
        "attributes": attributes(&point.attributes),
        "count": point.count,
        "sum": point.sum,
        "min": point.min,
        "max": point.max,
        "quantiles": quantiles,
    })
}

fn attributes(attributes: &[KeyValue]) -> Map<String, Json> {
    attributes.iter().map(|it| (it.key.to_string(), value(&it.value))).collect()
}

fn value(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!(text),
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Double(value) => json!(value),
        // Labels are texts; these are seldom and have no form of their own.
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => json!(format!("{value:?}")),
    }
}
