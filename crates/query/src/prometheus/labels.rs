use std::collections::{BTreeMap, BTreeSet};

use model::Tenant;
use promql::Labels;
use promql::ast::Matcher;

use super::evaluate::compute;
use super::select::Store;
use crate::{Answer, Engine, QueryError};

/// Series by their labels.
#[derive(Clone, Debug)]
pub struct PrometheusSelection {
    /// Whose series.
    pub tenant: Tenant,
    /// Any of these fits; without one, every series does.
    pub selectors: Vec<Vec<Matcher>>,
    /// Milliseconds, both included. Series are known by the day.
    pub times_ms: (i64, i64),
}

/// Which labels are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelsOf {
    /// The names of all.
    Names,
    /// The values of this one.
    Values(String),
}

impl Engine {
    /// The labels of the series that fit, ascending, each once.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn prometheus_series(
        &self,
        selection: PrometheusSelection,
    ) -> Result<Answer<Vec<Labels>>, QueryError> {
        let session = self.ask(&selection.tenant, "series of Prometheus").await?;
        compute(session, move |session, snapshots| {
            let store = Store::of_labels(session, snapshots)?;
            let series: Vec<_> = fitting(&store, &selection)?.into_iter().collect();
            let rows = series.len();
            Ok(session.answer(series, rows))
        })
        .await
    }

    /// Names or values of labels of the series that fit, ascending.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn prometheus_labels(
        &self,
        selection: PrometheusSelection,
        of: LabelsOf,
    ) -> Result<Answer<Vec<String>>, QueryError> {
        let session = self.ask(&selection.tenant, "labels of Prometheus").await?;
        compute(session, move |session, snapshots| {
            let store = Store::of_labels(session, snapshots)?;
            let mut texts = BTreeSet::new();
            for labels in fitting(&store, &selection)? {
                match &of {
                    LabelsOf::Names => texts.extend(labels.iter().map(|(name, _)| name.to_owned())),
                    LabelsOf::Values(name) => texts.extend([labels.get(name).to_owned()]),
                }
            }
            texts.remove("");
            let rows = texts.len();
            Ok(session.answer(texts.into_iter().collect(), rows))
        })
        .await
    }
}

fn fitting(store: &Store<'_>, selection: &PrometheusSelection) -> Result<BTreeSet<Labels>, QueryError> {
    if selection.selectors.is_empty() {
        return Ok(store.labels(&[], selection.times_ms)?.into_iter().collect());
    }
    let mut all = BTreeSet::new();
    for matchers in &selection.selectors {
        all.extend(store.labels(matchers, selection.times_ms)?);
    }
    Ok(all)
}

/// How many there are of each.
pub(super) fn counted<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    counts
}
