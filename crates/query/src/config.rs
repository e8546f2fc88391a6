use fresnel_sdk::config::{ByteSize, Duration, Report, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits on queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a query may take when it does not say.
    pub timeout: Duration,
    /// The longest time a query may ask for.
    pub timeout_max: Duration,
    /// The part of `memory.limit` that one query may use, above 0 and at most 1.
    pub memory_share: f64,
    /// Queries that run at the same time. Needs a restart.
    pub concurrency: usize,
    /// Queries that wait for their turn; more are refused. Needs a restart.
    pub queue_max: usize,
    /// Memory for footers and page indexes of segments, counted in `memory.limit`. Needs a restart.
    pub metadata_cache: ByteSize,
    /// PromQL.
    pub prometheus: PrometheusConfig,
}

/// How PromQL is evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusConfig {
    /// How far an instant selector looks back.
    pub lookback: Duration,
    /// Samples that a query may hold at the same time; at most as many as its share of the memory has room for, 16 bytes each.
    pub samples: usize,
    /// Series that a query may touch.
    pub series: usize,
    /// Memory for labels of series of files, which is what most queries begin with, counted in
    /// `memory.limit`. Needs a restart.
    pub series_cache: ByteSize,
    /// Experimental functions, durations that are computed, `anchored`, `smoothed` and `fill` are allowed.
    pub experimental: bool,
    /// A metric's name is dropped at the end of a query, not at each function.
    pub delayed_name_removal: bool,
    /// Start times of samples take part in finding resets of counters.
    pub start_timestamps: bool,
}

impl Default for PrometheusConfig {
    fn default() -> Self {
        Self {
            lookback: Duration::from_mins(5),
            samples: 50_000_000,
            series: 10_000_000,
            series_cache: ByteSize::mib(64),
            experimental: false,
            delayed_name_removal: false,
            start_timestamps: false,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            timeout_max: Duration::from_mins(10),
            memory_share: 0.25,
            concurrency: 8,
            queue_max: 64,
            metadata_cache: ByteSize::mib(32),
            prometheus: PrometheusConfig::default(),
        }
    }
}

impl Validate for Config {
    fn validate(&self, report: &mut Report) {
        if !(self.memory_share > 0.0 && self.memory_share <= 1.0) {
            report.error("memory_share", "must be above 0 and at most 1");
        }
        if self.concurrency == 0 {
            report.error("concurrency", "must be at least 1");
        }
        if self.timeout.is_zero() {
            report.error("timeout", "must not be zero");
        }
        if self.timeout > self.timeout_max {
            report.error("timeout", "must be at most `query.timeout_max`");
        }
        if self.prometheus.lookback.is_zero() {
            report.error("prometheus.lookback", "must not be zero");
        }
        for (name, limit) in
            [("prometheus.samples", self.prometheus.samples), ("prometheus.series", self.prometheus.series)]
        {
            if limit == 0 {
                report.error(name, "must be at least 1");
            }
        }
    }
}
