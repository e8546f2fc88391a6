//! What the peers are sent, each in its own protocol.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use testkit::http::{Client, Request};
use testkit::otlp::proto::collector::logs::v1::ExportLogsServiceRequest;
use testkit::otlp::proto::collector::metrics::v1::ExportMetricsServiceRequest;

use super::fleet::{Machine, STEP_MS};
use super::ingest::Sender;
use super::otlp::OtlpScrape;
use super::post::Poster;
use super::remote_write::{RemoteWriteScrape, compressed};
use super::series::{self, Series};
use crate::lookup::logs::{LogRequests, RECORDS};
use crate::lookup::timeline::Timeline;

/// Connections to a server.
pub(crate) const CONNECTIONS: u64 = 2;
/// Machines whose scrapes go into one request: about 2,000 points, as both kinds of senders do.
const BATCH: usize = 4;

/// Some machines of the fleet, scraped one batch after the other.
struct Scrapes {
    series: Vec<Series>,
    machines: Vec<Machine>,
    next: usize,
    start_ms: u64,
    time_ms: u64,
    values: Vec<f64>,
    body: Vec<u8>,
}

impl Scrapes {
    fn new(machines: impl Iterator<Item = u64>, start_ms: u64) -> Self {
        let series = series::all();
        let machines = machines.map(|number| Machine::new(number, &series)).collect();
        Self { series, machines, next: 0, start_ms, time_ms: start_ms, values: Vec::new(), body: Vec::new() }
    }

    /// The next batch; how many points it has.
    fn next(&mut self, mut append: impl FnMut(&mut Vec<u8>, &Machine, u64, &[f64])) -> u64 {
        self.body.clear();
        let end = (self.next + BATCH).min(self.machines.len());
        let batch = &mut self.machines[self.next..end];
        for machine in batch.iter_mut() {
            machine.scrape(&self.series, &mut self.values);
            append(&mut self.body, machine, self.time_ms, &self.values);
        }
        let points = (batch.len() * self.series.len()) as u64;
        self.next = end;
        if end == self.machines.len() {
            self.next = 0;
            self.time_ms += STEP_MS;
        }
        points
    }
}

/// The machines of each connection, so that a machine's scrapes keep their order.
fn shares(machines: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    let share = machines.div_ceil(CONNECTIONS);
    (0..CONNECTIONS).map(move |connection| connection * share..((connection + 1) * share).min(machines))
}

struct Otlp {
    scrapes: Scrapes,
    encoded: OtlpScrape,
    poster: Poster,
}

impl Sender for Otlp {
    fn prepare(&mut self) -> u64 {
        let (encoded, start_ms) = (&mut self.encoded, self.scrapes.start_ms);
        self.scrapes.next(|body, machine, time_ms, values| {
            encoded.append(body, machine.number, start_ms, time_ms, values);
        })
    }

    fn send(&mut self) -> Result<()> {
        self.poster.post::<ExportMetricsServiceRequest>(&self.scrapes.body)
    }
}

/// Senders of the fleet's points in OTLP.
///
/// # Errors
/// When one cannot be set up.
pub(crate) fn otlp(address: SocketAddr, machines: u64, start_ms: u64) -> Result<Vec<Box<dyn Sender>>> {
    let sender = |machines| -> Result<Box<dyn Sender>> {
        let scrapes = Scrapes::new(machines, start_ms);
        let encoded = OtlpScrape::new(&scrapes.series)?;
        Ok(Box::new(Otlp { scrapes, encoded, poster: Poster::new(address)? }))
    };
    shares(machines).map(sender).collect()
}

struct RemoteWrite {
    scrapes: Scrapes,
    encoded: RemoteWriteScrape,
    client: Client,
}

impl Sender for RemoteWrite {
    fn prepare(&mut self) -> u64 {
        let encoded = &mut self.encoded;
        self.scrapes
            .next(|body, machine, time_ms, values| encoded.append(body, machine.number, time_ms, values))
    }

    fn send(&mut self) -> Result<()> {
        let request = Request::post("/api/v1/write", compressed(&self.scrapes.body)?)
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0");
        let answer = self.client.send(&request).context("send")?;
        ensure!(answer.status / 100 == 2, "status {}: {}", answer.status, answer.text());
        Ok(())
    }
}

/// Senders of the fleet's points as remote write.
pub(crate) fn remote_write(address: SocketAddr, machines: u64, start_ms: u64) -> Vec<Box<dyn Sender>> {
    let sender = |machines| -> Box<dyn Sender> {
        let scrapes = Scrapes::new(machines, start_ms);
        let encoded = RemoteWriteScrape::new(&scrapes.series);
        Box::new(RemoteWrite { scrapes, encoded, client: Client::new(address) })
    };
    shares(machines).map(sender).collect()
}

struct Logs {
    requests: LogRequests,
    /// Every other one of all requests.
    next: u64,
    body: Vec<u8>,
    poster: Poster,
}

impl Sender for Logs {
    fn prepare(&mut self) -> u64 {
        self.requests.body(self.next).clone_into(&mut self.body);
        self.next += CONNECTIONS;
        RECORDS
    }

    fn send(&mut self) -> Result<()> {
        self.poster.post::<ExportLogsServiceRequest>(&self.body)
    }
}

/// Senders of log records, of which about so many are sent before the kill.
///
/// # Errors
/// When one cannot be set up.
pub(crate) fn logs(address: SocketAddr, records: u64) -> Result<Vec<Box<dyn Sender>>> {
    let timeline = Timeline::ending_before(now_ms() * 1_000_000, records);
    let sender = |next| -> Result<Box<dyn Sender>> {
        let (requests, poster) = (LogRequests::new(timeline)?, Poster::new(address)?);
        Ok(Box::new(Logs { requests, next, body: Vec::new(), poster }))
    };
    (0..CONNECTIONS).map(sender).collect()
}

/// Now, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}
