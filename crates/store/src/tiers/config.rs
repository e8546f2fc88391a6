use std::collections::BTreeSet;

use fresnel_sdk::config::{Duration, Report};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most rules, and most resolutions of one.
const TIERS_MAX: usize = 64;
const LEVELS_MAX: usize = 8;
const DAY_MS: u128 = 86_400_000;

/// How long samples, histograms and summaries of some metrics stay as they came, and what is kept of them
/// afterwards. Of several that name a metric, the first counts. Exemplars stay as `store.retention` says.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TierConfig {
    /// Regular expressions of which one matches the whole name of a metric, as it is stored: that of
    /// OpenTelemetry, and of a series of Prometheus its `__name__`; for example `node_.*`. All metrics
    /// when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
    /// How long these stay as they came, `0` for ever; as `store.retention` says when missing. They
    /// are removed a UTC day at a time, and not before they were downsampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Duration>,
    /// What they are downsampled to; resolutions ascend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub downsample: Vec<DownsampleConfig>,
}

/// A resolution that samples, histograms and summaries are downsampled to.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DownsampleConfig {
    /// How long after the end of a UTC day its samples are downsampled; less than they stay as they
    /// came.
    pub after: Duration,
    /// The length of a window, which a day is a whole multiple of; at least 1s.
    pub resolution: Duration,
    /// How long what a window comes to stays, `0` for ever; longer than `after`.
    pub retention: Duration,
}

impl TierConfig {
    /// Checks what is at `path`; `raw` is how long samples stay that no rule says anything about.
    fn check(&self, path: &str, raw: Option<std::time::Duration>, report: &mut Report) {
        for (number, pattern) in self.metrics.iter().enumerate() {
            if let Some(reason) = wrong(pattern) {
                report.error(&format!("{path}.metrics[{number}]"), reason);
            }
        }
        if self.downsample.len() > LEVELS_MAX {
            report.error(&format!("{path}.downsample"), format!("must be at most {LEVELS_MAX}"));
        }
        let raw = match self.retention {
            Some(own) => (!own.is_zero()).then(|| own.get()),
            None => raw,
        };
        let mut finest = 0;
        for (number, level) in self.downsample.iter().enumerate() {
            let path = format!("{path}.downsample[{number}]");
            let resolution = level.resolution.get().as_millis();
            if resolution < 1_000
                || !DAY_MS.is_multiple_of(resolution)
                || level.resolution.get().subsec_nanos() != 0
            {
                report.error(
                    &format!("{path}.resolution"),
                    "must be whole seconds, at least 1s, of which a day is a multiple",
                );
            } else if resolution <= finest {
                report.error(&format!("{path}.resolution"), "must be longer than the one before");
            }
            finest = finest.max(resolution);
            if raw.is_some_and(|raw| level.after.get() >= raw) {
                report.error(&format!("{path}.after"), "must be less than samples stay as they came");
            }
            if !level.retention.is_zero() && level.retention.get() <= level.after.get() {
                report.error(&format!("{path}.retention"), "must be longer than `after`");
            }
        }
    }
}

/// What is wrong with a pattern: it is no regular expression, or was meant to be a glob.
fn wrong(pattern: &str) -> Option<String> {
    if let Err(error) = super::rules::pattern(pattern) {
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let hint = if pattern.starts_with('*') { "; for anything write `.*`" } else { "" };
        return Some(format!("is no regular expression: {reason}{hint}"));
    }
    // `node_*` is one, of names that are `node` and underscores.
    let (mut before, mut escaped) = ('^', false);
    for character in pattern.chars() {
        let is_of_name = !escaped && (before.is_ascii_alphanumeric() || matches!(before, '_' | ':'));
        if character == '*' && is_of_name {
            return Some(format!(
                "is a regular expression, in which `{before}*` is any number of `{before}`; for anything write `.*`"
            ));
        }
        escaped = before == '\\' && !escaped;
        before = character;
    }
    None
}

/// Checks all rules.
pub(crate) fn check(tiers: &[TierConfig], raw: Option<std::time::Duration>, report: &mut Report) {
    if tiers.len() > TIERS_MAX {
        report.error("tiers", format!("must be at most {TIERS_MAX}"));
    }
    let mut known = BTreeSet::new();
    for (number, tier) in tiers.iter().enumerate() {
        tier.check(&format!("tiers[{number}]"), raw, report);
        if !known.insert(&tier.metrics) {
            report.error(&format!("tiers[{number}].metrics"), "must not be those of a rule before");
        }
    }
}
