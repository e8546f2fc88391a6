use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::event::Event;
use super::query::{Page, Query};
use super::readers::{Place, Readers};
use super::store::Store;

/// So many events are read at a time.
const PAGE: usize = 256;
/// The pause after a store could not be read.
const PAUSE: Duration = Duration::from_secs(1);
/// What a drop waits for a call that has begun.
const DROP_WAIT: Duration = Duration::from_secs(5);

/// From where on a subscriber wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// What is stored from now on.
    Now,
    /// What was stored after this position; 0 is everything. Who keeps the position of the last
    /// event that it dealt with goes on there after a restart.
    After(u64),
}

/// Why nobody can subscribe.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// There are as many as are allowed.
    #[error("{0} have subscribed, no more may")]
    TooMany(usize),
    /// It is closed.
    #[error("events are no longer told")]
    Closed,
    /// There is no thread for it.
    #[error("there is no thread for the subscriber")]
    Thread(#[source] std::io::Error),
}

/// Wakes those who wait for a position.
pub(super) struct Bell {
    head: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    pub(super) fn new(head: u64) -> Arc<Self> {
        Arc::new(Self { head: Mutex::new(head), rung: Condvar::new() })
    }

    /// Lets everybody look whether it is the end.
    fn wake(&self) {
        // Who has looked and does not wait yet has the lock.
        drop(self.head.lock());
        self.rung.notify_all();
    }

    fn ring(&self, head: u64) {
        let mut known = self.head.lock();
        *known = head.max(*known);
        drop(known);
        self.rung.notify_all();
    }
}

/// All who subscribed.
pub(super) struct Subscribers {
    bell: Arc<Bell>,
    readers: Arc<Readers>,
    ended: Arc<AtomicBool>,
}

/// Ends the subscription when it is dropped. That waits for a call that has begun, for at most five
/// seconds: afterwards the callback is dropped, and its thread holds the store no more. Dropped by the
/// callback itself it does not wait, and nothing is told after that call.
#[must_use = "dropping the subscription ends it"]
pub struct Subscription {
    ended: Arc<AtomicBool>,
    bell: Arc<Bell>,
    position: Arc<Mutex<u64>>,
    readers: Arc<Readers>,
    place: u64,
}

impl Subscription {
    /// The position up to which events were told.
    pub fn position(&self) -> u64 {
        *self.position.lock()
    }

    /// No call begins from here on. Does not wait for one that has begun.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.bell.wake();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.end();
        if !self.readers.await_one(self.place, Instant::now() + DROP_WAIT) {
            tracing::warn!("a subscriber to events does not return, its thread is left to itself");
        }
    }
}

struct Reader {
    store: Arc<dyn Store>,
    query: Query,
    callback: Box<dyn FnMut(&Event) + Send>,
    bell: Arc<Bell>,
    /// Of this one, and of all.
    ended: [Arc<AtomicBool>; 2],
    position: Arc<Mutex<u64>>,
}

impl Subscribers {
    pub(super) fn new(bell: Arc<Bell>, limit: usize) -> Self {
        Self { bell, readers: Readers::new(limit), ended: Arc::default() }
    }

    pub(super) fn count(&self) -> usize {
        self.readers.count()
    }

    /// Something was stored.
    pub(super) fn ring(&self, head: u64) {
        self.bell.ring(head);
    }

    /// Tells nobody any more, and waits for calls that have begun but for that of who asks. False if one
    /// has not returned by then.
    pub(super) fn end(&self, deadline: Instant) -> bool {
        self.ended.store(true, Ordering::Release);
        self.bell.wake();
        self.readers.await_all(deadline)
    }

    pub(super) fn add(
        &self,
        store: Arc<dyn Store>,
        query: Query,
        start: Start,
        callback: Box<dyn FnMut(&Event) + Send>,
    ) -> Result<Subscription, SubscribeError> {
        let place = Place::take(&self.readers).map_err(SubscribeError::TooMany)?;
        // Asked with the place: who ends it waits for this one, or this one sees the end.
        if self.ended.load(Ordering::Acquire) {
            return Err(SubscribeError::Closed);
        }
        let first = match start {
            Start::Now => store.head(),
            Start::After(position) => position,
        };
        let position = Arc::new(Mutex::new(first));
        let ended: Arc<AtomicBool> = Arc::default();
        let reader = Reader {
            store,
            query,
            callback,
            bell: self.bell.clone(),
            ended: [ended.clone(), self.ended.clone()],
            position: position.clone(),
        };
        let number = place.number();
        let thread = thread::Builder::new().name("events-tell".into());
        // The place is given back last, when the store and the callback are; also if there is no thread.
        let thread = thread.spawn(move || place.within(|| reader.run()));
        thread.map_err(SubscribeError::Thread)?;
        let (bell, readers) = (self.bell.clone(), self.readers.clone());
        Ok(Subscription { ended, bell, position, readers, place: number })
    }
}

impl Reader {
    fn is_ended(&self) -> bool {
        self.ended.iter().any(|ended| ended.load(Ordering::Acquire))
    }

    fn run(mut self) {
        while !self.is_ended() {
            let after = *self.position.lock();
            // Taken before the read: what comes in between is read the next time.
            let head = *self.bell.head.lock();
            let page = Page { after, limit: PAGE, ..Page::default() };
            match self.store.read(&self.query, &page) {
                Ok(events) if events.is_empty() => {
                    // Nothing up to the head is meant.
                    *self.position.lock() = after.max(head);
                    self.wait(head.max(after), None);
                }
                Ok(events) => self.tell(&events),
                Err(error) => {
                    tracing::error!(%error, after, "a subscriber cannot read events");
                    self.wait(u64::MAX, Some(PAUSE));
                }
            }
        }
    }

    fn tell(&mut self, events: &[Event]) {
        for event in events {
            if self.is_ended() {
                return;
            }
            let call = AssertUnwindSafe(|| (self.callback)(event));
            if catch_unwind(call).is_err() {
                tracing::error!(event.id = %event.id, kind = event.kind, "a subscriber to events panicked");
            }
            *self.position.lock() = event.position;
        }
    }

    /// Until there is something after the position, it ends, or the time is over.
    fn wait(&self, after: u64, at_most: Option<Duration>) {
        let mut head = self.bell.head.lock();
        while *head <= after && !self.is_ended() {
            match at_most {
                None => self.bell.rung.wait(&mut head),
                Some(pause) => {
                    self.bell.rung.wait_for(&mut head, pause);
                    return;
                }
            }
        }
    }
}
