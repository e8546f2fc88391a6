#![allow(clippy::unwrap_used)]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;

use super::*;
use crate::otlp::tests::generate::Generate;

fn read<M: prost::Message + Default>(signal: Signal, json: &str) -> M {
    M::decode(&*transcode(signal, json.as_bytes()).unwrap()).unwrap()
}

fn logs(json: &str) -> ExportLogsServiceRequest {
    read(Signal::Logs, json)
}

fn error(json: &str) -> String {
    transcode(Signal::Logs, json.as_bytes()).unwrap_err().to_string()
}

/// What the upstream crate writes as JSON is what it is as protobuf.
fn check<M: prost::Message + Default + PartialEq + Serialize + std::fmt::Debug>(
    signal: Signal,
    request: &M,
    seed: u64,
) {
    let json = serde_json::to_string(request).unwrap();
    assert_eq!(read::<M>(signal, &json), *request, "{signal} seed {seed}: {json}");
}

#[test]
fn random_requests_as_the_upstream_crate_writes_them() {
    for seed in 0..150 {
        check(Signal::Logs, &Generate::plain(seed).logs(), seed);
        check(Signal::Spans, &Generate::plain(seed).spans(), seed);
        check(Signal::Metrics, &Generate::plain(seed).metrics(), seed);
    }
}

#[test]
fn a_log_record_as_an_exporter_writes_it() {
    let request = logs(
        r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}],
        "droppedAttributesCount":1},"scopeLogs":[{"scope":{"name":"lib","version":"1.0"},"logRecords":[{
        "timeUnixNano":"1700000000000000001","observedTimeUnixNano":1700000000000000002,"severityNumber":9,
        "severityText":"Info","traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","flags":1,
        "eventName":"e","body":{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[
        {"intValue":"-5"},{"intValue":7},{"doubleValue":0.1},{"boolValue":true},{"bytesValue":"aGk="},{}]}}}]}},
        "attributes":[],"futureField":{"a":[1,2,{"b":null}]}}]}],"schemaUrl":"u"}]}"#,
    );
    let resource = &request.resource_logs[0];
    assert_eq!(
        (resource.schema_url.as_str(), resource.resource.as_ref().unwrap().dropped_attributes_count),
        ("u", 1)
    );
    let record = &resource.scope_logs[0].log_records[0];
    assert_eq!(record.time_unix_nano, 1_700_000_000_000_000_001);
    assert_eq!(record.observed_time_unix_nano, 1_700_000_000_000_000_002);
    assert_eq!(record.trace_id[..3], [0x5b, 0x8e, 0xff]);
    assert_eq!(record.span_id, [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74]);
    assert_eq!((record.severity_number, record.flags, record.event_name.as_str()), (9, 1, "e"));
    let Some(Value::KvlistValue(map)) = &record.body.as_ref().unwrap().value else { panic!("a map") };
    let Some(Value::ArrayValue(array)) = &map.values[0].value.as_ref().unwrap().value else {
        panic!("an array")
    };
    let values: Vec<_> = array.values.iter().map(|value| value.value.clone()).collect();
    let expected = [
        Some(Value::IntValue(-5)),
        Some(Value::IntValue(7)),
        Some(Value::DoubleValue(0.1)),
        Some(Value::BoolValue(true)),
        Some(Value::BytesValue(b"hi".to_vec())),
        None,
    ];
    assert_eq!(values, expected);
}

#[test]
fn names_in_snake_case_names_of_enums_and_null() {
    let request: ExportTraceServiceRequest = read(
        Signal::Spans,
        r#"{"resource_spans":[{"resource":null,"scope_spans":[{"spans":[{"trace_id":"0aFF","kind":"SPAN_KIND_CLIENT",
        "start_time_unix_nano":"5","name":null,"attributes":null,"status":{"code":"STATUS_CODE_ERROR","message":"m"}}]}]}]}"#,
    );
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.kind, span.start_time_unix_nano, span.name.as_str()), (3, 5, ""));
    assert_eq!(span.trace_id, [0x0a, 0xff]);
    assert_eq!(span.status.as_ref().map(|status| (status.code, status.message.as_str())), Some((2, "m")));
    let severity =
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":"SEVERITY_NUMBER_ERROR2"}]}]}]}"#;
    assert_eq!(logs(severity).resource_logs[0].scope_logs[0].log_records[0].severity_number, 18);
}

#[test]
fn numbers_in_every_form() {
    let metrics = |point: &str| {
        let json = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"gauge":{{"dataPoints":[{point}]}}}}]}}]}}]}}"#
        );
        let request: ExportMetricsServiceRequest = read(Signal::Metrics, &json);
        let metric = request.resource_metrics[0].scope_metrics[0].metrics[0].clone();
        let Some(Data::Gauge(gauge)) = metric.data else { panic!("a gauge") };
        gauge.data_points[0].value
    };
    let double = |text: &str| match metrics(&format!(r#"{{"asDouble":{text}}}"#)) {
        Some(number_data_point::Value::AsDouble(value)) => value,
        other => panic!("{other:?}"),
    };
    for (text, value) in [("1", 1.0), ("\"1.5\"", 1.5), ("-0.0", 0.0), ("1e300", 1e300), ("5e-324", 5e-324)] {
        assert_eq!(double(text), value, "{text}");
    }
    // To the last bit, where a fast parser is one off.
    for text in
        ["0.1", "9007199254740993", "1.7976931348623157e308", "123456789.12345679", "2.2250738585072011e-308"]
    {
        assert_eq!(double(text).to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
    }
    assert!(double("\"NaN\"").is_nan());
    assert_eq!((double("\"Infinity\""), double("\"-Infinity\"")), (f64::INFINITY, f64::NEG_INFINITY));
    for (text, value) in [
        ("\"-9223372036854775808\"", i64::MIN),
        ("9223372036854775807", i64::MAX),
        ("1e3", 1000),
        ("\"2.0\"", 2),
    ] {
        let expected = Some(number_data_point::Value::AsInt(value));
        assert_eq!(metrics(&format!(r#"{{"asInt":{text}}}"#)), expected, "{text}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    let record = |field: &str| {
        format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[\n  {{{field}}}]}}]}}]}}")
    };
    for (field, expected) in [
        (
            r#""timeUnixNano":"x""#,
            "expected an integer in its range for `time_unix_nano` at line 2 column 22",
        ),
        (r#""timeUnixNano":-1"#, "expected an integer in its range for `time_unix_nano` at line 2 column 21"),
        (r#""timeUnixNano":18446744073709551616"#, "expected an integer in its range for `time_unix_nano`"),
        (
            r#""droppedAttributesCount":4294967296"#,
            "expected an integer in its range for `dropped_attributes_count`",
        ),
        (r#""severityNumber":"LOUD""#, "expected a known name or an integer for `severity_number`"),
        (r#""severityText":5"#, "expected a string for `severity_text`"),
        (r#""traceId":"abc""#, "expected a hexadecimal id for `trace_id`"),
        (r#""traceId":"zz""#, "expected a hexadecimal id for `trace_id`"),
        (r#""body":"text""#, "expected an object for `body`"),
        (r#""attributes":{}"#, "expected an array for `attributes`"),
        (r#""attributes":[5]"#, "expected an object for `attributes`"),
        (r#""body":{"boolValue":1}"#, "expected true or false for `bool_value`"),
        (r#""body":{"bytesValue":"!"}"#, "expected base64 for `bytes_value`"),
        (r#""body":{"doubleValue":"fast"}"#, "expected a number for `double_value`"),
    ] {
        let message = error(&record(field));
        assert!(message.contains(expected), "{field}: {message}");
    }
    assert_eq!(error("[]"), "JSON: expected `{` at line 1 column 1");
    assert_eq!(error(r#"{"resourceLogs":[]"#), "JSON: expected `}` at line 1 column 19");
}

#[test]
fn base64_with_and_without_padding_and_for_addresses() {
    for encoded in ["+/8=", "+/8", "-_8=", "-_8"] {
        let json = format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"value":{{"bytesValue":"{encoded}"}}}}]}}}}]}}"#
        );
        let request = logs(&json);
        let value =
            request.resource_logs[0].resource.as_ref().unwrap().attributes[0].value.clone().unwrap().value;
        assert_eq!(value, Some(Value::BytesValue(vec![0xfb, 0xff])), "{encoded}");
    }
}

#[test]
fn values_nest_as_deep_as_the_decoders_read_them() {
    let nested = |depth: usize| {
        let open = r#"{"arrayValue":{"values":["#.repeat(depth);
        let body = [&open, "{}", &"]}}".repeat(depth)].concat();
        format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{body}}}]}}]}}]}}"#)
    };
    assert!(transcode(Signal::Logs, nested(32).as_bytes()).is_ok());
    assert!(error(&nested(60)).contains("nested too deeply"));
}

#[test]
fn damaged_json_never_panics_and_what_is_written_is_protobuf() {
    for seed in 0..3000 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut json = serde_json::to_vec(&Generate::plain(seed % 20).logs()).unwrap();
        json.truncate(4000);
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..json.len());
            json[at] = b"{}[]\",:0e-ntx\\u"[rng.random_range(0..15)];
        }
        if let Ok(bytes) = transcode(Signal::Logs, &json) {
            ExportLogsServiceRequest::decode(&*bytes).unwrap();
        }
    }
}
