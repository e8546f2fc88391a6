//! Scrapes as OTLP: what a collector makes of them.

use anyhow::Result;
use prost::Message;
use testkit::otlp::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use testkit::otlp::proto::common::v1::InstrumentationScope;
use testkit::otlp::proto::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data,
    number_data_point::Value,
};
use testkit::otlp::proto::resource::v1::Resource;
use testkit::records::text;

use super::series::Series;
use crate::lookup::template::{Mark, Marks, Template};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`
const CUMULATIVE: i32 = 2;
const NANOS_PER_MS: u64 = 1_000_000;

/// A scrape of one machine, encoded, with the places of what differs from scrape to scrape.
#[derive(Debug)]
pub(crate) struct OtlpScrape {
    template: Template,
    hosts: Vec<Mark>,
    points: Vec<Places>,
}

#[derive(Debug)]
struct Places {
    start: Option<Mark>,
    time: Mark,
    value: Mark,
}

impl OtlpScrape {
    /// Of these series.
    ///
    /// # Errors
    /// When a mark cannot be found: a mistake in this module.
    pub(crate) fn new(series: &[Series]) -> Result<Self> {
        let mut marks = Marks::default();
        let mut points = Vec::new();
        let same = |one: &Series, other: &Series| one.name == other.name;
        let metrics = series.chunk_by(same).map(|series| metric(series, &mut marks, &mut points)).collect();
        let ((instance, instance_text), (host, host_text)) = (marks.text(), marks.text());
        let resource = Resource {
            attributes: vec![
                text("service.name", "node_exporter"),
                text("service.instance.id", &format!("host-{instance_text}.example.internal:9100")),
                text("host.name", &format!("host-{host_text}.example.internal")),
                text("server.port", "9100"),
                text("url.scheme", "http"),
            ],
            ..Default::default()
        };
        let scope = InstrumentationScope {
            name: "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
                .into(),
            version: "0.110.0".into(),
            ..Default::default()
        };
        let scope_metrics = ScopeMetrics { scope: Some(scope), metrics, ..Default::default() };
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(resource),
                scope_metrics: vec![scope_metrics],
                ..Default::default()
            }],
        };
        let template = Template::new(request.encode_to_vec(), &marks)?;
        Ok(Self { template, hosts: vec![instance, host], points })
    }

    /// Appends a scrape: requests that follow each other are one request.
    pub(crate) fn append(
        &mut self,
        body: &mut Vec<u8>,
        machine: u64,
        start_ms: u64,
        time_ms: u64,
        values: &[f64],
    ) {
        for host in &self.hosts {
            self.template.digits(*host, machine);
        }
        for (places, value) in self.points.iter().zip(values) {
            if let Some(start) = places.start {
                self.template.number(start, start_ms * NANOS_PER_MS);
            }
            self.template.number(places.time, time_ms * NANOS_PER_MS);
            self.template.number(places.value, value.to_bits());
        }
        body.extend_from_slice(self.template.bytes());
    }
}

fn metric(series: &[Series], marks: &mut Marks, points: &mut Vec<Places>) -> Metric {
    let counter = series[0].moves.counter;
    let data_points = series.iter().map(|series| point(series, marks, points)).collect();
    let data = if counter {
        Data::Sum(Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true })
    } else {
        Data::Gauge(Gauge { data_points })
    };
    Metric {
        name: series[0].name.into(),
        description: format!("{} of the machine", series[0].name),
        data: Some(data),
        ..Default::default()
    }
}

fn point(series: &Series, marks: &mut Marks, points: &mut Vec<Places>) -> NumberDataPoint {
    let start = series.moves.counter.then(|| marks.number());
    let ((time, time_unix_nano), (value, bits)) = (marks.number(), marks.number());
    points.push(Places { start: start.map(|(mark, _)| mark), time, value });
    NumberDataPoint {
        attributes: series.labels.iter().map(|(key, value)| text(key, value)).collect(),
        start_time_unix_nano: start.map_or(0, |(_, number)| number),
        time_unix_nano,
        value: Some(Value::AsDouble(f64::from_bits(bits))),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::restart::series;

    #[test]
    fn a_body_holds_the_points_of_all_its_machines() {
        let series = series::all();
        let values: Vec<f64> = (0..507).map(f64::from).collect();
        let mut scrape = OtlpScrape::new(&series).unwrap();
        let mut body = Vec::new();
        scrape.append(&mut body, 1, 10, 20, &values);
        scrape.append(&mut body, 2, 10, 20, &values);
        let request = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
        assert_eq!(request.resource_metrics.len(), 2);
        let metrics = &request.resource_metrics[1].scope_metrics[0].metrics;
        let points = metrics.iter().flat_map(|metric| match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => sum.data_points.as_slice(),
            Data::Gauge(gauge) => gauge.data_points.as_slice(),
            other => panic!("{other:?}"),
        });
        let sent: Vec<_> = points.map(|point| (point.time_unix_nano, point.value.unwrap())).collect();
        let expected: Vec<_> =
            values.iter().map(|value| (20 * NANOS_PER_MS, Value::AsDouble(*value))).collect();
        assert_eq!(sent, expected);
    }
}
