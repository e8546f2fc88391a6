//! Native histograms with float counts.

use std::sync::Arc;

/// Schema of a histogram whose bounds are its own ([`Histogram::custom_values`]).
pub const CUSTOM_BUCKETS: i32 = -53;

/// A native histogram; counts are absolute, one for each bucket of the spans.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    pub counter_reset_hint: CounterResetHint,
    /// -4 to 8: bounds are powers of 2^(2^-schema); or [`CUSTOM_BUCKETS`].
    pub schema: i32,
    pub zero_threshold: f64,
    pub zero_count: f64,
    pub count: f64,
    pub sum: f64,
    pub positive_spans: Vec<BucketSpan>,
    pub negative_spans: Vec<BucketSpan>,
    pub positive_buckets: Vec<f64>,
    pub negative_buckets: Vec<f64>,
    /// Upper bounds without +Inf, ascending; empty unless the schema says custom.
    pub custom_values: Arc<[f64]>,
}

/// A run of buckets: the gap to the run before (to bucket 0 for the first) and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketSpan {
    pub offset: i32,
    pub length: u32,
}

/// What the sender knew about a counter reset between the sample before and this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CounterResetHint {
    #[default]
    Unknown,
    Reset,
    NotReset,
    Gauge,
}
