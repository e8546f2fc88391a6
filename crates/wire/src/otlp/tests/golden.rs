//! Rules, one by one.

use model::{Batch, Signal};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::*;
use crate::cells::{self, Cell, Row, text};

fn kv(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, key_strindex: 0 }
}

fn logs_of(scopes: Vec<(Vec<KeyValue>, Vec<LogRecord>)>) -> Vec<u8> {
    let resource_logs = scopes.into_iter().map(|(attributes, log_records)| ResourceLogs {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }],
        ..ResourceLogs::default()
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }.encode_to_vec()
}

fn logs(records: Vec<LogRecord>) -> Vec<u8> {
    logs_of(vec![(vec![kv("service.name", "shop")], records)])
}

fn body(text: &str) -> LogRecord {
    let body = Some(AnyValue { value: Some(Value::StringValue(text.into())) });
    LogRecord { time_unix_nano: 5, body, ..LogRecord::default() }
}

fn points(points: Vec<NumberDataPoint>) -> Vec<u8> {
    let data = Some(Data::Gauge(Gauge { data_points: points }));
    let metrics = vec![Metric { name: "m".into(), data, ..Metric::default() }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn point(value: i64, attributes: Vec<KeyValue>) -> NumberDataPoint {
    let value = Some(number_data_point::Value::AsInt(value));
    NumberDataPoint { time_unix_nano: 7, value, attributes, ..NumberDataPoint::default() }
}

fn accept(signal: Signal, body: &[u8]) -> Decoded {
    decode(signal, body, &context(&Limits::default())).unwrap()
}

fn get<'a>(row: &'a Row, name: &str) -> &'a Cell {
    &row.iter().find(|(column, _)| *column == name).unwrap().1
}

fn reasons(decoded: &Decoded) -> Vec<(&str, &[u32])> {
    decoded.rejected.iter().map(|it| (it.reason, &it.indices[..])).collect()
}

/// Replaces a text by bytes of the same length.
fn patch(mut body: Vec<u8>, from: &str, to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = body.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    body[at..at + to.len()].copy_from_slice(to);
    body
}

#[test]
fn nothing_is_a_request_without_records() {
    for signal in Signal::ALL {
        let decoded = accept(signal, b"");
        assert_eq!((decoded.received, decoded.rejected.len()), (0, 0));
        assert!(decoded.batch.is_empty());
        decoded.batch.check().unwrap();
    }
}

#[test]
fn only_the_record_whose_text_is_not_utf8_is_rejected() {
    let record = |n: usize| LogRecord { attributes: vec![kv("key", "value")], ..body(&format!("BODY{n}")) };
    let request = logs((0..5).map(record).collect());
    let decoded = accept(Signal::Logs, &patch(request.clone(), "BODY3", b"\xff\xff\xff\xff\xff"));
    assert_eq!(reasons(&decoded), [("invalid_utf8", &[3][..])]);
    assert_eq!((decoded.received, decoded.batch.records()), (5, 4));
    // Halves of one character in neighbouring rows are UTF-8 only if nobody looks where rows end.
    let halves = patch(patch(request.clone(), "BODY1", b"BODY\xc3"), "BODY2", b"\xa4ODY2");
    let decoded = accept(Signal::Logs, &halves);
    assert_eq!(reasons(&decoded), [("invalid_utf8", &[1, 2][..])]);
    // In a key; the record then is one without a trace in the columns.
    let decoded = accept(Signal::Logs, &patch(request, "key", b"k\xffy"));
    assert_eq!(reasons(&decoded), [("invalid_utf8", &[0][..])]);
    assert_eq!(get(&cells::tables(&decoded.batch)[0][0], "body"), &text("BODY1"));
}

#[test]
fn what_is_wrong_with_a_resource_is_wrong_with_all_its_records() {
    let request = logs_of(vec![
        (vec![kv("a", "GOOD1")], vec![body("x")]),
        (vec![kv("a", "WRONG")], vec![body("y"), body("z")]),
        (vec![kv("a", "GOOD2")], vec![body("w")]),
    ]);
    let decoded = accept(Signal::Logs, &patch(request, "WRONG", b"\xc0WRON"));
    assert_eq!(reasons(&decoded), [("invalid_utf8", &[1, 2][..])]);
    let Batch::Logs(logs) = &decoded.batch else { panic!("logs") };
    assert_eq!((logs.streams.num_rows(), logs.records.num_rows()), (2, 2));
}

#[test]
fn a_series_with_a_name_that_is_not_utf8() {
    let request = points(vec![point(1, vec![kv("key", "VALUE")]), point(2, vec![kv("key", "other")])]);
    let decoded = accept(Signal::Metrics, &patch(request.clone(), "VALUE", b"\xf0ALUE"));
    assert_eq!(reasons(&decoded), [("invalid_utf8", &[0][..])]);
    let Batch::Metrics(metrics) = &decoded.batch else { panic!("metrics") };
    assert_eq!((metrics.series.num_rows(), metrics.samples.num_rows()), (1, 1));
    // And once more, now that its bytes are known.
    let decoded = accept(Signal::Metrics, &patch(request, "VALUE", b"\xf0ALUE"));
    assert_eq!(reasons(&decoded), [("invalid_utf8", &[0][..])]);
}

#[test]
fn of_several_attributes_with_one_key_the_last_is_kept() {
    let attributes = vec![kv("a", "1"), kv("b", "2"), kv("a", "3"), kv("c", "4"), kv("b", "5")];
    let many: Vec<_> = (0..100).map(|n| kv(&format!("key{}", n % 30), &n.to_string())).collect();
    let record = |attributes| LogRecord { attributes, ..body("x") };
    let decoded =
        accept(Signal::Logs, &logs(vec![record(attributes.clone()), record(many), record(attributes)]));
    let rows = &cells::tables(&decoded.batch)[0];
    let entry = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
    let expected = Cell::Map(vec![entry("a", "3"), entry("c", "4"), entry("b", "5")]);
    assert_eq!(get(&rows[0], "attributes"), &expected);
    assert_eq!(get(&rows[2], "attributes"), &expected);
    let Cell::Map(many) = get(&rows[1], "attributes") else { panic!("a map") };
    assert_eq!(many.len(), 30);
    assert!(many.contains(&entry("key9", "99")) && many.contains(&entry("key10", "70")));
}

#[test]
fn values_as_text() {
    let value =
        |value| KeyValue { key: "k".into(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 };
    for (given, expected) in [
        (Value::IntValue(0), "0"),
        (Value::IntValue(999), "999"),
        (Value::IntValue(16383), "16383"),
        (Value::IntValue(16384), "16384"),
        (Value::IntValue(-1), "-1"),
        (Value::IntValue(i64::MIN), "-9223372036854775808"),
        (Value::BoolValue(true), "true"),
        (Value::BoolValue(false), "false"),
        (Value::DoubleValue(0.1), "0.1"),
        (Value::DoubleValue(200.0), "200.0"),
        (Value::DoubleValue(-0.0), "-0.0"),
        (Value::DoubleValue(f64::NAN), "\"NaN\""),
        (Value::DoubleValue(f64::INFINITY), "\"Infinity\""),
        (Value::DoubleValue(f64::NEG_INFINITY), "\"-Infinity\""),
        (Value::BytesValue(b"hi".to_vec()), "\"aGk=\""),
        (Value::StringValue("as \"it\" is".into()), "as \"it\" is"),
        (Value::StringValue(String::new()), ""),
    ] {
        let record = LogRecord { attributes: vec![value(given.clone())], ..body("x") };
        let decoded = accept(Signal::Logs, &logs(vec![record]));
        let row = &cells::tables(&decoded.batch)[0][0];
        assert_eq!(
            get(row, "attributes"),
            &Cell::Map(vec![("k".into(), Some(expected.into()))]),
            "{given:?}"
        );
    }
}

#[test]
fn a_series_is_the_same_in_whatever_order_its_attributes_come() {
    let id = |attributes: Vec<KeyValue>| {
        let decoded = accept(Signal::Metrics, &points(vec![point(1, attributes)]));
        get(&cells::tables(&decoded.batch)[3][0], "series_id").clone()
    };
    let once = id(vec![kv("b", "2"), kv("a", "1")]);
    assert_eq!(once, id(vec![kv("a", "1"), kv("b", "2")]));
    assert_eq!(once, id(vec![kv("b", "0"), kv("a", "1"), kv("b", "2")]));
    assert_ne!(once, id(vec![kv("a", "1"), kv("b", "3")]));
    assert_ne!(once, id(vec![kv("a", "12"), kv("b", "")]));
    // Ids are stored: this one must never change.
    let Cell::Bytes(id) = once else { panic!("bytes") };
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "8c05ef3b850ef6303c21788918d22939");
}

#[test]
fn points_of_one_series_share_its_row_with_the_first_time() {
    let at = |time, value| NumberDataPoint { time_unix_nano: time, ..point(value, vec![kv("a", "1")]) };
    let decoded = accept(Signal::Metrics, &points(vec![at(30, 1), at(10, 2), at(20, 3), point(4, vec![])]));
    let Batch::Metrics(metrics) = &decoded.batch else { panic!("metrics") };
    assert_eq!(metrics.series.num_rows(), 2);
    let times: Vec<_> =
        cells::rows(&metrics.series).iter().map(|row| get(row, "time_unix_nano").clone()).collect();
    assert_eq!(times, [Cell::Int(10), Cell::Int(7)]);
    let series: Vec<_> = cells::rows(&metrics.samples).iter().map(|row| get(row, "series").clone()).collect();
    assert_eq!(series, [Cell::Int(0), Cell::Int(0), Cell::Int(0), Cell::Int(1)]);
}

#[test]
fn a_metric_of_an_unknown_kind_is_one_rejected_record() {
    // Field 4 was data once: an int gauge. Then a metric with nothing at all, then a good one.
    let int_gauge = [0x0a, 1, b'm', 0x22, 2, 0x0a, 0];
    let nothing = [0x0a, 1, b'm'];
    let good = points(vec![point(1, vec![])]);
    let scope = |metric: &[u8]| [&[0x12, u8::try_from(metric.len()).unwrap()], metric].concat();
    let metrics = [scope(&int_gauge), scope(&nothing)].concat();
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let scope_metrics = [&[0x12, length(&metrics)], &metrics[..]].concat();
    let resource_metrics = [&[0x0a, length(&scope_metrics)], &scope_metrics[..]].concat();
    let decoded = accept(Signal::Metrics, &[resource_metrics, good].concat());
    assert_eq!(reasons(&decoded), [("unknown_metric_kind", &[0][..])]);
    assert_eq!((decoded.received, decoded.batch.records()), (2, 1));
}

#[test]
fn what_is_not_protobuf_is_refused_and_named() {
    let refused = |body: &[u8]| decode(Signal::Logs, body, &context(&Limits::default())).unwrap_err();
    assert_eq!(refused(&[0x0a, 5, 1]), Malformed::Truncated);
    assert_eq!(refused(&[0x0a]), Malformed::Truncated);
    assert_eq!(refused(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]), Malformed::Varint);
    assert_eq!(refused(&[0x02, 0]), Malformed::Key(2));
    assert_eq!(refused(&[0x0f, 0]), Malformed::Key(0x0f));
    assert_eq!(
        refused(&[0x0c]),
        Malformed::WireType { message: "ExportLogsServiceRequest", field: 1, wire_type: 4 }
    );
    assert_eq!(refused(&[0x13, 0x0b]), Malformed::Group);
    assert_eq!(refused(&[0x14]), Malformed::Group);
    let deep: Vec<u8> = std::iter::repeat_n(0x13, 101).chain(std::iter::repeat_n(0x14, 101)).collect();
    assert_eq!(refused(&deep), Malformed::Group);
    let record = [0x0a, 6, 0x12, 4, 0x12, 2, 0x0a, 0];
    let wrong = Malformed::WireType { message: "LogRecord", field: 1, wire_type: 2 };
    assert_eq!(refused(&record), wrong);
    assert_eq!(wrong.to_string(), "protobuf: field 1 of LogRecord has wire type 2");
    assert!(!wrong.retryable() && wrong.kind() == model::ErrorKind::InvalidArgument);
}

#[test]
fn too_many_records_are_refused_as_a_whole() {
    let limits = Limits { records_max: 10, ..Limits::default() };
    let ten = logs(vec![body("x"); 10]);
    let eleven = logs_of(vec![(vec![], vec![body("x"); 10]), (vec![], vec![body("x")])]);
    let apply = |body: &[u8]| decode(Signal::Logs, body, &context(&limits)).map(|decoded| decoded.received);
    assert_eq!(apply(&ten), Ok(10));
    assert_eq!(apply(&eleven), Err(Malformed::TooManyRecords { limit: 10 }));
    let replay = Context { received_unix_nano: 1, decide: Decide::Recorded(&[]) };
    assert_eq!(decode(Signal::Logs, &eleven, &replay).unwrap().received, 11);
    let eleven = points((0..11).map(|n| point(n, vec![])).collect());
    let result = decode(Signal::Metrics, &eleven, &context(&limits)).map(|decoded| decoded.received);
    assert_eq!(result, Err(Malformed::TooManyRecords { limit: 10 }));
}

#[test]
fn a_large_resource_with_very_many_scopes_is_refused() {
    // 4 MiB of resource for 1,000 scopes would be 4 GiB of streams.
    let scope = |n: i32| ScopeLogs {
        scope: Some(opentelemetry_proto::tonic::common::v1::InstrumentationScope {
            name: n.to_string(),
            ..Default::default()
        }),
        log_records: vec![body("x")],
        ..ScopeLogs::default()
    };
    let attributes = (0..8).map(|n| kv(&n.to_string(), &"x".repeat(512 << 10))).collect();
    let resource_logs = vec![ResourceLogs {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_logs: (0..1000).map(scope).collect(),
        ..ResourceLogs::default()
    }];
    let body = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
    let refused = decode(Signal::Logs, &body, &context(&Limits::default())).unwrap_err();
    assert!(matches!(refused, Malformed::TooLarge { .. }), "{refused}");
}

#[test]
fn a_recorded_decision_is_repeated_whatever_the_limits_are_now() {
    let record = |n: usize| LogRecord { attributes: vec![kv("k", &"v".repeat(n))], ..body("x") };
    let request = logs((0..6).map(|n| record(n * 100)).collect());
    let limits = Limits { value_bytes_max: 250, ..Limits::default() };
    let first = decode(Signal::Logs, &request, &context(&limits)).unwrap();
    assert_eq!(reasons(&first), [("value_too_long", &[3, 4, 5][..])]);
    assert_eq!(first.rejected[0].example, "300 bytes in a value, at most 250");
    for recorded in [&[3, 4, 5][..], &[0], &[], &[0, 1, 2, 3, 4, 5], &[9]] {
        let replay = Context { received_unix_nano: 1, decide: Decide::Recorded(recorded) };
        let again = decode(Signal::Logs, &request, &replay).unwrap();
        let kept = 6 - recorded.iter().filter(|index| **index < 6).count();
        assert_eq!((again.received, again.batch.records(), again.rejected.len()), (6, kept as u64, 0));
        assert_eq!(again.batch.is_empty(), kept == 0, "no stream without records");
    }
}

#[test]
fn a_record_may_come_in_any_order_and_in_parts() {
    let whole =
        LogRecord { severity_number: 9, attributes: vec![kv("a", "1"), kv("b", "2")], ..body("text") };
    let parts = [
        LogRecord { attributes: vec![kv("a", "1")], ..LogRecord::default() }.encode_to_vec(),
        LogRecord { body: Some(AnyValue::default()), ..LogRecord::default() }.encode_to_vec(),
        body("text").encode_to_vec(),
        LogRecord { attributes: vec![kv("b", "2")], ..LogRecord::default() }.encode_to_vec(),
        // The last one counts.
        LogRecord { severity_number: 1, ..LogRecord::default() }.encode_to_vec(),
        LogRecord { severity_number: 9, ..LogRecord::default() }.encode_to_vec(),
    ]
    .concat();
    let envelope = |record: &[u8]| {
        let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
        let scope = [&[0x12, length(record)], record].concat();
        let resource = [&[0x12, length(&scope)], &scope[..]].concat();
        [&[0x0a, length(&resource)], &resource[..]].concat()
    };
    let expected = accept(Signal::Logs, &envelope(&whole.encode_to_vec()));
    let found = accept(Signal::Logs, &envelope(&parts));
    assert_eq!(cells::tables(&found.batch), cells::tables(&expected.batch));
}

#[test]
fn a_severity_that_is_only_a_word_has_its_number() {
    let severity = |number: i32, text: &str| {
        let record = LogRecord { severity_number: number, severity_text: text.into(), ..body("x") };
        let rows = cells::tables(&accept(Signal::Logs, &logs(vec![record])).batch).remove(0);
        assert_eq!(get(&rows[0], "severity_text"), &crate::cells::text(text), "the word stays");
        get(&rows[0], "severity_number").clone()
    };
    let words = [
        (0, "", 0),
        (0, "loud", 0),
        (0, "a word that is too long", 0),
        (0, "trace", 1),
        (0, "DEBUG", 5),
        (0, "Info", 9),
        (0, "Information", 9),
        (0, "INFORMATIONAL", 9),
        (0, "notice", 10),
        (0, "WARN", 13),
        (0, " Warning\n", 13),
        (0, "ERROR", 17),
        (0, "err", 17),
        (0, "SEVERE", 17),
        (0, "Fatal", 21),
        (0, "CRITICAL", 21),
        (0, "FATAL4", 24),
        // The sender's number counts.
        (9, "FATAL", 9),
        (-1, "FATAL", -1),
    ];
    for (number, text, expected) in words {
        assert_eq!(severity(number, text), Cell::Int(expected), "{number} {text:?}");
    }
    // Every name in its place, the less severe first.
    for order in [
        &["silly", "debug", "verbose", "http", "info", "warn", "error"][..],
        &["finest", "finer", "fine", "config", "info", "warning", "severe"],
        &["debug", "info", "notice", "warning", "err", "crit", "alert", "emerg"],
    ] {
        let numbers: Vec<_> = order.iter().map(|word| severity(0, word)).collect();
        let Some(Cell::Int(_)) = numbers.first() else { panic!("{numbers:?}") };
        let rises = |pair: &[Cell]| matches!(pair, [Cell::Int(a), Cell::Int(b)] if a < b);
        assert!(numbers.windows(2).all(rises), "{order:?}: {numbers:?}");
    }
}

/// Points of the series of one metric: plain ones, again, with attributes in another order, with what
/// makes a point not plain, and rejected ones between them.
fn points_in_many_forms() -> Vec<NumberDataPoint> {
    let sets = [
        vec![kv("route", "/cart"), kv("method", "GET")],
        vec![kv("method", "GET"), kv("route", "/cart")],
        vec![kv("route", "/health")],
        vec![],
    ];
    let point = |index: u64| {
        let mut point = point(i64::MAX - index.cast_signed(), sets[index as usize % 4].clone());
        point.time_unix_nano = RECEIVED.unsigned_abs() - index;
        match index % 7 {
            1 => point.start_time_unix_nano = 5,
            2 => point.flags = 1,
            3 => point.time_unix_nano = u64::MAX,
            4 => point.value = None,
            5 => point.start_time_unix_nano = u64::MAX,
            _ => {}
        }
        point
    };
    (0..56).map(point).collect()
}

#[test]
fn series_are_the_same_whether_they_are_told_by_sets_or_by_ids() {
    let once = points(points_in_many_forms());
    let sorted = {
        let mut points_ = points_in_many_forms();
        points_.sort_by_key(|point| point.attributes.len());
        points(points_)
    };
    // One metric, the same again in the request, in another order, and before other metrics.
    for body in [once.clone(), [&once[..], &once].concat(), [&sorted[..], &once, &sorted].concat()] {
        let expected = super::differential::expected(Signal::Metrics, &body).unwrap();
        for round in ["unknown", "known", "known still"] {
            let decoded = decode(Signal::Metrics, &body, &context(&LIMITS)).unwrap();
            super::differential::check(&decoded, &expected, round);
            let Batch::Metrics(metrics) = &decoded.batch else { panic!("metrics") };
            assert_eq!(metrics.series.num_rows(), 3);
        }
    }
}
