//! The exporter against a listener that says what it is told to say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::telemetry::http::HttpExporter;
use crate::telemetry::{Exporter, Signal};

/// Answers once; returns the head and the body of the request.
fn answer(text: &'static str) -> (String, JoinHandle<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).unwrap();
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        reader.into_inner().write_all(text.as_bytes()).unwrap();
        (head, body)
    });
    (endpoint, server)
}

#[test]
fn a_request_is_posted() {
    let (endpoint, server) = answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let exporter = HttpExporter::new(&format!("{endpoint}/base/"))
        .unwrap()
        .header("x-key", "k")
        .header("bad\r\n", "x")
        .header("bad", "");
    exporter.export(Signal::Traces, b"abc".to_vec()).unwrap();
    let (head, body) = server.join().unwrap();
    assert!(head.starts_with("POST /base/v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nx-key: k\r\n") && !head.contains("bad"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/x-protobuf\r\n"), "{head}");
    assert_eq!(body, b"abc");
}

#[test]
fn answers_are_understood() {
    let check = |text, expected: Option<u64>| {
        let (endpoint, server) = answer(text);
        let error = HttpExporter::new(&endpoint).unwrap().export(Signal::Logs, vec![1]).unwrap_err();
        assert_eq!(error.retryable(), expected.map(Duration::from_secs), "{text}");
        server.join().unwrap();
        error.to_string()
    };
    check("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n\r\n", Some(7));
    check("HTTP/1.1 503 Service Unavailable\r\n\r\n", Some(1));
    assert_eq!(check("HTTP/1.1 400 Bad Request\r\n\r\nno", None), "the receiver answered 400");
    check("HTTP/1.1 500 Internal Server Error\r\n\r\n", None);
}

#[test]
fn a_receiver_that_is_not_there_or_says_nothing_may_be_tried_again() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error =
        HttpExporter::new(&format!("http://{free}")).unwrap().export(Signal::Logs, vec![]).unwrap_err();
    assert!(error.retryable().is_some());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let exporter = HttpExporter::new(&format!("http://{}", silent.local_addr().unwrap())).unwrap();
    let error = exporter.timeout(Duration::from_millis(50)).export(Signal::Logs, vec![1]).unwrap_err();
    assert!(error.retryable().is_some(), "{error}");
}

#[test]
fn endpoints_are_checked() {
    for good in ["http://localhost", "http://127.0.0.1:4318/", "http://[::1]:4318/x"] {
        assert!(HttpExporter::new(good).is_ok(), "{good}");
    }
    assert_eq!(HttpExporter::new("https://x").is_ok(), cfg!(feature = "https"));
    for bad in ["", "localhost:4318", "http://", "http:///x", "http://a b", "http://u@h", "http://h\r\nx: y"]
    {
        assert!(HttpExporter::new(bad).is_err(), "{bad}");
    }
}
