use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use model::Tenant;
use promql::ast::Matcher;
use promql::{Labels, Outcome, Steps};

use super::Fault;

/// What Prometheus' API asks; whoever answers is introduced by `server`.
pub trait Prometheus: Send + Sync + 'static {
    /// Evaluates a query.
    fn prometheus_query(&self, query: PrometheusQuery) -> PrometheusFuture<'_, Outcome>;
    /// The labels of series, ascending, each once.
    fn prometheus_series(&self, selection: PrometheusSelection) -> PrometheusFuture<'_, Vec<Labels>>;
    /// Values of a label of series, or the names of all where none is named; ascending.
    fn prometheus_labels(
        &self,
        selection: PrometheusSelection,
        name: Option<String>,
    ) -> PrometheusFuture<'_, Vec<String>>;
    /// What is known of metrics, or of one.
    fn prometheus_metadata(
        &self,
        tenant: Tenant,
        metric: Option<String>,
    ) -> PrometheusFuture<'_, BTreeMap<String, BTreeSet<MetricMetadata>>>;
    /// Exemplars of series.
    fn prometheus_exemplars(&self, selection: PrometheusSelection) -> PrometheusFuture<'_, Vec<ExemplarsOf>>;
    /// How many series there are of what, at most so many entries a list; by the values of a label, too.
    fn prometheus_statistics(
        &self,
        selection: PrometheusSelection,
        label: Option<String>,
        limit: usize,
    ) -> PrometheusFuture<'_, SeriesStatistics>;
    /// What is scraped for the tenant, by job.
    fn prometheus_targets(&self, tenant: &Tenant) -> Vec<ScrapePool>;
    /// The groups of rules and how they were at their last evaluation, in the order of file and name.
    fn prometheus_rules(&self, tenant: &Tenant) -> Vec<Arc<RuleGroup>>;
    /// What Prometheus' configuration and command line would say, as far as the tenant may see it.
    fn prometheus_setup(&self, tenant: &Tenant) -> Setup;
}

/// What Prometheus' configuration and command line would say.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The configuration, with secrets masked.
    pub config: serde_json::Value,
    /// Flags and their values.
    pub flags: BTreeMap<&'static str, String>,
    /// How long samples stay; empty where that is for good.
    pub retention: String,
    /// The folder in which the server was started.
    pub folder: String,
    /// The name of the machine; empty where it is not known.
    pub host: String,
    /// When the configuration was last read and found to be right, milliseconds since 1970.
    pub loaded_unix_ms: i64,
    /// Whether it is right as it is now.
    pub loaded_well: bool,
}

/// The targets of a job.
#[derive(Clone, Debug, Default)]
pub struct ScrapePool {
    /// The job.
    pub name: String,
    /// Those that are scraped.
    pub active: Vec<ScrapeTarget>,
    /// Labels, before the rules, of those that rules dropped: the first of them.
    pub dropped: Vec<Vec<(String, String)>>,
    /// How many were dropped.
    pub dropped_count: usize,
}

/// A target.
#[derive(Clone, Debug, Default)]
pub struct ScrapeTarget {
    /// Labels before the rules.
    pub discovered: Vec<(String, String)>,
    /// Labels of its series.
    pub labels: Vec<(String, String)>,
    /// Where it is asked.
    pub url: String,
    /// up, down, unknown
    pub health: &'static str,
    /// Why the last scrape failed; empty if it did not.
    pub last_error: String,
    /// When the last scrape began, milliseconds since 1970; `None` before the first.
    pub last_scrape_unix_ms: Option<i64>,
    /// How long it took.
    pub last_scrape_duration: Duration,
    /// How often it is asked, as in the configuration.
    pub interval: String,
    /// How long a scrape may take.
    pub timeout: String,
    /// What it told of its metrics, by name.
    pub metadata: BTreeMap<String, MetricMetadataText>,
}

/// What a target told of a metric, as it told it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricMetadataText {
    /// counter, gauge and so on
    pub kind: String,
    /// A sentence.
    pub help: String,
    /// As its name ends.
    pub unit: String,
}

/// The future of a [`Prometheus`] method.
pub type PrometheusFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<PrometheusAnswer<T>, Fault>> + Send + 'a>>;

/// An answer, and why it may not be complete.
#[derive(Clone, Debug)]
pub struct PrometheusAnswer<T> {
    /// What was asked for.
    pub value: T,
    /// Sentences.
    pub warnings: Vec<String>,
    /// Sentences about what is not missing.
    pub infos: Vec<String>,
    /// The coarsest resolution of downsampled samples that were read, milliseconds; 0 for none.
    pub resolution_ms: u64,
    /// From the question to the answer.
    pub elapsed: Duration,
}

/// A query.
#[derive(Clone, Debug)]
pub struct PrometheusQuery {
    /// Whose series.
    pub tenant: Tenant,
    /// In PromQL.
    pub text: String,
    /// At which time or times.
    pub when: When,
    /// How long it may take; the server's `query.timeout` when `None`.
    pub timeout: Option<Duration>,
    /// How far an instant selector looks back, milliseconds; as configured when `None`.
    pub lookback_ms: Option<i64>,
    /// The coarsest resolution of downsampled samples that may be read, milliseconds.
    pub resolution_max_ms: Option<u64>,
}

/// When a query is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once, at this millisecond since 1970.
    Instant(i64),
    /// At every step.
    Range(Steps),
}

/// Which series.
#[derive(Clone, Debug)]
pub struct PrometheusSelection {
    /// Whose.
    pub tenant: Tenant,
    /// Any of these fits; without one, every series does.
    pub selectors: Vec<Vec<Matcher>>,
    /// Milliseconds, both included.
    pub times_ms: (i64, i64),
}

/// What is known of a metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricMetadata {
    /// counter, gauge, histogram, summary, unknown
    pub kind: &'static str,
    /// The sender's sentence.
    pub help: String,
    /// UCUM.
    pub unit: String,
}

/// Exemplars of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct ExemplarsOf {
    /// Of the series.
    pub series: Labels,
    /// Ascending in time.
    pub exemplars: Vec<Exemplar>,
}

/// One measurement that stands for others.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// `trace_id`, `span_id` and what the series does not have.
    pub labels: Labels,
    /// What was measured.
    pub value: f64,
    /// Milliseconds since 1970.
    pub time_ms: i64,
}

/// How many series there are, and what most of them have: name and count, the greatest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesStatistics {
    /// All.
    pub series: u64,
    /// Pairs of label and value.
    pub label_pairs: u64,
    /// Series by metric.
    pub by_metric: Vec<(String, u64)>,
    /// Values by label.
    pub values_by_label: Vec<(String, u64)>,
    /// Bytes of values by label.
    pub bytes_by_label: Vec<(String, u64)>,
    /// Series by `label=value`.
    pub by_pair: Vec<(String, u64)>,
    /// Series by the values of the label that was asked for.
    pub by_value: Vec<(String, u64)>,
}

/// A group of rules.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleGroup {
    /// Within its file.
    pub name: String,
    /// As it was configured.
    pub file: String,
    /// Between evaluations.
    pub interval: Duration,
    /// Most series or alerts of a rule; 0 for no limit.
    pub limit: usize,
    /// In the order of the file.
    pub rules: Vec<Rule>,
    /// How the last evaluation of all of them went.
    pub evaluated: Evaluated,
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The metric's or the alert's name.
    pub name: String,
    /// The expression as Prometheus prints it.
    pub query: String,
    /// As they are written; of alerts, templates.
    pub labels: BTreeMap<String, String>,
    /// How its last evaluation went.
    pub evaluated: Evaluated,
    /// None before the first evaluation; else why it went wrong, where it did.
    pub health: Option<Result<(), String>>,
    /// What an alerting rule has besides.
    pub alerting: Option<Alerting>,
}

/// When something was evaluated last, and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evaluated {
    /// Milliseconds since 1970; none before the first time.
    pub at_ms: Option<i64>,
    /// How long it took.
    pub took: Duration,
}

/// What an alerting rule has and a recording rule has not.
#[derive(Clone, Debug, PartialEq)]
pub struct Alerting {
    /// The highest state of its alerts: inactive, pending, firing.
    pub state: &'static str,
    /// `for`
    pub hold: Duration,
    /// `keep_firing_for`
    pub keep_firing: Duration,
    /// As they are written.
    pub annotations: BTreeMap<String, String>,
    /// Those that are active.
    pub alerts: Vec<ActiveAlert>,
}

/// An alert that is pending or fires.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveAlert {
    /// What it is known by.
    pub labels: Labels,
    /// Filled in.
    pub annotations: BTreeMap<String, String>,
    /// pending or firing
    pub state: &'static str,
    /// Since when it is active, milliseconds since 1970.
    pub active_at_ms: i64,
    /// Since when it only goes on firing.
    pub keep_firing_since_ms: Option<i64>,
    /// What the expression gave; 0 for a histogram.
    pub value: f64,
}
