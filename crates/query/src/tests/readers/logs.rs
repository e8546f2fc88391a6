use std::collections::BTreeSet;

use super::super::data::{self, BEGIN, HOUR, Log, SECOND};
use super::super::place::{Place, Placed};
use super::super::{engine, tenant};
use super::{ALL, engines, has};
use crate::table::convert::to_hex;
use crate::{LogFilter, LogRecord, QueryError, TimeRange};

pub(in crate::tests) fn logs_of(range: TimeRange, limit: u32) -> LogFilter {
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
    for (split, engine) in engines().into_iter().skip(3) {
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
