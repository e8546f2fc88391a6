//! Outputs over HTTP, against a listener that takes, refuses, hangs and closes.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{PATIENCE, Reply, formatted, server, source, status};
use crate::logging::{
    Body, Elasticsearch, Formatted, Http, LogFormat, Logging, Output, OutputSetup, QueueOptions, Redactor,
    WriteError,
};

fn batch(lines: &[&str]) -> Vec<Formatted> {
    lines.iter().map(|line| formatted(line, UNIX_EPOCH)).collect()
}

#[test]
fn records_are_posted_together() {
    let (url, requests) = server(vec![status("200 OK"), status("204 No Content"), status("202 Accepted")]);
    let mut list =
        Http::new(&format!("{url}/logs"), true).unwrap().header("x-key", "k").header("bad\r\n", "x");
    list.write(&batch(&[r#"{"a":1}"#, r#"{"b":2}"#])).unwrap();
    let request = requests.recv().unwrap();
    assert!(request.head.starts_with("POST /logs HTTP/1.1\r\n"), "{}", request.head);
    assert!(request.head.contains("\r\nx-key: k\r\n") && !request.head.contains("bad"), "{}", request.head);
    assert!(request.head.contains("\r\ncontent-type: application/json\r\n"), "{}", request.head);
    assert_eq!(request.body, br#"[{"a":1},{"b":2}]"#);
    Http::new(&url, false).unwrap().write(&batch(&["a \"b\""])).unwrap();
    assert_eq!(requests.recv().unwrap().body, br#"["a \"b\""]"#);
    Http::new(&url, true).unwrap().body(Body::Lines).write(&batch(&["1", "2"])).unwrap();
    assert_eq!(requests.recv().unwrap().body, b"1\n2\n");
}

#[test]
fn answers_are_understood() {
    let check = |reply: Reply| -> WriteError {
        let (url, _requests) = server(vec![reply]);
        let mut http = Http::new(&url, true).unwrap().timeout(Duration::from_millis(300));
        http.write(&batch(&["1"])).unwrap_err()
    };
    let busy = Reply::Text("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n\r\n".into());
    assert_eq!(check(busy).retryable(), Some(Duration::from_secs(7)));
    assert!(check(status("503 Service Unavailable")).retryable().is_some());
    assert!(check(status("501 Not Implemented")).retryable().is_none());
    assert!(check(Reply::Close).retryable().is_some());
    assert!(check(Reply::Hang).retryable().is_some());
    let refused = check(status("400 Bad Request"));
    assert_eq!((refused.retryable(), refused.to_string()), (None, "the receiver answered 400".into()));
    assert!(Http::new("ftp://x", true).is_err() && Http::new("http://", true).is_err());
}

#[test]
fn what_is_refused_for_now_arrives_in_the_end_once() {
    let (url, requests) = server(vec![
        status("429 Too Many Requests\r\nretry-after: 0"),
        status("503 No"),
        Reply::Close,
        status("200 OK"),
    ]);
    let queue = QueueOptions { interval: Duration::from_secs(3600), ..QueueOptions::batched() };
    let http = Http::new(&url, true).unwrap();
    let logging =
        Logging::start(vec![OutputSetup::new("http", http).queue(queue)], Redactor::none(), source())
            .unwrap();
    let subscriber = {
        use tracing_subscriber::layer::SubscriberExt;
        tracing_subscriber::registry().with(logging.layer())
    };
    tracing::subscriber::with_default(subscriber, || (0..3).for_each(|n| tracing::info!("{n}")));
    assert!(logging.close(PATIENCE));
    let bodies: Vec<_> = requests.try_iter().map(|it| it.body).collect();
    assert_eq!(bodies.len(), 4);
    assert!(bodies.iter().all(|body| *body == bodies[0]), "the same batch each time");
    let records: Vec<Value> = serde_json::from_slice(&bodies[3]).unwrap();
    assert_eq!(records.len(), 3);
    let health = &logging.health()[0];
    assert_eq!((health.written, health.failed, health.dropped), (3, 0, 0));
}

#[test]
fn a_batch_that_a_receiver_cannot_digest_does_not_block_the_others() {
    // The first is answered with 500 until it is given up, what comes later is taken.
    let replies = std::iter::repeat_with(|| status("500 Oops")).take(10);
    let (url, requests) = server(replies.chain([status("200 OK")]).collect());
    let millisecond = Duration::from_millis(1);
    let queue = QueueOptions { batch_max: 1, retry_wait_max: millisecond, ..QueueOptions::immediate() };
    let http = Http::new(&url, true).unwrap();
    let logging =
        Logging::start(vec![OutputSetup::new("http", http).queue(queue)], Redactor::none(), source())
            .unwrap();
    let subscriber = {
        use tracing_subscriber::layer::SubscriberExt;
        tracing_subscriber::registry().with(logging.layer())
    };
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("poison");
        tracing::info!("fine");
    });
    let last = requests.iter().nth(10).unwrap();
    assert!(String::from_utf8_lossy(&last.body).contains("fine"), "the eleventh");
    logging.close(PATIENCE);
    let health = &logging.health()[0];
    assert_eq!((health.written, health.failed, health.dropped), (1, 1, 0));
}

#[cfg(feature = "gzip")]
#[test]
fn requests_can_be_packed() {
    use std::io::Read;

    let (url, requests) = server(vec![status("200 OK")]);
    Http::new(&url, true).unwrap().gzip(true).write(&batch(&["1"])).unwrap();
    let request = requests.recv().unwrap();
    assert!(request.head.contains("\r\ncontent-encoding: gzip\r\n"), "{}", request.head);
    let mut body = String::new();
    flate2::read::GzDecoder::new(&request.body[..]).read_to_string(&mut body).unwrap();
    assert_eq!(body, "[1]");
}

fn bulk(errors: bool, statuses: &[u16]) -> Reply {
    let items = statuses.iter().map(|status| match status {
        201 => json!({"create": {"status": status}}),
        _ => json!({"create": {"status": status, "error": {"type": "mapper_parsing_exception"}}}),
    });
    let body = json!({"errors": errors, "items": items.collect::<Vec<_>>()}).to_string();
    // In chunks, as its servers may.
    let (first, second) = body.split_at(body.len() / 2);
    let chunk = |it: &str| format!("{:x}\r\n{it}\r\n", it.len());
    Reply::Text(format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}{}0\r\n\r\n",
        chunk(first),
        chunk(second)
    ))
}

#[test]
fn elasticsearch_takes_some_and_only_the_others_are_tried_again() {
    let (url, requests) = server(vec![bulk(true, &[201, 429, 400, 503]), bulk(false, &[201, 201])]);
    let mut output = Elasticsearch::new(&url, "logs-shop").unwrap().header("authorization", "ApiKey k");
    let mut lines = batch(&[r#"{"n":0}"#, r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]);
    let error = output.write(&lines).unwrap_err();
    assert_eq!(error.to_string(), "3 of 4 records were not taken: mapper_parsing_exception");
    assert_eq!((error.retryable().is_some(), error.written(4), error.settle(&mut lines)), (true, 1, 1));
    let request = requests.recv().unwrap();
    assert!(request.head.starts_with("POST /_bulk HTTP/1.1\r\n"), "{}", request.head);
    assert!(request.head.contains("\r\nauthorization: ApiKey k\r\n"), "{}", request.head);
    let body = String::from_utf8(request.body).unwrap();
    let action = "{\"create\":{\"_index\":\"logs-shop\"}}\n";
    assert!(body.starts_with(&format!("{action}{{\"n\":0}}\n{action}")) && body.ends_with('\n'), "{body}");
    output.write(&lines).unwrap();
    let body = String::from_utf8(requests.recv().unwrap().body).unwrap();
    assert_eq!(body, format!("{action}{{\"n\":1}}\n{action}{{\"n\":3}}\n"));
}

#[test]
fn elasticsearch_that_takes_nothing_loses_only_that_batch() {
    let (url, _requests) = server(vec![bulk(true, &[400]), status("401 Unauthorized"), status("200 OK")]);
    let mut output = Elasticsearch::new(&url, "logs").unwrap();
    for expected in
        ["1 of 1 records were not taken", "the receiver answered 401", "the answer to a bulk request"]
    {
        let error = output.write(&batch(&["{}"])).unwrap_err();
        assert!(error.to_string().starts_with(expected) && error.retryable().is_none(), "{error}");
    }
}

#[test]
fn what_happens_under_suppression_stays_on_the_machine() {
    let (url, requests) = server(vec![status("200 OK")]);
    let kept = super::Kept::default();
    let outputs = vec![
        OutputSetup::new("http", Http::new(&url, true).unwrap()),
        OutputSetup::new("kept", kept.clone()).format(LogFormat::Json),
    ];
    let logging = Logging::start(outputs, Redactor::none(), source()).unwrap();
    let subscriber = {
        use tracing_subscriber::layer::SubscriberExt;
        tracing_subscriber::registry().with(logging.layer())
    };
    tracing::subscriber::with_default(subscriber, || {
        let suppressed = crate::telemetry::suppress();
        tracing::info!("of an export");
        drop(suppressed);
        tracing::info!("of the service");
    });
    assert!(logging.close(PATIENCE));
    assert_eq!(kept.lines().len(), 2);
    let records: Vec<Value> = serde_json::from_slice(&requests.recv().unwrap().body).unwrap();
    assert_eq!((records.len(), &records[0]["message"]), (1, &json!("of the service")));
}
