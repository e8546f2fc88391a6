use std::collections::{BTreeMap, BTreeSet};

use super::super::data::{self, BEGIN, HOUR, Span};
use super::super::place::Placed;
use super::super::{batches, engine, tenant};
use super::{ALL, engines, has};
use crate::table::convert::to_hex;
use crate::{Engine, Summary, TimeRange, TraceFilter, TraceSummary};

pub(super) fn traces_of(range: TimeRange, limit: u32) -> TraceFilter {
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
async fn a_warm_up_asks_for_a_trace_that_there_is() {
    for (split, engine) in engines() {
        let id = engine.warm(&tenant()).await.unwrap().unwrap();
        assert!(data::spans().iter().any(|span| span.trace == id), "{split}");
    }
    assert_eq!(engine(Placed::default()).warm(&tenant()).await.unwrap(), None);
}

/// Only the index knows of any span.
fn indexed() -> Engine {
    let mut placed = Placed::default();
    placed.indexed = Some(batches::spans(&data::spans()));
    engine(placed)
}

#[tokio::test]
async fn a_trace_by_an_index_tells_what_was_read_and_what_is_missing() {
    let found = indexed().trace(&tenant(), data::trace_id(8)).await.unwrap();
    let Summary { rows, scanned_rows, segments, segments_skipped, complete, warnings, .. } = found.summary;
    let spans = found.value.spans.len() as u64;
    assert!(spans > 0);
    assert_eq!((rows, scanned_rows, segments, segments_skipped), (spans, spans, 3, 1));
    assert_eq!((complete, warnings), (false, vec!["one".to_owned()]));
}

#[tokio::test]
async fn a_trace_has_all_its_spans() {
    for (split, engine) in engines().into_iter().chain([("by an index", indexed())]) {
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
