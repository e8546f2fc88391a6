//! What OTLP changes in protobuf's JSON, and what senders make of it.

use serde_json::{Value, json};
use testkit::Fresnel;
use testkit::http::Request;

use crate::fresnel;

fn send(server: &Fresnel, path: &str, body: &Value) {
    let request = Request::post(path, body.to_string()).header("content-type", "application/json");
    assert_eq!(server.ask_otlp(&request).expect(200).text(), "{}");
}

fn spans(service: &str, span: Value) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        "scopeSpans": [{"spans": [span]}],
    }]})
}

fn logs(service: &str, record: Value) -> Value {
    json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        "scopeLogs": [{"logRecords": [record]}],
    }]})
}

#[test]
fn ids_are_hex_in_any_case_and_shown_in_lower() {
    let server = fresnel().start();
    for (number, trace_id) in
        ["5B8EFFF798038103D269B633813FC60C", "5b8efff798038103D269B633813fc60d"].iter().enumerate()
    {
        let span = json!({"traceId": trace_id, "spanId": format!("EEE19B7EC3C1B17{number}"), "name": "a",
            "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000000000001"});
        send(&server, "/v1/traces", &spans("hex", span));
    }
    let rows = server.sql("SELECT trace_id, span_id FROM spans WHERE service_name = 'hex' ORDER BY trace_id");
    assert_eq!(
        rows.texts("trace_id"),
        ["5b8efff798038103d269b633813fc60c", "5b8efff798038103d269b633813fc60d"]
    );
    assert_eq!(rows.texts("span_id"), ["eee19b7ec3c1b170", "eee19b7ec3c1b171"]);
}

#[test]
fn wide_integers_are_texts_or_numbers() {
    let server = fresnel().start();
    for time in [json!("1700000000000000123"), json!(1_700_000_000_000_000_123_u64)] {
        let record = json!({"timeUnixNano": time, "body": {"stringValue": "a"},
            "attributes": [{"key": "n", "value": {"intValue": 9_007_199_254_740_993_i64}},
                           {"key": "s", "value": {"intValue": "9007199254740993"}}]});
        send(&server, "/v1/logs", &logs("wide", record));
    }
    let rows = server.sql(
        "SELECT CAST(time AS BIGINT) AS t, attributes['n'] AS n, attributes['s'] AS s FROM logs WHERE service_name = 'wide'",
    );
    assert_eq!(rows.texts("t"), ["1700000000000000123"; 2]);
    assert_eq!(rows.texts("n"), ["9007199254740993"; 2]);
    assert_eq!(rows.texts("s"), ["9007199254740993"; 2]);
}

#[test]
fn enums_are_integers() {
    let server = fresnel().start();
    let span = json!({"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "a",
        "kind": 3, "startTimeUnixNano": "1", "endTimeUnixNano": "2", "status": {"code": 2, "message": "no"}});
    send(&server, "/v1/traces", &spans("enums", span));
    let trace = server.get_json("/api/v1/traces/0af7651916cd43dd8448eb211c80319c");
    assert_eq!(
        (&trace["spans"][0]["kind"], &trace["spans"][0]["status_code"]),
        (&json!("client"), &json!("error"))
    );
}

#[test]
fn unknown_fields_and_nulls_are_ignored() {
    let server = fresnel().start();
    let record = json!({"body": {"stringValue": "kept"}, "futureField": {"a": [1, {"b": null}]}, "attributes": null,
        "severityNumber": 9, "traceId": "", "observedTimeUnixNano": "1700000000000000000"});
    let mut body = logs("lenient", record);
    body["somethingNew"] = json!([1, 2]);
    send(&server, "/v1/logs", &body);
    let rows = server.sql("SELECT body, trace_id FROM logs WHERE service_name = 'lenient'");
    assert_eq!((rows.texts("body"), &rows.rows[0][1]), (vec!["kept".to_owned()], &Value::Null));
}

#[test]
fn every_kind_of_value_is_kept() {
    let server = fresnel().start();
    let values = json!([
        {"key": "text", "value": {"stringValue": "ä \"quoted\" \u{1f600}"}},
        {"key": "yes", "value": {"boolValue": true}},
        {"key": "int", "value": {"intValue": "-5"}},
        {"key": "double", "value": {"doubleValue": 1.5}},
        {"key": "bytes", "value": {"bytesValue": "aGk="}},
        {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "b"}]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": false}}]}}},
    ]);
    send(&server, "/v1/logs", &logs("values", json!({"body": {"stringValue": "a"}, "attributes": values})));
    let value = |key: &str| {
        let statement = format!("SELECT attributes['{key}'] AS v FROM logs WHERE service_name = 'values'");
        server.sql(&statement).texts("v").remove(0)
    };
    assert_eq!(value("text"), "ä \"quoted\" \u{1f600}");
    assert_eq!((value("yes"), value("int"), value("double")), ("true".into(), "-5".into(), "1.5".into()));
    assert_eq!((value("list"), value("map")), ("[1,\"b\"]".into(), "{\"k\":false}".into()));
    assert!(value("bytes").contains("aGk="), "bytes are base64: {}", value("bytes"));
}
