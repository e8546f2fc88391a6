//! From what a discovery tells to what is scraped.
//!
//! Enters: groups of targets, a job. Leaves: targets with the labels of their series and the URL that
//! they are asked at, and what rules dropped. Must hold: two that would give the same series by the
//! same URL are one.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;
use xxhash_rust::xxh3::xxh3_64;

use super::config::{Group, Job};
use super::labels::Labels;
use super::relabel::{Rule, relabel};

const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAM: &str = "__param_";
const META: &str = "__meta_";
/// What begins so is for the rules, not for the series.
const RESERVED: &str = "__";

/// What is scraped.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// As it was discovered, before the rules.
    pub(super) discovered: Labels,
    /// Of its series.
    pub(super) labels: Labels,
    pub(super) url: Url,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

/// What became of what was discovered.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// By a hash of what makes them different.
    pub(super) active: BTreeMap<u64, Target>,
    pub(super) dropped: Vec<Labels>,
    /// What cannot be scraped, and why.
    pub(super) wrong: Vec<String>,
}

/// The targets of a job.
pub(super) fn targets(groups: &[(Group, Labels)], job: &Job, rules: &[Rule]) -> Targets {
    let mut found = Targets::default();
    for (group, meta) in groups {
        for address in &group.targets {
            let mut discovered: Labels = meta.clone();
            group.labels.iter().for_each(|(name, value)| discovered.set(name, value));
            discovered.set(ADDRESS, address);
            defaults(&mut discovered, job);
            match target(discovered, job, rules) {
                Ok(Some(target)) => drop(found.active.insert(target.id(), target)),
                Ok(None) => {}
                Err(Unusable::Dropped(labels)) => found.dropped.push(labels),
                Err(Unusable::Wrong(reason)) => found.wrong.push(format!("{address}: {reason}")),
            }
        }
    }
    found
}

enum Unusable {
    Dropped(Labels),
    Wrong(String),
}

/// What a job says of every target that does not say otherwise.
fn defaults(labels: &mut Labels, job: &Job) {
    labels.default_to("job", &job.job_name);
    labels.default_to(SCHEME, job.scheme.as_str());
    labels.default_to(PATH, &job.metrics_path);
    labels.default_to(INTERVAL, &job.scrape_interval.unwrap_or_default().to_string());
    labels.default_to(TIMEOUT, &job.scrape_timeout.unwrap_or_default().to_string());
    for (name, values) in &job.params {
        if let Some(first) = values.first() {
            labels.default_to(&format!("{PARAM}{name}"), first);
        }
    }
}

fn target(discovered: Labels, job: &Job, rules: &[Rule]) -> Result<Option<Target>, Unusable> {
    let wrong = |reason: String| Unusable::Wrong(reason);
    let mut labels = discovered.clone();
    if !relabel(&mut labels, rules) {
        return Err(Unusable::Dropped(discovered));
    }
    let address = labels.get(ADDRESS).to_owned();
    if address.is_empty() {
        return Err(wrong("it has no `__address__`".into()));
    }
    if address.contains('/') {
        return Err(wrong(format!("`{address}` must be host and port")));
    }
    let interval = duration(labels.get(INTERVAL)).map_err(wrong)?;
    let timeout = duration(labels.get(TIMEOUT)).map_err(wrong)?;
    if timeout > interval {
        return Err(wrong(format!("the timeout of {timeout:?} is longer than the interval of {interval:?}")));
    }
    let url = url(&labels, &address, job).map_err(wrong)?;
    labels.retain(|name| !name.starts_with(META));
    labels.default_to("instance", &address);
    labels.retain(|name| !name.starts_with(RESERVED));
    Ok(Some(Target { discovered, labels, url, interval, timeout }))
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Result<fresnel_sdk::config::Duration, _> = text.parse();
    match parsed {
        Ok(duration) if !duration.is_zero() => Ok(duration.get()),
        _ => Err(format!("`{text}` is no time between scrapes")),
    }
}

fn url(labels: &Labels, address: &str, job: &Job) -> Result<Url, String> {
    let base = format!("{}://{address}", labels.get(SCHEME));
    let mut url = Url::parse(&base).map_err(|error| format!("`{base}` is no URL: {error}"))?;
    // A path may bring its own question, as a job's `metrics_path` may not: Prometheus escapes it too.
    url.set_path(labels.get(PATH));
    let mut parameters: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, values) in &job.params {
        parameters.insert(name, values.iter().map(String::as_str).collect());
    }
    for (name, value) in labels.iter() {
        if let Some(name) = name.strip_prefix(PARAM) {
            let values = parameters.entry(name).or_default();
            match values.first_mut() {
                Some(first) => *first = value,
                None => values.push(value),
            }
        }
    }
    if !parameters.is_empty() {
        let pairs =
            parameters.iter().flat_map(|(name, values)| values.iter().map(move |value| (*name, *value)));
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(url)
}

impl Target {
    /// What tells it from others.
    pub(super) fn id(&self) -> u64 {
        let mut bytes = self.labels.flat().into_vec();
        bytes.extend_from_slice(self.url.as_str().as_bytes());
        bytes.extend_from_slice(format!("{:?} {:?}", self.interval, self.timeout).as_bytes());
        xxh3_64(&bytes)
    }

    /// How long to wait for the first scrape: a time of its own within the interval, the same after a
    /// restart, so that targets are spread over it.
    pub(super) fn first(&self, now_unix_nano: i64) -> Duration {
        let interval = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        let now = now_unix_nano.cast_unsigned() % interval;
        let own = self.id() % interval;
        Duration::from_nanos((own + interval - now) % interval)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::super::config::{Global, PrometheusFile};
    use super::*;

    fn found(job: serde_json::Value) -> Targets {
        let file: PrometheusFile =
            serde_json::from_value(serde_json::json!({ "scrape_configs": [job] })).unwrap();
        let job = file.scrape_configs[0].resolved(&Global::default(), Path::new(""));
        let groups: Vec<_> =
            job.static_configs.iter().map(|group| (group.clone(), Labels::default())).collect();
        let rules: Vec<_> = job.relabel_configs.iter().map(|rule| Rule::new(rule).unwrap()).collect();
        targets(&groups, &job, &rules)
    }

    fn told(labels: &Labels) -> String {
        labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_target_has_the_labels_and_the_url_that_prometheus_gives_it() {
        let found = found(serde_json::json!({
            "job_name": "node", "scheme": "https", "params": {"module": ["a b", "c"]},
            "static_configs": [{"targets": ["a:1", "a:1", "b"], "labels": {"zone": "x", "__param_module": "own"}}],
        }));
        let told: Vec<_> =
            found.active.values().map(|target| (told(&target.labels), target.url.to_string())).collect();
        let expected = [
            ("instance=a:1 job=node zone=x".to_owned(), "https://a:1/metrics?module=own&module=c".to_owned()),
            ("instance=b job=node zone=x".to_owned(), "https://b/metrics?module=own&module=c".to_owned()),
        ];
        assert_eq!((told.len(), expected.iter().all(|it| told.contains(it))), (2, true), "{told:?}");
        let discovered = &found.active.values().next().unwrap().discovered;
        assert_eq!(
            (discovered.get("__scrape_interval__"), discovered.get("__scrape_timeout__")),
            ("1m", "10s")
        );
    }

    #[test]
    fn rules_say_where_and_how_often_a_target_is_asked_and_which_are_dropped() {
        let found = found(serde_json::json!({
            "job_name": "blackbox",
            "static_configs": [{"targets": ["drop:1", "http-host:80", "empty:1", "slow:1"]}],
            "relabel_configs": [
                {"source_labels": ["__address__"], "regex": "drop.*", "action": "drop"},
                {"source_labels": ["__address__"], "target_label": "__param_target"},
                {"source_labels": ["__param_target"], "target_label": "instance"},
                {"source_labels": ["__address__"], "regex": "empty:1", "target_label": "__address__", "replacement": ""},
                {"source_labels": ["__address__"], "regex": "slow:1", "target_label": "__scrape_timeout__", "replacement": "2m"},
                {"source_labels": ["__address__"], "regex": "http-.*", "target_label": "__address__", "replacement": "prober:9115"},
                {"target_label": "__metrics_path__", "replacement": "/probe"},
                {"target_label": "__scrape_interval__", "replacement": "30s"},
                {"target_label": "__tmp", "replacement": "x"},
            ],
        }));
        let target = found.active.values().next().unwrap();
        assert_eq!((found.active.len(), target.interval), (1, Duration::from_secs(30)));
        assert_eq!(target.url.as_str(), "http://prober:9115/probe?target=http-host%3A80");
        assert_eq!(told(&target.labels), "instance=http-host:80 job=blackbox");
        assert_eq!(found.dropped.len(), 1);
        assert_eq!(found.wrong.len(), 2, "{:?}", found.wrong);
    }

    #[test]
    fn the_first_scrapes_are_spread_over_the_interval() {
        let targets: Vec<String> = (0..200).map(|number| format!("host-{number}:1")).collect();
        let found = found(serde_json::json!({"job_name": "many", "static_configs": [{"targets": targets}]}));
        let now = 1_700_000_000_123_456_789;
        let seconds: Vec<u64> = found.active.values().map(|target| target.first(now).as_secs()).collect();
        assert!(seconds.iter().all(|second| *second < 60));
        let in_first_half = seconds.iter().filter(|second| **second < 30).count();
        assert!((60..140).contains(&in_first_half), "{in_first_half} of 200");
    }
}
