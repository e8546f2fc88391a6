//! Histograms and summaries that are downsampled: the answers are those of the points, also when these
//! have expired.

use std::ops::Range;

use serde_json::{Value, json};
use testkit::http::percent_encoded;
use testkit::otlp::proto::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint, Metric, Summary,
    SummaryDataPoint, exponential_histogram_data_point::Buckets, metric::Data,
    summary_data_point::ValueAtQuantile,
};
use testkit::otlp::proto::resource::v1::Resource;
use testkit::records::{metrics, text};
use testkit::remote_write::{self, BucketSpan, Count, TimeSeries, V1, WriteRequest, labels, request};
use testkit::{Fresnel, wait_for};

use super::{DAY, HOUR, PATIENCE, SAMPLES, ask, assert_alike, started};

const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;
/// Metrics with tiers, and of each so many series.
const METRICS: i64 = 6;
const INSTANCES: i64 = 2;

fn float(number: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let float = number as f64;
    float
}

fn time_ms(sample: i64, instance: i64) -> i64 {
    DAY + 7_000 + sample * 30_000 + instance
}

fn nanos(millis: i64) -> u64 {
    millis.cast_unsigned() * 1_000_000
}

/// What a counter observed since it began: it begins anew now and then, and grows unevenly.
fn observed(sample: i64, instance: i64) -> [u64; 4] {
    let since = ((sample + 40 * instance) % (97 + instance) + 1).cast_unsigned();
    [since, 2 * since + since / 3, since * since / 50 + since, since]
}

/// What was observed since the last point.
fn new(sample: i64, instance: i64) -> [u64; 4] {
    let of = |prime: i64, bound: i64| (sample * (prime + instance) % bound).cast_unsigned();
    [of(7919, 11), of(6101, 7), of(3571, 23), of(2713, 3)]
}

fn explicit(time_ms: i64, counts: [u64; 4]) -> HistogramDataPoint {
    let sum = counts.iter().zip([0.5, 1.5, 3.0, 7.0]).map(|(count, value)| float(*count) * value).sum();
    HistogramDataPoint {
        time_unix_nano: nanos(time_ms),
        count: counts.iter().sum(),
        sum: Some(sum),
        bucket_counts: counts.to_vec(),
        explicit_bounds: vec![1.0, 2.0, 5.0],
        ..Default::default()
    }
}

/// For a third of the time at half of the resolution, as of a sender whose buckets are full.
fn exponential(time_ms: i64, sample: i64, counts: [u64; 4]) -> ExponentialHistogramDataPoint {
    let is_coarse = sample % 97 >= 60;
    let buckets =
        if is_coarse { vec![counts[0] + counts[1], counts[2] + counts[3]] } else { counts.to_vec() };
    ExponentialHistogramDataPoint {
        time_unix_nano: nanos(time_ms),
        count: counts.iter().sum::<u64>() + 3,
        sum: Some(float(counts.iter().sum::<u64>()) * 1.25),
        scale: if is_coarse { 1 } else { 2 },
        zero_count: 3,
        positive: Some(Buckets { offset: if is_coarse { 1 } else { 2 }, bucket_counts: buckets }),
        ..Default::default()
    }
}

fn summary(time_ms: i64, sample: i64, counts: [u64; 4]) -> SummaryDataPoint {
    let value = float((sample * 7919 % 1009).cast_unsigned()) / 8.0;
    let at = |quantile: f64| ValueAtQuantile { quantile, value: value + quantile };
    SummaryDataPoint {
        time_unix_nano: nanos(time_ms),
        count: counts.iter().sum(),
        sum: float(counts[1]) * 1.5,
        quantile_values: vec![at(0.5), at(0.9)],
        ..Default::default()
    }
}

fn native(timestamp: i64, counts: [u64; 4], reset_hint: i32) -> remote_write::Histogram {
    remote_write::Histogram {
        count: Some(Count::CountFloat(float(counts.iter().sum()) + 0.5)),
        sum: float(counts[2]) * 2.5,
        schema: 1,
        zero_threshold: 0.001,
        zero_count_float: 0.5,
        positive_spans: vec![BucketSpan { offset: -1, length: 2 }, BucketSpan { offset: 3, length: 1 }],
        positive_counts: vec![float(counts[0]), float(counts[1]), float(counts[2])],
        negative_spans: vec![BucketSpan { offset: 0, length: 1 }],
        negative_counts: vec![float(counts[3])],
        reset_hint,
        timestamp,
        ..Default::default()
    }
}

fn metric(name: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), data: Some(data), ..Default::default() }
}

fn send(server: &Fresnel, samples: Range<i64>) {
    let mut timeseries = Vec::new();
    for instance in 0..INSTANCES {
        let at = |sample: i64| (time_ms(sample, instance), observed(sample, instance));
        let histogram = |data_points, aggregation_temporality| {
            Data::Histogram(Histogram { data_points, aggregation_temporality })
        };
        let cumulative: Vec<_> = samples.clone().map(|sample| explicit(at(sample).0, at(sample).1)).collect();
        let delta = samples.clone().map(|sample| explicit(at(sample).0, new(sample, instance))).collect();
        let scaled = samples.clone().map(|sample| exponential(at(sample).0, sample, at(sample).1)).collect();
        let quantiles = samples.clone().map(|sample| summary(at(sample).0, sample, at(sample).1)).collect();
        let instance_id = format!("i{instance}");
        let attributes = vec![text("service.name", "cart"), text("service.instance.id", &instance_id)];
        let list = vec![
            metric("node_latency", histogram(cumulative.clone(), CUMULATIVE)),
            metric("other_latency", histogram(cumulative, CUMULATIVE)),
            metric("node_delta", histogram(delta, DELTA)),
            metric(
                "node_scaled",
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points: scaled,
                    aggregation_temporality: CUMULATIVE,
                }),
            ),
            metric("node_summary", Data::Summary(Summary { data_points: quantiles })),
        ];
        server.send(&metrics(Resource { attributes, ..Default::default() }, list));
        for (name, hint) in [("node_native", 0), ("node_gauge", 3)] {
            let of = |sample: i64| {
                let counts = if hint == 3 { new(sample, instance) } else { observed(sample, instance) };
                native(time_ms(sample, instance), counts, hint)
            };
            timeseries.push(TimeSeries {
                labels: labels(&[("__name__", name), ("instance", &instance_id)]),
                histograms: samples.clone().map(of).collect(),
                ..Default::default()
            });
        }
    }
    server.ask(&request(V1, &WriteRequest { timeseries, metadata: Vec::new() })).expect(204);
}

/// All points of metrics with tiers are in both, so many samples of each.
fn downsampled(server: &Fresnel, samples: i64) {
    let points = (METRICS * INSTANCES * samples).to_string();
    wait_for("all points in both tiers", PATIENCE, || {
        let sql = "SELECT resolution_ms, CAST(sum(points) AS BIGINT) AS n FROM downsampled_histograms \
                   WHERE part = 'last' GROUP BY 1 ORDER BY 1";
        (server.sql(sql).texts("n") == [points.as_str(); 2]).then_some(())
    });
}

/// Queries with a step, and the resolution in seconds that they are answered from.
const QUERIES: [(&str, i64, i64); 27] = [
    ("histogram_quantile(0.9, sum by (le) (rate(node_latency_bucket[1h])))", 3600, 3600),
    ("histogram_quantile(0.9, sum(rate(node_latency[1h])))", 3600, 3600),
    ("rate(node_latency_count[1h])", 3600, 3600),
    ("increase(node_latency_sum[2h])", 3600, 3600),
    ("increase(node_latency_bucket[1h])", 3600, 3600),
    ("rate(node_latency_sum[10m]) / rate(node_latency_count[10m])", 600, 300),
    ("histogram_avg(rate(node_latency[10m]))", 600, 300),
    ("node_latency_bucket{le=\"2\"}", 3600, 3600),
    ("count_over_time(node_latency_count[1h])", 3600, 3600),
    ("count_over_time(node_latency_bucket{le=\"5\"}[1h])", 3600, 3600),
    ("histogram_count(increase(node_scaled[1h]))", 3600, 3600),
    ("histogram_quantile(0.5, sum(rate(node_scaled[3h])))", 3600, 3600),
    ("histogram_avg(rate(node_scaled[10m]))", 600, 300),
    ("histogram_count(node_scaled)", 3600, 3600),
    ("histogram_count(sum_over_time(node_delta[1h]))", 3600, 3600),
    ("histogram_quantile(0.9, sum(sum_over_time(node_delta[2h])))", 3600, 3600),
    ("sum_over_time(node_delta_count[1h])", 3600, 3600),
    ("sum by (le) (sum_over_time(node_delta_bucket[10m]))", 600, 300),
    ("max_over_time(node_summary{quantile=\"0.9\"}[1h])", 3600, 3600),
    ("min_over_time(node_summary{quantile=\"0.9\"}[10m])", 600, 300),
    ("avg_over_time(node_summary{quantile=\"0.5\"}[1h])", 3600, 3600),
    ("rate(node_summary_count[1h])", 3600, 3600),
    ("histogram_fraction(0, 2, sum(rate(node_native[1h])))", 3600, 3600),
    ("count_over_time(node_native[1h])", 3600, 3600),
    ("histogram_sum(avg_over_time(node_gauge[1h]))", 3600, 3600),
    ("histogram_count(delta(node_gauge[1h]))", 3600, 3600),
    ("histogram_quantile(0.5, sum(last_over_time(node_gauge[1h])))", 3600, 3600),
];

#[test]
fn answers_from_windows_of_histograms_are_those_of_the_points() {
    let server = started("0s");
    send(&server, 0..500);
    send(&server, 500..SAMPLES);
    downsampled(&server, SAMPLES);
    for (query, step_s, resolution_s) in QUERIES {
        let raw = ask(&server, query, step_s, "&max_source_resolution=0s");
        let tier = ask(&server, query, step_s, "");
        assert_eq!(raw["sourceResolution"], Value::Null, "{query}");
        assert_eq!(tier["sourceResolution"], json!(resolution_s), "{query}: {tier}");
        assert!(tier["infos"].to_string().contains("downsampled to"), "{query}: {tier}");
        assert_alike(query, &raw, &tier);
    }
    // What windows cannot answer, or what is finer than they are, is answered from the points.
    for (query, step_s) in [
        ("max_over_time(node_latency_count[1h])", 3600),
        ("changes(node_summary_count[1h])", 3600),
        ("histogram_count(rate(node_scaled[1h]))", 15),
        ("histogram_count(rate(node_native[2m]))", 3600),
        ("rate(other_latency_count[1h])", 3600),
    ] {
        let tier = ask(&server, query, step_s, "");
        assert_eq!(tier["sourceResolution"], Value::Null, "{query}");
        assert_alike(query, &ask(&server, query, step_s, "&max_source_resolution=raw"), &tier);
    }
    server.balanced_ledger();
}

#[test]
fn histograms_that_came_late_are_in_the_answers_of_tiers() {
    let server = started("0s");
    send(&server, 0..300);
    downsampled(&server, 300);
    send(&server, 300..SAMPLES);
    // Wherever they are at the moment, each counts once.
    for query in ["count_over_time(node_native[1h])", "count_over_time(node_delta_count[1h])"] {
        let raw = ask(&server, query, 3600, "&max_source_resolution=0s");
        assert_alike(query, &raw, &ask(&server, query, 3600, ""));
    }
    downsampled(&server, SAMPLES);
    for (query, step_s, _) in QUERIES {
        let raw = ask(&server, query, step_s, "&max_source_resolution=0s");
        assert_alike(query, &raw, &ask(&server, query, step_s, ""));
    }
}

#[test]
fn windows_of_histograms_answer_when_the_points_have_expired() {
    let (kept, mut server) = (started("0s"), started("11d"));
    for server in [&kept, &server] {
        send(server, 0..SAMPLES);
        downsampled(server, SAMPLES);
    }
    wait_for("points with tiers to expire", PATIENCE, || {
        (server.sql("SELECT count(*) FROM histograms WHERE metric_name LIKE 'node_%'").integer() == 0)
            .then_some(())
    });
    let others = INSTANCES * SAMPLES;
    let entry = server.balanced_ledger();
    let entry = entry.entry("default", "metrics").unwrap();
    assert_eq!((entry.stored, entry.expired), (others, METRICS * others));
    let all_alike = |server: &Fresnel| {
        for (query, step_s, _) in QUERIES {
            let raw = ask(&kept, query, step_s, "&max_source_resolution=0s");
            assert_alike(query, &raw, &ask(server, query, step_s, ""));
        }
    };
    all_alike(&server);
    // What windows cannot answer is answered as well as it can be, and says so.
    let doubtful = ask(&server, "max_over_time(node_latency_count[1h])", 3600, "");
    assert_eq!(doubtful["sourceResolution"], json!(300), "the finest that there is");
    assert!(doubtful["infos"].to_string().contains("`max_over_time` is approximate"), "{doubtful}");
    let none = ask(&server, "node_latency_count", 3600, "&max_source_resolution=0s");
    assert_eq!(none["data"]["result"], json!([]));
    // Bounds are known from the windows.
    let (start, end) = (DAY / 1000, (DAY + 6 * HOUR) / 1000);
    let matcher = percent_encoded("node_latency_bucket");
    let path = format!("/prometheus/api/v1/label/le/values?match[]={matcher}&start={start}&end={end}");
    assert_eq!(server.get_json(&path)["data"], json!(["+Inf", "1", "2", "5"]));
    // Also after a restart, and when the manifest is lost.
    server.terminate();
    server.restart();
    all_alike(&server);
    server.terminate();
    std::fs::remove_dir_all(server.data_dir().join("manifest")).unwrap();
    server.allow_warning("manifest");
    server.restart();
    all_alike(&server);
    assert_eq!(server.balanced_ledger().entry("default", "metrics").unwrap().stored, others);
}
