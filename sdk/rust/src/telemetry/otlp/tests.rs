//! What is written here is read back with the code that upstream generates.
#![allow(clippy::unwrap_used)]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::trace::v1 as trace;
use proptest::prelude::*;
use prost::Message;

use super::*;

fn attribute(key: &str, value: Any) -> common::KeyValue {
    let value = Some(common::AnyValue { value: Some(value) });
    common::KeyValue { key: key.into(), value, ..Default::default() }
}

fn text(value: &str) -> Any {
    Any::StringValue(value.into())
}

fn resource() -> Resource {
    Resource::default().with("service.name", "shop").with("n", 0i64)
}

fn scope(version: &'static str) -> Scope {
    Scope { name: "lib".into(), version: version.into() }
}

/// Reads a request, and checks that upstream writes the same bytes for it.
fn decode<M: Message + Default>(bytes: &[u8]) -> M {
    let message = M::decode(bytes).unwrap();
    assert_eq!(message.encoded_len(), bytes.len(), "a field is written that need not be");
    message
}

/// Reads a request, and checks that upstream reads the same from its JSON.
#[cfg(feature = "http")]
fn decode_json<M>(signal: crate::telemetry::Signal, bytes: &[u8]) -> serde_json::Value
where
    M: Message + Default + PartialEq + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let json = json(signal, bytes).unwrap();
    let read: M = serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(read, M::decode(bytes).unwrap(), "{json}");
    json
}

#[test]
fn logs_are_read_back() {
    let record = LogRecord {
        time_unix_nano: 5,
        observed_time_unix_nano: 6,
        severity: Severity::Warn,
        body: Some(Value::Map(vec![KeyValue::new("a", Value::List(vec![1i64.into(), false.into()]))])),
        attributes: vec![
            KeyValue::new("i", -1i64),
            KeyValue::new("d", 0.0),
            KeyValue::new("b", Value::Bytes(vec![])),
            KeyValue::new("t", ""),
            KeyValue::new("long", "x".repeat(20_000)),
        ],
        context: Some(([1; 16], [2; 8])),
        event_name: "device.restart".into(),
    };
    let plain =
        LogRecord { body: None, attributes: vec![], context: None, event_name: "".into(), ..record.clone() };
    let (one, two) = (scope("1.2"), scope(""));
    let bytes = encode_logs(&resource(), [(&one, &[record, plain.clone()][..]), (&two, &[plain][..])]);
    let request: ExportLogsServiceRequest = decode(&bytes);
    #[cfg(feature = "http")]
    decode_json::<ExportLogsServiceRequest>(crate::telemetry::Signal::Logs, &bytes);
    let sent = &request.resource_logs[0];
    assert_eq!(
        sent.resource.as_ref().unwrap().attributes,
        [attribute("service.name", text("shop")), attribute("n", Any::IntValue(0))]
    );
    assert_eq!(sent.scope_logs[0].scope.as_ref().unwrap().version, "1.2");
    assert_eq!(sent.scope_logs[1].log_records.len(), 1);
    let record = &sent.scope_logs[0].log_records[0];
    assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (5, 6));
    assert_eq!((record.severity_number, record.severity_text.as_str()), (13, "WARN"));
    assert_eq!((&record.trace_id[..], &record.span_id[..], record.flags), (&[1; 16][..], &[2; 8][..], 1));
    assert_eq!(record.event_name, "device.restart");
    let array = Any::ArrayValue(common::ArrayValue {
        values: [Any::IntValue(1), Any::BoolValue(false)]
            .map(|it| common::AnyValue { value: Some(it) })
            .into(),
    });
    let map = Any::KvlistValue(common::KeyValueList { values: vec![attribute("a", array)] });
    assert_eq!(record.body.as_ref().unwrap().value, Some(map));
    assert_eq!(
        record.attributes,
        [
            attribute("i", Any::IntValue(-1)),
            attribute("d", Any::DoubleValue(0.0)),
            attribute("b", Any::BytesValue(vec![])),
            attribute("t", text("")),
            attribute("long", text(&"x".repeat(20_000))),
        ]
    );
    assert_eq!(sent.scope_logs[0].log_records[1].body, None);
}

#[test]
fn spans_are_read_back() {
    let span = Span {
        trace_id: [1; 16],
        span_id: [2; 8],
        parent_span_id: Some([3; 8]),
        name: "GET /".into(),
        kind: SpanKind::Server,
        start_time_unix_nano: 10,
        end_time_unix_nano: 20,
        attributes: vec![KeyValue::new("k", true)],
        events: vec![SpanEvent {
            time_unix_nano: 15,
            name: "e".into(),
            attributes: vec![KeyValue::new("x", 1i64)],
        }],
        links: vec![SpanLink { trace_id: [4; 16], span_id: [5; 8], attributes: vec![] }],
        status: Status::Error("broken".into()),
    };
    let root = Span { parent_span_id: None, status: Status::Ok, kind: SpanKind::Internal, ..span.clone() };
    let unset = Span { status: Status::Unset, ..span.clone() };
    let bytes = encode_spans(&resource(), [(&scope("1"), &[span, root, unset][..])]);
    let request: ExportTraceServiceRequest = decode(&bytes);
    #[cfg(feature = "http")]
    decode_json::<ExportTraceServiceRequest>(crate::telemetry::Signal::Traces, &bytes);
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    let expected = trace::Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        parent_span_id: vec![3; 8],
        name: "GET /".into(),
        kind: 2,
        start_time_unix_nano: 10,
        end_time_unix_nano: 20,
        attributes: vec![attribute("k", Any::BoolValue(true))],
        events: vec![trace::span::Event {
            time_unix_nano: 15,
            name: "e".into(),
            attributes: vec![attribute("x", Any::IntValue(1))],
            ..Default::default()
        }],
        links: vec![trace::span::Link { trace_id: vec![4; 16], span_id: vec![5; 8], ..Default::default() }],
        status: Some(trace::Status { message: "broken".into(), code: 2 }),
        ..Default::default()
    };
    assert_eq!(spans[0], expected);
    assert_eq!((&spans[1].parent_span_id[..], spans[1].kind), (&[][..], 1));
    assert_eq!(spans[1].status.as_ref().unwrap().code, 1);
    assert_eq!(spans[2].status, None);
}

#[test]
fn metrics_are_read_back() {
    let labels: std::sync::Arc<[KeyValue]> = [KeyValue::new("a", "b")].into();
    let point = |value: Number| NumberPoint {
        attributes: labels.clone(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        value,
    };
    let metric = |data| Metric { name: "m".into(), description: "d".into(), unit: "By".into(), data };
    let histogram = HistogramPoint {
        attributes: labels.clone(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        sum: 7.5,
        bucket_counts: vec![0, 300, 1],
        bounds: [0.5, 1.0].into(),
    };
    let cumulative = Temporality::Cumulative;
    let all = [
        metric(Data::Gauge(vec![point(0.0.into()), point(Number::from(u64::MAX))])),
        metric(Data::Sum { points: vec![point((-3i64).into())], monotonic: true, temporality: cumulative }),
        metric(Data::Histogram { points: vec![histogram], temporality: Temporality::Delta }),
    ];
    let request: ExportMetricsServiceRequest =
        decode(&encode_metrics(&resource(), [(&scope("1"), &all[..])]));
    let sent = &request.resource_metrics[0].scope_metrics[0].metrics;
    assert_eq!((&*sent[0].name, &*sent[0].description, &*sent[0].unit), ("m", "d", "By"));
    let number = |value| metrics::NumberDataPoint {
        attributes: vec![attribute("a", text("b"))],
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        value: Some(value),
        ..Default::default()
    };
    use metrics::number_data_point::Value::{AsDouble, AsInt};
    let gauge = metrics::Gauge { data_points: vec![number(AsDouble(0.0)), number(AsInt(i64::MAX))] };
    assert_eq!(sent[0].data, Some(metrics::metric::Data::Gauge(gauge)));
    let sum =
        metrics::Sum { data_points: vec![number(AsInt(-3))], aggregation_temporality: 2, is_monotonic: true };
    assert_eq!(sent[1].data, Some(metrics::metric::Data::Sum(sum)));
    let point = metrics::HistogramDataPoint {
        attributes: vec![attribute("a", text("b"))],
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 301,
        sum: Some(7.5),
        bucket_counts: vec![0, 300, 1],
        explicit_bounds: vec![0.5, 1.0],
        ..Default::default()
    };
    let histogram = metrics::Histogram { data_points: vec![point], aggregation_temporality: 1 };
    assert_eq!(sent[2].data, Some(metrics::metric::Data::Histogram(histogram)));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        ".{0,200}".prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let entry = (".{0,10}", inner.clone()).prop_map(|(key, value)| KeyValue::new(key, value));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::List),
            prop::collection::vec(entry, 0..6).prop_map(Value::Map),
        ]
    })
}

fn expected(value: &Value) -> common::AnyValue {
    let value = match value {
        Value::Bool(value) => Any::BoolValue(*value),
        Value::Int(value) => Any::IntValue(*value),
        Value::Double(value) => Any::DoubleValue(*value),
        Value::Text(value) => text(value),
        Value::Bytes(value) => Any::BytesValue(value.clone()),
        Value::List(values) => {
            Any::ArrayValue(common::ArrayValue { values: values.iter().map(expected).collect() })
        }
        Value::Map(entries) => {
            let entry = |it: &KeyValue| common::KeyValue {
                key: it.key.to_string(),
                value: Some(expected(&it.value)),
                ..Default::default()
            };
            Any::KvlistValue(common::KeyValueList { values: entries.iter().map(entry).collect() })
        }
    };
    common::AnyValue { value: Some(value) }
}

/// What upstream does not read, or reads in more forms than one.
#[cfg(feature = "http")]
#[test]
fn logs_in_json_are_as_the_mapping_says() {
    use crate::telemetry::Signal;

    let attributes = vec![
        KeyValue::new("int", i64::MIN),
        KeyValue::new("nan", f64::NAN),
        KeyValue::new("low", f64::NEG_INFINITY),
        KeyValue::new("bytes", Value::Bytes(vec![0xfb, 0xff, 0xfe, 1])),
    ];
    let record = LogRecord {
        time_unix_nano: u64::MAX,
        observed_time_unix_nano: 0,
        severity: Severity::Info,
        body: Some("b".into()),
        attributes,
        context: Some(([0xab; 16], [0x0c; 8])),
        event_name: "".into(),
    };
    let bytes = encode_logs(&Resource::default(), [(&Scope::named("s"), &[record][..])]);
    let json = json(Signal::Logs, &bytes).unwrap();
    let expected = serde_json::json!({
        "timeUnixNano": "18446744073709551615",
        "severityNumber": 9,
        "severityText": "INFO",
        "body": { "stringValue": "b" },
        "attributes": [
            { "key": "int", "value": { "intValue": "-9223372036854775808" } },
            { "key": "nan", "value": { "doubleValue": "NaN" } },
            { "key": "low", "value": { "doubleValue": "-Infinity" } },
            { "key": "bytes", "value": { "bytesValue": "+//+AQ==" } },
        ],
        "flags": 1,
        "traceId": "abababababababababababababababab",
        "spanId": "0c0c0c0c0c0c0c0c",
    });
    assert_eq!(json["resourceLogs"][0]["scopeLogs"][0]["logRecords"], serde_json::json!([expected]));
    assert_eq!(self::json(Signal::Logs, b"\x0a\x05cut"), None);
}

#[cfg(feature = "http")]
#[test]
fn metrics_in_json_are_as_the_mapping_says() {
    let buckets = |offset, counts: &[u64]| ExponentialBuckets { offset, counts: counts.to_vec() };
    let point = ExponentialPoint {
        attributes: [].into(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 304,
        sum: 0.5,
        scale: -3,
        zero_count: 1,
        positive: buckets(-7, &[1, 300]),
        negative: buckets(5, &[2]),
        min: Some(-4.0),
        max: None,
    };
    let histogram = HistogramPoint {
        attributes: [].into(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        sum: 7.5,
        bucket_counts: vec![0, 300],
        bounds: [0.25].into(),
    };
    let number = |value: Number| NumberPoint {
        attributes: [].into(),
        start_time_unix_nano: 0,
        time_unix_nano: 2,
        value,
    };
    let temporality = Temporality::Cumulative;
    let metrics = [
        Data::Exponential { points: vec![point], temporality },
        Data::Histogram { points: vec![histogram], temporality },
        Data::Sum { points: vec![number((-3i64).into())], monotonic: true, temporality },
        Data::Gauge(vec![number(0.5.into())]),
    ]
    .map(|data| Metric { name: "m".into(), description: "".into(), unit: "By".into(), data });
    let bytes = encode_metrics(&Resource::default(), [(&Scope::named("s"), &metrics[..])]);
    let json = json(crate::telemetry::Signal::Metrics, &bytes).unwrap();
    let exponential = serde_json::json!({
        "startTimeUnixNano": "1", "timeUnixNano": "2", "count": "304", "sum": 0.5, "scale": -3, "zeroCount": "1",
        "positive": { "offset": -7, "bucketCounts": ["1", "300"] },
        "negative": { "offset": 5, "bucketCounts": ["2"] },
        "min": -4.0,
    });
    let histogram = serde_json::json!({
        "startTimeUnixNano": "1", "timeUnixNano": "2", "count": "300", "sum": 7.5,
        "bucketCounts": ["0", "300"], "explicitBounds": [0.25],
    });
    let sum = serde_json::json!({ "timeUnixNano": "2", "asInt": "-3" });
    let gauge = serde_json::json!({ "timeUnixNano": "2", "asDouble": 0.5 });
    let expected = serde_json::json!([
        { "name": "m", "unit": "By", "exponentialHistogram": { "dataPoints": [exponential], "aggregationTemporality": 2 } },
        { "name": "m", "unit": "By", "histogram": { "dataPoints": [histogram], "aggregationTemporality": 2 } },
        { "name": "m", "unit": "By", "sum": { "dataPoints": [sum], "aggregationTemporality": 2, "isMonotonic": true } },
        { "name": "m", "unit": "By", "gauge": { "dataPoints": [gauge] } },
    ]);
    assert_eq!(json["resourceMetrics"][0]["scopeMetrics"][0]["metrics"], expected);
}

proptest! {
    #[test]
    fn any_value_is_read_back(value in value()) {
        let mut writer = Writer::default();
        value.write(&mut writer);
        let bytes = writer.into_bytes();
        let read = common::AnyValue::decode(&bytes[..]).unwrap();
        prop_assert_eq!(&read, &expected(&value));
        prop_assert_eq!(read.encode_to_vec(), bytes);
    }

    #[test]
    fn an_entry_is_taken_away_by_its_key(keys in prop::collection::vec("[ab]{0,2}", 0..8), gone in "[ab]{0,2}") {
        let write = |keys: &[&String]| {
            let mut writer = Writer::default();
            for key in keys {
                writer.message(9, |writer| write_key_value(writer, key, |writer| writer.always_bytes(1, "v".repeat(200))));
            }
            writer
        };
        let mut writer = write(&keys.iter().collect::<Vec<_>>());
        writer.remove_entry(9, &gone);
        // An empty key is not written, so nothing has it.
        let rest: Vec<_> = keys.iter().filter(|key| **key != gone || gone.is_empty()).collect();
        prop_assert_eq!(writer.into_bytes(), write(&rest).into_bytes());
    }
}
