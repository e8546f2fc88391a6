//! `/api/v1/logs`: newest first, with filters and a cursor.

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::Fresnel;
use testkit::http::percent_encoded;
use testkit::records::{ID, Sender, text, value};

use crate::fresnel;

fn with_logs(count: u64) -> (Fresnel, Sender) {
    let server = fresnel().start();
    let mut sender = Sender::new("logs", 1);
    server.send(&sender.logs(count));
    (server, sender)
}

fn logs(server: &Fresnel, parameters: &str) -> Value {
    let answer = server.get_json(&format!("/api/v1/logs?service=logs&{parameters}"));
    assert_eq!(answer["complete"], true);
    answer
}

fn ids(answer: &Value) -> Vec<String> {
    let id = |log: &Value| log["attributes"][ID].as_str().unwrap().to_owned();
    answer["logs"].as_array().unwrap().iter().map(id).collect()
}

#[test]
fn the_newest_come_first() {
    let (server, sender) = with_logs(50);
    let expected: Vec<_> = (40..50).rev().map(|number| sender.id(number)).collect();
    assert_eq!(ids(&logs(&server, "limit=10")), expected);
}

#[test]
fn a_record_is_shown_with_all_that_it_has() {
    let (server, _) = with_logs(1);
    let log = &logs(&server, "limit=1")["logs"][0];
    assert!(log["time_unix_nano"].as_str().unwrap().parse::<u64>().is_ok(), "a text: {log}");
    assert_eq!(log["service_name"], "logs");
    assert_eq!(log["scope_name"], "testkit");
    assert_eq!(log["attributes"]["http.request.method"], "GET");
    assert_eq!(log["resource_attributes"]["host.name"], "test-host");
    assert!(log["severity_number"].is_i64() && log["severity_text"].is_string() && log["body"].is_string());
    assert!(log["trace_id"].is_null() && log["span_id"].is_null());
}

#[test]
fn the_cursor_leads_through_all_records_once() {
    let (server, sender) = with_logs(95);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for _ in 0..20 {
        let before =
            if cursor.is_empty() { String::new() } else { format!("&before={}", percent_encoded(&cursor)) };
        let answer = logs(&server, &format!("limit=10{before}"));
        seen.extend(ids(&answer));
        match answer["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    let expected: Vec<_> = (0..95).rev().map(|number| sender.id(number)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn records_of_the_same_time_are_not_lost_between_pages() {
    let server = fresnel().start();
    let mut request = Sender::new("logs", 2).logs(30);
    for record in &mut request.resource_logs[0].scope_logs[0].log_records {
        record.time_unix_nano = testkit::records::now_unix_nano() / 1_000_000_000 * 1_000_000_000;
    }
    server.send(&request);
    let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
    for _ in 0..10 {
        let before =
            if cursor.is_empty() { String::new() } else { format!("&before={}", percent_encoded(&cursor)) };
        let answer = logs(&server, &format!("limit=7{before}"));
        seen.extend(ids(&answer));
        match answer["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen.len(), 30);
}

#[test]
fn filters_narrow() {
    let (server, sender) = with_logs(0);
    let mut request = Sender::new("logs", 3).logs(4);
    let records = &mut request.resource_logs[0].scope_logs[0].log_records;
    for record in records.iter_mut() {
        record.severity_number = 9;
    }
    records[0].severity_number = 17;
    records[1].body = Some(value("The Quick brown fox"));
    records[2].trace_id = vec![7; 16];
    records[3].attributes.push(text("cart.id", "a:b"));
    server.send(&request);
    drop(sender);

    let trace_id = "07".repeat(16);
    let id = |number: u64| vec![format!("logs-3-{number}")];
    assert_eq!(ids(&logs(&server, "severity_min=13")), id(0));
    assert_eq!(ids(&logs(&server, "q=quick%20BROWN")), id(1));
    assert_eq!(ids(&logs(&server, &format!("trace_id={trace_id}"))), id(2));
    assert_eq!(ids(&logs(&server, "attr=cart.id:a:b")), id(3));
    assert_eq!(ids(&logs(&server, "attr=host.name:test-host&limit=2")).len(), 2, "the resource's count too");
    assert!(ids(&logs(&server, "attr=host.name:elsewhere")).is_empty());
    assert!(ids(&logs(&server, "from=1000&to=2000")).is_empty());
    assert!(server.get_json("/api/v1/logs?service=other")["logs"].as_array().unwrap().is_empty());
}

#[test]
fn a_severity_that_is_only_a_word_is_found() {
    let mut server = fresnel().start();
    let mut request = Sender::new("logs", 4).logs(3);
    let words = ["Critical", "warning", "INFO"];
    for (record, word) in request.resource_logs[0].scope_logs[0].log_records.iter_mut().zip(words) {
        (record.severity_number, record.severity_text) = (0, word.to_owned());
    }
    server.send(&request);
    let found = |server: &Fresnel, least: u8| {
        let mut ids = ids(&logs(server, &format!("severity_min={least}")));
        ids.sort();
        ids
    };
    let told = |server: &Fresnel| (found(server, 17), found(server, 13), found(server, 9).len());
    let expected = (vec!["logs-4-0".to_owned()], vec!["logs-4-0".to_owned(), "logs-4-1".to_owned()], 3);
    assert_eq!(told(&server), expected);
    // The log holds the request as it came; it is read in the same way again.
    server.kill9();
    server.restart();
    assert_eq!(told(&server), expected);
}

#[test]
fn a_parameter_that_is_none_is_refused() {
    let (server, _) = with_logs(1);
    for parameters in ["limit=0", "limit=x", "trace_id=12", "from=yesterday", "unknown=1", "attr=nothing"] {
        let response = server.get(&format!("/api/v1/logs?{parameters}")).expect(400);
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{parameters}");
    }
}

#[test]
fn the_histogram_counts_every_record_by_severity() {
    let (server, _) = with_logs(200);
    let answer = server.get_json("/api/v1/logs/histogram?service=logs&buckets=30");
    let buckets = answer["buckets"].as_array().unwrap();
    assert!((28..=32).contains(&buckets.len()), "{} buckets", buckets.len());
    let step = answer["step_ms"].as_i64().unwrap();
    let times: Vec<i64> = buckets.iter().map(|bucket| bucket["time_ms"].as_i64().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == step), "no gaps: {times:?}");
    let count = |severity: &str| {
        buckets.iter().map(|bucket| bucket["counts"][severity].as_i64().unwrap()).sum::<i64>()
    };
    let by_sql = |from: i32, to: i32| {
        let statement = format!(
            "SELECT count(*) FROM logs WHERE service_name = 'logs' AND severity_number BETWEEN {from} AND {to}"
        );
        server.sql(&statement).integer()
    };
    assert_eq!(
        (count("info"), count("warn"), count("error")),
        (by_sql(9, 12), by_sql(13, 16), by_sql(17, 20))
    );
    assert_eq!(
        ["trace", "debug", "info", "warn", "error", "fatal", "unset"].map(count).iter().sum::<i64>(),
        200
    );
}

#[test]
fn services_are_listed() {
    let (server, _) = with_logs(1);
    server.send(&Sender::new("traced", 1).spans(1));
    let services = server.get_json("/api/v1/services")["services"].clone();
    let named = |name: &str| services.as_array().unwrap().iter().any(|service| service == name);
    assert!(named("logs") && named("traced"), "{services}");
}
