#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use prost::Message;
use testkit::otlp::proto::collector::logs::v1::ExportLogsServiceRequest;
use testkit::otlp::proto::collector::trace::v1::ExportTraceServiceRequest;
use testkit::records::hex;

use super::logs::{LogRequests, RECORDS};
use super::make::Made;
use super::question::Question;
use super::spans::{self, SPANS, SPANS_PER_TRACE, SpanRequests};
use super::timeline::Timeline;

const FROM: u64 = 1_795_000_000_000_000_000;

#[test]
fn spans_are_those_that_are_looked_up() {
    let mut requests = SpanRequests::new(Timeline::beginning(FROM, 10_000)).unwrap();
    let request = ExportTraceServiceRequest::decode(requests.body(3)).unwrap();
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let spans: Vec<_> = scopes.flat_map(|scope| &scope.spans).collect();
    assert_eq!(spans.len() as u64, SPANS);
    let trace = 3 * SPANS / SPANS_PER_TRACE + 17;
    let of_trace = spans.iter().filter(|span| span.trace_id == spans::trace_id(trace).concat());
    let mut ids: Vec<_> = of_trace.map(|span| hex(&span.span_id)).collect();
    ids.sort();
    assert_eq!(Question::Trace(trace).expected(), Some(ids));
    let different: HashSet<_> = spans.iter().map(|span| &span.span_id).collect();
    assert_eq!(different.len(), spans.len());
    assert!(spans.iter().all(|span| span.start_time_unix_nano <= span.end_time_unix_nano));
    assert!(spans.iter().all(|span| span.span_id != [0; 8]));
}

#[test]
fn log_records_have_times_of_their_own() {
    let timeline = Timeline::beginning(FROM, 4 * RECORDS);
    let mut requests = LogRequests::new(timeline).unwrap();
    let mut times = Vec::new();
    for number in 0..4 {
        let request = ExportLogsServiceRequest::decode(requests.body(number)).unwrap();
        let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        times.extend(scopes.flat_map(|scope| &scope.log_records).map(|record| record.time_unix_nano));
    }
    assert!(times.iter().all(|time| (FROM..timeline.to()).contains(time)));
    let different: HashSet<_> = times.iter().collect();
    assert_eq!(different.len() as u64, 4 * RECORDS);
}

#[test]
fn what_was_made_is_known_only_at_the_same_size() {
    let folder = tempfile::tempdir().unwrap();
    let made = Made::planned(100_000, FROM);
    assert!(Made::known(folder.path(), &made).is_none());
    made.remember(folder.path()).unwrap();
    let later = Made::planned(100_000, FROM + 86_400_000_000_000);
    let known = Made::known(folder.path(), &later).unwrap();
    assert_eq!((known.logs_at.from, known.logs_at.at(5)), (made.logs_at.from, made.logs_at.at(5)));
    assert!(Made::known(folder.path(), &Made::planned(200_000, FROM)).is_none());
}
