//! `/api/v1/metrics`: what there is, by which labels, and how it went.

use serde_json::{Value, json};
use testkit::Fresnel;
use testkit::otlp::proto::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, Sum, Summary, SummaryDataPoint, exponential_histogram_data_point::Buckets, metric::Data,
    number_data_point::Value as Number, summary_data_point::ValueAtQuantile,
};
use testkit::records::{Sender, metrics, now_unix_nano, text};

use crate::fresnel;

const SECOND: u64 = 1_000_000_000;
const CUMULATIVE: i32 = 2;
const DELTA: i32 = 1;

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Default::default() }
}

fn number(time_unix_nano: u64, value: f64, route: &str) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![text("route", route)],
        start_time_unix_nano: 1,
        time_unix_nano,
        value: Some(Number::AsDouble(value)),
        ..Default::default()
    }
}

fn send(server: &Fresnel, list: Vec<Metric>) {
    server.send(&metrics(Sender::new("metrics", 1).resource(), list));
}

/// The values of a metric's only series, without the gaps.
fn values(server: &Fresnel, name: &str, parameters: &str) -> Vec<f64> {
    let answer = server.get_json(&format!("/api/v1/metrics/{name}/series?{parameters}"));
    assert_eq!(answer["complete"], true);
    let series = answer["series"].as_array().unwrap();
    assert_eq!(series.len(), 1, "{answer}");
    points(&series[0])
}

fn points(series: &Value) -> Vec<f64> {
    series["points"].as_array().unwrap().iter().filter_map(|point| point[1].as_f64()).collect()
}

/// A range of ten steps of ten seconds whose bounds are whole, and its parameters.
fn range() -> (u64, String) {
    let from = (now_unix_nano() / SECOND - 300) / 100 * 100;
    (from * SECOND, format!("from={}&to={}&step_ms=10000", from * 1000, (from + 100) * 1000))
}

/// A metric of every kind, named after it.
fn one_of_every_kind(now: u64) -> Vec<Metric> {
    let histogram = HistogramDataPoint {
        time_unix_nano: now,
        count: 3,
        sum: Some(6.0),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![2.0],
        ..Default::default()
    };
    let buckets = Buckets { offset: 0, bucket_counts: vec![1, 2] };
    let exponential = ExponentialHistogramDataPoint {
        time_unix_nano: now,
        count: 3,
        sum: Some(6.0),
        scale: 1,
        positive: Some(buckets),
        ..Default::default()
    };
    let quantile = ValueAtQuantile { quantile: 0.5, value: 2.0 };
    let summary = SummaryDataPoint {
        time_unix_nano: now,
        count: 3,
        sum: 6.0,
        quantile_values: vec![quantile],
        ..Default::default()
    };
    vec![
        metric("kinds.gauge", "1", Data::Gauge(Gauge { data_points: vec![number(now, 1.0, "/")] })),
        metric(
            "kinds.sum",
            "By",
            Data::Sum(Sum {
                data_points: vec![number(now, 1.0, "/")],
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
            }),
        ),
        metric(
            "kinds.histogram",
            "s",
            Data::Histogram(Histogram { data_points: vec![histogram], aggregation_temporality: DELTA }),
        ),
        metric(
            "kinds.exponential",
            "s",
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points: vec![exponential],
                aggregation_temporality: CUMULATIVE,
            }),
        ),
        metric("kinds.summary", "s", Data::Summary(Summary { data_points: vec![summary] })),
    ]
}

#[test]
fn every_kind_of_metric_is_listed_with_its_nature() {
    let server = fresnel().start();
    send(&server, one_of_every_kind(now_unix_nano()));
    let answer = server.get_json("/api/v1/metrics?q=kinds.");
    let list = answer["metrics"].as_array().unwrap();
    let natures: Vec<_> = list
        .iter()
        .map(|metric| (metric["name"].as_str().unwrap(), metric["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(
        natures,
        [
            ("kinds.exponential", "exponential_histogram"),
            ("kinds.gauge", "gauge"),
            ("kinds.histogram", "histogram"),
            ("kinds.sum", "sum"),
            ("kinds.summary", "summary"),
        ]
    );
    let sum = &list[3];
    assert_eq!(
        (&sum["unit"], &sum["monotonic"], &sum["temporality"], &sum["series"]),
        (&json!("By"), &json!(true), &json!("cumulative"), &json!(1))
    );
}

#[test]
fn a_gauge_shows_the_last_value_of_a_step() {
    let server = fresnel().start();
    let (from, parameters) = range();
    let data_points = vec![
        number(from + SECOND, 1.0, "/"),
        number(from + 2 * SECOND, 7.0, "/"),
        number(from + 31 * SECOND, 9.5, "/"),
    ];
    send(&server, vec![metric("g", "1", Data::Gauge(Gauge { data_points }))]);
    assert_eq!(values(&server, "g", &parameters), [7.0, 9.5]);
}

#[test]
fn a_cumulative_sum_shows_its_rate_a_second_and_survives_a_reset() {
    let server = fresnel().start();
    let (from, parameters) = range();
    // 2 a second, then the process begins anew, then 3 a second.
    let value = |second: u64| if second < 50 { second * 2 } else { (second - 50) * 3 };
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let data_points =
        (0..=90).map(|second| number(from + second * SECOND, value(second) as f64, "/")).collect();
    let sum = Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true };
    send(&server, vec![metric("c", "{request}", Data::Sum(sum))]);
    let rates = values(&server, "c", &parameters);
    assert!(rates.iter().all(|rate| (-0.01..=3.5).contains(rate)), "{rates:?}");
    assert!((rates[2] - 2.0).abs() < 0.3 && (rates[7] - 3.0).abs() < 0.4, "{rates:?}");
}

#[test]
fn a_delta_sum_shows_its_rate_a_second() {
    let server = fresnel().start();
    let (from, parameters) = range();
    let data_points = (1..=10).map(|second| number(from + second * SECOND - 1, 4.0, "/")).collect();
    let sum = Sum { data_points, aggregation_temporality: DELTA, is_monotonic: true };
    send(&server, vec![metric("d", "{request}", Data::Sum(sum))]);
    assert_eq!(values(&server, "d", &parameters), [4.0]);
}

#[test]
fn a_histogram_shows_mean_and_rate() {
    let server = fresnel().start();
    let (from, parameters) = range();
    let point = |second: u64| HistogramDataPoint {
        start_time_unix_nano: 1,
        time_unix_nano: from + second * SECOND,
        count: 5,
        sum: Some(10.0),
        bucket_counts: vec![5, 0],
        explicit_bounds: vec![3.0],
        ..Default::default()
    };
    let histogram = Histogram { data_points: (1..=9).map(point).collect(), aggregation_temporality: DELTA };
    send(&server, vec![metric("h", "s", Data::Histogram(histogram))]);
    let answer = server.get_json(&format!("/api/v1/metrics/h/series?{parameters}"));
    let of = |stat: &str| {
        let series = answer["series"].as_array().unwrap();
        points(series.iter().find(|series| series["labels"]["stat"] == stat).unwrap())
    };
    assert_eq!(of("mean"), [2.0]);
    assert_eq!(of("rate"), [4.5]);
}

#[test]
fn labels_select_and_group() {
    let server = fresnel().start();
    let (from, parameters) = range();
    let data_points = vec![
        number(from + SECOND, 1.0, "/a"),
        number(from + SECOND, 2.0, "/b"),
        number(from + SECOND, 4.0, "/c"),
    ];
    send(&server, vec![metric("l", "1", Data::Gauge(Gauge { data_points }))]);

    let labels =
        server.get_json(&format!("/api/v1/metrics/l/labels?{parameters}").replace("&step_ms=10000", ""));
    let routes = labels["labels"]["route"].as_array().unwrap();
    assert_eq!(routes.len(), 3);
    assert_eq!(labels["labels"]["host.name"], json!([{"value": "test-host", "series": 3}]));

    assert_eq!(values(&server, "l", &format!("{parameters}&match=route:/b")), [2.0]);
    assert_eq!(values(&server, "l", &format!("{parameters}&by=service.name")).len(), 1);
    let limited = server.get_json(&format!("/api/v1/metrics/l/series?{parameters}&limit=2"));
    assert_eq!((limited["series"].as_array().unwrap().len(), &limited["total_series"]), (2, &json!(3)));
}

#[test]
fn integers_and_special_values_are_kept() {
    let server = fresnel().start();
    let now = now_unix_nano();
    let wide = 9_007_199_254_740_993;
    let mut integer = number(now, 0.0, "/");
    integer.value = Some(Number::AsInt(wide));
    send(
        &server,
        vec![
            metric("v.int", "1", Data::Gauge(Gauge { data_points: vec![integer] })),
            metric("v.nan", "1", Data::Gauge(Gauge { data_points: vec![number(now, f64::NAN, "/")] })),
            metric("v.inf", "1", Data::Gauge(Gauge { data_points: vec![number(now, f64::INFINITY, "/")] })),
        ],
    );
    let rows = server.sql("SELECT value_int AS v FROM metrics WHERE metric_name = 'v.int'");
    assert_eq!(rows.texts("v"), [wide.to_string()]);
    assert_eq!(
        server.sql("SELECT count(*) FROM metrics WHERE metric_name IN ('v.nan', 'v.inf')").integer(),
        2
    );
    // JSON has no such numbers; the answer is one all the same.
    server.sql("SELECT metric_name, value FROM metrics WHERE metric_name LIKE 'v.%'");
    server.get_json("/api/v1/metrics/v.nan/series");
}

#[test]
fn an_unknown_metric_has_no_series() {
    let server = fresnel().start();
    let answer = server.get_json("/api/v1/metrics/nothing/series");
    assert_eq!((&answer["series"], &answer["total_series"]), (&json!([]), &json!(0)));
}
