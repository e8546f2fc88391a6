use parking_lot::RwLock;
use uuid::Uuid;

use super::event::Event;
use super::index::{Index, admit};
use super::query::{Condition, Page, Query};
use super::store::{AppendError, ReadError, Store};

/// Events in memory: for tests, and for what need not outlive the process.
pub struct MemoryStore {
    inner: RwLock<Inner>,
    events_max: usize,
}

#[derive(Default)]
struct Inner {
    index: Index,
    events: Vec<Event>,
}

impl Default for MemoryStore {
    /// For 100,000 events.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl MemoryStore {
    /// For so many events; more are refused.
    pub fn new(events_max: usize) -> Self {
        Self { inner: RwLock::default(), events_max }
    }
}

impl Store for MemoryStore {
    fn append(&self, events: Vec<Event>, condition: Option<&Condition>) -> Result<Vec<u64>, AppendError> {
        let mut inner = self.inner.write();
        let ids: Vec<_> = events.iter().map(|event| event.id).collect();
        let fresh =
            admit(&inner.index, events, condition).map_err(|position| AppendError::Conflict { position })?;
        if inner.events.len() + fresh.len() > self.events_max {
            return Err(AppendError::Full(format!("at most {} events are kept", self.events_max)));
        }
        for event in fresh {
            inner.index.push(&event);
            inner.events.push(event);
        }
        Ok(inner.index.positions_of(&ids))
    }

    fn read(&self, query: &Query, page: &Page) -> Result<Vec<Event>, ReadError> {
        let inner = self.inner.read();
        let positions = inner.index.page(query, page).into_iter();
        Ok(positions.filter_map(|position| inner.events.get(position as usize - 1).cloned()).collect())
    }

    fn get(&self, id: Uuid) -> Result<Option<Event>, ReadError> {
        let inner = self.inner.read();
        let position = inner.index.position(id);
        Ok(position.and_then(|position| inner.events.get(position as usize - 1).cloned()))
    }

    fn head(&self) -> u64 {
        self.inner.read().index.head()
    }
}
