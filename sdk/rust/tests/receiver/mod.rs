//! A receiver of OTLP over HTTP that does what it is told to do.

// Each test uses what it needs of it.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// Answers with each of `replies` first, then takes everything.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: String,
    /// What was taken.
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
}

/// Head and body.
pub(crate) type Request = (String, Vec<u8>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    Take,
    /// Refuses with this, and what more its head has.
    Status(&'static str),
    Close,
    Hang,
}

pub(crate) fn receiver(replies: &[Reply]) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let receiver = Receiver { address, requests: Arc::default() };
    let running = receiver.clone();
    let mut replies: VecDeque<_> = replies.iter().copied().collect();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            let Some(request) = read_request(&stream) else { continue };
            let status = match replies.pop_front().unwrap_or(Reply::Take) {
                Reply::Close => continue,
                Reply::Hang => {
                    kept.push(stream);
                    continue;
                }
                Reply::Status(status) => status,
                Reply::Take => {
                    running.requests.lock().unwrap().push(request);
                    "200 OK"
                }
            };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            // Who was killed does not hear it.
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    receiver
}

/// None when it breaks off.
pub(crate) fn read_request(stream: impl Read) -> Option<Request> {
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
    Some((head, body))
}

impl Receiver {
    pub(crate) fn bodies(&self, path: &str) -> Vec<Vec<u8>> {
        let all = self.requests.lock().unwrap();
        let meant = all.iter().filter(|(head, _)| head.starts_with(&format!("POST {path} ")));
        meant.map(|(_, body)| body.clone()).collect()
    }

    pub(crate) fn logs(&self) -> Vec<LogRecord> {
        let requests = self.bodies("/v1/logs").into_iter();
        let requests = requests.map(|it| ExportLogsServiceRequest::decode(&it[..]).unwrap());
        let scopes = requests.flat_map(|it| it.resource_logs).flat_map(|it| it.scope_logs);
        scopes.flat_map(|it| it.log_records).collect()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.logs().iter().map(|it| text(it.body.as_ref().and_then(|it| it.value.as_ref()))).collect()
    }

    pub(crate) fn all_spans(&self) -> Vec<Span> {
        let requests = self.bodies("/v1/traces").into_iter();
        let requests = requests.map(|it| ExportTraceServiceRequest::decode(&it[..]).unwrap());
        let scopes = requests.flat_map(|it| it.resource_spans).flat_map(|it| it.scope_spans);
        scopes.flat_map(|it| it.spans).collect()
    }

    /// Their names.
    pub(crate) fn spans(&self) -> Vec<String> {
        self.all_spans().into_iter().map(|it| it.name).collect()
    }
}

pub(crate) fn text(value: Option<&Any>) -> String {
    match value {
        Some(Any::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// The integer of a record or a span that has it under this name.
pub(crate) fn integer(attributes: &[KeyValue], key: &str) -> Option<i64> {
    match attributes.iter().find(|it| it.key == key)?.value.as_ref()?.value.as_ref()? {
        Any::IntValue(value) => Some(*value),
        _ => None,
    }
}
