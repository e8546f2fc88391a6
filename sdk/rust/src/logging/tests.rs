#![allow(clippy::unwrap_used)]

mod config;
mod context;
mod files;
mod formats;
mod levels;
mod loggers;
mod outputs;
mod queues;
mod redaction;
mod remote;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps what it is given.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<Formatted>>>);

impl Output for Kept {
    fn name(&self) -> &str {
        "kept"
    }

    fn write(&mut self, batch: &[Formatted]) -> Result<(), WriteError> {
        self.0.lock().extend_from_slice(batch);
        Ok(())
    }

    fn is_remote(&self) -> bool {
        false
    }
}

impl Kept {
    fn lines(&self) -> Vec<String> {
        self.0.lock().iter().map(|it| String::from_utf8(it.line.clone()).unwrap()).collect()
    }

    fn json(&self) -> Vec<Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// What a test logs with.
struct Bench {
    logging: Logging,
    kept: Kept,
}

fn source() -> Source {
    Source {
        service: "shop".into(),
        version: "1.2".into(),
        environment: Some("staging".into()),
        host: Some("node-1".into()),
        pid: 7,
        deployment: vec![("id".into(), "d-1".into())],
    }
}

/// Everything that `f` logs, in a format.
fn log(format: impl Formatter, redactor: Redactor, f: impl FnOnce()) -> Bench {
    let kept = Kept::default();
    let setup = OutputSetup::new("kept", kept.clone()).format(format);
    let logging = Logging::start(vec![setup], redactor, source()).unwrap();
    let bench = Bench { logging, kept };
    bench.during(f);
    bench
}

impl Bench {
    fn during<T>(&self, f: impl FnOnce() -> T) -> T {
        let subscriber = tracing_subscriber::registry().with(self.logging.layer());
        let result = tracing::subscriber::with_default(subscriber, f);
        self.logging.flush(PATIENCE);
        result
    }

    fn one(&self) -> Value {
        let all = self.kept.json();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }
}

/// The records that `f` logs, as JSON.
fn json(f: impl FnOnce()) -> Vec<Value> {
    log(LogFormat::Json, Redactor::default(), f).kept.json()
}

/// A record that is made by hand.
fn entry(message: &str) -> Entry {
    Entry {
        time: UNIX_EPOCH + Duration::from_millis(1_795_746_473_123),
        severity: Severity::Info,
        message: message.into(),
        logger: "shop:cart".into(),
        fields: Fields::new(),
        ids: Ids::default(),
        tags: Vec::new(),
        trace: None,
        spans: Vec::new(),
        error: None,
        performance: None,
        thread: Some("main".into()),
        local: false,
    }
}

fn formatted(message: &str, at: SystemTime) -> Formatted {
    Formatted { entry: Arc::new(Entry { time: at, ..entry(message) }), line: message.as_bytes().to_vec() }
}

/// A request as a listener saw it.
struct Request {
    head: String,
    body: Vec<u8>,
}

/// What a listener does with a request.
enum Reply {
    Text(String),
    /// Closes the connection without a word.
    Close,
    /// Keeps it, and says nothing, until the test is over.
    Hang,
}

fn status(status: &str) -> Reply {
    Reply::Text(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"))
}

/// A server that replies as it is told, and says what it got.
fn server(replies: Vec<Reply>) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = sync_channel(1000);
    std::thread::spawn(move || serve(&listener, replies, &sender));
    (address, requests)
}

fn serve(listener: &TcpListener, replies: Vec<Reply>, requests: &SyncSender<Request>) {
    let mut kept = Vec::new();
    for reply in replies {
        let (stream, _) = listener.accept().unwrap();
        let Some(request) = read_request(&stream) else { continue };
        let _ = requests.send(request);
        match reply {
            Reply::Text(text) => (&stream).write_all(text.as_bytes()).unwrap(),
            Reply::Close => {}
            Reply::Hang => kept.push(stream),
        }
    }
    // Those that wait for a word go on waiting as long as the test.
    std::thread::park();
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { head, body })
}
