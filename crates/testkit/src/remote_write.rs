//! Prometheus' remote write as any sender writes it. The messages are those of its `.proto` files.

use std::collections::HashMap;

use prost::{Message, Oneof};

use crate::http::{Request, Response};

/// Where it is posted.
pub const PATH: &str = "/prometheus/api/v1/write";
/// The content type of version 1 as Prometheus sends it.
pub const V1: &str = "application/x-protobuf";
/// The content type of version 2.
pub const V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

/// The request that carries a message, compressed as senders do.
pub fn request(content_type: &str, message: &impl Message) -> Request {
    raw(content_type, "snappy", snappy(&bytes(message)))
}

/// A message as it is.
pub fn bytes(message: &impl Message) -> Vec<u8> {
    message.encode_to_vec()
}

/// The request that carries these bytes as if they were such a message; without the header where no
/// encoding is named.
pub fn raw(content_type: &str, encoding: &str, body: Vec<u8>) -> Request {
    let request = Request::post(PATH, body).header("content-type", content_type);
    if encoding.is_empty() { request } else { request.header("content-encoding", encoding) }
}

/// Snappy's block format.
pub fn snappy(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).expect("a message is shorter than 4 GiB")
}

/// Samples, histograms and exemplars that an answer says were written.
///
/// # Panics
/// When it does not say so.
#[track_caller]
pub fn written(response: &Response) -> (u64, u64, u64) {
    let of = |what: &str| {
        let name = format!("x-prometheus-remote-write-{what}-written");
        match response.header(&name).and_then(|count| count.parse().ok()) {
            Some(count) => count,
            None => panic!("no {name} in {:?}", response.headers),
        }
    };
    (of("samples"), of("histograms"), of("exemplars"))
}

/// `prometheus.WriteRequest`
#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    /// Series with their samples.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
    /// What is known of metrics.
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<MetricMetadata>,
}

/// `prometheus.MetricMetadata`
#[derive(Clone, PartialEq, Message)]
pub struct MetricMetadata {
    /// 1 counter, 2 gauge, 3 histogram, 5 summary.
    #[prost(int32, tag = "1")]
    pub r#type: i32,
    /// Which metric.
    #[prost(string, tag = "2")]
    pub metric_family_name: String,
    /// What it is.
    #[prost(string, tag = "4")]
    pub help: String,
    /// Its unit.
    #[prost(string, tag = "5")]
    pub unit: String,
}

/// `prometheus.TimeSeries`
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    /// Its name is one of them.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Numbers.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// Examples.
    #[prost(message, repeated, tag = "3")]
    pub exemplars: Vec<Exemplar>,
    /// Native histograms.
    #[prost(message, repeated, tag = "4")]
    pub histograms: Vec<Histogram>,
}

/// `prometheus.Label`
#[derive(Clone, PartialEq, Message)]
pub struct Label {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `Sample` of both versions.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Sample {
    /// Value.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
    /// Version 2: when its counter began.
    #[prost(int64, tag = "3")]
    pub start_timestamp: i64,
}

/// `prometheus.Exemplar`
#[derive(Clone, PartialEq, Message)]
pub struct Exemplar {
    /// A trace, mostly.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// Value.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}

/// `Histogram` of both versions, as far as tests need it.
#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    /// Observations.
    #[prost(oneof = "Count", tags = "1, 2")]
    pub count: Option<Count>,
    /// Of the observations.
    #[prost(double, tag = "3")]
    pub sum: f64,
    /// -53: custom bounds.
    #[prost(sint32, tag = "4")]
    pub schema: i32,
    /// How far the bucket around zero reaches.
    #[prost(double, tag = "5")]
    pub zero_threshold: f64,
    /// Not an integer: observations around zero.
    #[prost(double, tag = "7")]
    pub zero_count_float: f64,
    /// Runs of buckets below zero.
    #[prost(message, repeated, tag = "8")]
    pub negative_spans: Vec<BucketSpan>,
    /// Of counts that are doubles.
    #[prost(double, repeated, tag = "10")]
    pub negative_counts: Vec<f64>,
    /// Runs of buckets.
    #[prost(message, repeated, tag = "11")]
    pub positive_spans: Vec<BucketSpan>,
    /// Of integer counts, each less the one before.
    #[prost(sint64, repeated, tag = "12")]
    pub positive_deltas: Vec<i64>,
    /// Of counts that are doubles.
    #[prost(double, repeated, tag = "13")]
    pub positive_counts: Vec<f64>,
    /// 0 unknown, 1 reset, 2 no reset, 3 gauge.
    #[prost(int32, tag = "14")]
    pub reset_hint: i32,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "15")]
    pub timestamp: i64,
    /// Bounds of custom buckets.
    #[prost(double, repeated, tag = "16")]
    pub custom_values: Vec<f64>,
    /// Version 2: when its counter began.
    #[prost(int64, tag = "17")]
    pub start_timestamp: i64,
}

/// How often something was observed.
#[derive(Clone, Copy, PartialEq, Oneof)]
pub enum Count {
    /// An integer.
    #[prost(uint64, tag = "1")]
    CountInt(u64),
    /// Not an integer.
    #[prost(double, tag = "2")]
    CountFloat(f64),
}

/// `BucketSpan` of both versions.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct BucketSpan {
    /// Gap before it.
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    /// Buckets.
    #[prost(uint32, tag = "2")]
    pub length: u32,
}

/// `io.prometheus.write.v2.Request`
#[derive(Clone, PartialEq, Message)]
pub struct RequestV2 {
    /// Texts that labels refer to; the first is empty.
    #[prost(string, repeated, tag = "4")]
    pub symbols: Vec<String>,
    /// Series with their samples.
    #[prost(message, repeated, tag = "5")]
    pub timeseries: Vec<TimeSeriesV2>,
}

/// `io.prometheus.write.v2.TimeSeries`
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeriesV2 {
    /// Names and values in turn.
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: Vec<u32>,
    /// Numbers.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// Native histograms.
    #[prost(message, repeated, tag = "3")]
    pub histograms: Vec<Histogram>,
    /// Examples.
    #[prost(message, repeated, tag = "4")]
    pub exemplars: Vec<ExemplarV2>,
    /// What is known of the metric.
    #[prost(message, optional, tag = "5")]
    pub metadata: Option<MetadataV2>,
}

/// `io.prometheus.write.v2.Exemplar`
#[derive(Clone, PartialEq, Message)]
pub struct ExemplarV2 {
    /// Names and values in turn.
    #[prost(uint32, repeated, tag = "1")]
    pub labels_refs: Vec<u32>,
    /// Value.
    #[prost(double, tag = "2")]
    pub value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "3")]
    pub timestamp: i64,
}

/// `io.prometheus.write.v2.Metadata`
#[derive(Clone, Copy, PartialEq, Message)]
pub struct MetadataV2 {
    /// 1 counter, 2 gauge.
    #[prost(int32, tag = "1")]
    pub r#type: i32,
    /// What it is.
    #[prost(uint32, tag = "3")]
    pub help_ref: u32,
    /// Of its values.
    #[prost(uint32, tag = "4")]
    pub unit_ref: u32,
}

/// Labels of these names and values.
pub fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    pairs.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }).collect()
}

/// A series of these labels with samples of these values and times in milliseconds.
pub fn series(pairs: &[(&str, &str)], samples: &[(f64, i64)]) -> TimeSeries {
    let sample =
        |(value, timestamp): &(f64, i64)| Sample { value: *value, timestamp: *timestamp, start_timestamp: 0 };
    TimeSeries { labels: labels(pairs), samples: samples.iter().map(sample).collect(), ..Default::default() }
}

impl RequestV2 {
    /// The samples of a message of version 1.
    pub fn of(message: &WriteRequest) -> Self {
        let mut symbols = vec![String::new()];
        let mut known = HashMap::new();
        let mut reference = |text: &String| {
            *known.entry(text.clone()).or_insert_with(|| {
                symbols.push(text.clone());
                u32::try_from(symbols.len() - 1).expect("a test has few symbols")
            })
        };
        let series = |series: &TimeSeries| TimeSeriesV2 {
            labels_refs: series
                .labels
                .iter()
                .flat_map(|label| [reference(&label.name), reference(&label.value)])
                .collect(),
            samples: series.samples.clone(),
            ..Default::default()
        };
        let timeseries = message.timeseries.iter().map(series).collect();
        Self { symbols, timeseries }
    }

    /// The references that stand for these labels; what is new becomes a symbol.
    pub fn references(&mut self, pairs: &[(&str, &str)]) -> Vec<u32> {
        pairs.iter().flat_map(|(name, value)| [self.symbol(name), self.symbol(value)]).collect()
    }

    /// The reference that stands for a text.
    pub fn symbol(&mut self, text: &str) -> u32 {
        if self.symbols.is_empty() {
            self.symbols.push(String::new());
        }
        let known = self.symbols.iter().position(|symbol| symbol == text);
        let index = known.unwrap_or_else(|| {
            self.symbols.push(text.to_owned());
            self.symbols.len() - 1
        });
        u32::try_from(index).expect("a test has few symbols")
    }
}
