use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, col, lit};
use model::{Table, Tenant};

use super::columns::{Columns, planning, scan, within};
use super::groups::{Groups, Labels};
use super::line::{CELL_BYTES, Folding, Line, Meaning, Point};
use super::metrics::{SeriesOf, series_of};
use super::steps::Steps;
use crate::session::Session;
use crate::{Answer, Engine, QueryError, Snapshot, TimeRange};

/// Which series of a metric, and how to draw them.
#[derive(Clone, Debug)]
pub struct SeriesRequest {
    /// The metric's name.
    pub name: String,
    /// When.
    pub range: TimeRange,
    /// Distance of points; chosen from the range when `None`.
    pub step_ms: Option<i64>,
    /// Only series with these labels (attributes or resource attributes).
    pub matches: Vec<(String, String)>,
    /// Added up by these labels (histograms: merged); each series on its own when empty.
    pub by: Vec<String>,
    /// At most so many series.
    pub limit: u32,
}

/// A metric's series over time.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSeries {
    /// Distance of points.
    pub step_ms: i64,
    /// Those of at most [`SeriesRequest::limit`] series or groups, in the order of their labels.
    pub series: Vec<Series>,
    /// How many there are without the limit.
    pub total_series: u64,
    /// UCUM, of the metric; rates are per second.
    pub unit: String,
    /// gauge, sum, histogram, exponential_histogram, summary, unknown; empty when there is no such metric.
    pub kind: String,
}

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What tells it from the others; for histograms with `stat` = `mean` or `rate`.
    pub labels: Vec<(String, String)>,
    /// Begin of each step in milliseconds since 1970, and the value; `None` without a value.
    pub points: Vec<(i64, Option<f64>)>,
}

/// Points of a line when no step is asked for.
const STEPS_DEFAULT: u32 = 240;
const STEPS_MAX: usize = 11_000;
const LIMIT_MAX: u32 = 1_000;
/// Series that are looked for by their ids; where there are more, all of the metric are read.
const IDS_MAX: usize = 1_000;
/// Growth at the begin of the range is known from points at most so long before.
const LOOK_BACK: i64 = 5 * 60 * 1_000_000_000;
/// OpenTelemetry's flag of a point without a value.
const NO_RECORDED_VALUE: i64 = 1;

impl Engine {
    /// A metric's series over time. Gauges and sums that may fall: the last value of each step.
    /// Other sums: growth per second. Histograms and summaries: the mean, and how many per second.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`]; [`QueryError::Argument`] for too many steps.
    pub async fn metric_series(
        &self,
        tenant: &Tenant,
        request: &SeriesRequest,
    ) -> Result<Answer<MetricSeries>, QueryError> {
        self.reading(|| self.read_metric_series(tenant, request)).await
    }

    async fn read_metric_series(
        &self,
        tenant: &Tenant,
        request: &SeriesRequest,
    ) -> Result<Answer<MetricSeries>, QueryError> {
        let steps = match request.step_ms {
            Some(step_ms) => Steps::of(request.range, step_ms),
            None => Steps::about(request.range, STEPS_DEFAULT),
        };
        if steps.count() > STEPS_MAX {
            let message = format!("the range has {} steps, at most {STEPS_MAX} are answered", steps.count());
            return Err(QueryError::Argument { message });
        }
        let session = self.ask(tenant, &format!("series of {}", request.name)).await?;
        // Points before their series: whatever point is seen, its series is seen too.
        let snapshots = session.snapshots(&[Table::Samples, Table::Histograms, Table::Series])?;
        let series = series_of(&session, &snapshots, &request.name, request.range).await?;
        let Some(shape) = Shape::of_most(&series) else {
            let (unit, kind) = (String::new(), String::new());
            let none =
                MetricSeries { step_ms: steps.step_ms, series: Vec::new(), total_series: 0, unit, kind };
            return Ok(session.answer(none, 0));
        };
        let wanted =
            series.into_iter().filter(|series| shape.has(series) && matches(series, &request.matches));
        let groups = Groups::of(wanted.collect(), &request.by, request.limit.min(LIMIT_MAX) as usize);
        let lines =
            Reader { session: &session, request, steps, shape: &shape }.lines(&snapshots, &groups).await?;
        let series = shape.draw(groups.labels, &lines);
        let rows = series.len();
        let (unit, kind) = (shape.unit, shape.kind);
        let total_series = groups.total as u64;
        Ok(session.answer(MetricSeries { step_ms: steps.step_ms, series, total_series, unit, kind }, rows))
    }
}

fn matches(series: &SeriesOf, labels: &[(String, String)]) -> bool {
    labels.iter().all(|(key, value)| series.label(key) == Some(value))
}

/// What the series of a metric that are drawn together have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    kind: String,
    unit: String,
    temporality: Option<String>,
    monotonic: bool,
}

impl Shape {
    fn of(series: &SeriesOf) -> Self {
        Self {
            kind: series.drawn_kind().to_owned(),
            unit: series.unit.clone(),
            temporality: series.temporality.clone(),
            monotonic: series.monotonic,
        }
    }

    /// Services may give one name to different things: the one with the most series is drawn.
    fn of_most(series: &[SeriesOf]) -> Option<Self> {
        let mut shapes = BTreeMap::<_, usize>::new();
        for series in series {
            *shapes.entry(Self::of(series)).or_default() += 1;
        }
        shapes.into_iter().max_by_key(|(_, count)| *count).map(|(shape, _)| shape)
    }

    fn has(&self, series: &SeriesOf) -> bool {
        *self == Self::of(series)
    }

    fn counts_things(&self) -> bool {
        !matches!(self.kind.as_str(), "gauge" | "sum" | "unknown")
    }

    fn meaning(&self) -> Meaning {
        match (self.kind.as_str(), self.temporality.as_deref()) {
            ("gauge" | "unknown", _) => Meaning::Level,
            (_, Some("delta")) => Meaning::Change,
            ("sum", _) if !self.monotonic => Meaning::Level,
            _ => Meaning::Total,
        }
    }

    fn draw(&self, labels: Vec<Labels>, lines: &[Line]) -> Vec<Series> {
        let pairs = labels.into_iter().zip(lines);
        if !self.counts_things() {
            return pairs.map(|(labels, line)| Series { labels, points: line.values() }).collect();
        }
        let stat = |mut labels: Labels, stat: &str, points| {
            labels.push(("stat".to_owned(), stat.to_owned()));
            Series { labels, points }
        };
        pairs
            .flat_map(|(labels, line)| {
                [stat(labels.clone(), "mean", line.means()), stat(labels, "rate", line.values())]
            })
            .collect()
    }
}

struct Reader<'a> {
    session: &'a Session,
    request: &'a SeriesRequest,
    steps: Steps,
    shape: &'a Shape,
}

impl Reader<'_> {
    /// The lines of the groups, from the points of their series in order.
    async fn lines(&self, snapshots: &[Arc<Snapshot>], groups: &Groups) -> Result<Vec<Line>, QueryError> {
        self.session.hold(groups.labels.len() * self.steps.count() * CELL_BYTES, "Lines")?;
        let mut lines: Vec<_> = groups.labels.iter().map(|_| Line::new(self.steps)).collect();
        if lines.is_empty() {
            return Ok(lines);
        }
        let known_from = self.request.range.from.saturating_sub(LOOK_BACK.max(self.steps.width()));
        let meaning = self.shape.meaning();
        let from = if meaning == Meaning::Total { known_from } else { self.request.range.from };
        let plan = self.points(snapshots, groups, TimeRange { from, to: self.request.range.to })?;
        let mut folding = Folding::new(meaning, self.steps, known_from);
        let mut current: Option<(String, usize)> = None;
        let mut stream = self.session.query(&self.session.state(snapshots), plan).await?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let columns = Columns(&batch);
            for row in 0..batch.num_rows() {
                let id = columns.text("series_id", row).unwrap_or_default();
                if current.as_ref().is_none_or(|(current, _)| current != id) {
                    if let Some((_, line)) = current.take() {
                        lines[line].add(&mut folding);
                    }
                    let Some(line) = groups.lines.get(id) else { continue };
                    current = Some((id.to_owned(), *line));
                }
                self.fold(columns, row, &mut folding);
            }
        }
        if let Some((_, line)) = current {
            lines[line].add(&mut folding);
        }
        Ok(lines)
    }

    fn points(
        &self,
        snapshots: &[Arc<Snapshot>],
        groups: &Groups,
        range: TimeRange,
    ) -> Result<LogicalPlan, QueryError> {
        let (table, values) = if self.shape.counts_things() {
            (Table::Histograms, ["count", "sum"].as_slice())
        } else {
            (Table::Samples, ["value"].as_slice())
        };
        let mut plan = scan(&self.session.tables(snapshots), table)?
            .filter(col("metric_name").eq(lit(self.request.name.as_str())).and(within("time", range)))
            .map_err(planning)?;
        if groups.lines.len() <= IDS_MAX {
            let ids = groups.lines.keys().map(|id| lit(id.as_str())).collect();
            plan = plan.filter(col("series_id").in_list(ids, false)).map_err(planning)?;
        }
        let columns =
            ["series_id", "time", "start_time", "flags"].iter().chain(values).map(|name| col(*name));
        plan.project(columns)
            .and_then(|plan| plan.sort([col("series_id").sort(true, true), col("time").sort(true, true)]))
            .and_then(LogicalPlanBuilder::build)
            .map_err(planning)
    }

    fn fold(&self, columns: Columns<'_>, row: usize, folding: &mut Folding) {
        let flags = columns.int("flags", row).unwrap_or_default();
        let (value, sum) = if self.shape.counts_things() {
            #[expect(clippy::cast_precision_loss, reason = "drawn as a line")]
            let count = columns.int("count", row).map(|count| count as f64);
            (count, columns.double("sum", row).unwrap_or(f64::NAN))
        } else {
            (columns.double("value", row), 0.0)
        };
        let value = value.filter(|value| !value.is_nan() && flags & NO_RECORDED_VALUE == 0);
        let (Some(time), Some(value)) = (columns.int("time", row), value) else {
            folding.interrupt();
            return;
        };
        folding.add(Point { time, start: columns.int("start_time", row), value, sum });
    }
}
