//! Requests as real senders make them: 1,000 records each, of several services, equal in every run
//! but for the day.
//!
//! Times advance from request to request and stay within one day, yesterday, so that a table has
//! one partition. Log records and spans have six attributes and take some 350 to 400 bytes; metric
//! points are those of a fleet that reports its same series again and again.

mod logs;
mod metrics;
mod resource;
mod spans;

use std::borrow::Cow;

use anyhow::{Context, Result};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use testkit::http::Request;
use testkit::otlp::{Encoding, Format, raw};
use testkit::records::now_unix_nano;

/// Records of a request.
pub(crate) const RECORDS: usize = 1_000;
/// Senders whose records a collector puts into one request.
pub(crate) const COLLECTED: usize = 4;
const DAY_NANOS: u64 = 86_400_000_000_000;

/// One of the three signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Log records.
    Logs,
    /// Spans.
    Spans,
    /// Metric points.
    Metrics,
}

impl Signal {
    /// All three.
    pub(crate) const ALL: [Self; 3] = [Self::Logs, Self::Spans, Self::Metrics];

    /// Its name, which is also that of its SQL table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Metrics => "metrics",
        }
    }

    /// Its tables in files.
    pub(crate) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Logs => &["logs"],
            Self::Spans => &["spans"],
            Self::Metrics => &["samples", "histograms", "series", "exemplars"],
        }
    }

    /// The request with this index, of so many senders, as protobuf.
    fn encode(self, index: usize, senders: usize, start: u64) -> Vec<u8> {
        let parts = index * senders..(index + 1) * senders;
        let records = RECORDS / senders;
        match self {
            Self::Logs => {
                let resource_logs = parts.map(|sender| logs::part(sender, records, start)).collect();
                ExportLogsServiceRequest { resource_logs }.encode_to_vec()
            }
            Self::Spans => {
                let resource_spans = parts.map(|sender| spans::part(sender, records, start)).collect();
                ExportTraceServiceRequest { resource_spans }.encode_to_vec()
            }
            Self::Metrics => {
                let resource_metrics = parts.map(|sender| metrics::part(sender, records, start)).collect();
                ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
            }
        }
    }

    fn post(self, body: Vec<u8>, encoding: Encoding) -> Request {
        match self {
            Self::Logs => raw::<ExportLogsServiceRequest>(body, Format::Protobuf, encoding),
            Self::Spans => raw::<ExportTraceServiceRequest>(body, Format::Protobuf, encoding),
            Self::Metrics => raw::<ExportMetricsServiceRequest>(body, Format::Protobuf, encoding),
        }
    }

    /// Decodes a request with prost, and drops it; how many resources it has.
    pub(crate) fn prost(self, body: &[u8]) -> Result<usize> {
        let resources = match self {
            Self::Logs => ExportLogsServiceRequest::decode(body).map(|request| request.resource_logs.len()),
            Self::Spans => {
                ExportTraceServiceRequest::decode(body).map(|request| request.resource_spans.len())
            }
            Self::Metrics => {
                ExportMetricsServiceRequest::decode(body).map(|request| request.resource_metrics.len())
            }
        };
        resources.context("prost decodes what it encoded")
    }
}

/// Requests of one signal, as protobuf without compression.
pub(crate) struct Bodies {
    signal: Signal,
    bodies: Vec<Vec<u8>>,
}

impl Bodies {
    /// This many distinct requests, each of one sender.
    pub(crate) fn make(signal: Signal, requests: usize) -> Self {
        Self::of(signal, requests, 1)
    }

    /// This many distinct requests, each of [`COLLECTED`] senders.
    pub(crate) fn collected(signal: Signal, requests: usize) -> Self {
        Self::of(signal, requests, COLLECTED)
    }

    fn of(signal: Signal, requests: usize, senders: usize) -> Self {
        let start = yesterday();
        Self { signal, bodies: (0..requests).map(|index| signal.encode(index, senders, start)).collect() }
    }

    /// Each body.
    pub(crate) fn bodies(&self) -> &[Vec<u8>] {
        &self.bodies
    }

    /// Bytes of all bodies.
    pub(crate) fn bytes(&self) -> u64 {
        self.bodies.iter().map(|body| body.len() as u64).sum()
    }

    /// Records in all bodies.
    pub(crate) fn records(&self) -> u64 {
        (self.bodies.len() * RECORDS) as u64
    }

    /// As a sender with this encoding posts them.
    pub(crate) fn requests(&self, encoding: Encoding) -> Vec<Request> {
        self.bodies.iter().map(|body| self.signal.post(encoding.encode(body), encoding)).collect()
    }
}

/// For [`crate::load`]: each request once.
pub(crate) fn once<'a>(requests: &'a [Request]) -> impl Fn(usize) -> Option<Cow<'a, Request>> + Sync {
    |index| requests.get(index).map(Cow::Borrowed)
}

/// For [`crate::load`]: this many, again from the first where there are fewer.
pub(crate) fn cycle<'a>(
    requests: &'a [Request],
    count: usize,
) -> impl Fn(usize) -> Option<Cow<'a, Request>> + Sync {
    move |index| (index < count).then(|| Cow::Borrowed(&requests[index % requests.len()]))
}

/// The begin of yesterday, in UTC.
fn yesterday() -> u64 {
    let now = now_unix_nano();
    now - now % DAY_NANOS - DAY_NANOS
}

#[cfg(test)]
mod tests;
