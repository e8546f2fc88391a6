use std::collections::BTreeMap;

use fresnel_sdk::config::{Duration, Report, Validate};
use model::Tenant;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Prometheus' recording and alerting rules. Changes, also of the files, take effect at once.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RulesConfig {
    /// Rule files: paths or patterns such as `rules/*.yml`, relative to the folder in which the server
    /// was started.
    pub files: Vec<String>,
    /// Between evaluations of a group that does not say.
    pub evaluation_interval: Duration,
    /// How far in the past a group is evaluated that does not say, for samples that come late.
    pub query_offset: Duration,
    /// Series that a recording rule may give, and alerts of an alerting rule; a group's own `limit` may
    /// be lower.
    pub limit: usize,
    /// Groups that are evaluated at the same time.
    pub concurrency: usize,
    /// Whose series rules read and write.
    pub tenant: String,
    /// `$externalLabels` of templates.
    pub external_labels: BTreeMap<String, String>,
    /// `$externalURL` of templates, where readers find the server.
    pub external_url: String,
    /// After a restart an alert does not fire sooner than this, unless it fired before.
    pub for_grace_period: Duration,
    /// After a longer outage every alert begins anew.
    pub for_outage_tolerance: Duration,
}

impl Default for RulesConfig {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            evaluation_interval: Duration::from_mins(1),
            query_offset: Duration::from_secs(0),
            limit: 100_000,
            concurrency: 4,
            tenant: Tenant::default().to_string(),
            external_labels: BTreeMap::new(),
            external_url: String::new(),
            for_grace_period: Duration::from_mins(10),
            for_outage_tolerance: Duration::from_mins(60),
        }
    }
}

/// More often than once in this many milliseconds nothing is evaluated.
const INTERVAL_MIN_MS: u128 = 100;

impl Validate for RulesConfig {
    fn validate(&self, report: &mut Report) {
        if self.evaluation_interval.get().as_millis() < INTERVAL_MIN_MS {
            report.error("evaluation_interval", format!("must be at least {INTERVAL_MIN_MS}ms"));
        }
        for (name, value) in [("concurrency", self.concurrency), ("limit", self.limit)] {
            if value == 0 {
                report.error(name, "must be at least 1");
            }
        }
        if let Err(error) = Tenant::parse(&self.tenant) {
            report.error("tenant", error.to_string());
        }
    }
}

impl RulesConfig {
    /// The tenant; the default one is that of a name that is none, which is refused before.
    pub fn tenant(&self) -> Tenant {
        Tenant::parse(&self.tenant).unwrap_or_default()
    }

    /// What groups do not say themselves.
    pub fn defaults(&self) -> detect::group::Defaults {
        detect::group::Defaults {
            interval_ms: milliseconds(self.evaluation_interval.get()),
            query_offset_ms: milliseconds(self.query_offset.get()),
            limit: self.limit,
            external_labels: self.external_labels.iter().collect(),
            external_url: self.external_url.clone(),
        }
    }
}

/// Milliseconds as Prometheus counts them.
pub fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
