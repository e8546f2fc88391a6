use super::super::data::{self, BEGIN, HOUR, SECOND};
use super::super::place::{Place, Placed};
use super::super::{engine, tenant};
use super::{ALL, engines, has};
use crate::{MetricFilter, SeriesRequest, TimeRange};

#[tokio::test]
async fn metrics_and_their_labels_are_those_of_the_series() {
    for (_, engine) in engines() {
        let filter = MetricFilter { range: ALL, text: None };
        let metrics = engine.metrics(&tenant(), &filter).await.unwrap().value;
        let names: Vec<_> = metrics
            .iter()
            .map(|metric| (metric.name.as_str(), metric.kind.as_str(), metric.series))
            .collect();
        let expected = [
            ("connections", "sum", 8),
            ("duration", "histogram", 8),
            ("mails", "sum", 8),
            ("orders", "sum", 8),
            ("queue.size", "gauge", 8),
        ];
        assert_eq!(names, expected);
        assert_eq!((metrics[2].unit.as_str(), metrics[2].temporality.as_deref()), ("{mail}", Some("delta")));
        assert_eq!((metrics[0].monotonic, metrics[1].monotonic), (Some(false), None));
        let filter = MetricFilter { text: Some("E.SI".to_owned()), ..filter };
        assert_eq!(engine.metrics(&tenant(), &filter).await.unwrap().value.len(), 1);
        let labels = engine.metric_labels(&tenant(), "orders", ALL).await.unwrap().value;
        let keys: Vec<_> = labels.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["color", "host.name", "service.name"]);
        let values: Vec<_> = labels[1].1.iter().map(|value| (value.value.as_str(), value.series)).collect();
        assert_eq!(values, [("host-1", 6), ("host-2", 2)]);
        // On the day after the last one, nothing was written.
        let later = TimeRange { from: BEGIN + 48 * HOUR, to: BEGIN + 49 * HOUR };
        assert!(engine.metric_labels(&tenant(), "orders", later).await.unwrap().value.is_empty());
    }
}

fn series_request(name: &str, step: i64) -> SeriesRequest {
    SeriesRequest {
        name: name.to_owned(),
        range: TimeRange { from: BEGIN + HOUR, to: BEGIN + 3 * HOUR },
        step_ms: Some(step / 1_000_000),
        matches: Vec::new(),
        by: Vec::new(),
        limit: 50,
    }
}

fn one(name: &str, step: i64) -> SeriesRequest {
    let matches =
        vec![("service.name".to_owned(), "mail".to_owned()), ("color".to_owned(), "blue".to_owned())];
    SeriesRequest { matches, ..series_request(name, step) }
}

/// Time and value of the one series of [`one`], in order.
fn samples_of(name: &str) -> Vec<(i64, f64)> {
    let metrics = data::metrics();
    let of = |series: &&data::Series| {
        series.name == name && series.service == "mail" && has(&series.attributes, "color", "blue")
    };
    let id = metrics.series.iter().find(of).unwrap().id;
    let mut points: Vec<_> = metrics
        .samples
        .iter()
        .filter(|sample| sample.series == id)
        .map(|sample| (sample.time, sample.value))
        .collect();
    if points.is_empty() {
        let histograms = metrics.histograms.iter().filter(|histogram| histogram.series == id);
        points = histograms.map(|histogram| (histogram.time, histogram.count as f64)).collect();
    }
    points.sort_by_key(|(time, _)| *time);
    points
}

fn check_points(found: &[(i64, Option<f64>)], step: i64, expected: impl Fn(i64, i64) -> Option<f64>) {
    assert_eq!(found.len(), usize::try_from(2 * HOUR / step).unwrap());
    for (time_ms, value) in found {
        let begin = time_ms * 1_000_000;
        let expected = expected(begin, begin + step);
        let same = match (value, expected) {
            (Some(value), Some(expected)) => (value - expected).abs() < 1e-9,
            (value, expected) => *value == expected,
        };
        assert!(same, "{time_ms}: {value:?} is not {expected:?}");
    }
}

/// Growth per second of the points in a step, each since the one before it.
fn growth(points: &[(i64, f64)], from: i64, to: i64) -> Option<f64> {
    let (mut grown, mut nanos) = (0.0, 0);
    for pair in points.windows(2).filter(|pair| (from..to).contains(&pair[1].0)) {
        let restarted = pair[1].1 < pair[0].1;
        grown += if restarted { pair[1].1 } else { pair[1].1 - pair[0].1 };
        nanos += pair[1].0 - pair[0].0;
    }
    (nanos > 0).then(|| grown / (nanos as f64 / 1e9))
}

#[tokio::test]
async fn a_series_shows_levels_growth_and_changes_by_step() {
    for (_, engine) in engines() {
        for step in [60 * SECOND, 5 * SECOND] {
            let series = async |name| engine.metric_series(&tenant(), &one(name, step)).await.unwrap().value;
            for name in ["queue.size", "connections"] {
                let points = samples_of(name);
                let found = series(name).await;
                assert_eq!((found.series.len(), found.total_series), (1, 1));
                check_points(&found.series[0].points, step, |from, to| {
                    points.iter().rev().find(|(time, _)| (from..to).contains(time)).map(|(_, value)| *value)
                });
            }
            let points = samples_of("orders");
            check_points(&series("orders").await.series[0].points, step, |from, to| {
                growth(&points, from, to)
            });
            let points = samples_of("mails");
            check_points(&series("mails").await.series[0].points, step, |from, to| {
                let within: Vec<_> = points.iter().filter(|(time, _)| (from..to).contains(time)).collect();
                let sum: f64 = within.iter().map(|(_, value)| value).sum();
                (!within.is_empty()).then_some(sum / (step as f64 / 1e9))
            });
        }
    }
}

#[tokio::test]
async fn a_histogram_shows_its_mean_and_how_many() {
    for (_, engine) in engines() {
        let found = engine.metric_series(&tenant(), &one("duration", 60 * SECOND)).await.unwrap().value;
        assert_eq!((found.unit.as_str(), found.kind.as_str(), found.total_series), ("s", "histogram", 1));
        let stats: Vec<_> = found.series.iter().map(|series| series.labels.clone()).collect();
        let label =
            |stat: &str| vec![("color".to_owned(), "blue".to_owned()), ("stat".to_owned(), stat.to_owned())];
        assert_eq!(stats, [label("mean"), label("rate")]);
        let points = samples_of("duration");
        check_points(&found.series[1].points, 60 * SECOND, |from, to| growth(&points, from, to));
        // Each thing counted is 0.25.
        let counted = |from, to| growth(&points, from, to).filter(|rate| *rate > 0.0).map(|_| 0.25);
        check_points(&found.series[0].points, 60 * SECOND, counted);
    }
}

#[tokio::test]
async fn series_are_added_up_by_labels() {
    for (_, engine) in engines() {
        let step = 60 * SECOND;
        let alone = engine.metric_series(&tenant(), &series_request("orders", step)).await.unwrap().value;
        assert_eq!((alone.series.len(), alone.total_series), (8, 8));
        let request = SeriesRequest { by: vec!["color".to_owned()], ..series_request("orders", step) };
        let added = engine.metric_series(&tenant(), &request).await.unwrap().value;
        let labels: Vec<_> = added.series.iter().map(|series| series.labels[0].1.as_str()).collect();
        assert_eq!((labels.as_slice(), added.total_series), (["blue", "green"].as_slice(), 2));
        for group in &added.series {
            let parts: Vec<_> =
                alone.series.iter().filter(|series| series.labels.contains(&group.labels[0])).collect();
            assert_eq!(parts.len(), 4);
            for (index, (_, value)) in group.points.iter().enumerate() {
                let sum: f64 = parts.iter().filter_map(|part| part.points[index].1).sum();
                assert!((value.unwrap() - sum).abs() < 1e-9);
            }
        }
        let few = SeriesRequest { limit: 3, ..series_request("orders", step) };
        let few = engine.metric_series(&tenant(), &few).await.unwrap().value;
        assert_eq!((few.series.as_slice(), few.total_series), (&alone.series[..3], 8));
    }
}

#[tokio::test]
async fn a_series_request_is_bounded() {
    let engine = engine(Placed::shop(|_, _| Place::Memory(0)));
    let error = engine.metric_series(&tenant(), &series_request("orders", SECOND / 10)).await.unwrap_err();
    assert_eq!(error.to_string(), "the range has 72000 steps, at most 11000 are answered");
    let chosen = SeriesRequest { step_ms: None, ..series_request("orders", SECOND) };
    let chosen = engine.metric_series(&tenant(), &chosen).await.unwrap().value;
    assert_eq!(chosen.step_ms, 30_000);
    let none = engine.metric_series(&tenant(), &series_request("nothing", SECOND)).await.unwrap().value;
    assert_eq!((none.series.len(), none.kind.as_str()), (0, ""));
}
