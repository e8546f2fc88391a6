use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use datafusion::logical_expr::{Expr, LogicalPlanBuilder, col, lit};
use model::{NANOS_PER_DAY, Table, Tenant, day_of};

use super::columns::{Columns, planning, scan, within};
use super::services::NAMES_MAX;
use crate::prometheus::METADATA;
use crate::session::Session;
use crate::{Answer, Attributes, Engine, QueryError, Snapshot, TimeRange};

/// Which metrics.
#[derive(Clone, Debug)]
pub struct MetricFilter {
    /// With series that were written on the days of this range, before its end.
    pub range: TimeRange,
    /// With this text in the name, letter case ignored.
    pub text: Option<String>,
}

/// A metric: its name and what its series share. Where they differ, what most of them have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Metric {
    /// OpenTelemetry's name.
    pub name: String,
    /// UCUM.
    pub unit: String,
    /// gauge, sum, histogram, exponential_histogram, summary, unknown; of Prometheus also gaugehistogram, info, stateset
    pub kind: String,
    /// The sender's sentence.
    pub description: String,
    /// Sums only.
    pub monotonic: Option<bool>,
    /// cumulative, delta; `None` where it means nothing.
    pub temporality: Option<String>,
    /// How many series.
    pub series: u64,
}

/// The most series that are told apart for an answer.
pub(super) const SERIES_MAX: usize = 1_000_000;

impl Engine {
    /// The metrics there are, by name.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn metrics(
        &self,
        tenant: &Tenant,
        filter: &MetricFilter,
    ) -> Result<Answer<Vec<Metric>>, QueryError> {
        self.reading(|| self.read_metrics(tenant, filter)).await
    }

    async fn read_metrics(
        &self,
        tenant: &Tenant,
        filter: &MetricFilter,
    ) -> Result<Answer<Vec<Metric>>, QueryError> {
        let session = self.ask(tenant, "metrics").await?;
        let snapshots = session.snapshots(&[Table::Series])?;
        let (state, tables) = (session.state(&snapshots), session.tables(&snapshots));
        let names =
            ["series_id", "metric_name", "unit", "kind", "description", "temporality", "is_monotonic"];
        let mut plan = scan(&tables, Table::Series)?.filter(series_within(filter.range)).map_err(planning)?;
        if let Some(text) = filter.text.as_deref().filter(|text| !text.is_empty()) {
            plan =
                plan.filter(col("metric_name").ilike(lit(super::logs::contains(text)))).map_err(planning)?;
        }
        let plan = plan.project(names.map(col)).and_then(LogicalPlanBuilder::build).map_err(planning)?;

        let (mut seen, mut metrics) = (HashSet::new(), BTreeMap::new());
        let mut stream = session.query(&state, plan).await?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let columns = Columns(&batch);
            for row in 0..batch.num_rows() {
                if first_of_series(columns, row, &mut seen)? {
                    count(columns, row, &mut metrics);
                }
            }
        }
        if metrics.len() > NAMES_MAX {
            return Err(QueryError::Argument {
                message: format!("there are more than {NAMES_MAX} metrics, give a part of the name"),
            });
        }
        let metrics: Vec<_> = metrics.into_values().filter_map(most_frequent).collect();
        let rows = metrics.len();
        Ok(session.answer(metrics, rows))
    }
}

/// What series say of a metric, and how many say so.
type Variants = HashMap<Metric, u64>;

fn count(columns: Columns<'_>, row: usize, metrics: &mut BTreeMap<String, Variants>) {
    let metric = Metric {
        name: columns.string("metric_name", row),
        unit: columns.string("unit", row),
        kind: columns.string("kind", row),
        description: columns.string("description", row),
        monotonic: columns.boolean("is_monotonic", row),
        temporality: columns.text("temporality", row).map(str::to_owned),
        series: 0,
    };
    *metrics.entry(metric.name.clone()).or_default().entry(metric).or_default() += 1;
}

fn most_frequent(variants: Variants) -> Option<Metric> {
    let series = variants.values().sum();
    let (metric, _) = variants.into_iter().max_by(|(a, m), (b, n)| m.cmp(n).then_with(|| b.cmp(a)))?;
    Some(Metric { series, ..metric })
}

/// Whether no row of the series came before.
fn first_of_series(
    columns: Columns<'_>,
    row: usize,
    seen: &mut HashSet<Box<str>>,
) -> Result<bool, QueryError> {
    let id = columns.text("series_id", row).unwrap_or_default();
    if seen.contains(id) {
        return Ok(false);
    }
    if seen.len() == SERIES_MAX {
        return Err(QueryError::Memory {
            message: format!("there are more than {SERIES_MAX} series in the range"),
        });
    }
    Ok(seen.insert(id.into()))
}

/// Rows of series of a range. Others say what a metric is, and are none.
fn series_within(range: TimeRange) -> Expr {
    within("time", days_of(range)).and(col("kind").not_eq(lit(METADATA)))
}

/// The range from the begin of its first day: a series has a row when it is first written on a day.
fn days_of(range: TimeRange) -> TimeRange {
    let from = i64::from(day_of(range.from)).saturating_mul(NANOS_PER_DAY);
    TimeRange { from, to: range.to }
}

/// A series of a metric.
#[derive(Clone, Debug)]
pub(super) struct SeriesOf {
    pub(super) id: String,
    pub(super) unit: String,
    pub(super) kind: String,
    pub(super) temporality: Option<String>,
    pub(super) monotonic: bool,
    pub(super) attributes: Attributes,
    pub(super) resource_attributes: Attributes,
}

impl SeriesOf {
    /// The kind that its points have. A part of a classic histogram or of a summary of Prometheus is
    /// numbers like any others.
    pub(super) fn drawn_kind(&self) -> &str {
        let numbers = matches!(self.kind.as_str(), "gauge" | "sum");
        if numbers || self.label("__name__").is_none() { &self.kind } else { "unknown" }
    }

    /// A label's value: of the attribute, else of the resource's attribute.
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        let of = |attributes: &Attributes| attributes.iter().position(|(name, _)| name == key);
        let found = of(&self.attributes).map(|index| &self.attributes[index].1);
        let found =
            found.or_else(|| of(&self.resource_attributes).map(|index| &self.resource_attributes[index].1));
        found.and_then(|value| value.as_deref())
    }
}

/// The series of a metric that were written on the days of a range. Their ids come in order.
pub(super) async fn series_of(
    session: &Session,
    snapshots: &[Arc<Snapshot>],
    name: &str,
    range: TimeRange,
) -> Result<Vec<SeriesOf>, QueryError> {
    let names =
        ["series_id", "unit", "kind", "temporality", "is_monotonic", "attributes", "resource_attributes"];
    let plan = scan(&session.tables(snapshots), Table::Series)?
        .filter(series_within(range))
        .and_then(|plan| plan.filter(col("metric_name").eq(lit(name))))
        .and_then(|plan| plan.project(names.map(col)))
        .and_then(LogicalPlanBuilder::build)
        .map_err(planning)?;
    let (mut seen, mut series) = (HashSet::new(), Vec::new());
    let mut stream = session.query(&session.state(snapshots), plan).await?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let columns = Columns(&batch);
        for row in 0..batch.num_rows() {
            if first_of_series(columns, row, &mut seen)? {
                series.push(SeriesOf {
                    id: columns.string("series_id", row),
                    unit: columns.string("unit", row),
                    kind: columns.string("kind", row),
                    temporality: columns.text("temporality", row).map(str::to_owned),
                    monotonic: columns.boolean("is_monotonic", row).unwrap_or(false),
                    attributes: columns.attributes("attributes", row),
                    resource_attributes: columns.attributes("resource_attributes", row),
                });
            }
        }
    }
    series.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(series)
}
