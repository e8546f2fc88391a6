use std::sync::Arc;

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};

use crate::QueryError;
use crate::pool::QueryPool;

/// What a part of a query holds of the query's memory; given back when it and all clones are dropped.
#[derive(Clone)]
pub(super) struct Memory {
    held: Arc<MemoryReservation>,
    pool: Arc<QueryPool>,
}

impl Memory {
    pub(super) fn new(pool: &Arc<QueryPool>, what: &str) -> Self {
        let held = MemoryConsumer::new(what).register(&(Arc::clone(pool) as Arc<dyn MemoryPool>));
        Self { held: Arc::new(held), pool: Arc::clone(pool) }
    }

    /// Of the same query, given back apart.
    pub(super) fn another(&self, what: &str) -> Self {
        Self::new(&self.pool, what)
    }

    /// Takes more.
    pub(super) fn grow(&self, bytes: usize) -> Result<(), QueryError> {
        if bytes == 0 {
            return Ok(());
        }
        self.held.try_grow(bytes).map_err(|error| QueryError::executing(&error, &self.pool))
    }
}
