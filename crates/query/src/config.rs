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
    }
}
