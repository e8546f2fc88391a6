//! The questions of Prometheus' API.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{
    ErrorType, Exemplar, ExemplarsOf, Fault, MetricMetadata, MetricMetadataText, Prometheus,
    PrometheusAnswer, PrometheusFuture, PrometheusQuery, PrometheusSelection, RuleGroup, ScrapePool,
    ScrapeTarget, SeriesStatistics, Setup, When,
};
use model::{ErrorKind, Tenant};
use promql::{Labels, Outcome};
use query::{Answer, LabelsOf, QueryError};
use receive::scrape::{Health, Metadata, PoolTargets, TargetState};

use super::Answers;

mod setup;

impl Prometheus for Answers {
    fn prometheus_query(&self, query: PrometheusQuery) -> PrometheusFuture<'_, Outcome> {
        Box::pin(async move {
            let PrometheusQuery { tenant, text, when, timeout, lookback_ms, resolution_max_ms } = query;
            let when = match when {
                When::Instant(time_ms) => query::When::Instant { time_ms },
                When::Range(steps) => query::When::Range(steps),
            };
            let query =
                query::PrometheusQuery { tenant, text, when, timeout, lookback_ms, resolution_max_ms };
            answer(self.engine.prometheus_query(query).await, |outcome| outcome)
        })
    }

    fn prometheus_series(&self, asked: PrometheusSelection) -> PrometheusFuture<'_, Vec<Labels>> {
        Box::pin(
            async move { answer(self.engine.prometheus_series(selection(asked)).await, |series| series) },
        )
    }

    fn prometheus_labels(
        &self,
        asked: PrometheusSelection,
        name: Option<String>,
    ) -> PrometheusFuture<'_, Vec<String>> {
        let of = name.map_or(LabelsOf::Names, LabelsOf::Values);
        Box::pin(
            async move { answer(self.engine.prometheus_labels(selection(asked), of).await, |texts| texts) },
        )
    }

    fn prometheus_metadata(
        &self,
        tenant: Tenant,
        metric: Option<String>,
    ) -> PrometheusFuture<'_, BTreeMap<String, BTreeSet<MetricMetadata>>> {
        Box::pin(async move {
            answer(self.engine.prometheus_metadata(&tenant, metric).await, |metrics| {
                let known = |known: query::MetricMetadata| {
                    let query::MetricMetadata { kind, help, unit } = known;
                    MetricMetadata { kind, help, unit }
                };
                let metrics = metrics.into_iter();
                metrics.map(|(name, all)| (name, all.into_iter().map(known).collect())).collect()
            })
        })
    }

    fn prometheus_exemplars(&self, asked: PrometheusSelection) -> PrometheusFuture<'_, Vec<ExemplarsOf>> {
        Box::pin(async move {
            answer(self.engine.prometheus_exemplars(selection(asked)).await, |all| {
                let exemplar = |exemplar: query::Exemplar| {
                    let query::Exemplar { labels, value, time_ms } = exemplar;
                    Exemplar { labels, value, time_ms }
                };
                let of = |of: query::SeriesExemplars| ExemplarsOf {
                    series: of.labels,
                    exemplars: of.exemplars.into_iter().map(exemplar).collect(),
                };
                all.into_iter().map(of).collect()
            })
        })
    }

    fn prometheus_statistics(
        &self,
        asked: PrometheusSelection,
        label: Option<String>,
        limit: usize,
    ) -> PrometheusFuture<'_, SeriesStatistics> {
        Box::pin(async move {
            let known = self.engine.prometheus_statistics(selection(asked), label, limit).await;
            answer(known, |known| SeriesStatistics {
                series: known.series,
                label_pairs: known.label_pairs,
                by_metric: known.by_metric,
                values_by_label: known.values_by_label,
                bytes_by_label: known.bytes_by_label,
                by_pair: known.by_pair,
                by_value: known.by_value,
            })
        })
    }

    fn prometheus_targets(&self, tenant: &Tenant) -> Vec<ScrapePool> {
        if self.scraper.tenant() != tenant {
            return Vec::new();
        }
        let pool = |pool: PoolTargets| {
            let PoolTargets { pool: name, active, dropped, dropped_count } = pool;
            ScrapePool { name, active: active.into_iter().map(target).collect(), dropped, dropped_count }
        };
        self.scraper.targets().into_iter().map(pool).collect()
    }

    fn prometheus_rules(&self, tenant: &Tenant) -> Vec<Arc<RuleGroup>> {
        self.rules.groups(tenant)
    }

    fn prometheus_setup(&self, tenant: &Tenant) -> Setup {
        setup::setup(&self.watch, &self.scraper, tenant)
    }
}

fn target(target: TargetState) -> ScrapeTarget {
    let text = |duration| fresnel_sdk::config::Duration::from(duration).to_string();
    let metadata = target.metadata.iter().map(|(name, known)| {
        let Metadata { kind, help, unit } = known.clone();
        (name.clone(), MetricMetadataText { kind, help, unit })
    });
    let began = target.last_scrape_unix_nano;
    ScrapeTarget {
        metadata: metadata.collect(),
        discovered: target.discovered,
        labels: target.labels,
        url: target.url,
        health: match target.health {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Down => "down",
        },
        last_error: target.last_error,
        last_scrape_unix_ms: (began != 0).then_some(began / 1_000_000),
        last_scrape_duration: target.last_scrape_duration,
        interval: text(target.interval),
        timeout: text(target.timeout),
    }
}

fn selection(selection: PrometheusSelection) -> query::PrometheusSelection {
    let PrometheusSelection { tenant, selectors, times_ms } = selection;
    query::PrometheusSelection { tenant, selectors, times_ms }
}

fn answer<T, U>(
    result: Result<Answer<T>, QueryError>,
    convert: impl FnOnce(T) -> U,
) -> Result<PrometheusAnswer<U>, Fault> {
    let Answer { value, summary } = result.map_err(|error| fault(&error))?;
    let value = convert(value);
    let query::Summary { warnings, infos, resolution_ms, elapsed, .. } = summary;
    Ok(PrometheusAnswer { value, warnings, infos, resolution_ms, elapsed })
}

fn fault(error: &QueryError) -> Fault {
    let kind = match error {
        QueryError::Execution { .. } | QueryError::Memory { .. } => ErrorType::Execution,
        QueryError::DeadlineExceeded { .. } => {
            let message = "query timed out in query execution".to_owned();
            return Fault { kind: ErrorType::Timeout, message };
        }
        QueryError::Cancelled => {
            let message = "query was canceled in query execution".to_owned();
            return Fault { kind: ErrorType::Canceled, message };
        }
        error => match error.kind() {
            ErrorKind::InvalidArgument => ErrorType::BadData,
            ErrorKind::ResourceExhausted | ErrorKind::Unavailable => ErrorType::Unavailable,
            _ => ErrorType::Internal,
        },
    };
    Fault { kind, message: error.to_string() }
}
