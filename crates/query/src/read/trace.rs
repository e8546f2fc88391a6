use arrow::array::RecordBatch;
use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
use model::{Table, Tenant};

use super::columns::{Columns, planning, scan};
use crate::session::Session;
use crate::table::columns::{Exposed, SPAN_KINDS, STATUS_CODES};
use crate::table::convert::{parse_hex, to_hex};
use crate::{Answer, Attributes, Engine, QueryError};

/// A trace with all its spans.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Lower-case hex.
    pub trace_id: String,
    /// Earliest first; empty when no span is known.
    pub spans: Vec<Span>,
}

/// A span of a trace. Ids are lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Begin.
    pub start_unix_nano: i64,
    /// End.
    pub end_unix_nano: i64,
    /// End minus begin.
    pub duration_nano: i64,
    /// Its id.
    pub span_id: String,
    /// Its parent's id; `None` for a root span.
    pub parent_span_id: Option<String>,
    /// What was done.
    pub name: String,
    /// unspecified, internal, server, client, producer, consumer
    pub kind: &'static str,
    /// Of the resource.
    pub service_name: String,
    /// unset, ok, error
    pub status_code: &'static str,
    /// Why it is an error.
    pub status_message: String,
    /// Of the span.
    pub attributes: Attributes,
    /// Of the resource.
    pub resource_attributes: Attributes,
    /// The instrumentation scope's name.
    pub scope_name: String,
    /// What happened meanwhile.
    pub events: Vec<Event>,
    /// Other spans it has to do with.
    pub links: Vec<Link>,
}

/// Something that happened during a span.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// When.
    pub time_unix_nano: i64,
    /// What.
    pub name: String,
    /// More.
    pub attributes: Attributes,
}

/// Another span that a span has to do with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Lower-case hex.
    pub trace_id: String,
    /// Lower-case hex.
    pub span_id: String,
    /// More.
    pub attributes: Attributes,
}

/// The most spans of a trace that are answered.
const SPANS_MAX: usize = 100_000;

impl Engine {
    /// A trace by its id.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn trace(&self, tenant: &Tenant, trace_id: [u8; 16]) -> Result<Answer<Trace>, QueryError> {
        self.reading(|| self.read_trace(tenant, trace_id)).await
    }

    /// The id of a trace of which there is a span.
    pub(crate) async fn any_trace(&self, tenant: &Tenant) -> Result<Option<[u8; 16]>, QueryError> {
        let session = self.ask(tenant, "a trace").await?;
        let snapshots = session.snapshots(&[Table::Spans])?;
        let plan = scan(&session.tables(&snapshots), Table::Spans)?
            .project([col("trace_id")])
            .and_then(|plan| plan.limit(0, Some(1)))
            .and_then(LogicalPlanBuilder::build)
            .map_err(planning)?;
        let found = session.rows(&session.state(&snapshots), plan, 1).await?;
        let row = found.iter().find(|batch| batch.num_rows() > 0);
        let id = row.and_then(|batch| parse_hex(Columns(batch).text("trace_id", 0)?));
        Ok(id.and_then(|id| id.try_into().ok()))
    }

    async fn read_trace(&self, tenant: &Tenant, trace_id: [u8; 16]) -> Result<Answer<Trace>, QueryError> {
        let id = to_hex(&trace_id);
        let session = self.ask(tenant, &format!("trace {id}")).await?;
        let batches = match spans_by_index(&session, tenant, trace_id).await? {
            Some(batches) => batches,
            None => spans_by_scan(&session, &id).await?,
        };
        let rows = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
        let mut spans: Vec<_> = rows.map(|(batch, row)| span(batch, row)).collect();
        spans.sort();
        let rows = spans.len();
        Ok(session.answer(Trace { trace_id: id, spans }, rows))
    }
}

async fn spans_by_scan(session: &Session, id: &str) -> Result<Vec<RecordBatch>, QueryError> {
    let snapshots = session.snapshots(&[Table::Spans])?;
    let plan = scan(&session.tables(&snapshots), Table::Spans)?
        .filter(col("trace_id").eq(lit(id)))
        .and_then(LogicalPlanBuilder::build)
        .map_err(planning)?;
    session.rows(&session.state(&snapshots), plan, SPANS_MAX).await
}

/// The trace's spans where the store has an index. Nothing is planned: what is found are rows of the
/// table already, and to plan would be most of the time.
async fn spans_by_index(
    session: &Session,
    tenant: &Tenant,
    trace_id: [u8; 16],
) -> Result<Option<Vec<RecordBatch>>, QueryError> {
    let found = session.engine.source.trace(tenant, trace_id);
    let found = session.control().within(async { Ok(found.await.transpose()?) }).await?;
    let Some(found) = found else { return Ok(None) };
    session.scan.has_segments(Table::Spans, found.segments);
    session.scan.add_read_by_index(found.segments.saturating_sub(found.segments_skipped));
    for warning in found.missing {
        session.scan.incomplete(warning);
    }
    let (mut batches, mut rows) = (Vec::new(), 0);
    for batch in found.batches {
        rows += batch.num_rows();
        session.scan.add_rows(batch.num_rows());
        session.hold_rows(&batch, rows, SPANS_MAX)?;
        let exposed = Exposed::of(Table::Spans).of_file(&batch);
        batches.push(exposed.map_err(|error| QueryError::executing(&error, &session.control().pool))?);
    }
    Ok(Some(batches))
}

fn span(batch: &RecordBatch, row: usize) -> Span {
    let columns = Columns(batch);
    Span {
        start_unix_nano: columns.int("start_time", row).unwrap_or_default(),
        end_unix_nano: columns.int("end_time", row).unwrap_or_default(),
        duration_nano: columns.int("duration_nano", row).unwrap_or_default(),
        span_id: columns.string("span_id", row),
        parent_span_id: columns.text("parent_span_id", row).map(str::to_owned),
        name: columns.string("name", row),
        kind: known(&SPAN_KINDS, columns.text("kind", row)),
        service_name: columns.string("service_name", row),
        status_code: known(&STATUS_CODES, columns.text("status_code", row)),
        status_message: columns.string("status_message", row),
        attributes: columns.attributes("attributes", row),
        resource_attributes: columns.attributes("resource_attributes", row),
        scope_name: columns.string("scope_name", row),
        events: elements(columns, "events", row, |events, row| Event {
            time_unix_nano: events.int("time", row).unwrap_or_default(),
            name: events.string("name", row),
            attributes: events.attributes("attributes", row),
        }),
        links: elements(columns, "links", row, |links, row| Link {
            trace_id: links.string("trace_id", row),
            span_id: links.string("span_id", row),
            attributes: links.attributes("attributes", row),
        }),
    }
}

fn elements<T>(
    columns: Columns<'_>,
    name: &str,
    row: usize,
    make: impl Fn(Columns<'_>, usize) -> T,
) -> Vec<T> {
    let Some(batch) = columns.elements(name, row) else { return Vec::new() };
    (0..batch.num_rows()).map(|row| make(Columns(&batch), row)).collect()
}

/// The word itself, or the first where a sender sent a number without one.
fn known(words: &[&'static str], word: Option<&str>) -> &'static str {
    words.iter().find(|known| word == Some(**known)).copied().unwrap_or(words[0])
}
