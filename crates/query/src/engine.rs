use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{Budget, Tenant};
use object_store::ObjectStore;
use parking_lot::{MappedRwLockReadGuard, Mutex, RwLock, RwLockReadGuard};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cache::{ByPath, Footers};
use crate::metrics::Counters;
use crate::pool::QueryPool;
use crate::prometheus::{Directory, KnownFile};
use crate::registry::{Control, Registry};
use crate::session::Session;
use crate::sql::Dialect;
use crate::{
    Config, LogFilter, PrometheusConfig, QueryError, Running, RunningQuery, Source, SqlRequest, Stats,
};

/// Most segments that are remembered to be sound.
const SOUND_MAX: usize = 10_000;

/// Answers questions. Cloning shares it.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) dialect: Dialect,
    pub(crate) footers: Arc<Footers>,
    /// Series of files, as PromQL wants them.
    pub(crate) series: ByPath<KnownFile>,
    /// Where which series are in files of samples.
    pub(crate) directories: ByPath<Directory>,
    pub(crate) executor: Handle,
    budget: Budget,
    config: RwLock<Config>,
    registry: Arc<Registry>,
    turns: Turns,
    /// Segments that were read through after a query had failed, and are as they were written.
    sound: Mutex<HashSet<Arc<str>>>,
    pub(crate) counters: Counters,
}

impl Inner {
    /// How PromQL is evaluated now.
    pub(crate) fn prometheus(&self) -> MappedRwLockReadGuard<'_, PrometheusConfig> {
        RwLockReadGuard::map(self.config.read(), |config| &config.prometheus)
    }
}

impl Engine {
    /// An engine over `source` whose queries take their memory from `budget` and run on the
    /// threads of `executor`: on threads of their own, they do not keep a sender waiting.
    ///
    /// # Errors
    /// [`QueryError::Internal`] when the engine cannot be set up.
    pub fn new(
        source: Arc<dyn Source>,
        budget: Budget,
        config: Config,
        executor: Handle,
    ) -> Result<Self, QueryError> {
        let objects = source.objects();
        let partitions = executor.metrics().num_workers();
        let dialect = Dialect::new(Arc::clone(&objects), partitions)
            .map_err(|error| QueryError::planning(&error, None))?;
        let footers = Footers::new(budget.clone(), config.metadata_cache.bytes());
        let series = ByPath::new(budget.clone(), config.prometheus.series_cache.bytes());
        let directories = ByPath::new(budget.clone(), config.prometheus.series_cache.bytes() / 4);
        let turns = Turns::new(config.concurrency, config.queue_max);
        let inner = Inner {
            source,
            objects,
            dialect,
            footers: Arc::new(footers),
            series,
            directories,
            executor,
            budget,
            config: RwLock::new(config),
            registry: Arc::default(),
            turns,
            sound: Mutex::default(),
            counters: Counters::default(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Takes over what can change while running: timeouts, the memory share and how PromQL is evaluated.
    /// Queries that have begun go on with what they began with.
    pub fn reconfigure(&self, config: Config) {
        *self.0.config.write() = config;
    }

    /// Plans a statement and starts it.
    ///
    /// # Errors
    /// [`QueryError`] when it cannot be planned, admitted or started in time.
    pub async fn sql(&self, request: SqlRequest) -> Result<Running, QueryError> {
        let statement = self.0.dialect.parse(&request.text)?;
        let tables = self.0.dialect.tables_of(&statement)?;
        let session = self.begin(request).await?;
        let stream = session.run(statement, &tables).await?;
        Ok(Running::new(session, stream))
    }

    /// Asks once what readers ask most: the newest logs and a trace. The first of them does not wait
    /// then until code, footers and indexes are read from disk. Leaves: the id of the trace, if there is
    /// any.
    ///
    /// # Errors
    /// [`QueryError`] as any reader would get it.
    pub async fn warm(&self, tenant: &Tenant) -> Result<Option<[u8; 16]>, QueryError> {
        // First what takes longest and needs no code but its own: the indexes of all segments.
        self.trace(tenant, [0; 16]).await?;
        let newest = LogFilter { limit: 1, ..LogFilter::default() };
        self.logs(tenant, &newest).await?;
        let known = self.any_trace(tenant).await?;
        if let Some(id) = known {
            self.trace(tenant, id).await?;
        }
        Ok(known)
    }

    /// The tenant's queries that run or wait, the oldest first.
    pub fn running(&self, tenant: &Tenant) -> Vec<RunningQuery> {
        self.0.registry.list(tenant)
    }

    /// Cancels; false when the tenant has no such query.
    pub fn cancel(&self, tenant: &Tenant, id: &str) -> bool {
        self.0.registry.cancel(tenant, id)
    }

    /// What it has done since its start.
    pub fn stats(&self) -> Stats {
        self.0.counters.stats(
            self.0.registry.len(),
            (self.0.footers.bytes(), self.0.series.bytes() + self.0.directories.bytes()),
        )
    }

    /// Asks, and when a segment turns out to be damaged, once more: on a snapshot without it, which
    /// says what is missing.
    pub(crate) async fn reading<T, Asked>(&self, ask: impl Fn() -> Asked) -> Result<T, QueryError>
    where
        Asked: Future<Output = Result<T, QueryError>>,
    {
        match ask().await {
            Err(error) if self.0.examine(&error).await => ask().await,
            answer => answer,
        }
    }

    /// Admits a direct reader's question.
    pub(crate) async fn ask(&self, tenant: &Tenant, what: &str) -> Result<Session, QueryError> {
        self.begin(SqlRequest::new(tenant.clone(), what)).await
    }

    /// Enters the query and waits for its turn.
    pub(crate) async fn begin(&self, request: SqlRequest) -> Result<Session, QueryError> {
        let (timeout, share) = {
            let config = self.0.config.read();
            let longest = config.timeout_max.get();
            let timeout = request.timeout.unwrap_or_else(|| config.timeout.get()).min(longest);
            (timeout, request.memory_share.unwrap_or(config.memory_share).min(config.memory_share))
        };
        let pool = Arc::new(QueryPool::new(&self.0.budget, share));
        let id = request.id.unwrap_or_else(|| self.0.registry.next_id());
        let control = Arc::new(Control::new(id, request.tenant, request.text, timeout, pool));
        let entered = self.0.registry.enter(Arc::clone(&control))?;
        let turn = control.within(self.0.turns.wait()).await.inspect_err(|error| {
            if matches!(error, QueryError::Busy { .. }) {
                self.0.counters.refused();
            }
        })?;
        Ok(Session::new(Arc::clone(&self.0), entered, turn))
    }
}

impl Inner {
    /// Looks at what could not be decoded; whether a part of it is set aside now, and the question is
    /// worth asking again.
    pub(crate) async fn examine(&self, error: &QueryError) -> bool {
        let QueryError::Undecodable { segments, .. } = error else { return false };
        let mut damaged = false;
        for segment in segments {
            // What is sound stays so: a bug must not make every query read everything.
            if self.sound.lock().contains(segment) {
                continue;
            }
            if self.source.examine(segment).await {
                damaged = true;
                continue;
            }
            let mut sound = self.sound.lock();
            if sound.len() >= SOUND_MAX {
                sound.clear();
            }
            sound.insert(Arc::clone(segment));
        }
        damaged
    }
}

/// Lets a number of queries run and a number wait.
struct Turns {
    free: Arc<Semaphore>,
    running_max: usize,
    waiting: AtomicUsize,
    waiting_max: usize,
}

impl Turns {
    fn new(running_max: usize, waiting_max: usize) -> Self {
        let free = Arc::new(Semaphore::new(running_max));
        Self { free, running_max, waiting: AtomicUsize::new(0), waiting_max }
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, QueryError> {
        if let Ok(turn) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(turn);
        }
        let waiting = Waiting::enter(&self.waiting);
        if waiting.before >= self.waiting_max {
            return Err(QueryError::Busy { running: self.running_max, waiting: waiting.before });
        }
        let turn = Arc::clone(&self.free).acquire_owned().await;
        turn.map_err(|_| QueryError::Cancelled)
    }
}

/// Counts somebody who waits, also when the waiting is given up.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
