use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use model::Table;
use promql::Labels;

use super::evaluate::compute;
use super::labels::PrometheusSelection;
use super::memory::Memory;
use super::points::{ById, nanos};
use super::prune::{SeriesId, Wanted};
use super::rows::Rows;
use super::select::Store;
use super::series::{Pairs, column, id_of, misfit};
use crate::{Answer, Engine, QueryError};

/// Exemplars of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesExemplars {
    /// Of the series.
    pub labels: Labels,
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

/// Bytes that an exemplar is counted with.
const EXEMPLAR_BYTES: usize = 256;

impl Engine {
    /// The exemplars of the series that fit.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn prometheus_exemplars(
        &self,
        selection: PrometheusSelection,
    ) -> Result<Answer<Vec<SeriesExemplars>>, QueryError> {
        let session = self.ask(&selection.tenant, "exemplars of Prometheus").await?;
        // Taken after the others: of a series that is seen, exemplars may be missing for a moment.
        let exemplars = session.snapshots(&[Table::Exemplars])?;
        compute(session, move |session, snapshots| {
            let store = Store::of_labels(session, snapshots)?;
            let mut series: BTreeMap<Labels, (Arc<str>, SeriesId)> = BTreeMap::new();
            for matchers in &selection.selectors {
                for (labels, stored) in store.find(matchers, selection.times_ms)? {
                    series.entry(labels).or_insert((stored.metric, stored.id));
                }
            }
            let mut found = Vec::new();
            for snapshot in &exemplars {
                let rows = Rows::new(session, snapshot);
                found.extend(of_series(&rows, &series, selection.times_ms, &store.memory)?);
            }
            let rows = found.len();
            Ok(session.answer(found, rows))
        })
        .await
    }
}

fn of_series(
    rows: &Rows<'_>,
    series: &BTreeMap<Labels, (Arc<str>, SeriesId)>,
    times_ms: (i64, i64),
    memory: &Memory,
) -> Result<Vec<SeriesExemplars>, QueryError> {
    let metrics: BTreeSet<&str> = series.values().map(|(metric, _)| metric.as_ref()).collect();
    let ids: BTreeSet<SeriesId> = series.values().map(|(_, id)| *id).collect();
    let (metrics, ids): (Vec<_>, Vec<_>) = (metrics.into_iter().collect(), ids.into_iter().collect());
    let wanted = Wanted { metrics: &metrics, ids: &ids, times: nanos(times_ms) };
    let mut found: ById<Vec<Exemplar>> = ById::default();
    let columns = ["series_id", "time_unix_nano", "value", "trace_id", "span_id", "attributes"];
    rows.each(&columns, &wanted, &mut |batch| add(batch, &wanted, &mut found, memory))?;
    let mut answer = Vec::new();
    for (labels, (_, id)) in series {
        let Some(exemplars) = found.get(id) else { continue };
        let mut exemplars = exemplars.clone();
        exemplars.sort_by_key(|exemplar| exemplar.time_ms);
        answer.push(SeriesExemplars { labels: labels.clone(), exemplars });
    }
    Ok(answer)
}

fn add(
    batch: &RecordBatch,
    wanted: &Wanted<'_>,
    found: &mut ById<Vec<Exemplar>>,
    memory: &Memory,
) -> Result<(), QueryError> {
    let binary = |name| column(batch, name)?.as_binary_opt::<i32>().ok_or_else(|| misfit(name));
    let (ids, traces, spans) = (binary("series_id")?, binary("trace_id")?, binary("span_id")?);
    let times = column(batch, "time_unix_nano")?.as_primitive_opt::<Int64Type>();
    let times = times.ok_or_else(|| misfit("time_unix_nano"))?;
    let values = column(batch, "value")?.as_primitive_opt::<Float64Type>().ok_or_else(|| misfit("value"))?;
    let attributes = column(batch, "attributes")?.as_map_opt().ok_or_else(|| misfit("attributes"))?;
    for row in 0..batch.num_rows() {
        let (id, time) = (id_of(ids.value(row)), times.value(row));
        if wanted.ids.binary_search(&id).is_err() || time < wanted.times.0 || time > wanted.times.1 {
            continue;
        }
        memory.grow(EXEMPLAR_BYTES)?;
        let mut labels: BTreeMap<String, String> = Pairs::of(attributes, row)
            .iter()
            .map(|(key, value)| (super::names::label(key), value.to_owned()))
            .collect();
        for (name, column) in [("trace_id", traces), ("span_id", spans)] {
            if column.is_valid(row) && !column.value(row).is_empty() {
                labels.insert(name.to_owned(), hex(column.value(row)));
            }
        }
        let exemplar = Exemplar {
            labels: labels.into_iter().collect(),
            value: values.value(row),
            time_ms: time.div_euclid(1_000_000),
        };
        found.entry(id).or_default().push(exemplar);
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
