use uuid::Uuid;

use super::event::Event;
use super::query::{Condition, Page, Query};

/// Why events were not stored. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The condition does not hold.
    #[error("an event at position {position} does not go with the condition of the append")]
    Conflict {
        /// The first that the condition excludes.
        position: u64,
    },
    /// The store takes no more.
    #[error("the store is full: {0}")]
    Full(String),
    /// They were not written; another try may succeed.
    #[error("the events cannot be written")]
    Io(#[source] std::io::Error),
    /// An earlier write failed so that nobody knows what is on disk. Only opening the store again
    /// helps.
    #[error("the store failed before: {0}")]
    Failed(String),
}

impl AppendError {
    /// Whether the same append may succeed later.
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}

/// Why events cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The place where they are does not work.
    #[error("the events cannot be read")]
    Io(#[source] std::io::Error),
    /// What is there is not what was written.
    #[error("the event at position {position} is damaged")]
    Damaged {
        /// Where.
        position: u64,
    },
}

/// Why events were not deleted. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// This store keeps events for good.
    #[error("this store does not delete events")]
    Unsupported,
    /// What stays cannot be written; another try may succeed.
    #[error("the events that stay cannot be written")]
    Io(#[source] std::io::Error),
    /// Nobody knows what is on disk, now or since an earlier write. Only opening the store again helps.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// Where events are kept. Calls may block.
///
/// [`MemoryStore`](super::MemoryStore) and [`FileStore`](super::FileStore) are such places.
pub trait Store: Send + Sync + 'static {
    /// Stores all of these or none, durably, at the positions after [`Store::head`]; the positions in
    /// them mean nothing yet. An event whose id is already stored is not stored again, and if that
    /// is so for all of them, the append succeeded before and the condition is not asked. Returns
    /// the position of each.
    ///
    /// # Errors
    /// None of them was stored, or nobody knows.
    fn append(&self, events: Vec<Event>, condition: Option<&Condition>) -> Result<Vec<u64>, AppendError>;

    /// The events that a query means, in order.
    ///
    /// # Errors
    /// They cannot be read.
    fn read(&self, query: &Query, page: &Page) -> Result<Vec<Event>, ReadError>;

    /// The event with this id, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    fn get(&self, id: Uuid) -> Result<Option<Event>, ReadError>;

    /// The position of the last event; 0 if there is none.
    fn head(&self) -> u64;

    /// Deletes, durably, the first events as long as they were taken in before this time, in nanoseconds
    /// since 1970, and returns how many those were. Some that were stored together with later ones may
    /// stay as long as those. Positions stay what they are, [`Store::head`] too; a condition of an
    /// append does not see what is deleted, and the id of a deleted event is new again.
    ///
    /// # Errors
    /// None was deleted, or nobody knows. Stores that do not say otherwise delete nothing.
    fn delete_before(&self, time_unix_nano: u64) -> Result<u64, DeleteError> {
        let _ = time_unix_nano;
        Err(DeleteError::Unsupported)
    }

    /// Why nothing can be stored any more, if that is so. Writes nothing.
    fn failure(&self) -> Option<String> {
        None
    }
}
