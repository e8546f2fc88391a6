//! Domain events: what happened, kept in one order and told to whoever wants to know.
//!
//! What enters: [`NewEvent`]s with a type and tags. What leaves: a [`Receipt`] once they are stored,
//! and the stored [`Event`]s to readers and subscribers, in the order of their positions.
//!
//! What must hold: nothing is acknowledged before the [`Store`] has it, which for a
//! [`FileStore`] means on disk; a batch is stored as a whole or not at all; an event is stored once,
//! however often it is sent with the same id; secrets are redacted before anything is stored or
//! told; every queue is bounded and says when it is full; a subscriber that is slow or panics
//! disturbs nobody, and misses nothing, because it reads what is stored.
//!
//! An append can carry a [`Condition`]: it fails if an event that matches a query was stored after a
//! position. Whoever decides something reads what the decision depends on, and appends on the
//! condition that nothing of that kind came in between (a *dynamic consistency boundary*,
//! <https://dcb.events>).
//!
//! ```
//! use std::time::Duration;
//! use fresnel_sdk::events::{Condition, Criterion, Events, MemoryStore, NewEvent, Page, Query};
//!
//! let events = Events::new(MemoryStore::default(), Default::default());
//! let taken = Query::any_of([Criterion::of_type("SEAT.TAKEN")?.tag("seat", "12A")]);
//! let known = events.read(&taken, &Page::default())?;
//! assert!(known.is_empty(), "nobody has it");
//! let event = NewEvent::new("SEAT.TAKEN").tag("seat", "12A").tag("user", "ann");
//! let condition = Condition { none_of: taken, after: 0 };
//! let wait = Duration::from_secs(5);
//! events.emit_if(vec![event.clone()], condition.clone())?.wait(wait)?;
//! // Somebody else who also saw it free comes too late.
//! let late = events.emit_if(vec![NewEvent::new("SEAT.TAKEN").tag("seat", "12A")], condition)?.wait(wait);
//! assert!(late.unwrap_err().to_string().starts_with("an event at position 1 "));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audit;
mod bus;
mod event;
mod file;
mod index;
mod memory;
mod pattern;
mod query;
mod readers;
mod receipt;
mod redact;
mod store;
mod subscribe;

#[cfg(test)]
mod tests;

/// The examples of the guide are tests, too.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk/events.md")]
mod guide {}

pub use self::audit::{Audit, AuditConfig, AuditError, AuditFile, AuditFormat, AuditHealth, AuditStorage};
pub use self::bus::{CloseError, EmitError, Events, EventsOptions, Health};
pub use self::event::{DomainEvent, Event, EventSource, InvalidEvent, Metadata, NewEvent};
pub use self::file::{FileOptions, FileStore, OpenError};
pub use self::memory::MemoryStore;
pub use self::pattern::{Pattern, PatternError};
pub use self::query::{Condition, Criterion, Page, Query};
pub use self::receipt::Receipt;
pub use self::redact::{Redaction, RedactionError};
pub use self::store::{AppendError, DeleteError, ReadError, Store};
pub use self::subscribe::{Start, SubscribeError, Subscription};
