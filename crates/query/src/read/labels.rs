use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{Table, Tenant};

use super::metrics::series_of;
use crate::{Answer, Engine, QueryError, TimeRange};

/// Labels of a metric (attributes, resource attributes) with their most frequent values, by name.
pub type MetricLabels = Vec<(String, Vec<LabelValue>)>;

/// A value of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelValue {
    /// The value.
    pub value: String,
    /// How many series have it.
    pub series: u64,
}

/// Values of a label that are answered.
const VALUES_MAX: usize = 100;

impl Engine {
    /// The labels of a metric's series, each with its most frequent values.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn metric_labels(
        &self,
        tenant: &Tenant,
        name: &str,
        range: TimeRange,
    ) -> Result<Answer<MetricLabels>, QueryError> {
        self.reading(|| self.read_metric_labels(tenant, name, range)).await
    }

    async fn read_metric_labels(
        &self,
        tenant: &Tenant,
        name: &str,
        range: TimeRange,
    ) -> Result<Answer<MetricLabels>, QueryError> {
        let session = self.ask(tenant, &format!("labels of {name}")).await?;
        let snapshots = session.snapshots(&[Table::Series])?;
        let series = series_of(&session, &snapshots, name, range).await?;
        let mut labels: BTreeMap<&str, HashMap<&str, u64>> = BTreeMap::new();
        for series in &series {
            let keys =
                series.attributes.iter().chain(&series.resource_attributes).map(|(key, _)| key.as_str());
            // A key of both counts once, as the attribute.
            for key in keys.collect::<BTreeSet<_>>() {
                let Some(value) = series.label(key) else { continue };
                *labels.entry(key).or_default().entry(value).or_default() += 1;
            }
        }
        let labels: MetricLabels =
            labels.into_iter().map(|(key, values)| (key.to_owned(), most_frequent(values))).collect();
        let rows = labels.len();
        Ok(session.answer(labels, rows))
    }
}

fn most_frequent(values: HashMap<&str, u64>) -> Vec<LabelValue> {
    let mut values: Vec<_> =
        values.into_iter().map(|(value, series)| LabelValue { value: value.to_owned(), series }).collect();
    values.sort_by(|a, b| b.series.cmp(&a.series).then_with(|| a.value.cmp(&b.value)));
    values.truncate(VALUES_MAX);
    values
}
