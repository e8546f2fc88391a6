use std::collections::BTreeSet;

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
    /// Memory for labels of series of files, which is what most queries begin with, and a quarter as much
    /// for where in files their samples are; counted in `memory.limit`. Needs a restart.
    pub series_cache: ByteSize,
    /// Experimental functions, durations that are computed, `anchored`, `smoothed` and `fill` are allowed.
    pub experimental: bool,
    /// A metric's name is dropped at the end of a query, not at each function.
    pub delayed_name_removal: bool,
    /// Start times of samples take part in finding resets of counters.
    pub start_timestamps: bool,
    /// Attributes of OpenTelemetry's resources that are labels of all their series, besides `job` and
    /// `instance`: `k8s.pod.name` is `k8s_pod_name`. Holds for what is stored already, too.
    pub promote_resource_attributes: Vec<String>,
    /// All attributes of resources are labels. Not together with `promote_resource_attributes`.
    pub promote_all_resource_attributes: bool,
    /// Those that are not, with `promote_all_resource_attributes`.
    pub ignore_resource_attributes: Vec<String>,
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
            promote_resource_attributes: Vec::new(),
            promote_all_resource_attributes: false,
            ignore_resource_attributes: Vec::new(),
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
        report.within("prometheus", &self.prometheus);
    }
}

impl Validate for PrometheusConfig {
    fn validate(&self, report: &mut Report) {
        if self.lookback.is_zero() {
            report.error("lookback", "must not be zero");
        }
        for (name, limit) in [("samples", self.samples), ("series", self.series)] {
            if limit == 0 {
                report.error(name, "must be at least 1");
            }
        }
        let (these, all) = ("promote_resource_attributes", "promote_all_resource_attributes");
        let ignored = "ignore_resource_attributes";
        if self.promote_all_resource_attributes && !self.promote_resource_attributes.is_empty() {
            report.conflict(&[these, all], format!("must be empty where `{all}` is set"));
        }
        if !self.promote_all_resource_attributes && !self.ignore_resource_attributes.is_empty() {
            report.conflict(&[ignored, all], format!("must be empty where `{all}` is not set"));
        }
        for (name, keys) in
            [(these, &self.promote_resource_attributes), (ignored, &self.ignore_resource_attributes)]
        {
            let mut seen = BTreeSet::new();
            for key in keys.iter().map(|key| key.trim()) {
                if key.is_empty() {
                    report.error(name, "must not have an empty name");
                } else if !seen.insert(key) {
                    report.error(name, format!("must not have `{key}` more than once"));
                }
            }
        }
    }
}
