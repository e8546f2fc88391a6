//! Direct readers against an evaluation of the same question row by row.

use std::collections::{BTreeMap, BTreeSet};

use model::Table;

use super::data::{self, Attributes, BEGIN, HOUR, Log, SECOND, SERVICES, Span};
use super::place::{Place, Placed, splits};
use super::{engine, tenant};
use crate::table::convert::to_hex;
use crate::{
    Engine, LogFilter, LogRecord, MetricFilter, QueryError, SeriesRequest, TimeRange, TraceFilter,
    TraceSummary,
};

const ALL: TimeRange = TimeRange { from: BEGIN, to: BEGIN + 5 * HOUR };

fn engines() -> Vec<(&'static str, Engine)> {
    splits().into_iter().map(|(name, place)| (name, engine(Placed::shop(place)))).collect()
}

fn logs_of(range: TimeRange, limit: u32) -> LogFilter {
    LogFilter {
        range,
        service: None,
        severity_min: None,
        text: None,
        trace_id: None,
        attributes: Vec::new(),
        limit,
        before: None,
    }
}

fn has(attributes: &Attributes, key: &str, value: &str) -> bool {
    attributes.iter().any(|(name, is)| name == key && is.as_deref() == Some(value))
}

fn passes(log: &Log, filter: &LogFilter) -> bool {
    let text = filter.text.as_ref().map(|text| text.to_lowercase());
    (filter.range.from..filter.range.to).contains(&log.time)
        && filter.service.as_ref().is_none_or(|service| log.service == *service)
        && filter.severity_min.is_none_or(|least| log.severity >= least)
        && text.is_none_or(|text| log.body.as_ref().is_some_and(|body| body.to_lowercase().contains(&text)))
        && filter.trace_id.is_none_or(|id| log.trace == Some(id))
        && filter.attributes.iter().all(|(key, value)| {
            has(&log.attributes, key, value) || has(&data::resource(&log.service), key, value)
        })
}

fn record(log: &Log) -> LogRecord {
    LogRecord {
        time_unix_nano: log.time,
        observed_time_unix_nano: log.observed,
        severity_number: log.severity,
        severity_text: format!("S{}", log.severity),
        body: log.body.clone(),
        event_name: log.event_name.clone(),
        service_name: log.service.clone(),
        trace_id: log.trace.map(|id| to_hex(&id)),
        span_id: log.span.map(|id| to_hex(&id)),
        attributes: log.attributes.clone(),
        resource_attributes: data::resource(&log.service),
        scope_name: "shop".to_owned(),
        scope_version: "1.2".to_owned(),
    }
}

fn log_filters() -> Vec<LogFilter> {
    let base = logs_of(ALL, 1_000);
    let middle = TimeRange { from: BEGIN + HOUR, to: BEGIN + HOUR + 1_800 * SECOND };
    vec![
        base.clone(),
        logs_of(middle, 1_000),
        LogFilter { service: Some("cart".to_owned()), ..base.clone() },
        LogFilter { severity_min: Some(13), ..base.clone() },
        LogFilter { text: Some("ORDER 1".to_owned()), ..base.clone() },
        LogFilter { text: Some("100% _done_".to_owned()), ..base.clone() },
        LogFilter { text: Some("100%_done".to_owned()), ..base.clone() },
        LogFilter { trace_id: Some(data::trace_id(9)), ..base.clone() },
        LogFilter { attributes: vec![("user".to_owned(), "user-2".to_owned())], ..base.clone() },
        LogFilter {
            attributes: vec![("host.name".to_owned(), "host-1".to_owned())],
            service: Some("mail".to_owned()),
            ..base.clone()
        },
        LogFilter { attributes: vec![("it's".to_owned(), "' OR 1=1 --".to_owned())], ..base },
    ]
}

#[tokio::test]
async fn logs_are_those_that_pass_newest_first() {
    for (split, engine) in engines() {
        for filter in log_filters() {
            let mut expected: Vec<_> =
                data::logs().iter().filter(|log| passes(log, &filter)).map(record).collect();
            let found = engine.logs(&tenant(), &filter).await.unwrap();
            assert!(found.summary.complete);
            assert_eq!(found.value.next, None, "{split} {filter:?}");
            let mut found = found.value.records;
            assert!(found.is_sorted_by_key(|record| -record.time_unix_nano), "{split} {filter:?}");
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{split} {filter:?}");
        }
    }
}

#[tokio::test]
async fn pages_of_logs_have_every_record_once_also_those_of_one_nanosecond() {
    for (split, engine) in engines() {
        for limit in [3, 13, 100, 400, 401] {
            let mut filter = logs_of(ALL, limit);
            let (mut found, mut pages) = (Vec::new(), 0);
            loop {
                let page = engine.logs(&tenant(), &filter).await.unwrap().value;
                assert!(page.records.len() <= limit as usize);
                found.extend(page.records);
                pages += 1;
                filter.before = page.next;
                if filter.before.is_none() || pages > 12 && limit < 13 {
                    break;
                }
            }
            assert!(found.is_sorted_by_key(|record| -record.time_unix_nano));
            let mut expected: Vec<_> = data::logs().iter().map(record).collect();
            if limit >= 13 {
                expected.sort();
                found.sort();
                assert_eq!(found, expected, "{split} {limit}");
            } else {
                let unique: BTreeSet<_> = found.iter().collect();
                assert_eq!(unique.len(), found.len(), "{split} {limit}");
            }
        }
    }
}

#[tokio::test]
async fn a_malformed_cursor_is_refused() {
    let engine = engine(Placed::default());
    for cursor in ["", "x", "1+", "1+-1", "+1+2"] {
        let filter = LogFilter { before: Some(cursor.to_owned()), ..logs_of(ALL, 10) };
        let error = engine.logs(&tenant(), &filter).await.err();
        assert!(
            matches!(error, Some(QueryError::Argument { .. })) || cursor == "+1+2",
            "{cursor}: {error:?}"
        );
    }
}

#[tokio::test]
async fn the_newest_logs_leave_old_segments_alone() {
    let mut logs = data::logs();
    logs.sort_by_key(|log| log.time);
    let placed = Placed::of(&logs, &[], &data::Metrics::default(), |_, row| Place::Segment(row / 50));
    let answer = engine(placed).logs(&tenant(), &logs_of(ALL, 10)).await.unwrap();
    assert_eq!((answer.value.records.len(), answer.value.next.is_some()), (10, true));
    assert!(answer.summary.scanned_rows <= 150, "{:?}", answer.summary);
}

#[tokio::test]
async fn a_histogram_counts_every_record_once() {
    for (split, engine) in engines() {
        for filter in log_filters() {
            for buckets in [1, 7, 60] {
                let histogram = engine.log_histogram(&tenant(), &filter, buckets).await.unwrap().value;
                let step = histogram.step_ms * 1_000_000;
                assert!(histogram.buckets.len() <= buckets as usize + 1, "{}", histogram.buckets.len());
                assert!(histogram.buckets[0].time_ms * 1_000_000 <= filter.range.from);
                for bucket in &histogram.buckets {
                    let begin = bucket.time_ms * 1_000_000;
                    let within =
                        |log: &&Log| (begin..begin + step).contains(&log.time) && passes(log, &filter);
                    let logs = data::logs();
                    let count = |severities: std::ops::RangeInclusive<i32>| {
                        logs.iter().filter(within).filter(|log| severities.contains(&log.severity)).count()
                            as u64
                    };
                    let counts = bucket.counts;
                    let found = [
                        counts.unset,
                        counts.trace,
                        counts.debug,
                        counts.info,
                        counts.warn,
                        counts.error,
                        counts.fatal,
                    ];
                    let expected = [
                        count(0..=0),
                        count(1..=4),
                        count(5..=8),
                        count(9..=12),
                        count(13..=16),
                        count(17..=20),
                        count(21..=24),
                    ];
                    assert_eq!(found, expected, "{split} {filter:?} {begin}");
                }
            }
        }
    }
}

fn traces_of(range: TimeRange, limit: u32) -> TraceFilter {
    TraceFilter {
        range,
        service: None,
        name: None,
        error: false,
        duration_min_nano: None,
        duration_max_nano: None,
        limit,
    }
}

fn summaries(filter: &TraceFilter) -> Vec<TraceSummary> {
    let mut traces: BTreeMap<[u8; 16], Vec<Span>> = BTreeMap::new();
    for span in data::spans() {
        if (filter.range.from..filter.range.to).contains(&span.start) {
            traces.entry(span.trace).or_default().push(span);
        }
    }
    let mut found = Vec::new();
    for (id, spans) in traces {
        let root = spans.iter().min_by_key(|span| (span.parent.is_some(), span.start)).unwrap();
        let start = spans.iter().map(|span| span.start).min().unwrap();
        let end = spans.iter().map(|span| span.end).max().unwrap();
        let errors = spans.iter().filter(|span| span.status == 2).count() as u64;
        let matching = spans.iter().any(|span| {
            filter.service.as_ref().is_none_or(|service| span.service == *service)
                && filter.name.as_ref().is_none_or(|name| span.name == *name)
        });
        let long = filter.duration_min_nano.is_none_or(|least| end - start >= least);
        let short = filter.duration_max_nano.is_none_or(|most| end - start <= most);
        if matching && long && short && (!filter.error || errors > 0) {
            let services: BTreeSet<_> = spans.iter().map(|span| span.service.clone()).collect();
            found.push(TraceSummary {
                trace_id: to_hex(&id),
                root_service: root.service.clone(),
                root_name: root.name.clone(),
                start_unix_nano: start,
                duration_nano: end - start,
                spans: spans.len() as u64,
                errors,
                services: services.into_iter().collect(),
            });
        }
    }
    found.sort_by_key(|trace| -trace.start_unix_nano);
    found.truncate(filter.limit as usize);
    found
}

#[tokio::test]
async fn traces_are_the_newest_that_pass() {
    let base = traces_of(ALL, 20);
    let ms = 1_000_000;
    let filters = [
        base.clone(),
        traces_of(ALL, 1),
        traces_of(ALL, 100),
        traces_of(TimeRange { from: BEGIN + HOUR, to: BEGIN + 2 * HOUR }, 100),
        TraceFilter { service: Some("payment".to_owned()), ..base.clone() },
        TraceFilter {
            service: Some("payment".to_owned()),
            name: Some("pay".to_owned()),
            limit: 5,
            ..base.clone()
        },
        TraceFilter { error: true, limit: 7, ..base.clone() },
        TraceFilter { error: true, name: Some("pay".to_owned()), ..base.clone() },
        TraceFilter { duration_min_nano: Some(300 * ms), ..base.clone() },
        TraceFilter { duration_max_nano: Some(150 * ms), limit: 100, ..base.clone() },
        TraceFilter { service: Some("nobody".to_owned()), ..base },
    ];
    for (split, engine) in engines() {
        for filter in &filters {
            let found = engine.traces(&tenant(), filter).await.unwrap();
            let expected = summaries(filter);
            assert_eq!(found.value, expected, "{split} {filter:?}");
            assert_eq!(found.summary.rows, expected.len() as u64);
        }
    }
}

#[tokio::test]
async fn a_trace_has_all_its_spans() {
    for (split, engine) in engines() {
        for trace in [0, 8, 17, 59] {
            let id = data::trace_id(trace);
            let found = engine.trace(&tenant(), id).await.unwrap().value;
            let mut expected: Vec<Span> = data::spans().into_iter().filter(|span| span.trace == id).collect();
            expected.sort_by_key(|span| span.start);
            assert_eq!(found.trace_id, to_hex(&id));
            assert_eq!(found.spans.len(), expected.len(), "{split}");
            for (found, expected) in found.spans.iter().zip(&expected) {
                assert_eq!(found.span_id, to_hex(&expected.id));
                assert_eq!(found.parent_span_id, expected.parent.map(|id| to_hex(&id)));
                assert_eq!((found.start_unix_nano, found.end_unix_nano), (expected.start, expected.end));
                assert_eq!(
                    found.kind,
                    ["", "internal", "server", "client", "producer", "consumer"]
                        [usize::try_from(expected.kind).unwrap()]
                );
                assert_eq!(
                    found.status_code,
                    ["unset", "ok", "error"][usize::try_from(expected.status).unwrap()]
                );
                assert_eq!((&found.name, &found.service_name), (&expected.name, &expected.service));
                assert_eq!(found.attributes, expected.attributes);
                assert_eq!(found.resource_attributes, data::resource(&expected.service));
                let events: Vec<_> =
                    found.events.iter().map(|event| (event.time_unix_nano, event.name.clone())).collect();
                assert_eq!(events, expected.events);
                assert!(found.events.iter().all(|event| has(&event.attributes, "of", &event.name)));
                let links: Vec<_> =
                    found.links.iter().map(|link| (link.trace_id.clone(), link.span_id.clone())).collect();
                let expected: Vec<_> =
                    expected.links.iter().map(|(trace, span)| (to_hex(trace), to_hex(span))).collect();
                assert_eq!(links, expected);
            }
        }
        assert!(engine.trace(&tenant(), [7; 16]).await.unwrap().value.spans.is_empty());
    }
}

#[tokio::test]
async fn services_are_those_of_logs_and_spans() {
    for (_, engine) in engines() {
        let found = engine.services(&tenant(), ALL).await.unwrap().value;
        assert_eq!(found, SERVICES);
        let none = TimeRange { from: BEGIN - HOUR, to: BEGIN - SECOND };
        assert!(engine.services(&tenant(), none).await.unwrap().value.is_empty());
    }
}

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

#[tokio::test]
async fn what_is_missing_is_said_by_readers_too() {
    let mut placed = Placed::shop(|_, _| Place::Segment(0));
    placed.missing = vec!["gone".to_owned()];
    placed.overwrite(Table::Spans, 0, vec![1; 100]);
    let engine = engine(placed);
    let answer = engine.logs(&tenant(), &logs_of(ALL, 5)).await.unwrap();
    assert_eq!((answer.summary.complete, answer.summary.warnings), (false, vec!["gone".to_owned()]));
    let answer = engine.traces(&tenant(), &traces_of(ALL, 5)).await.unwrap();
    assert!(answer.value.is_empty() && answer.summary.warnings.len() == 2, "{:?}", answer.summary);
}
