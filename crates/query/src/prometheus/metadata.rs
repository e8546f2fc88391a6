use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use model::Tenant;

use super::evaluate::compute;
use super::labels::{PrometheusSelection, counted};
use super::select::Store;
use super::series::{self, Which};
use crate::{Answer, Engine, QueryError};

/// The kind of rows among the series that are none, but what was told of a metric apart from them.
pub(crate) const METADATA: &str = "metadata";

/// What is known of a metric. Senders may differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricMetadata {
    /// counter, gauge, histogram, gaugehistogram, summary, info, stateset, unknown
    pub kind: &'static str,
    /// The sender's sentence.
    pub help: String,
    /// UCUM.
    pub unit: String,
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

/// All that was ever stored.
const ALWAYS: (i64, i64) = (i64::MIN / 1_000_000, i64::MAX / 1_000_000);

impl Engine {
    /// What is known of each metric, by Prometheus' name.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn prometheus_metadata(
        &self,
        tenant: &Tenant,
        metric: Option<String>,
    ) -> Result<Answer<BTreeMap<String, BTreeSet<MetricMetadata>>>, QueryError> {
        let session = self.ask(tenant, "metadata of Prometheus").await?;
        compute(session, move |session, snapshots| {
            let store = Store::of_labels(session, snapshots)?;
            let mut metrics = AllMetadata::new();
            let which = Which {
                times: super::points::nanos(ALWAYS),
                name: None,
                name_may_fit: &|_, _| true,
                every_row: false,
            };
            series::each(&store.memory, &store.series, &which, &mut |row| {
                let (name, kind) = described(row);
                // What begins it may be the whole that it is a part of.
                if metric.as_ref().is_some_and(|metric| !metric.starts_with(&*name)) {
                    return Ok(());
                }
                let (help, unit) = (row.description.to_owned(), row.shape.unit.to_owned());
                metrics.entry(name.into_owned()).or_default().insert(MetricMetadata { kind, help, unit });
                Ok(())
            })?;
            forget_nothing(&mut metrics);
            metrics.retain(|name, _| metric.as_ref().is_none_or(|metric| metric == name));
            let rows = metrics.len();
            Ok(session.answer(metrics, rows))
        })
        .await
    }

    /// How many of the series that fit there are of what, with at most so many entries a list; by the
    /// values of a label too, where one is named. Bounds of histograms do not count.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn prometheus_statistics(
        &self,
        selection: PrometheusSelection,
        label: Option<String>,
        limit: usize,
    ) -> Result<Answer<SeriesStatistics>, QueryError> {
        let session = self.ask(&selection.tenant, "statistics of Prometheus").await?;
        compute(session, move |session, snapshots| {
            let store = Store::of_labels(session, snapshots)?;
            let any = [Vec::new()];
            let selectors = if selection.selectors.is_empty() { &any[..] } else { &selection.selectors[..] };
            let mut all = BTreeSet::new();
            for matchers in selectors {
                let found = store.find(matchers, selection.times_ms)?;
                all.extend(found.into_iter().map(|(labels, _)| labels));
            }
            let statistics = statistics(&all, label.as_deref(), limit);
            Ok(session.answer(statistics, all.len()))
        })
        .await
    }
}

fn statistics(all: &BTreeSet<promql::Labels>, label: Option<&str>, limit: usize) -> SeriesStatistics {
    let pairs = counted(all.iter().flat_map(promql::Labels::iter));
    let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, value) in pairs.keys() {
        *bytes.entry(name).or_default() += value.len() as u64;
    }
    let top = |counts: Vec<(String, u64)>| {
        let mut counts = counts;
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.truncate(limit);
        counts
    };
    let values = label.map(|name| counted(all.iter().map(|labels| labels.get(name))));
    SeriesStatistics {
        series: all.len() as u64,
        label_pairs: pairs.len() as u64,
        by_metric: top(owned(counted(all.iter().map(|labels| labels.get(promql::METRIC_NAME))))),
        values_by_label: top(owned(counted(pairs.keys().map(|(name, _)| *name)))),
        bytes_by_label: top(owned(bytes)),
        by_pair: top(pairs
            .into_iter()
            .map(|((name, value), count)| (format!("{name}={value}"), count))
            .collect()),
        by_value: top(owned(values.unwrap_or_default())),
    }
}

fn owned(counts: BTreeMap<&str, u64>) -> Vec<(String, u64)> {
    counts.into_iter().map(|(key, count)| (key.to_owned(), count)).collect()
}

type AllMetadata = BTreeMap<String, BTreeSet<MetricMetadata>>;

/// Which metric a row describes, and its type.
fn described<'a>(row: &series::Row<'a>) -> (Cow<'a, str>, &'static str) {
    if row.shape.kind == METADATA {
        let told = row.attributes.get("type").unwrap_or_default();
        return (row.shape.name.into(), kind(told, false));
    }
    let name = match row.attributes.get(promql::METRIC_NAME) {
        Some(own) => family(own, row.shape.kind).into(),
        None => super::names::metric(row.shape).into(),
    };
    (name, kind(row.shape.kind, row.shape.monotonic && !row.delta))
}

/// Of a series nothing is known where nothing came with it. Where its metric is described apart from
/// it, that is all there is to say.
fn forget_nothing(metrics: &mut AllMetadata) {
    let nothing = MetricMetadata { kind: "unknown", ..MetricMetadata::default() };
    let of_whole = |name: &str| {
        let whole = |(kind, suffix)| {
            let of = metrics.get(name.strip_suffix(suffix)?)?;
            of.iter().any(|known| known.kind == kind).then_some(())
        };
        PARTS.iter().flat_map(|(kind, all)| all.iter().map(move |suffix| (*kind, *suffix))).find_map(whole)
    };
    let is_told = |name: &str, known: &BTreeSet<_>| known.len() > 1 || of_whole(name).is_some();
    let told = metrics.iter().filter(|(name, known)| known.contains(&nothing) && is_told(name, known));
    let told: Vec<String> = told.map(|(name, _)| name.clone()).collect();
    for name in told {
        if let Some(known) = metrics.get_mut(&name) {
            known.remove(&nothing);
        }
    }
    metrics.retain(|_, known| !known.is_empty());
}

/// How the names of the series of a metric end, by its type.
const PARTS: [(&str, &[&str]); 5] = [
    ("histogram", &["_bucket", "_sum", "_count", "_created"]),
    ("gaugehistogram", &["_bucket", "_gsum", "_gcount"]),
    ("summary", &["_sum", "_count", "_created"]),
    ("counter", &["_total", "_created"]),
    ("info", &["_info"]),
];

/// What all series of a histogram or summary of Prometheus belong to.
fn family<'a>(name: &'a str, stored: &str) -> &'a str {
    let parts = PARTS.iter().take(3).find(|(kind, _)| *kind == stored);
    let suffixes = parts.map_or(&[][..], |(_, suffixes)| suffixes);
    suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

/// Prometheus' word for a kind; its own words stay.
fn kind(stored: &str, counter: bool) -> &'static str {
    match stored {
        "counter" => "counter",
        "sum" if counter => "counter",
        "sum" | "gauge" => "gauge",
        "histogram" | "exponential_histogram" => "histogram",
        "summary" => "summary",
        "gaugehistogram" => "gaugehistogram",
        "info" => "info",
        "stateset" => "stateset",
        _ => "unknown",
    }
}
