//! The doors that records come in by: how a request goes in, and what its answer means for them.

use std::io;

use testkit::http::{Client, Request, Response};
use testkit::otlp::{self, Export};
use testkit::records::{ID, Random, SENDER, Sender};
use testkit::remote_write::{self, RequestV2, V1, V2, WriteRequest, written};
use testkit::{Doors, Encoding, Format};

use crate::grpc_call::{self, Answer, NoAnswer, frame};
use crate::senders::Fate;

/// What a sender sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Signal {
    Logs,
    Spans,
    Points,
}

impl Signal {
    pub(crate) const ALL: [Self; 3] = [Self::Logs, Self::Spans, Self::Points];

    /// Where SQL finds it; the ledger names it so too.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Points => "metrics",
        }
    }

    /// The id of a record, in SQL.
    pub(crate) fn id(self) -> String {
        match self {
            Self::Logs | Self::Spans => format!("attributes['{ID}']"),
            Self::Points => format!("concat(attributes['{SENDER}'], '-', CAST(value AS BIGINT))"),
        }
    }
}

/// Where it sends to, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// OTLP/HTTP.
    Http(Signal),
    /// OTLP/gRPC.
    Grpc(Signal),
    /// Prometheus' remote write, of both versions.
    RemoteWrite,
    /// Text as a script pushes it.
    Push,
}

/// Where text is pushed to.
const PUSH: &str = "/prometheus/api/v1/import/prometheus";
const TENANT: &str = "x-scope-orgid";
/// gRPC's codes.
const OK: i32 = 0;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNAVAILABLE: i32 = 14;

impl Door {
    /// What comes in by it.
    pub(crate) fn signal(self) -> Signal {
        match self {
            Self::Http(signal) | Self::Grpc(signal) => signal,
            Self::RemoteWrite | Self::Push => Signal::Points,
        }
    }

    /// What names it in services.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Http(signal) => format!("http-{signal:?}").to_lowercase(),
            Self::Grpc(signal) => format!("grpc-{signal:?}").to_lowercase(),
            Self::RemoteWrite => "write".to_owned(),
            Self::Push => "push".to_owned(),
        }
    }
}

/// Somebody at a door.
pub(crate) struct Caller {
    door: Door,
    tenant: &'static str,
    http: Client,
    grpc: grpc_call::Client,
}

impl Caller {
    /// Connects at the first request.
    pub(crate) fn new(door: Door, tenant: &'static str, doors: &Doors) -> Self {
        let http = match door {
            Door::Http(_) | Door::Grpc(_) => doors.otlp_http,
            Door::RemoteWrite | Door::Push => doors.http,
        };
        Self { door, tenant, http: Client::new(http), grpc: grpc_call::Client::new(doors.otlp_grpc) }
    }

    /// Sends the next `count` records in one of the forms that the door knows.
    pub(crate) fn send(&mut self, sender: &mut Sender, count: u64, random: &mut Random) -> Fate {
        let format = Format::ALL[random.below(2)];
        match self.door {
            Door::Http(Signal::Logs) => self.by_http(&sender.logs(count), format, random),
            Door::Http(Signal::Spans) => self.by_http(&sender.spans(count), format, random),
            Door::Http(Signal::Points) => self.by_http(&sender.points(count), format, random),
            Door::Grpc(Signal::Logs) => self.by_grpc(&sender.logs(count), random),
            Door::Grpc(Signal::Spans) => self.by_grpc(&sender.spans(count), random),
            Door::Grpc(Signal::Points) => self.by_grpc(&sender.points(count), random),
            Door::RemoteWrite => self.by_remote_write(&sender.samples(count), count, random),
            Door::Push => {
                let response = self.post(push(sender, count, random));
                fate_of_points(response, count)
            }
        }
    }

    fn post(&mut self, request: Request) -> io::Result<Response> {
        self.http.send(&request.header(TENANT, self.tenant))
    }

    /// `count`: the samples in the message.
    pub(crate) fn by_remote_write(
        &mut self,
        message: &WriteRequest,
        count: u64,
        random: &mut Random,
    ) -> Fate {
        fate_of_points(self.post(write(message, random)), count)
    }

    pub(crate) fn by_http(&mut self, export: &impl Export, format: Format, random: &mut Random) -> Fate {
        fate(self.post(otlp::request(export, format, encoding(random))))
    }

    pub(crate) fn by_grpc<E: Export>(&mut self, export: &E, random: &mut Random) -> Fate {
        let encoding = encoding(random);
        let message = frame(&encoding.encode(&otlp::protobuf(export)), encoding != Encoding::None);
        fate_of_call(self.grpc.call(E::METHOD, encoding, &[(TENANT, self.tenant)], message))
    }
}

fn encoding(random: &mut Random) -> Encoding {
    Encoding::ALL[random.below(3)]
}

/// A message of remote write in either version, in every compression that senders use.
fn write(message: &WriteRequest, random: &mut Random) -> Request {
    let (version, bytes) = match random.below(2) {
        0 => (V1, remote_write::bytes(message)),
        _ => (V2, remote_write::bytes(&RequestV2::of(message))),
    };
    match random.below(3) {
        0 => remote_write::raw(version, "", bytes),
        1 => remote_write::raw(version, "zstd", Encoding::Zstd.encode(&bytes)),
        _ => remote_write::raw(version, "snappy", remote_write::snappy(&bytes)),
    }
}

fn push(sender: &mut Sender, count: u64, random: &mut Random) -> Request {
    let encoding = encoding(random);
    let request = Request::post(PUSH, encoding.encode(sender.lines(count).as_bytes()));
    match encoding.header() {
        Some(name) => request.header("content-encoding", name),
        None => request,
    }
}

/// What an answer over HTTP means.
fn fate(response: io::Result<Response>) -> Fate {
    match response {
        Ok(response) if matches!(response.status, 200 | 204) => Fate::Acknowledged,
        // Nobody can tell what a disk that failed has kept: it does not say when to come again.
        Ok(response) if response.status == 503 && response.header("retry-after").is_none() => Fate::Unknown,
        Ok(response) if matches!(response.status, 429 | 503) => {
            assert!(response.header("retry-after").is_some(), "a refusal says when to come again");
            Fate::Refused
        }
        Ok(response) => panic!("a good request got {}: {}", response.status, response.text()),
        Err(_) => Fate::Unknown,
    }
}

/// The same where the answer says how much was written.
fn fate_of_points(response: io::Result<Response>, count: u64) -> Fate {
    let said = response.as_ref().ok().cloned();
    let fate = fate(response);
    match (&said, fate) {
        (Some(response), Fate::Acknowledged) => assert_eq!(written(response), (count, 0, 0)),
        (Some(response), Fate::Refused) => assert_eq!(written(response), (0, 0, 0)),
        _ => {}
    }
    fate
}

/// What an answer over gRPC means.
fn fate_of_call(answer: Result<Answer, NoAnswer>) -> Fate {
    let Ok(answer) = answer else { return Fate::Unknown };
    assert_eq!(answer.status, http::StatusCode::OK, "gRPC says it in its own status: {answer:?}");
    match (answer.code(), answer.details()) {
        (OK, _) => {
            assert_eq!(answer.body[..], frame(&[], false), "all of it is accepted");
            Fate::Acknowledged
        }
        (RESOURCE_EXHAUSTED | UNAVAILABLE, Some(details)) => {
            assert!(details.retry_delay().is_some(), "a refusal says when to come again: {answer:?}");
            Fate::Refused
        }
        (UNAVAILABLE, None) => Fate::Unknown,
        _ => panic!("a good request got {answer:?}"),
    }
}
