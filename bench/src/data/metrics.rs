//! Metric points: gauges, cumulative sums, and a small part histograms.
//!
//! Every instance reports the same series every fifteen seconds; the values go on as those of real
//! counters and gauges do, a function of series and report, so that no state is kept.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric::Data,
};
use testkit::records::Random;

use super::resource::{INSTANCES, integer, resource, scope, text};

/// Between two reports of an instance.
const INTERVAL_NANOS: u64 = 15_000_000_000;
/// Points of each metric, of an instance.
const POINTS: usize = 10;
/// One metric of so many is a histogram; the others are gauges and sums in turn.
const HISTOGRAM_EVERY: usize = 25;
/// Upper bounds as the SDKs have them by default for seconds.
const BOUNDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const CUMULATIVE: i32 = 2;

/// What a sender has gathered: this many points, one report of an instance.
pub(super) fn part(sender: usize, points: usize, start: u64) -> ResourceMetrics {
    let report = Report { instance: sender % INSTANCES, number: (sender / INSTANCES) as u64, start };
    let metrics = (0..points / POINTS).map(|metric| report.metric(metric)).collect();
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope(sender)), metrics, ..ScopeMetrics::default() }];
    ResourceMetrics { resource: Some(resource(sender)), scope_metrics, ..ResourceMetrics::default() }
}

/// One export of one instance.
struct Report {
    instance: usize,
    number: u64,
    start: u64,
}

impl Report {
    fn metric(&self, index: usize) -> Metric {
        let points = 0..POINTS;
        if index.is_multiple_of(HISTOGRAM_EVERY) {
            let data_points = points.map(|point| self.histogram(index, point)).collect();
            let data = Data::Histogram(Histogram { data_points, aggregation_temporality: CUMULATIVE });
            let name = format!("shop.request.duration.{index:02}");
            return metric(&name, "Duration of requests.", "s", data);
        }
        let data_points = points.map(|point| self.number(index, point)).collect();
        if is_sum(index) {
            let data = Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true };
            let name = format!("shop.requests.handled.{index:02}");
            metric(&name, "Requests that were handled.", "{request}", Data::Sum(data))
        } else {
            let name = format!("shop.pool.usage.{index:02}");
            metric(&name, "Part of the pool that is in use.", "%", Data::Gauge(Gauge { data_points }))
        }
    }

    fn number(&self, metric: usize, point: usize) -> NumberDataPoint {
        let noise = self.noise(metric, point, self.number);
        let value = if is_sum(metric) {
            // Rises with every report, not evenly; some series stand still, as many do.
            let rate = if point.is_multiple_of(3) { 0 } else { 100 };
            Value::AsInt((self.number * rate + noise % rate.max(1)).cast_signed())
        } else {
            let tenths = (300 + noise % 200) as f64;
            Value::AsDouble(tenths / 10.0)
        };
        NumberDataPoint {
            attributes: attributes(point),
            start_time_unix_nano: if is_sum(metric) { self.start } else { 0 },
            time_unix_nano: self.time(),
            value: Some(value),
            ..NumberDataPoint::default()
        }
    }

    fn histogram(&self, metric: usize, point: usize) -> HistogramDataPoint {
        let bucket = |bucket: usize| {
            let rate = [0, 1, 7, 20, 11, 6, 9, 3, 1, 0, 0, 0, 0, 0, 0][bucket];
            if rate == 0 {
                0
            } else {
                self.number * rate + self.noise(metric * 100 + bucket, point, self.number) % rate
            }
        };
        let bucket_counts: Vec<u64> = (0..=BOUNDS.len()).map(bucket).collect();
        let count = bucket_counts.iter().sum();
        let sum = (count * 43 + self.noise(metric, point, self.number) % 40) as f64 / 1_000.0;
        HistogramDataPoint {
            attributes: attributes(point),
            start_time_unix_nano: self.start,
            time_unix_nano: self.time(),
            count,
            sum: Some(sum),
            bucket_counts,
            explicit_bounds: BOUNDS.to_vec(),
            ..HistogramDataPoint::default()
        }
    }

    /// Instances do not report at the same moment, and not exactly on time.
    fn time(&self) -> u64 {
        let own = self.instance as u64 * 97_000_000;
        self.start + self.number * INTERVAL_NANOS + own + self.noise(0, 0, self.number) % 2_000_000
    }

    /// Chance that belongs to a series and a report.
    fn noise(&self, metric: usize, point: usize, report: u64) -> u64 {
        let series = ((self.instance * 10_000 + metric) * POINTS + point) as u64;
        Random::new(series << 32 | report).bits()
    }
}

fn is_sum(metric: usize) -> bool {
    metric % 2 == 1
}

fn metric(name: &str, description: &str, unit: &str, data: Data) -> Metric {
    let (name, description, unit) = (name.to_owned(), description.to_owned(), unit.to_owned());
    Metric { name, description, unit, data: Some(data), ..Metric::default() }
}

/// Not sorted, as SDKs send them.
fn attributes(point: usize) -> Vec<KeyValue> {
    vec![
        text("http.request.method", ["GET", "POST"][point % 2]),
        text(
            "http.route",
            ["/api/orders/{id}", "/api/cart", "/api/products/{id}", "/api/checkout", "/health"][point / 2],
        ),
        integer("http.response.status_code", 200),
        text("server.address", "shop.svc.cluster.local"),
    ]
}
