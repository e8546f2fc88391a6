use fresnel_sdk::config::{Duration, Report, Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Delta Lake tables over the stored files, for other engines.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether the files are published as Delta Lake tables. Without it they can still be read one
    /// by one.
    pub enabled: bool,
    /// How often the tables are brought up to date; 1s to 1h.
    pub interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { enabled: true, interval: Duration::from_secs(30) }
    }
}

impl Validate for Config {
    fn validate(&self, report: &mut Report) {
        if !(Duration::from_secs(1)..=Duration::from_hours(1)).contains(&self.interval) {
            report.error("interval", "must be 1s to 1h");
        }
    }
}
