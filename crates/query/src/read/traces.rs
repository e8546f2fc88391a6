use std::collections::{BTreeSet, HashMap, HashSet};

use datafusion::execution::session_state::SessionState;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, col, lit};
use model::{Table, Tenant};

use super::columns::{Columns, newest_first, planning, scan, within};
use crate::session::Session;
use crate::table::catalog::Tables;
use crate::{Answer, Engine, QueryError, TimeRange};

/// Which traces.
#[derive(Clone, Debug)]
pub struct TraceFilter {
    /// When a span of it started.
    pub range: TimeRange,
    /// With a span of this service; with `name`, both of the same span.
    pub service: Option<String>,
    /// With a span of this name.
    pub name: Option<String>,
    /// Only with an error.
    pub error: bool,
    /// Only as long as this at least.
    pub duration_min_nano: Option<i64>,
    /// Only as long as this at most.
    pub duration_max_nano: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// A trace in a list, from its spans in the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSummary {
    /// Lower-case hex.
    pub trace_id: String,
    /// Service of the root span; of the earliest span where the root is not known.
    pub root_service: String,
    /// Name of that span.
    pub root_name: String,
    /// When the earliest span started.
    pub start_unix_nano: i64,
    /// From the earliest start to the latest end.
    pub duration_nano: i64,
    /// How many spans.
    pub spans: u64,
    /// How many of them with an error.
    pub errors: u64,
    /// Names of the services, sorted.
    pub services: Vec<String>,
}

/// The most traces of an answer.
const LIMIT_MAX: u32 = 1_000;
/// Traces whose spans are gathered at once.
const CANDIDATES_MAX: usize = 2_000;
/// Bytes of an id that was seen: the text, and the set around it.
const ID_BYTES: usize = 32 + 24 + 16;
/// Spans of a trace are looked for so long before and after the part of the range in which one
/// matched; what lies farther away is not counted in a list.
const TRACE_LENGTH_MAX: i64 = 15 * 60 * 1_000_000_000;

impl Engine {
    /// The newest traces that pass a filter, by the start of their earliest span.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn traces(
        &self,
        tenant: &Tenant,
        filter: &TraceFilter,
    ) -> Result<Answer<Vec<TraceSummary>>, QueryError> {
        self.reading(|| self.read_traces(tenant, filter)).await
    }

    async fn read_traces(
        &self,
        tenant: &Tenant,
        filter: &TraceFilter,
    ) -> Result<Answer<Vec<TraceSummary>>, QueryError> {
        let session = self.ask(tenant, "newest traces").await?;
        let snapshots = session.snapshots(&[Table::Spans])?;
        let state = session.state(&snapshots);
        let reader = Reader { session: &session, state, tables: session.tables(&snapshots), filter };
        let traces = reader.read().await?;
        let rows = traces.len();
        Ok(session.answer(traces, rows))
    }
}

struct Reader<'a> {
    session: &'a Session,
    state: SessionState,
    tables: Tables,
    filter: &'a TraceFilter,
}

impl Reader<'_> {
    /// Goes back in time until enough traces are known that start after everything not seen yet.
    async fn read(&self) -> Result<Vec<TraceSummary>, QueryError> {
        let limit = self.filter.limit.min(LIMIT_MAX) as usize;
        let (mut seen, mut passed) = (HashSet::new(), Vec::new());
        for piece in newest_first(self.filter.range) {
            let mut piece = piece;
            loop {
                let (candidates, reached) = self.candidates(piece).await?;
                let new: Vec<_> = candidates.into_iter().filter(|id| seen.insert(id.clone())).collect();
                self.session.hold(new.len() * ID_BYTES, "Traces")?;
                let traces = self.gather(new, TimeRange { from: reached, to: piece.to }).await?;
                passed.extend(traces.into_iter().filter(|trace| self.passes(trace)));
                if passed.iter().filter(|trace| trace.start_unix_nano >= reached).count() >= limit {
                    return Ok(newest(passed, limit));
                }
                if reached <= piece.from {
                    break;
                }
                piece.to = reached;
            }
        }
        Ok(newest(passed, limit))
    }

    /// Traces with a matching span in a piece of the range, and down to which time they are all
    /// there: where there are too many, those whose matching spans are the newest.
    async fn candidates(&self, piece: TimeRange) -> Result<(Vec<String>, i64), QueryError> {
        let mut plan =
            scan(&self.tables, Table::Spans)?.filter(within("start_time", piece)).map_err(planning)?;
        for condition in self.conditions() {
            plan = plan.filter(condition).map_err(planning)?;
        }
        let plan = plan
            .aggregate([col("trace_id")], [max(col("start_time")).alias("newest")])
            .and_then(|plan| plan.sort_with_limit([col("newest").sort(false, false)], Some(CANDIDATES_MAX)))
            .and_then(LogicalPlanBuilder::build)
            .map_err(planning)?;
        let (mut ids, mut oldest) = (Vec::new(), piece.to);
        for batch in self.session.rows(&self.state, plan, CANDIDATES_MAX).await? {
            let columns = Columns(&batch);
            for row in 0..batch.num_rows() {
                ids.push(columns.string("trace_id", row));
                oldest = columns.int("newest", row).unwrap_or(oldest).min(oldest);
            }
        }
        if ids.len() < CANDIDATES_MAX {
            return Ok((ids, piece.from));
        }
        // Those of the oldest nanosecond may have been cut; if it is the only one, there is no
        // finer way to go on.
        let reached = if oldest + 1 < piece.to { oldest + 1 } else { oldest };
        Ok((ids, reached))
    }

    /// What the filter asks of a single span.
    fn conditions(&self) -> Vec<Expr> {
        let filter = self.filter;
        let mut conditions = Vec::new();
        conditions.extend(filter.service.as_deref().map(|service| col("service_name").eq(lit(service))));
        conditions.extend(filter.name.as_deref().map(|name| col("name").eq(lit(name))));
        // An error may be in another span than the service and name asked for.
        if filter.error && conditions.is_empty() {
            conditions.push(col("status_code").eq(lit("error")));
        }
        // A trace is at least as long as each of its spans.
        conditions.extend(filter.duration_max_nano.map(|most| col("duration_nano").lt_eq(lit(most))));
        conditions
    }

    async fn gather(&self, ids: Vec<String>, piece: TimeRange) -> Result<Vec<TraceSummary>, QueryError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let range = TimeRange {
            from: piece.from.saturating_sub(TRACE_LENGTH_MAX).max(self.filter.range.from),
            to: piece.to.saturating_add(TRACE_LENGTH_MAX).min(self.filter.range.to),
        };
        let names =
            ["trace_id", "parent_span_id", "service_name", "name", "status_code", "start_time", "end_time"];
        let plan = scan(&self.tables, Table::Spans)?
            .filter(within("start_time", range))
            .and_then(|plan| plan.filter(col("trace_id").in_list(ids.into_iter().map(lit).collect(), false)))
            .and_then(|plan| plan.project(names.map(col)))
            .and_then(LogicalPlanBuilder::build)
            .map_err(planning)?;
        let mut traces: HashMap<String, Gathered> = HashMap::new();
        let mut stream = self.session.query(&self.state, plan).await?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            for row in 0..batch.num_rows() {
                let columns = Columns(&batch);
                let id = columns.text("trace_id", row).unwrap_or_default();
                if let Some(trace) = traces.get_mut(id) {
                    trace.add(columns, row);
                } else {
                    traces.entry(id.to_owned()).or_default().add(columns, row);
                }
            }
        }
        Ok(traces.into_iter().map(|(id, trace)| trace.summary(id)).collect())
    }

    fn passes(&self, trace: &TraceSummary) -> bool {
        let filter = self.filter;
        (!filter.error || trace.errors > 0)
            && filter.duration_min_nano.is_none_or(|least| trace.duration_nano >= least)
            && filter.duration_max_nano.is_none_or(|most| trace.duration_nano <= most)
    }
}

fn newest(mut traces: Vec<TraceSummary>, limit: usize) -> Vec<TraceSummary> {
    traces
        .sort_by(|a, b| b.start_unix_nano.cmp(&a.start_unix_nano).then_with(|| a.trace_id.cmp(&b.trace_id)));
    traces.truncate(limit);
    traces
}

/// What is known of a trace while its spans are read in any order.
#[derive(Default)]
struct Gathered {
    /// The least of (has a parent, start, service, name): the root, or the earliest span.
    root: Option<(bool, i64, String, String)>,
    start: Option<i64>,
    end: i64,
    spans: u64,
    errors: u64,
    services: BTreeSet<String>,
}

impl Gathered {
    fn add(&mut self, span: Columns<'_>, row: usize) {
        let start = span.int("start_time", row).unwrap_or_default();
        let end = span.int("end_time", row).unwrap_or_default().max(start);
        let service = span.text("service_name", row).unwrap_or_default();
        let name = span.text("name", row).unwrap_or_default();
        let candidate = (span.text("parent_span_id", row).is_some(), start, service, name);
        let known = self
            .root
            .as_ref()
            .map(|(child, start, service, name)| (*child, *start, service.as_str(), name.as_str()));
        if known.is_none_or(|known| candidate < known) {
            self.root = Some((candidate.0, start, service.to_owned(), name.to_owned()));
        }
        self.end = if self.start.is_none() { end } else { self.end.max(end) };
        self.start = Some(self.start.map_or(start, |earliest| earliest.min(start)));
        self.spans += 1;
        self.errors += u64::from(span.text("status_code", row) == Some("error"));
        if !self.services.contains(service) {
            self.services.insert(service.to_owned());
        }
    }

    fn summary(self, trace_id: String) -> TraceSummary {
        let (_, _, root_service, root_name) = self.root.unwrap_or_default();
        let start_unix_nano = self.start.unwrap_or_default();
        TraceSummary {
            trace_id,
            root_service,
            root_name,
            start_unix_nano,
            duration_nano: self.end.saturating_sub(start_unix_nano),
            spans: self.spans,
            errors: self.errors,
            services: self.services.into_iter().collect(),
        }
    }
}
