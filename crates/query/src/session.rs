use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::parser::Statement;
use futures::StreamExt;
use model::Table;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::answer::Scan;
use crate::checkpoint::with_checkpoints;
use crate::engine::Inner;
use crate::registry::{Control, Entered};
use crate::sql::read_only;
use crate::table::catalog::Tables;
use crate::{Answer, QueryError, Snapshot, Summary};

/// Batches that an executor may be ahead of whoever takes them.
const BATCHES_AHEAD: usize = 2;

/// One question, from its admission to its answer: its place among the running ones, its
/// snapshots, and what it has read.
pub(crate) struct Session {
    pub(crate) engine: Arc<Inner>,
    entered: Entered,
    /// Held, not read: the next one may run when it is dropped.
    _turn: OwnedSemaphorePermit,
    pub(crate) scan: Arc<Scan>,
    /// Executed plans, for their metrics.
    plans: Mutex<Vec<Arc<dyn ExecutionPlan>>>,
    /// Memory of what is kept for the answer.
    held: Mutex<Vec<MemoryReservation>>,
}

impl Session {
    pub(crate) fn new(engine: Arc<Inner>, entered: Entered, turn: OwnedSemaphorePermit) -> Self {
        Self {
            engine,
            entered,
            _turn: turn,
            scan: Arc::default(),
            plans: Mutex::default(),
            held: Mutex::default(),
        }
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.entered.control
    }

    /// Snapshots of tables, all taken at once.
    pub(crate) fn snapshots(&self, tables: &[Table]) -> Result<Vec<Arc<Snapshot>>, QueryError> {
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let snapshots = self.engine.source.snapshot(&self.control().tenant, tables)?;
        Ok(snapshots.into_iter().map(Arc::new).collect())
    }

    /// The tables of the tenant as these snapshots have them.
    pub(crate) fn tables(&self, snapshots: &[Arc<Snapshot>]) -> Tables {
        Tables {
            tenant: self.control().tenant.clone(),
            objects: Arc::clone(&self.engine.objects),
            footers: Arc::clone(&self.engine.footers),
            scan: Arc::clone(&self.scan),
            memory: Arc::clone(&self.control().pool),
            snapshots: snapshots.iter().map(|snapshot| (snapshot.table, Arc::clone(snapshot))).collect(),
        }
    }

    /// A planner over these snapshots.
    pub(crate) fn state(&self, snapshots: &[Arc<Snapshot>]) -> SessionState {
        let pool = Arc::clone(&self.control().pool);
        self.engine.dialect.session(self.tables(snapshots), pool)
    }

    /// Plans a statement over snapshots of these tables and starts it.
    pub(crate) async fn run(&self, statement: Statement, tables: &[Table]) -> Result<Stream, QueryError> {
        let state = self.state(&self.snapshots(tables)?);
        let planner = state.clone();
        self.start(state, async move { planner.statement_to_plan(statement).await }).await
    }

    /// Starts a plan of ours.
    pub(crate) async fn query(&self, state: &SessionState, plan: LogicalPlan) -> Result<Stream, QueryError> {
        self.start(state.clone(), std::future::ready(Ok(plan))).await
    }

    /// Finishes planning on the executor's threads.
    async fn start(
        &self,
        state: SessionState,
        plan: impl Future<Output = Result<LogicalPlan, DataFusionError>> + Send + 'static,
    ) -> Result<Stream, QueryError> {
        let control = Arc::clone(self.control());
        let planning = async move {
            let translate = |error| QueryError::planning(&error, Some(&control.pool));
            let plan = plan.await.map_err(translate)?;
            read_only()
                .verify_plan(&plan)
                .map_err(|_| QueryError::ReadOnly { what: "a statement that writes".to_owned() })?;
            let plan = state.create_physical_plan(&plan).await.map_err(translate)?;
            let plan = with_checkpoints(plan, &control).map_err(translate)?;
            Ok((plan, state))
        };
        let planning = Task(self.engine.executor.spawn(WithDeepStack(Box::pin(planning))));
        let (plan, state) = self.control().within(planning.result()).await?;
        self.plans.lock().push(Arc::clone(&plan));
        Ok(self.stream(plan, state))
    }

    /// Executes a plan on the executor's threads, a few batches ahead. The state has the snapshots, whose
    /// files stay until everything is read: the plan knows only where they are.
    fn stream(&self, plan: Arc<dyn ExecutionPlan>, state: SessionState) -> Stream {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        let schema = plan.schema();
        let (pool, scan) = (Arc::clone(&self.control().pool), Arc::clone(&self.scan));
        let work = async move {
            let mut stream = match execute_stream(plan, state.task_ctx()) {
                Ok(stream) => stream,
                Err(error) => {
                    // Nobody listens any more when sending fails, here and below.
                    let error = undecodable(QueryError::executing(&error, &pool), &scan);
                    let _ = sender.send(Err(error)).await;
                    return Ok(());
                }
            };
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|error| undecodable(QueryError::executing(&error, &pool), &scan));
                let failed = batch.is_err();
                if sender.send(batch).await.is_err() || failed {
                    break;
                }
            }
            drop((stream, state));
            Ok(())
        };
        let task = Task(self.engine.executor.spawn(work));
        let (control, scan) = (Arc::clone(self.control()), Arc::clone(&self.scan));
        Stream { schema, batches, task: Some(task), control, scan }
    }

    /// Counts what is held until the question is answered.
    pub(crate) fn hold(&self, bytes: usize, what: &str) -> Result<(), QueryError> {
        let pool = Arc::clone(&self.control().pool);
        let memory = MemoryConsumer::new(what).register(&(Arc::clone(&pool) as Arc<dyn MemoryPool>));
        memory.try_grow(bytes).map_err(|error| QueryError::executing(&error, &pool))?;
        self.held.lock().push(memory);
        Ok(())
    }

    /// Runs a plan of ours and keeps its rows, at most so many.
    pub(crate) async fn rows(
        &self,
        state: &SessionState,
        plan: LogicalPlan,
        rows_max: usize,
    ) -> Result<Vec<RecordBatch>, QueryError> {
        let mut stream = self.query(state, plan).await?;
        let (mut batches, mut rows) = (Vec::new(), 0);
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            rows += batch.num_rows();
            self.hold_rows(&batch, rows, rows_max)?;
            batches.push(batch);
        }
        Ok(batches)
    }

    /// Counts a batch that is held until the question is answered; with it there are `rows`.
    pub(crate) fn hold_rows(
        &self,
        batch: &RecordBatch,
        rows: usize,
        rows_max: usize,
    ) -> Result<(), QueryError> {
        self.hold(batch.get_array_memory_size(), "Rows")?;
        if rows > rows_max {
            return Err(QueryError::Memory { message: format!("the answer has more than {rows_max} rows") });
        }
        Ok(())
    }

    /// Forgets what it has read: it begins anew.
    pub(crate) fn forget(&mut self) {
        self.scan = Arc::default();
        self.plans.lock().clear();
    }

    /// What it took so far.
    pub(crate) fn summary(&self) -> Summary {
        let mut summary = self.scan.summary();
        summary.scanned_rows += self.plans.lock().iter().map(|plan| rows_read(plan.as_ref())).sum::<u64>();
        summary.rows = self.control().rows.load(Ordering::Relaxed);
        summary.memory_peak = self.control().pool.peak();
        summary.elapsed = self.control().started.elapsed();
        summary
    }

    /// The answer with `rows` rows.
    pub(crate) fn answer<T>(&self, value: T, rows: usize) -> Answer<T> {
        self.control().rows.store(rows as u64, Ordering::Relaxed);
        Answer { value, summary: self.summary() }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let failed = self.control().failed.load(Ordering::Relaxed);
        self.engine.counters.ended(&self.summary(), failed);
    }
}

/// Rows of segments that a plan decoded, passing or not.
fn rows_read(plan: &dyn ExecutionPlan) -> u64 {
    let below: u64 = plan.children().iter().map(|child| rows_read(child.as_ref())).sum();
    if !plan.is::<DataSourceExec>() {
        return below;
    }
    let Some(metrics) = plan.metrics() else { return below };
    let pruned = metrics.sum_by_name("pushdown_rows_pruned").map_or(0, |value| value.as_usize());
    below + (metrics.output_rows().unwrap_or(0) + pruned) as u64
}

/// A failure that nobody can tell from that of a decoder: what it read is worth a look.
fn undecodable(error: QueryError, scan: &Scan) -> QueryError {
    match error {
        QueryError::Internal { message } => {
            QueryError::Undecodable { message, segments: scan.segments_read() }
        }
        other => other,
    }
}

/// The batches of an executed plan. Dropping it stops the execution.
pub(crate) struct Stream {
    pub(crate) schema: arrow::datatypes::SchemaRef,
    batches: mpsc::Receiver<Result<RecordBatch, QueryError>>,
    /// `None` after the end.
    task: Option<Task<()>>,
    control: Arc<Control>,
    scan: Arc<Scan>,
}

impl Stream {
    /// The next batch, unless the query has to stop. After an error there is no more.
    pub(crate) async fn next(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        self.task.as_ref()?;
        let batches = &mut self.batches;
        let next = self.control.within(async { batches.recv().await.transpose() }).await;
        let result = match next.transpose() {
            Some(batch) => batch,
            // The task has ended: by itself, or in a panic.
            None => {
                let error = self.task.take()?.result().await.err()?;
                Err(undecodable(error, &self.scan))
            }
        };
        if result.is_err() {
            self.task = None;
        }
        Some(result)
    }
}

/// A task that stops when it is no longer wanted, and whose panic is an error.
struct Task<T>(tokio::task::JoinHandle<Result<T, QueryError>>);

impl<T> Task<T> {
    async fn result(mut self) -> Result<T, QueryError> {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(error) if error.is_cancelled() => Err(QueryError::Cancelled),
            Err(error) => Err(QueryError::Internal { message: format!("a bug: {error}") }),
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Polls a future on a stack that is deep enough for what is walked recursively, which for a
/// statement of the allowed length is more than a worker has.
struct WithDeepStack<F>(Pin<Box<F>>);

impl<F: Future> Future for WithDeepStack<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        const STACK_BYTES: usize = 16 * 1024 * 1024;
        stacker::maybe_grow(STACK_BYTES / 2, STACK_BYTES, || self.0.as_mut().poll(context))
    }
}
