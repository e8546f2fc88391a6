use crate::telemetry::metrics::Registry;
use crate::telemetry::otlp::{Data, KeyValue, Number, Value};

/// Metrics that can be asked for.
///
/// ```
/// use fresnel_sdk::testkit::RecordingMetrics;
///
/// let metrics = RecordingMetrics::default();
/// metrics.registry().counter("app.requests", "{request}", "Requests.").bind(&[("status", "ok")]).add(2);
/// assert_eq!(metrics.value("app.requests", &[("status", "ok")]), Some(2.0));
/// assert_eq!(metrics.value("app.requests", &[("status", "bad")]), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct RecordingMetrics(Registry);

impl RecordingMetrics {
    /// What the code under test counts with.
    pub fn registry(&self) -> &Registry {
        &self.0
    }

    /// What a counter or a gauge says, or how many values a histogram has, for exactly these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let number = |number: Number| match number {
            Number::Int(number) => number as f64,
            Number::Double(number) => number,
        };
        let metric = self.0.snapshot().into_iter().find(|metric| metric.name == name)?;
        match metric.data {
            Data::Gauge(points) | Data::Sum { points, .. } => {
                points.iter().find(|point| fits(&point.attributes, labels)).map(|point| number(point.value))
            }
            Data::Histogram { points, .. } => {
                let point = points.iter().find(|point| fits(&point.attributes, labels))?;
                Some(point.bucket_counts.iter().sum::<u64>() as f64)
            }
            Data::Exponential { points, .. } => {
                let point = points.iter().find(|point| fits(&point.attributes, labels))?;
                Some(point.count as f64)
            }
        }
    }

    /// Names of all metrics that have a value.
    pub fn names(&self) -> Vec<String> {
        self.0.snapshot().into_iter().map(|metric| metric.name.into_owned()).collect()
    }
}

fn fits(attributes: &[KeyValue], labels: &[(&str, &str)]) -> bool {
    let has = |(name, value): &(&str, &str)| {
        attributes.iter().any(|it| it.key == *name && matches!(&it.value, Value::Text(text) if text == value))
    };
    attributes.len() == labels.len() && labels.iter().all(has)
}
