//! `metrics`: points of every kind with what their series says.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, col, lit};
use model::Table;

use super::catalog::Tables;
use super::unique::UniqueSeries;

const SERIES: &str = "series";
const POINTS: &str = "points";

/// The view. A point whose series cannot be read still has a row.
pub(crate) fn view(tables: &Tables) -> Result<Arc<dyn TableProvider>> {
    let samples = points(tables, Table::Samples)?;
    let histograms = points(tables, Table::Histograms)?;
    let plan = LogicalPlanBuilder::from(samples).union(histograms)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

fn points(tables: &Tables, table: Table) -> Result<LogicalPlan> {
    let points = provider_as_source(Arc::new(tables.provider(table)));
    let points = LogicalPlanBuilder::scan(POINTS, points, None)?.build()?;
    let series = provider_as_source(Arc::new(UniqueSeries(tables.provider(Table::Series))));
    // The series are what is hashed: there are fewer of them than points.
    LogicalPlanBuilder::scan(SERIES, series, None)?
        .join(points, JoinType::Right, (keys(SERIES), keys(POINTS)), None)?
        .project(columns(table))?
        .build()
}

fn keys(side: &str) -> Vec<String> {
    ["metric_name", "series_id"].map(|key| format!("{side}.{key}")).to_vec()
}

fn columns(table: Table) -> Vec<Expr> {
    let samples = table == Table::Samples;
    let of_samples =
        |name: &str, null: ScalarValue| if samples { point(name) } else { lit(null).alias(name) };
    let of_histograms =
        |name: &str, null: ScalarValue| if samples { lit(null).alias(name) } else { point(name) };
    let mut columns = vec![
        point("time"),
        point("start_time"),
        point("metric_name"),
        of_samples("value", ScalarValue::Float64(None)),
        of_samples("value_int", ScalarValue::Int64(None)),
        of_histograms("count", ScalarValue::Int64(None)),
        of_histograms("sum", ScalarValue::Float64(None)),
        of_histograms("min", ScalarValue::Float64(None)),
        of_histograms("max", ScalarValue::Float64(None)),
    ];
    let of_series = [
        "unit",
        "kind",
        "description",
        "temporality",
        "is_monotonic",
        "attributes",
        "service_name",
        "resource_attributes",
        "scope_name",
        "scope_version",
        "scope_attributes",
    ];
    columns.extend(of_series.map(|name| col(format!("{SERIES}.{name}")).alias(name)));
    columns.extend([point("flags"), point("series_id"), point("tenant")]);
    columns
}

fn point(name: &str) -> Expr {
    col(format!("{POINTS}.{name}")).alias(name)
}
