use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use model::Tenant;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::QueryError;
use crate::pool::QueryPool;

/// A query that runs or waits for its turn.
#[derive(Clone, Debug)]
pub struct RunningQuery {
    /// Its id, for a cancel.
    pub id: String,
    /// Whose records it reads.
    pub tenant: Tenant,
    /// The statement, or what a direct reader was asked.
    pub text: String,
    /// Since it was asked.
    pub elapsed: Duration,
    /// Bytes it holds.
    pub memory: u64,
    /// Rows it has answered.
    pub rows: u64,
}

/// What is shared between a query, its executor and whoever wants to cancel it.
pub(crate) struct Control {
    pub(crate) id: String,
    pub(crate) tenant: Tenant,
    pub(crate) text: String,
    pub(crate) started: Instant,
    pub(crate) timeout: Duration,
    pub(crate) pool: Arc<QueryPool>,
    pub(crate) rows: AtomicU64,
    /// An error was answered.
    pub(crate) failed: AtomicBool,
    cancelled: watch::Sender<bool>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query {}", self.id)
    }
}

impl Control {
    pub(crate) fn new(
        id: String,
        tenant: Tenant,
        text: String,
        timeout: Duration,
        pool: Arc<QueryPool>,
    ) -> Self {
        let started = Instant::now();
        let (cancelled, _) = watch::channel(false);
        Self {
            id,
            tenant,
            text,
            started,
            timeout,
            pool,
            rows: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            cancelled,
        }
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Why the query has to stop now: it was cancelled or is no longer wanted, or it is beyond its
    /// deadline.
    pub(crate) fn has_to_stop(&self) -> Option<QueryError> {
        if *self.cancelled.borrow() {
            return Some(QueryError::Cancelled);
        }
        let late = self.started.elapsed() >= self.timeout;
        late.then_some(QueryError::DeadlineExceeded { timeout: self.timeout })
    }

    /// Ends, with the reason, when the query has to stop.
    pub(crate) async fn stopped(&self) -> QueryError {
        let mut cancelled = self.cancelled.subscribe();
        tokio::select! {
            _ = cancelled.wait_for(|cancelled| *cancelled) => QueryError::Cancelled,
            () = tokio::time::sleep_until(self.started + self.timeout) => {
                QueryError::DeadlineExceeded { timeout: self.timeout }
            }
        }
    }

    /// Awaits `work`, but not beyond the deadline or a cancel.
    pub(crate) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, QueryError>>,
    ) -> Result<T, QueryError> {
        let result = tokio::select! {
            biased;
            reason = self.stopped() => Err(reason),
            // What has to stop fails at a checkpoint: the reason says more than the failure.
            result = work => result.map_err(|error| self.has_to_stop().unwrap_or(error)),
        };
        result.inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }
}

/// The queries there are, by id.
#[derive(Default)]
pub(crate) struct Registry {
    queries: Mutex<HashMap<String, Arc<Control>>>,
    next: AtomicU64,
}

impl Registry {
    /// An id nobody else has had since the start.
    pub(crate) fn next_id(&self) -> String {
        format!("q{}", self.next.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn enter(self: &Arc<Self>, control: Arc<Control>) -> Result<Entered, QueryError> {
        let mut queries = self.queries.lock();
        if queries.contains_key(&control.id) {
            return Err(QueryError::IdInUse { id: control.id.clone() });
        }
        queries.insert(control.id.clone(), Arc::clone(&control));
        Ok(Entered { registry: Arc::clone(self), control })
    }

    /// How many run or wait.
    pub(crate) fn len(&self) -> u64 {
        self.queries.lock().len() as u64
    }

    pub(crate) fn list(&self, tenant: &Tenant) -> Vec<RunningQuery> {
        let queries = self.queries.lock();
        let mut list: Vec<_> = queries
            .values()
            .filter(|control| control.tenant == *tenant)
            .map(|control| RunningQuery {
                id: control.id.clone(),
                tenant: control.tenant.clone(),
                text: control.text.clone(),
                elapsed: control.started.elapsed(),
                memory: control.pool.used(),
                rows: control.rows.load(Ordering::Relaxed),
            })
            .collect();
        list.sort_by_key(|query| std::cmp::Reverse(query.elapsed));
        list
    }

    /// False when the tenant has no such query.
    pub(crate) fn cancel(&self, tenant: &Tenant, id: &str) -> bool {
        let queries = self.queries.lock();
        let found = queries.get(id).filter(|control| control.tenant == *tenant);
        found.inspect(|control| control.cancel()).is_some()
    }
}

/// A query's entry in the registry; dropping removes it and stops what still runs of it.
pub(crate) struct Entered {
    registry: Arc<Registry>,
    pub(crate) control: Arc<Control>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.control.cancel();
        self.registry.queries.lock().remove(&self.control.id);
    }
}
