#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};

use super::*;

#[test]
fn requests_are_equal_in_every_run_and_differ_from_each_other() {
    for signal in Signal::ALL {
        let bodies: Vec<_> = (0..20).map(|index| signal.encode(index, 1, 7)).collect();
        assert_eq!(bodies[3], signal.encode(3, 1, 7));
        assert_eq!(bodies.iter().collect::<HashSet<_>>().len(), 20);
    }
}

#[test]
fn records_have_the_size_of_real_ones() {
    for (signal, sizes) in
        [(Signal::Logs, 350..=400), (Signal::Spans, 350..=420), (Signal::Metrics, 120..=220)]
    {
        let size = signal.encode(5, 1, yesterday()).len() / RECORDS;
        assert!(sizes.contains(&size), "{}: {size}", signal.name());
    }
}

#[test]
fn every_request_has_a_thousand_records() {
    let limits = wire::Limits::default();
    let context = wire::Context { received_unix_nano: 1, decide: wire::Decide::Apply(&limits) };
    for senders in [1, COLLECTED] {
        let bodies = Signal::ALL.map(|signal| signal.encode(1, senders, 1));
        let decoded = [
            wire::otlp::logs::decode(&bodies[0], &context),
            wire::otlp::traces::decode(&bodies[1], &context),
            wire::otlp::metrics::decode(&bodies[2], &context),
        ];
        for decoded in decoded.map(Result::unwrap) {
            assert_eq!((decoded.received as usize, decoded.rejected.len()), (RECORDS, 0));
        }
    }
}

#[test]
fn a_trace_has_one_root_and_eight_spans_of_four_senders() {
    let parts: Vec<_> = (0..8).map(|sender| spans::part(sender, RECORDS, 0)).collect();
    let spans = |part: &ResourceSpans| part.scope_spans[0].spans.clone();
    let wanted = spans(&parts[0])[0].trace_id.clone();
    let of_trace: Vec<Vec<Span>> = parts
        .iter()
        .map(|part| spans(part).into_iter().filter(|span| span.trace_id == wanted).collect())
        .collect();
    assert_eq!(of_trace.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2, 2, 0, 0, 0, 0]);
    assert_eq!(of_trace.concat().iter().filter(|span| span.parent_span_id.is_empty()).count(), 1);
}

#[test]
fn sums_never_fall() {
    let value = |report: usize| {
        let part = metrics::part(report * resource::INSTANCES, RECORDS, 0);
        let Some(Data::Sum(sum)) = &part.scope_metrics[0].metrics[1].data else { panic!("not a sum") };
        let Some(Value::AsInt(value)) = sum.data_points[1].value else { panic!("not an integer") };
        value
    };
    let values: Vec<i64> = (0..50).map(value).collect();
    assert!(values.is_sorted(), "{values:?}");
    assert!(values[49] > values[0]);
}
