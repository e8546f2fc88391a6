use arrow::datatypes::DataType;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{LogicalPlanBuilder, cast, col, lit};
use model::{Table, Tenant};

use super::columns::{Columns, planning};
use super::logs::passing;
use super::steps::Steps;
use crate::{Answer, Engine, LogFilter, QueryError};

/// Counts of log records over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHistogram {
    /// Width of a bucket.
    pub step_ms: i64,
    /// All buckets of the range, oldest first, empty ones too.
    pub buckets: Vec<LogBucket>,
}

/// Counts of log records of a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBucket {
    /// Begin, in milliseconds since 1970.
    pub time_ms: i64,
    /// By severity.
    pub counts: SeverityCounts,
}

/// Counts by severity, in OpenTelemetry's ranges of the severity number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeverityCounts {
    /// 1 to 4
    pub trace: u64,
    /// 5 to 8
    pub debug: u64,
    /// 9 to 12
    pub info: u64,
    /// 13 to 16
    pub warn: u64,
    /// 17 to 20
    pub error: u64,
    /// 21 and more
    pub fatal: u64,
    /// 0 and less
    pub unset: u64,
}

impl SeverityCounts {
    /// The count that records of a severity number belong to.
    fn of(&mut self, severity_number: i64) -> &mut u64 {
        match severity_number {
            ..=0 => &mut self.unset,
            1..=4 => &mut self.trace,
            5..=8 => &mut self.debug,
            9..=12 => &mut self.info,
            13..=16 => &mut self.warn,
            17..=20 => &mut self.error,
            21.. => &mut self.fatal,
        }
    }
}

/// The most buckets of a histogram.
const BUCKETS_MAX: u32 = 2_000;

impl Engine {
    /// Counts of the log records that pass a filter, by severity, in about `buckets` buckets. The
    /// filter's limit and cursor do not matter.
    ///
    /// # Errors
    /// [`QueryError`] as for [`Engine::sql`].
    pub async fn log_histogram(
        &self,
        tenant: &Tenant,
        filter: &LogFilter,
        buckets: u32,
    ) -> Result<Answer<LogHistogram>, QueryError> {
        self.reading(|| self.read_log_histogram(tenant, filter, buckets)).await
    }

    async fn read_log_histogram(
        &self,
        tenant: &Tenant,
        filter: &LogFilter,
        buckets: u32,
    ) -> Result<Answer<LogHistogram>, QueryError> {
        let steps = Steps::about(filter.range, buckets.clamp(1, BUCKETS_MAX));
        let session = self.ask(tenant, "log histogram").await?;
        let snapshots = session.snapshots(&[Table::Logs])?;
        let state = session.state(&snapshots);
        let bucket = (cast(col("time"), DataType::Int64) - lit(steps.begin())) / lit(steps.width());
        let plan = passing(&session.tables(&snapshots), filter, filter.range)?
            .project([bucket.alias("bucket"), col("severity_number")])
            .and_then(|plan| {
                plan.aggregate([col("bucket"), col("severity_number")], [count(lit(1_i64)).alias("records")])
            })
            .and_then(LogicalPlanBuilder::build)
            .map_err(planning)?;
        let empty = |time_ms| LogBucket { time_ms, counts: SeverityCounts::default() };
        let mut counted: Vec<_> = steps.times_ms().map(empty).collect();
        let mut stream = session.query(&state, plan).await?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let columns = Columns(&batch);
            for row in 0..batch.num_rows() {
                let index = columns.int("bucket", row).and_then(|bucket| usize::try_from(bucket).ok());
                let Some(bucket) = index.and_then(|index| counted.get_mut(index)) else { continue };
                let severity = columns.int("severity_number", row).unwrap_or_default();
                let records = columns.int("records", row).unwrap_or_default();
                *bucket.counts.of(severity) += u64::try_from(records).unwrap_or_default();
            }
        }
        let rows = counted.len();
        Ok(session.answer(LogHistogram { step_ms: steps.step_ms, buckets: counted }, rows))
    }
}
