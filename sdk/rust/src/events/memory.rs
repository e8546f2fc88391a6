use parking_lot::RwLock;
use uuid::Uuid;

use super::event::Event;
use super::index::{Index, admit};
use super::query::{Condition, Page, Query};
use super::store::{AppendError, DeleteError, ReadError, Store};

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

impl Inner {
    fn event(&self, position: u64) -> Option<Event> {
        self.index.place(position).and_then(|place| self.events.get(place)).cloned()
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
        Ok(positions.filter_map(|position| inner.event(position)).collect())
    }

    fn get(&self, id: Uuid) -> Result<Option<Event>, ReadError> {
        let inner = self.inner.read();
        Ok(inner.index.position(id).and_then(|position| inner.event(position)))
    }

    fn head(&self) -> u64 {
        self.inner.read().index.head()
    }

    fn delete_before(&self, time_unix_nano: u64) -> Result<u64, DeleteError> {
        let mut inner = self.inner.write();
        let count = inner.index.count_before(time_unix_nano);
        inner.index.delete(count);
        inner.events.drain(..count);
        Ok(count as u64)
    }
}
