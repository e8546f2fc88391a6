//! Queries that are stopped: by their time, by somebody, by limits.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{self, Request, Response, percent_encoded};
use testkit::{Fresnel, wait_for};

use super::{API, QUIET, ask, begin, data, send_requests};
use crate::fresnel;
use crate::settings::SMALLEST_MEMORY;

const PATIENCE: Duration = Duration::from_secs(60);

/// Hours of work over no series at all: it does not end by itself.
const ENDLESS: [(&str, &str); 4] = [
    ("query", "quantile_over_time(0.5, vector(1)[100h:1s])"),
    ("start", "0"),
    ("end", "11000"),
    ("step", "1"),
];

#[track_caller]
fn assert_stopped(response: Response, status: u16, kind: &str, error: &str) {
    let response = response.expect(status);
    let retry_after = response.header("retry-after").map(str::to_owned);
    let answer = response.json();
    assert_eq!((&answer["status"], &answer["errorType"]), (&json!("error"), &json!(kind)), "{answer}");
    let said = answer["error"].as_str().unwrap();
    assert!(said.contains(error), "{error} in {said}");
    assert_eq!(answer.get("data"), None, "{answer}");
    assert_eq!(retry_after.as_deref(), (kind == "unavailable").then_some("1"));
}

/// The ids of the queries that run or wait.
fn running(server: &Fresnel) -> Vec<String> {
    let queries = server.get_json("/api/v1/queries");
    let id = |query: &Value| query["id"].as_str().unwrap().to_owned();
    queries.as_array().unwrap().iter().map(id).collect()
}

/// Waits until what was stopped has seen it and left its turn to the next.
fn wait_none_runs(server: &Fresnel) {
    wait_for("the end of all queries", PATIENCE, || running(server).is_empty().then_some(()));
}

/// Asks on a thread for what does not end, and waits until it runs: its id.
fn endless(server: &Fresnel) -> (String, thread::JoinHandle<std::io::Result<Response>>) {
    let address = server.doors().http;
    let parameters: Vec<_> =
        ENDLESS.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
    let target = format!("{API}/query_range?timeout=10m&{}", parameters.join("&"));
    let asker = thread::spawn(move || http::send(address, &Request::get(&target)));
    let id = wait_for("the query among the running ones", PATIENCE, || running(server).pop());
    (id, asker)
}

#[test]
fn a_query_ends_when_its_time_is_over() {
    let server =
        fresnel().config(&format!("{QUIET}[query]\ntimeout_max = \"2s\"\ntimeout = \"1s\"\n")).start();
    let timed_out = "query timed out in ";
    // What is configured, what is asked for, and no more than what is allowed.
    assert_stopped(ask(&server, "query_range", &ENDLESS), 503, "timeout", timed_out);
    for timeout in ["0.2", "1h"] {
        let parameters: Vec<_> = ENDLESS.into_iter().chain([("timeout", timeout)]).collect();
        assert_stopped(ask(&server, "query_range", &parameters), 503, "timeout", timed_out);
    }
    let none = [("query", "up"), ("time", "1"), ("timeout", "0.000000001")];
    assert_stopped(ask(&server, "query", &none), 503, "timeout", timed_out);
    wait_none_runs(&server);
    assert_eq!(data(&server, "query", &[("query", "1 + 1")])["result"][1], "2");
}

#[test]
fn a_query_that_is_cancelled_says_so() {
    let server = fresnel().config(QUIET).start();
    let (id, asker) = endless(&server);
    server.ask(&Request::new("DELETE", &format!("/api/v1/queries/{id}"))).expect(204);
    assert_stopped(asker.join().unwrap().unwrap(), 503, "canceled", "query was canceled in ");
    wait_none_runs(&server);
}

#[test]
fn more_queries_than_may_wait_are_asked_to_come_again() {
    let server = fresnel().config(&format!("{QUIET}[query]\nconcurrency = 1\nqueue_max = 0\n")).start();
    let (id, asker) = endless(&server);
    let busy = "1 queries are running and 0 are waiting, more are refused";
    for (path, parameters) in [
        ("query", &[("query", "1")][..]),
        ("labels", &[]),
        ("label/job/values", &[]),
        ("series", &[("match[]", "up")]),
        ("metadata", &[]),
        ("query_exemplars", &[("query", "up")]),
        ("status/tsdb", &[]),
    ] {
        assert_stopped(ask(&server, path, parameters), 503, "unavailable", busy);
    }
    // What needs no turn is answered.
    ask(&server, "format_query", &[("query", "1")]).expect(200);
    server.ask(&Request::new("DELETE", &format!("/api/v1/queries/{id}"))).expect(204);
    asker.join().unwrap().unwrap().expect(503);
    wait_none_runs(&server);
    assert_eq!(data(&server, "query", &[("query", "1 + 1")])["result"][1], "2");
}

#[test]
fn a_query_gets_no_more_than_its_series_and_its_memory() {
    let server = fresnel().config(&format!("{QUIET}[query.prometheus]\nseries = 3\n")).start();
    let begin = begin();
    send_requests(&server, begin, 0..2);
    let time = begin.to_string();
    let of = |query: &'static str| [("query", query), ("time", time.as_str())];
    let limit = "query would touch more than 3 series";
    assert_stopped(ask(&server, "query", &of("http_server_requests_total")), 422, "execution", limit);
    let some = data(&server, "query", &of("http_server_requests_total{instance=\"a\"}"));
    assert_eq!(some["result"].as_array().unwrap().len(), 2);

    // A share of about 13 KiB.
    let config = format!("{QUIET}[query]\nmemory_share = 0.0001\n");
    let server = fresnel().config(&config).memory_limit(SMALLEST_MEMORY).start();
    send_requests(&server, begin - 30_000, 0..2_000);
    let share = "the query needs more than its";
    assert_stopped(ask(&server, "query", &of("http_server_requests_total[10h]")), 422, "execution", share);
    assert_eq!(data(&server, "query", &[("query", "1 + 1")])["result"][1], "2");
    wait_none_runs(&server);
}
