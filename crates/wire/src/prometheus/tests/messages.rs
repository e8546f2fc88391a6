//! The messages as `prompb` has them, for prost.

use prost::{Enumeration, Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    pub(super) metadata: Vec<MetricMetadata>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricMetadata {
    #[prost(int32, tag = "1")]
    pub(super) r#type: i32,
    #[prost(string, tag = "2")]
    pub(super) metric_family_name: String,
    #[prost(string, tag = "4")]
    pub(super) help: String,
    #[prost(string, tag = "5")]
    pub(super) unit: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(super) exemplars: Vec<Exemplar>,
    #[prost(message, repeated, tag = "4")]
    pub(super) histograms: Vec<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(double, tag = "2")]
    pub(super) value: f64,
    #[prost(int64, tag = "3")]
    pub(super) timestamp: i64,
}

/// Of both versions; the first does not know the last field.
macro_rules! histogram {
    ($name:ident $(, $start:ident)?) => {
        #[derive(Clone, PartialEq, Message)]
        pub(super) struct $name {
            #[prost(oneof = "Count", tags = "1, 2")]
            pub(super) count: Option<Count>,
            #[prost(double, tag = "3")]
            pub(super) sum: f64,
            #[prost(sint32, tag = "4")]
            pub(super) schema: i32,
            #[prost(double, tag = "5")]
            pub(super) zero_threshold: f64,
            #[prost(oneof = "ZeroCount", tags = "6, 7")]
            pub(super) zero_count: Option<ZeroCount>,
            #[prost(message, repeated, tag = "8")]
            pub(super) negative_spans: Vec<BucketSpan>,
            #[prost(sint64, repeated, tag = "9")]
            pub(super) negative_deltas: Vec<i64>,
            #[prost(double, repeated, tag = "10")]
            pub(super) negative_counts: Vec<f64>,
            #[prost(message, repeated, tag = "11")]
            pub(super) positive_spans: Vec<BucketSpan>,
            #[prost(sint64, repeated, tag = "12")]
            pub(super) positive_deltas: Vec<i64>,
            #[prost(double, repeated, tag = "13")]
            pub(super) positive_counts: Vec<f64>,
            #[prost(enumeration = "ResetHint", tag = "14")]
            pub(super) reset_hint: i32,
            #[prost(int64, tag = "15")]
            pub(super) timestamp: i64,
            #[prost(double, repeated, tag = "16")]
            pub(super) custom_values: Vec<f64>,
            $(#[prost(int64, tag = "17")] pub(super) $start: i64,)?
        }
    };
}
histogram!(Histogram);
histogram!(HistogramV2, start_timestamp);

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(super) enum Count {
    #[prost(uint64, tag = "1")]
    CountInt(u64),
    #[prost(double, tag = "2")]
    CountFloat(f64),
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(super) enum ZeroCount {
    #[prost(uint64, tag = "6")]
    ZeroCountInt(u64),
    #[prost(double, tag = "7")]
    ZeroCountFloat(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(super) enum ResetHint {
    Unknown = 0,
    Yes = 1,
    No = 2,
    Gauge = 3,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct BucketSpan {
    #[prost(sint32, tag = "1")]
    pub(super) offset: i32,
    #[prost(uint32, tag = "2")]
    pub(super) length: u32,
}

/// `io.prometheus.write.v2.Request`
#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(string, repeated, tag = "4")]
    pub(super) symbols: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    pub(super) timeseries: Vec<TimeSeriesV2>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeriesV2 {
    #[prost(uint32, repeated, tag = "1")]
    pub(super) labels_refs: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<SampleV2>,
    #[prost(message, repeated, tag = "3")]
    pub(super) histograms: Vec<HistogramV2>,
    #[prost(message, repeated, tag = "4")]
    pub(super) exemplars: Vec<ExemplarV2>,
    #[prost(message, optional, tag = "5")]
    pub(super) metadata: Option<Metadata>,
    #[prost(int64, tag = "6")]
    pub(super) created_timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SampleV2 {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
    #[prost(int64, tag = "3")]
    pub(super) start_timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExemplarV2 {
    #[prost(uint32, repeated, tag = "1")]
    pub(super) labels_refs: Vec<u32>,
    #[prost(double, tag = "2")]
    pub(super) value: f64,
    #[prost(int64, tag = "3")]
    pub(super) timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Metadata {
    #[prost(int32, tag = "1")]
    pub(super) r#type: i32,
    #[prost(uint32, tag = "3")]
    pub(super) help_ref: u32,
    #[prost(uint32, tag = "4")]
    pub(super) unit_ref: u32,
}
