//! Scrapes as Prometheus's remote write, version 1: protobuf written by hand, in a snappy block.

use anyhow::{Context, Result};

use super::series::Series;

/// A time in milliseconds is a varint of six bytes from 1971 to 2109.
const TIME_LEN: usize = 6;
/// Digits of a machine's number in its name, as in OTLP.
const HOST_DIGITS: usize = 12;

/// A scrape of one machine, encoded, with the places of what differs from scrape to scrape.
#[derive(Debug, Default)]
pub(crate) struct RemoteWriteScrape {
    bytes: Vec<u8>,
    hosts: Vec<usize>,
    /// Of the value; the time follows after one byte.
    samples: Vec<usize>,
}

impl RemoteWriteScrape {
    /// Of these series.
    pub(crate) fn new(series: &[Series]) -> Self {
        let mut scrape = Self::default();
        series.iter().for_each(|series| scrape.push(series));
        scrape
    }

    /// One `TimeSeries` with one sample.
    fn push(&mut self, series: &Series) {
        let host = format!("host-{}.example.internal:9100", "0".repeat(HOST_DIGITS));
        let mut labels: Vec<(&str, &str)> =
            vec![("__name__", series.name), ("instance", &host), ("job", "node_exporter")];
        labels.extend(series.labels.iter().map(|(name, value)| (*name, value.as_str())));
        labels.sort_unstable();
        let mut message = Vec::new();
        let mut host_at = 0;
        for (name, value) in labels {
            let mut label = Vec::new();
            field(&mut label, 0x0a, name.as_bytes());
            field(&mut label, 0x12, value.as_bytes());
            field(&mut message, 0x0a, &label);
            if name == "instance" {
                host_at = message.len() - value.len() + "host-".len();
            }
        }
        let mut sample = vec![0x09];
        sample.extend_from_slice(&[0; 8]);
        sample.push(0x10);
        sample.extend_from_slice(&[0; TIME_LEN]);
        field(&mut message, 0x12, &sample);
        field(&mut self.bytes, 0x0a, &message);
        let begin = self.bytes.len() - message.len();
        self.hosts.push(begin + host_at);
        self.samples.push(self.bytes.len() - sample.len() + 1);
    }

    /// Appends a scrape: requests that follow each other are one request.
    pub(crate) fn append(&mut self, body: &mut Vec<u8>, machine: u64, time_ms: u64, values: &[f64]) {
        let host = format!("{machine:0HOST_DIGITS$}");
        let time = time(time_ms);
        for ((host_at, at), value) in self.hosts.iter().zip(&self.samples).zip(values) {
            self.bytes[*host_at..host_at + HOST_DIGITS].copy_from_slice(host.as_bytes());
            self.bytes[*at..at + 8].copy_from_slice(&value.to_le_bytes());
            self.bytes[at + 9..at + 9 + TIME_LEN].copy_from_slice(&time);
        }
        body.extend_from_slice(&self.bytes);
    }
}

/// As snappy's block format.
///
/// # Errors
/// When it is larger than snappy allows.
pub(crate) fn compressed(body: &[u8]) -> Result<Vec<u8>> {
    snap::raw::Encoder::new().compress_vec(body).context("compress")
}

fn time(milliseconds: u64) -> [u8; TIME_LEN] {
    let mut rest = milliseconds;
    std::array::from_fn(|index| {
        let byte = (rest & 0x7f) as u8;
        rest >>= 7;
        if index + 1 < TIME_LEN { byte | 0x80 } else { byte }
    })
}

/// A field with a length.
pub(crate) fn field(message: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    message.push(tag);
    let mut len = bytes.len();
    while len >= 0x80 {
        message.push((len & 0x7f) as u8 | 0x80);
        len >>= 7;
    }
    message.push(len as u8);
    message.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use prost::Message;

    use super::*;
    use crate::restart::series;

    #[derive(Clone, PartialEq, Message)]
    struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        series: Vec<TimeSeries>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        samples: Vec<Sample>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Label {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "2")]
        value: String,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Sample {
        #[prost(double, tag = "1")]
        value: f64,
        #[prost(int64, tag = "2")]
        time: i64,
    }

    #[test]
    fn a_body_is_what_an_independent_decoder_reads() {
        let series = series::all();
        let values: Vec<f64> = (0..507).map(|value| f64::from(value) / 4.0).collect();
        let mut scrape = RemoteWriteScrape::new(&series);
        let mut body = Vec::new();
        scrape.append(&mut body, 7, 1_795_000_000_123, &values);
        scrape.append(&mut body, 42, 1_795_000_000_123, &values);
        let request = WriteRequest::decode(body.as_slice()).unwrap();
        assert_eq!(request.series.len(), 2 * 507);
        for (sent, value) in request.series[507..].iter().zip(&values) {
            assert_eq!(sent.samples, [Sample { value: *value, time: 1_795_000_000_123 }]);
            assert!(sent.labels.is_sorted_by_key(|label| &label.name));
            let instance = sent.labels.iter().find(|label| label.name == "instance").unwrap();
            assert_eq!(instance.value, "host-000000000042.example.internal:9100");
        }
    }
}
