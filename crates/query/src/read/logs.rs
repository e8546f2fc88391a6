use std::fmt;
use std::str::FromStr;

use arrow::array::RecordBatch;
use datafusion::execution::session_state::SessionState;
use datafusion::functions::core::expr_ext::FieldAccessor;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, SortExpr, col, lit};
use model::{Table, Tenant};

use super::columns::{Columns, newest_first, planning, scan, within};
use crate::session::Session;
use crate::table::catalog::Tables;
use crate::table::convert::to_hex;
use crate::{Answer, Attributes, Engine, QueryError, TimeRange};

/// Which log records.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    /// When.
    pub range: TimeRange,
    /// Of this service.
    pub service: Option<String>,
    /// With at least this severity number.
    pub severity_min: Option<i32>,
    /// With this text in the body, letter case ignored.
    pub text: Option<String>,
    /// Of this trace.
    pub trace_id: Option<[u8; 16]>,
    /// With these attributes of the record or its resource.
    pub attributes: Vec<(String, String)>,
    /// At most so many.
    pub limit: u32,
    /// Only those after this cursor of an earlier answer.
    pub before: Option<String>,
}

/// Newest log records.
#[derive(Clone, Debug, PartialEq)]
pub struct Logs {
    /// Newest first.
    pub records: Vec<LogRecord>,
    /// For [`LogFilter::before`]; `None` when there are no older ones in the range.
    pub next: Option<String>,
}

/// A log record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogRecord {
    /// Its time, or when it was observed or received.
    pub time_unix_nano: i64,
    /// When it was observed; 0 where the sender gave none.
    pub observed_time_unix_nano: i64,
    /// 1 to 24; 0 where the sender gave none.
    pub severity_number: i32,
    /// The sender's word for the severity.
    pub severity_text: String,
    /// Text, or JSON of another value.
    pub body: Option<String>,
    /// The event's name, empty for a plain record.
    pub event_name: String,
    /// Of the resource.
    pub service_name: String,
    /// Lower-case hex.
    pub trace_id: Option<String>,
    /// Lower-case hex.
    pub span_id: Option<String>,
    /// Of the record.
    pub attributes: Attributes,
    /// Of the resource.
    pub resource_attributes: Attributes,
    /// The instrumentation scope's name.
    pub scope_name: String,
    /// The instrumentation scope's version.
    pub scope_version: String,
}

/// The most records of a page.
const LIMIT_MAX: u32 = 10_000;

impl Engine {
    /// The newest log records that pass a filter.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`]; [`QueryError::Argument`] for a malformed cursor.
    pub async fn logs(&self, tenant: &Tenant, filter: &LogFilter) -> Result<Answer<Logs>, QueryError> {
        self.reading(|| self.read_logs(tenant, filter)).await
    }

    async fn read_logs(&self, tenant: &Tenant, filter: &LogFilter) -> Result<Answer<Logs>, QueryError> {
        let cursor = filter.before.as_deref().map(str::parse::<Cursor>).transpose()?;
        let session = self.ask(tenant, "newest logs").await?;
        let snapshots = session.snapshots(&[Table::Logs])?;
        let state = session.state(&snapshots);
        let reader = Reader { session: &session, state, tables: session.tables(&snapshots), filter };
        let logs = reader.read(cursor).await?;
        let rows = logs.records.len();
        Ok(session.answer(logs, rows))
    }
}

/// Reads in two steps: which times are the newest, from few columns; then the whole records.
struct Reader<'a> {
    session: &'a Session,
    state: SessionState,
    tables: Tables,
    filter: &'a LogFilter,
}

impl Reader<'_> {
    async fn read(&self, cursor: Option<Cursor>) -> Result<Logs, QueryError> {
        let limit = self.filter.limit.min(LIMIT_MAX) as usize;
        let skip = cursor.map_or(0, |cursor| cursor.skip as usize);
        let mut range = self.filter.range;
        if let Some(cursor) = cursor {
            range.to = range.to.min(cursor.time.saturating_add(i64::from(skip > 0)));
        }
        // One more tells whether there is a next page.
        let wanted = skip + limit + 1;
        let Some(oldest) = self.oldest_of(range, wanted).await? else {
            return Ok(Logs { records: Vec::new(), next: None });
        };
        let range = TimeRange { from: oldest, to: range.to };
        let mut records = self.records(range, wanted).await?;
        let tied = records
            .iter()
            .take(skip)
            .filter(|record| Some(record.time_unix_nano) == cursor.map(|cursor| cursor.time));
        let tied = tied.count();
        records.drain(..tied);
        let next = next_cursor(&records, limit, cursor);
        records.truncate(limit);
        Ok(Logs { records, next: next.map(|next| next.to_string()) })
    }

    /// The time of the last of the newest `wanted` records.
    async fn oldest_of(&self, range: TimeRange, wanted: usize) -> Result<Option<i64>, QueryError> {
        let (mut found, mut oldest) = (0, None);
        for piece in newest_first(range) {
            let plan = self
                .passing(piece)?
                .project([col("time")])
                .and_then(|plan| plan.sort_with_limit([newest()], Some(wanted - found)))
                .and_then(LogicalPlanBuilder::build)
                .map_err(planning)?;
            for batch in self.session.rows(&self.state, plan, wanted).await? {
                found += batch.num_rows();
                let last = batch.num_rows().checked_sub(1);
                oldest = last.and_then(|last| Columns(&batch).int("time", last)).or(oldest);
            }
            if found >= wanted {
                break;
            }
        }
        Ok(oldest)
    }

    async fn records(&self, range: TimeRange, wanted: usize) -> Result<Vec<LogRecord>, QueryError> {
        // Records of one nanosecond need an order that stays the same from page to page.
        let ties = ["service_name", "severity_number", "trace_id", "span_id", "body"];
        let order = std::iter::once(newest()).chain(ties.map(|name| col(name).sort(true, true)));
        let plan = self
            .passing(range)?
            .sort_with_limit(order, Some(wanted))
            .and_then(LogicalPlanBuilder::build)
            .map_err(planning)?;
        let batches = self.session.rows(&self.state, plan, wanted).await?;
        Ok(batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| record(batch, row))).collect())
    }

    fn passing(&self, range: TimeRange) -> Result<LogicalPlanBuilder, QueryError> {
        passing(&self.tables, self.filter, range)
    }
}

fn newest() -> SortExpr {
    col("time").sort(false, false)
}

/// Begins a plan with the records that pass a filter, in a range of its own.
pub(super) fn passing(
    tables: &Tables,
    filter: &LogFilter,
    range: TimeRange,
) -> Result<LogicalPlanBuilder, QueryError> {
    let mut plan = scan(tables, Table::Logs)?.filter(within("time", range)).map_err(planning)?;
    for condition in conditions(filter) {
        plan = plan.filter(condition).map_err(planning)?;
    }
    Ok(plan)
}

fn conditions(filter: &LogFilter) -> Vec<Expr> {
    let mut conditions = Vec::new();
    conditions.extend(filter.service.as_deref().map(|service| col("service_name").eq(lit(service))));
    conditions.extend(filter.severity_min.map(|least| col("severity_number").gt_eq(lit(least))));
    conditions.extend(filter.trace_id.map(|id| col("trace_id").eq(lit(to_hex(&id)))));
    conditions.extend(filter.text.as_deref().map(|text| col("body").ilike(lit(contains(text)))));
    for (key, value) in &filter.attributes {
        let of = |map: &str| col(map).field(key.as_str()).eq(lit(value.as_str()));
        conditions.push(of("attributes").or(of("resource_attributes")));
    }
    conditions
}

/// A pattern of `LIKE` for a text anywhere.
pub(super) fn contains(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn record(batch: &RecordBatch, row: usize) -> LogRecord {
    let columns = Columns(batch);
    LogRecord {
        time_unix_nano: columns.int("time", row).unwrap_or_default(),
        observed_time_unix_nano: columns.int("observed_time", row).unwrap_or_default(),
        severity_number: columns
            .int("severity_number", row)
            .and_then(|number| number.try_into().ok())
            .unwrap_or(0),
        severity_text: columns.string("severity_text", row),
        body: columns.text("body", row).map(str::to_owned),
        event_name: columns.string("event_name", row),
        service_name: columns.string("service_name", row),
        trace_id: columns.text("trace_id", row).map(str::to_owned),
        span_id: columns.text("span_id", row).map(str::to_owned),
        attributes: columns.attributes("attributes", row),
        resource_attributes: columns.attributes("resource_attributes", row),
        scope_name: columns.string("scope_name", row),
        scope_version: columns.string("scope_version", row),
    }
}

/// Where a page ended: before this time, and after so many records of exactly this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    time: i64,
    skip: u32,
}

/// Where the next page begins, if `records` has more than `limit`.
fn next_cursor(records: &[LogRecord], limit: usize, before: Option<Cursor>) -> Option<Cursor> {
    let next = records.get(limit)?.time_unix_nano;
    let last = records.get(limit.checked_sub(1)?)?.time_unix_nano;
    if next < last {
        return Some(Cursor { time: last, skip: 0 });
    }
    let given = records[..limit].iter().filter(|record| record.time_unix_nano == last).count();
    let earlier = before.filter(|before| before.time == last).map_or(0, |before| before.skip);
    Some(Cursor { time: last, skip: earlier.saturating_add(u32::try_from(given).ok()?) })
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.skip == 0 { write!(f, "{}", self.time) } else { write!(f, "{}+{}", self.time, self.skip) }
    }
}

impl FromStr for Cursor {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let (time, skip) = text.split_once('+').unwrap_or((text, "0"));
        let malformed =
            || QueryError::Argument { message: format!("`{text}` is not a cursor of an earlier answer") };
        Ok(Self {
            time: time.parse().map_err(|_| malformed())?,
            skip: skip.parse().map_err(|_| malformed())?,
        })
    }
}
