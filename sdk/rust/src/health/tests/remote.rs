//! Checks that talk to others, against sockets of the test's own.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::checker;
use crate::config::Secret;
use crate::health::checks::{Http, Redis, Tcp};
use crate::health::{Check, CheckOptions, Finding, Scope, Status};

/// Answers each read of each connection with the next of these, then closes. Tells its port and what
/// it has read.
async fn server(answers: Vec<&'static [u8]>) -> (u16, Arc<Mutex<String>>, tokio::task::JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let read = Arc::new(Mutex::new(String::new()));
    let seen = read.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in &answers {
                let mut part = [0; 4096];
                let length = stream.read(&mut part).await.unwrap();
                seen.lock().push_str(&String::from_utf8_lossy(&part[..length]));
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    (port, read, tasks)
}

/// A port at which nobody listens.
async fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn tcp_connects() {
    let (port, _, _server) = server(vec![]).await;
    let found = Tcp::new("127.0.0.1", port).check().await;
    assert_eq!((found.status, &found.details["port"]), (Status::Healthy, &port.into()));
    let found = Tcp::new("127.0.0.1", closed().await).check().await;
    assert_eq!(found.status, Status::Unhealthy);
    assert!(found.error.unwrap().contains("refused"));
}

#[tokio::test]
async fn http_asks_for_the_status() {
    let ask = async |answer: &'static [u8], strict: bool| -> (Finding, String) {
        let (port, read, _server) = server(vec![answer]).await;
        let url = format!("http://127.0.0.1:{port}/health?deep=1#top");
        let check = if strict { Http::get(&url) } else { Http::head(&url) }.unwrap();
        let found = check.check().await;
        let read = read.lock().clone();
        (found, read)
    };
    let (found, read) = ask(b"HTTP/1.1 204 No Content\r\n\r\n", false).await;
    assert_eq!((found.status, &found.details["status_code"]), (Status::Healthy, &204.into()));
    assert!(read.starts_with("HEAD /health?deep=1 HTTP/1.1\r\nhost: 127.0.0.1:"), "{read}");
    assert!(found.details["response_time_ms"].is_f64());
    let (found, _) = ask(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", false).await;
    assert_eq!((found.status, &found.details["status_code"]), (Status::Degraded, &503.into()));
    let (found, read) = ask(b"HTTP/1.1 301 Moved\r\nlocation: /\r\n\r\n", true).await;
    assert_eq!((found.status, &found.details["status_code"]), (Status::Unhealthy, &301.into()));
    assert!(read.starts_with("GET "), "{read}");
    for odd in [&b"SSH-2.0-OpenSSH\r\n"[..], b"HTTP/1.1 2000 Odd\r\n", &[b'x'; 4096]] {
        let (found, _) = ask(odd, false).await;
        assert_eq!(found.error.as_deref(), Some("the answer is not HTTP"));
    }
}

#[tokio::test]
async fn http_that_is_down_or_silent_is_unhealthy() {
    let url = format!("http://127.0.0.1:{}", closed().await);
    assert_eq!(Http::head(&url).unwrap().check().await.status, Status::Unhealthy);
    // One that accepts and says nothing is cut off by the timeout.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let checker = checker();
    let options = CheckOptions { timeout: Duration::from_millis(20), ..CheckOptions::default() };
    checker.register("silent", options, Http::head(&url).unwrap()).unwrap();
    let report = checker.check(Scope::All).await;
    let error = report.checks.unwrap().remove(0).error.unwrap();
    assert_eq!(error, "timed out after 20 ms");
}

#[test]
fn addresses_that_cannot_be_asked() {
    for url in [
        "",
        "stock:80",
        "ftp://a",
        "http://",
        "http:///x",
        "http://u:p@a",
        "http://a b",
        "http://a:99999",
        "http://[]",
    ] {
        assert!(Http::head(url).is_err(), "{url}");
    }
    let https = Http::head("https://a").unwrap_err().to_string();
    assert!(https.contains("register a closure"), "{https}");
    for url in ["http://a", "http://a:8080/x", "http://[::1]:80/", "http://[::1]", "http://a?x"] {
        assert!(Http::get(url).is_ok(), "{url}");
    }
}

#[tokio::test]
async fn redis_is_asked_for_an_answer_and_its_memory() {
    const PONG: &[u8] = b"+PONG\r\n";
    let ask = async |answers: Vec<&'static [u8]>, password: Option<&str>| -> (Finding, String) {
        let (port, read, _server) = server(answers).await;
        let mut redis = Redis::new("127.0.0.1", port).limits(Duration::from_secs(60), 0.9);
        if let Some(password) = password {
            redis = redis.password(Secret::new(password.to_owned()));
        }
        let found = redis.check().await;
        let read = read.lock().clone();
        (found, read)
    };
    let (found, read) =
        ask(vec![PONG, b"$43\r\n# Memory\r\nused_memory:89\r\nmaxmemory:100\r\n\r\n\r\n"], None).await;
    assert_eq!(
        (found.status, &found.details["used_memory_bytes"]),
        (Status::Healthy, &89.into()),
        "{found:?}"
    );
    assert_eq!(read, "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n");
    let full: &[u8] = b"$31\r\nused_memory:90\r\nmaxmemory:100\r\n\r\n";
    let (found, _) = ask(vec![PONG, full], None).await;
    assert_eq!(
        (found.status, found.message.as_deref()),
        (Status::Degraded, Some("90.0 % of its memory are used"))
    );
    // Without a limit nothing is full.
    let (found, _) = ask(vec![PONG, b"$29\r\nused_memory:90\r\nmaxmemory:0\r\n\r\n"], None).await;
    assert_eq!(found.status, Status::Healthy);
    let (found, read) = ask(vec![b"+OK\r\n", PONG, full], Some("hush")).await;
    assert_eq!(found.status, Status::Degraded);
    assert!(read.starts_with("*2\r\n$4\r\nAUTH\r\n$4\r\nhush\r\n"), "{read}");
    let (found, _) = ask(vec![b"-NOAUTH Authentication required.\r\n"], None).await;
    assert_eq!(found.error.as_deref(), Some("NOAUTH Authentication required."));
    let (found, _) = ask(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n"], None).await;
    assert!(found.error.unwrap().contains("not one of a Redis server"));
    let (port, _, _server) = server(vec![PONG, full]).await;
    let slow = Redis::new("127.0.0.1", port).limits(Duration::ZERO, 2.0).check().await;
    assert!(slow.status == Status::Degraded && slow.message.unwrap().starts_with("PING took"));
}
