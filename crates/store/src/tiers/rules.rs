//! The rules of the configuration, ready to be asked.

use std::time::Duration;

use regex::Regex;
use xxhash_rust::xxh3::Xxh3;

use super::TierConfig;
use crate::manifest::TierOf;

/// Stands for the samples that no rule names.
const REST: u64 = 0;

/// All rules, in their order, and behind them the one for what they leave.
#[derive(Debug)]
pub(crate) struct Rules {
    all: Vec<Rule>,
}

/// What becomes of the samples of some metrics.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Tells it apart from every other, also after the configuration was changed.
    pub(crate) key: u64,
    patterns: Vec<Regex>,
    /// `None` where the retention of the table counts.
    raw: Option<Kept>,
    pub(crate) levels: Vec<Level>,
}

/// How long something is kept; `None` for ever.
pub(crate) type Kept = Option<Duration>;

/// A resolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    pub(crate) resolution_ms: u64,
    pub(crate) after_nanos: i64,
    pub(crate) keep: Kept,
}

/// A pattern that matches whole names.
pub(super) fn pattern(pattern: &str) -> Result<Regex, regex::Error> {
    // One that is none by itself may be one between parentheses.
    Regex::new(pattern)?;
    Regex::new(&format!("^(?s:{pattern})$"))
}

impl Rules {
    /// Of a configuration that was validated; a pattern that is none matches nothing.
    pub(crate) fn new(tiers: &[TierConfig]) -> Self {
        let mut before = Xxh3::new();
        let rule = |tier: &TierConfig| {
            // Which metrics it is about depends on the patterns before it.
            tier.metrics.iter().for_each(|pattern| {
                before.update(&(pattern.len() as u64).to_le_bytes());
                before.update(pattern.as_bytes());
            });
            before.update(&[0xff]);
            let levels = tier.downsample.iter().map(|level| Level {
                resolution_ms: u64::try_from(level.resolution.get().as_millis()).unwrap_or(u64::MAX),
                after_nanos: i64::try_from(level.after.get().as_nanos()).unwrap_or(i64::MAX),
                keep: kept(level.retention),
            });
            Rule {
                key: before.digest().max(REST + 1),
                patterns: tier.metrics.iter().filter_map(|text| pattern(text).ok()).collect(),
                raw: tier.retention.map(kept),
                levels: levels.collect(),
            }
        };
        let mut all: Vec<_> = tiers.iter().map(rule).collect();
        all.push(Rule { key: REST, patterns: Vec::new(), raw: None, levels: Vec::new() });
        Self { all }
    }

    /// Whether the configuration has any.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.len() == 1
    }

    pub(crate) fn all(&self) -> &[Rule] {
        &self.all
    }

    /// The place of the rule for a metric.
    pub(crate) fn of(&self, metric: &str) -> usize {
        let rest = self.all.len() - 1;
        self.all.iter().position(|rule| rule.matches(metric)).unwrap_or(rest)
    }

    /// How long what was downsampled so is kept; nothing where the rule is no more.
    pub(crate) fn keep(&self, tier: TierOf) -> Option<Kept> {
        let rule = self.all.iter().find(|rule| rule.key == tier.rule)?;
        let level = rule.levels.iter().find(|level| level.resolution_ms == tier.resolution_ms)?;
        Some(level.keep)
    }

    /// The longest that anything of a sample is kept, where `general` is as long as rules say nothing.
    pub(crate) fn longest(&self, general: Kept) -> Kept {
        let of_rule = |rule: &Rule| rule.longest(general);
        self.all.iter().map(of_rule).collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

impl Rule {
    fn matches(&self, metric: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.is_match(metric))
    }

    /// How long samples are kept as they came.
    pub(crate) fn raw(&self, general: Kept) -> Kept {
        self.raw.unwrap_or(general)
    }

    fn longest(&self, general: Kept) -> Kept {
        let levels = self.levels.iter().map(|level| level.keep);
        levels.chain([self.raw(general)]).collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

fn kept(duration: fresnel_sdk::config::Duration) -> Kept {
    (!duration.is_zero()).then(|| duration.get())
}

#[cfg(test)]
mod tests {
    use fresnel_sdk::config::Duration;

    use super::*;

    fn tier(metrics: &[&str], days: Option<u64>) -> TierConfig {
        let metrics = metrics.iter().map(|metric| (*metric).to_owned()).collect();
        TierConfig { metrics, retention: days.map(Duration::from_days), downsample: Vec::new() }
    }

    #[test]
    fn the_first_rule_that_names_a_metric_counts() {
        let rules = Rules::new(&[tier(&["node_.+", "up"], Some(15)), tier(&["node_cpu"], Some(1))]);
        let of = |metric| rules.of(metric);
        assert_eq!([of("node_cpu"), of("up"), of("ups"), of("my_node_cpu"), of("node_")], [0, 0, 2, 2, 2]);
        let general = Some(std::time::Duration::from_hours(24 * 30));
        assert_eq!(rules.all()[2].raw(general), general);
        assert_eq!(rules.longest(general), general);
        assert_eq!(Rules::new(&[tier(&[], Some(0))]).longest(general), None);
        assert_eq!(Rules::new(&[tier(&[], None)]).of("anything"), 0);
    }

    #[test]
    fn a_rule_is_another_one_when_the_patterns_before_it_are() {
        let keys =
            |tiers: &[TierConfig]| Rules::new(tiers).all().iter().map(|rule| rule.key).collect::<Vec<_>>();
        let (a, b) = (tier(&["a"], None), tier(&["b"], None));
        let (both, swapped) = (keys(&[a.clone(), b.clone()]), keys(&[b.clone(), a.clone()]));
        assert_eq!(both[0], keys(std::slice::from_ref(&a))[0]);
        assert_ne!(both[1], keys(std::slice::from_ref(&b))[0]);
        assert_ne!(both[1], swapped[1]);
        assert_ne!(keys(&[tier(&["a", "b"], None)])[0], both[1]);
        let longer = tier(&["a"], Some(3));
        assert_eq!(keys(&[longer])[0], both[0], "how long it keeps something is not what it is about");
    }
}
