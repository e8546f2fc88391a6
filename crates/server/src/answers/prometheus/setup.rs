//! What Prometheus' configuration and command line would say of this server.
//!
//! Enters: the configuration, and that of the scraper. Leaves: what clients look for in
//! `status/config` and `status/flags`, in Prometheus' words. Must hold: secrets are masked; jobs and
//! rules are told to the tenant whose they are.

use std::collections::BTreeMap;
use std::time::SystemTime;

use api::Setup;
use fresnel_sdk::config::{Duration, Watch};
use model::Tenant;
use receive::scrape::Scraper;
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::operations::unix_ms;

/// As the tenant may see it.
pub(super) fn setup(watch: &Watch<Config>, scraper: &Scraper, tenant: &Tenant) -> Setup {
    let config = watch.current();
    let scraped = scraper.config().filter(|_| scraper.tenant() == tenant);
    let reloads: Vec<_> = std::iter::once(watch.last_reload()).chain(scraper.last_reloads()).collect();
    let loaded = reloads.iter().map(|reload| reload.applied).max().unwrap_or(SystemTime::UNIX_EPOCH);
    Setup {
        config: file(&config, scraped, tenant),
        flags: flags(&config),
        retention: retention(&config),
        folder: std::env::current_dir().map(|folder| folder.display().to_string()).unwrap_or_default(),
        host: host(),
        loaded_unix_ms: unix_ms(loaded),
        loaded_well: reloads.iter().all(|reload| reload.failure.is_none()),
    }
}

/// The name of the machine, where the system tells it.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// How long samples stay that no tier keeps otherwise; nothing where they stay for good.
fn retention(config: &Config) -> String {
    let retention = config.store.retention.metrics;
    if retention.is_zero() { String::new() } else { prometheus(retention) }
}

/// Prometheus has no nanoseconds.
fn prometheus(duration: Duration) -> String {
    let milliseconds = u64::try_from(duration.get().as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(milliseconds).to_string()
}

/// The scraper's, and what is configured elsewhere here.
fn file(config: &Config, scraped: Option<Map<String, Value>>, tenant: &Tenant) -> Value {
    let mut file = scraped.unwrap_or_default();
    if config.rules.tenant() == *tenant {
        let rules = &config.rules;
        let global = file.entry("global").or_insert_with(|| json!({}));
        global["evaluation_interval"] = json!(rules.evaluation_interval);
        if !rules.external_labels.is_empty() {
            global["external_labels"] = json!(rules.external_labels);
        }
        if !rules.files.is_empty() {
            file.insert("rule_files".into(), json!(rules.files));
        }
    }
    let query = &config.query.prometheus;
    let mut otlp = Map::new();
    for (key, attributes) in [
        ("promote_resource_attributes", &query.promote_resource_attributes),
        ("ignore_resource_attributes", &query.ignore_resource_attributes),
    ] {
        if !attributes.is_empty() {
            otlp.insert(key.into(), json!(attributes));
        }
    }
    if query.promote_all_resource_attributes {
        otlp.insert("promote_all_resource_attributes".into(), true.into());
    }
    if !otlp.is_empty() {
        file.insert("otlp".into(), otlp.into());
    }
    file.into()
}

/// Those of Prometheus' flags that mean something here.
fn flags(config: &Config) -> BTreeMap<&'static str, String> {
    let (query, rules) = (&config.query, &config.rules);
    let features = [
        ("promql-experimental-functions", query.prometheus.experimental),
        ("promql-duration-expr", query.prometheus.experimental),
        ("promql-extended-range-selectors", query.prometheus.experimental),
        ("promql-delayed-name-removal", query.prometheus.delayed_name_removal),
        ("exemplar-storage", true),
    ];
    let features: Vec<_> = features.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    let mut flags = BTreeMap::from([
        ("enable-feature", features.join(",")),
        ("query.lookback-delta", prometheus(query.prometheus.lookback)),
        ("query.max-concurrency", query.concurrency.to_string()),
        ("query.max-samples", query.prometheus.samples.to_string()),
        ("query.timeout", prometheus(query.timeout)),
        ("rules.alert.for-grace-period", prometheus(rules.for_grace_period)),
        ("rules.alert.for-outage-tolerance", prometheus(rules.for_outage_tolerance)),
        ("rules.max-concurrent-evals", rules.concurrency.to_string()),
        ("storage.tsdb.path", config.store.dir.display().to_string()),
        ("web.enable-otlp-receiver", true.to_string()),
        ("web.enable-remote-write-receiver", true.to_string()),
        ("web.listen-address", config.api.listen.to_string()),
    ]);
    let stays = retention(config);
    if !stays.is_empty() {
        flags.insert("storage.tsdb.retention.time", stays);
    }
    flags
}
