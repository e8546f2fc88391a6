//! Random requests: what is decoded is what is expected, field by field.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{Batch, Signal};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::{DecodeError, Message};

use super::expect::{self, Expected};
use super::expect_metrics;
use super::generate::Generate;
use super::*;
use crate::cells::{self, Cell, Row};

const REQUESTS: u64 = 120;

/// A random request of a signal, encoded, with what is expected of it.
pub(super) fn request(signal: Signal, seed: u64, mistakes: u32) -> (Vec<u8>, Expected) {
    let mut generate = Generate::new(seed, mistakes);
    let body = match signal {
        Signal::Logs => generate.logs().encode_to_vec(),
        Signal::Spans => generate.spans().encode_to_vec(),
        Signal::Metrics => generate.metrics().encode_to_vec(),
    };
    let expected = expected(signal, &body).unwrap();
    (body, expected)
}

/// What is expected of the bytes of a request, as prost reads them.
pub(super) fn expected(signal: Signal, body: &[u8]) -> Result<Expected, DecodeError> {
    Ok(match signal {
        Signal::Logs => expect::logs(&ExportLogsServiceRequest::decode(body)?),
        Signal::Spans => expect::spans(&ExportTraceServiceRequest::decode(body)?),
        Signal::Metrics => expect_metrics::metrics(&ExportMetricsServiceRequest::decode(body)?),
    })
}

/// Tables without the ids that are hashes: those are checked on their own.
fn comparable(batch: &Batch) -> Vec<Vec<Row>> {
    let mut tables = cells::tables(batch);
    for row in tables.iter_mut().flatten() {
        row.retain(|(name, _)| !matches!(*name, "stream_id" | "series_id"));
    }
    tables
}

/// Fails unless `decoded` is what is expected.
pub(super) fn check(decoded: &Decoded, expected: &Expected, case: &str) {
    assert_eq!(decoded.received as usize, expected.reasons.len(), "received, {case}");
    let mut rejected: BTreeMap<u32, &str> = BTreeMap::new();
    for rejection in &decoded.rejected {
        assert!(rejection.indices.is_sorted() && !rejection.example.is_empty(), "{case}");
        rejected.extend(rejection.indices.iter().map(|index| (*index, rejection.reason)));
    }
    for (index, reasons) in (0_u32..).zip(&expected.reasons) {
        match rejected.get(&index) {
            None => assert!(reasons.is_empty(), "record {index} should be rejected for {reasons:?}, {case}"),
            Some(reason) => {
                assert!(reasons.contains(reason), "record {index}: {reason} is none of {reasons:?}, {case}");
            }
        }
    }
    let found = comparable(&decoded.batch);
    assert_eq!(found.len(), expected.tables.len());
    for (table, (found, expected)) in found.iter().zip(&expected.tables).enumerate() {
        for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found, expected, "row {row} of table {table}, {case}");
        }
        assert_eq!(found.len(), expected.len(), "rows of table {table}, {case}");
    }
    check_hashes(&decoded.batch, case);
    assert_eq!(decoded.batch.records() as usize + rejected.len(), decoded.received as usize, "{case}");
}

/// No orphans, and one id for each stream and series.
fn check_hashes(batch: &Batch, case: &str) {
    let (streams, referring) = match batch {
        Batch::Logs(logs) => (&logs.streams, &logs.records),
        Batch::Spans(spans) => (&spans.streams, &spans.records),
        Batch::Metrics(metrics) => (&metrics.streams, &metrics.series),
    };
    let used: BTreeSet<_> = cells::rows(referring).into_iter().map(|row| format!("{:?}", row[0])).collect();
    assert_eq!(used.len(), streams.num_rows(), "every stream is used, {case}");
    let unique = |rows: Vec<Row>, id: &str| {
        let ids: Vec<_> = rows.into_iter().flatten().filter(|(name, _)| *name == id).collect();
        let distinct: BTreeSet<_> = ids.iter().map(|(_, id)| format!("{id:?}")).collect();
        assert_eq!(distinct.len(), ids.len(), "{id} is unique, {case}");
    };
    unique(cells::rows(streams), "stream_id");
    if let Batch::Metrics(metrics) = batch {
        unique(cells::rows(&metrics.series), "series_id");
    }
}

fn check_signal(signal: Signal, mistakes: u32) {
    for seed in 0..REQUESTS {
        let (body, expected) = request(signal, seed, mistakes);
        let case = format!("{signal} seed {seed} mistakes {mistakes}");
        let decoded = decode(signal, &body, &context(&LIMITS)).unwrap();
        check(&decoded, &expected, &case);
        // Once more, now that its sets of attributes are known.
        check(&decode(signal, &body, &context(&LIMITS)).unwrap(), &expected, &case);
        // The same decision again, from what was recorded of it.
        let mut recorded: Vec<u32> = decoded.rejected.iter().flat_map(|it| it.indices.clone()).collect();
        recorded.sort_unstable();
        let replay = Context { received_unix_nano: RECEIVED, decide: Decide::Recorded(&recorded) };
        let again = decode(signal, &body, &replay).unwrap();
        assert_eq!(again.rejected, [], "{case}");
        assert_eq!(again.received, decoded.received, "{case}");
        assert_eq!(cells::tables(&again.batch), cells::tables(&decoded.batch), "{case}");
    }
}

#[test]
fn requests_without_mistakes() {
    Signal::ALL.into_iter().for_each(|signal| check_signal(signal, 0));
}

#[test]
fn requests_with_mistakes() {
    for signal in Signal::ALL {
        check_signal(signal, 10);
        check_signal(signal, 60);
    }
}

#[test]
fn the_generator_reaches_every_reason_and_most_requests_are_good() {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let (mut good, mut all) = (0, 0);
    for signal in Signal::ALL {
        for seed in 0..REQUESTS {
            let (_, expected) = request(signal, seed, 10);
            let (_, worse) = request(signal, seed, 60);
            worse.reasons.iter().flatten().for_each(|reason| *seen.entry(reason).or_default() += 1);
            good += expected.tables.iter().map(Vec::len).sum::<usize>();
            all += expected.reasons.len();
        }
    }
    assert!(good > all / 2, "{good} of {all}");
    let never: Vec<_> = REASONS.iter().filter(|reason| !seen.contains_key(*reason)).collect();
    assert!(never.is_empty(), "{never:?} of {seen:?}");
}

/// All reasons but `invalid_utf8` and `unknown_metric_kind`, which prost's structs cannot have.
const REASONS: [&str; 20] = [
    "bounds_not_increasing",
    "bucket_counts_mismatch",
    "bucket_index_out_of_range",
    "count_out_of_range",
    "empty_metric_name",
    "invalid_parent_span_id",
    "invalid_span_id",
    "invalid_trace_id",
    "missing_value",
    "nested_too_deep",
    "quantile_out_of_range",
    "scale_out_of_range",
    "time_out_of_range",
    "too_many_attributes",
    "too_many_buckets",
    "too_many_events",
    "too_many_exemplars",
    "too_many_links",
    "unspecified_temporality",
    "value_too_long",
];

#[test]
fn ids_are_of_content_not_of_the_request() {
    // Two requests with the same resource, scope, metric and attributes in another order.
    let (body, _) = request(Signal::Metrics, 3, 0);
    let ids = |batch: &Batch| -> BTreeSet<String> {
        let Batch::Metrics(metrics) = batch else { panic!("metrics") };
        cells::rows(&metrics.series).iter().map(|row| format!("{:?}", row[2])).collect()
    };
    let once = decode(Signal::Metrics, &body, &context(&LIMITS)).unwrap();
    let twice = decode(Signal::Metrics, &[&body[..], &body[..]].concat(), &context(&LIMITS)).unwrap();
    assert_eq!(ids(&once.batch), ids(&twice.batch));
    assert_eq!(twice.received, once.received * 2);
    assert!(
        matches!(cells::tables(&once.batch)[3][0].iter().find(|(name, _)| *name == "series_id"), Some((_, Cell::Bytes(id))) if id.len() == 16)
    );
}
