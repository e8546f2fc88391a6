use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};
use uuid::Uuid;

use super::event::{Event, InvalidEvent, NewEvent};
use super::pattern::Pattern;
use super::query::{Condition, Criterion, Page, Query};
use super::receipt::{Promise, Receipt, pair};
use super::redact::Redaction;
use super::store::{AppendError, DeleteError, ReadError, Store};
use super::subscribe::{Bell, Start, SubscribeError, Subscribers, Subscription};
use crate::logging::rfc3339;
use crate::time_of_day::{SystemTimeOfDay, TimeOfDay};

/// The first pause before a batch is written again; doubled each time.
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// How often it is looked for what is too old.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// What a drop waits for the last events.
const DROP_WAIT: Duration = Duration::from_secs(5);

/// How events are taken in.
pub struct EventsOptions {
    /// So many events are written together, at most; 100.
    pub batch_size: usize,
    /// No event waits longer for others; 50 ms.
    pub flush_interval: Duration,
    /// So many events may wait; more are refused. 10,000.
    pub queue_max: usize,
    /// A write that fails but may succeed later is tried again for so long; 5 s.
    pub retry_for: Duration,
    /// So many may subscribe; each has a thread. 64.
    pub subscribers_max: usize,
    /// Events are kept for so long, and deleted within an hour after; for good if there is none, which is
    /// so unless said. A condition of an append does not see what is deleted.
    pub retention: Option<Duration>,
    /// What is taken out of every event.
    pub redactions: Vec<Redaction>,
    /// What tells the time of an event.
    pub time: Box<dyn TimeOfDay>,
}

impl Default for EventsOptions {
    fn default() -> Self {
        Self {
            batch_size: 100,
            flush_interval: Duration::from_millis(50),
            queue_max: 10_000,
            retry_for: Duration::from_secs(5),
            subscribers_max: 64,
            retention: None,
            redactions: Vec::new(),
            time: Box::new(SystemTimeOfDay),
        }
    }
}

impl fmt::Debug for EventsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventsOptions")
            .field("batch_size", &self.batch_size)
            .field("flush_interval", &self.flush_interval)
            .field("queue_max", &self.queue_max)
            .finish_non_exhaustive()
    }
}

/// Why events were not taken, or not stored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EmitError {
    /// One of them cannot be stored.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// Too many wait already. Nothing was taken: try again later, or shed.
    #[error("{waiting} events wait to be stored, no more are taken")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
    /// It was closed before they could be stored.
    #[error("events are no longer taken")]
    Closed,
    /// The store did not take them.
    #[error("{0}")]
    Store(Arc<AppendError>),
    /// The wait was over first; they may be stored yet.
    #[error("it is not known yet whether the events are stored")]
    Unknown,
}

/// Why a flush or a close was not clean. The receipts of these events say so, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CloseError {
    /// Events that were not stored in time.
    pub waiting: usize,
    /// Events that the store did not take, since the last flush.
    pub lost: u64,
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { waiting, lost: 0 } => write!(f, "{waiting} events were not stored in time"),
            Self { waiting: 0, lost } => write!(f, "{lost} events could not be stored"),
            Self { waiting, lost } => {
                write!(f, "{waiting} events were not stored in time, {lost} could not be stored")
            }
        }
    }
}

/// How it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Why nothing can be stored; nothing if that is not so.
    pub failure: Option<String>,
    /// Events that wait to be stored.
    pub waiting: usize,
    /// Those who subscribed.
    pub subscribers: usize,
    /// The position of the last stored event.
    pub head: u64,
    /// Events that were taken but could not be stored, since the start.
    pub lost: u64,
}

/// Takes events in, stores them and tells them. Share it by `Arc`. Dropping it stores what waits,
/// for at most five seconds.
pub struct Events {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    store: Arc<dyn Store>,
    options: EventsOptions,
    queue: Mutex<Queue>,
    changed: Condvar,
    subscribers: Subscribers,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    /// Events that were ever taken, and those of them that were dealt with.
    taken: u64,
    done: u64,
    /// Entries up to here are written at once.
    flush: usize,
    closed: bool,
    /// Nothing is written any more.
    ended: bool,
    lost: u64,
    /// Those of them that a flush or a close has told.
    told: u64,
}

struct Entry {
    events: Vec<Event>,
    condition: Option<Condition>,
    promise: Promise,
    since: Instant,
}

impl Queue {
    /// Events in all entries, and in those that are being written.
    fn waiting(&self) -> usize {
        (self.taken - self.done) as usize
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl Events {
    /// Into this store.
    pub fn new(store: impl Store, options: EventsOptions) -> Self {
        let store: Arc<dyn Store> = Arc::new(store);
        let subscribers = Subscribers::new(Bell::new(store.head()), options.subscribers_max);
        let queue = Mutex::default();
        let shared = Arc::new(Shared { store, options, queue, changed: Condvar::new(), subscribers });
        let writing = shared.clone();
        let writer = thread::Builder::new().name("events-write".into()).spawn(move || writing.run());
        if let Err(error) = &writer {
            tracing::error!(%error, "events cannot be written");
            shared.queue.lock().closed = true;
        }
        Self { shared, writer: Mutex::new(writer.ok()) }
    }

    /// Takes an event in. It is written with others, after the flush interval at the latest.
    /// Does not block.
    ///
    /// # Errors
    /// It was not taken.
    pub fn emit(&self, event: NewEvent) -> Result<Receipt, EmitError> {
        self.push(vec![event], None, false)
    }

    /// Takes several in, which are stored as a whole, at once. Does not block.
    ///
    /// # Errors
    /// None was taken.
    pub fn emit_batch(&self, events: Vec<NewEvent>) -> Result<Receipt, EmitError> {
        self.push(events, None, true)
    }

    /// As [`Events::emit_batch`], if the condition holds when they are stored.
    ///
    /// # Errors
    /// None was taken. That the condition does not hold is told by the receipt.
    pub fn emit_if(&self, events: Vec<NewEvent>, condition: Condition) -> Result<Receipt, EmitError> {
        self.push(events, Some(condition), true)
    }

    /// Has all that waits written now.
    ///
    /// # Errors
    /// It was not within this time, or events were lost since the last flush. A condition that did
    /// not hold is no loss.
    pub fn flush(&self, at_most: Duration) -> Result<(), CloseError> {
        let deadline = Instant::now() + at_most;
        let mut queue = self.shared.queue.lock();
        queue.flush = queue.entries.len();
        self.shared.changed.notify_all();
        let (target, told) = (queue.taken, queue.told);
        while queue.done < target && !queue.ended {
            if self.shared.changed.wait_until(&mut queue, deadline).timed_out() {
                break;
            }
        }
        queue.told = queue.lost;
        match (target.saturating_sub(queue.done) as usize, queue.lost - told) {
            (0, 0) => Ok(()),
            (waiting, lost) => Err(CloseError { waiting, lost }),
        }
    }

    /// Stored events that a query means, in order. Blocks while the store does.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn read(&self, query: &Query, page: &Page) -> Result<Vec<Event>, ReadError> {
        self.shared.store.read(query, page)
    }

    /// The stored event with this id. Blocks while the store does.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn get(&self, id: Uuid) -> Result<Option<Event>, ReadError> {
        self.shared.store.get(id)
    }

    /// The position of the last stored event.
    pub fn head(&self) -> u64 {
        self.shared.store.head()
    }

    /// Calls back for every stored event of these types, in order, on a thread of its own; until the
    /// subscription is dropped. A callback that panics is logged and gets the next event.
    ///
    /// # Errors
    /// Too many have subscribed, or it is closed.
    pub fn subscribe(
        &self,
        pattern: Pattern,
        start: Start,
        callback: impl FnMut(&Event) + Send + 'static,
    ) -> Result<Subscription, SubscribeError> {
        let criterion = Criterion { types: vec![pattern], ..Criterion::default() };
        self.subscribe_to(Query::any_of([criterion]), start, callback)
    }

    /// As [`Events::subscribe`], for whatever a query means.
    ///
    /// # Errors
    /// As there.
    pub fn subscribe_to(
        &self,
        query: Query,
        start: Start,
        callback: impl FnMut(&Event) + Send + 'static,
    ) -> Result<Subscription, SubscribeError> {
        self.shared.subscribers.add(self.shared.store.clone(), query, start, Box::new(callback))
    }

    /// Deletes the first events as long as they were taken in before this time; returns how many those
    /// were. [`EventsOptions::retention`] does it by itself. Blocks while the store does.
    ///
    /// # Errors
    /// None was deleted, or nobody knows.
    pub fn delete_before(&self, time: SystemTime) -> Result<u64, DeleteError> {
        self.shared.store.delete_before(unix_nanos(time))
    }

    /// How it is. Writes nothing.
    pub fn health(&self) -> Health {
        let queue = self.shared.queue.lock();
        Health {
            failure: self.shared.store.failure(),
            waiting: queue.waiting(),
            subscribers: self.shared.subscribers.count(),
            head: self.shared.store.head(),
            lost: queue.lost,
        }
    }

    /// Takes no more events, stores what waits and ends all subscriptions, for whose calls that have
    /// begun it waits, but for none from which it is called itself.
    ///
    /// # Errors
    /// Not everything was stored within this time, or events were lost since the last flush; the
    /// receipts of what was not stored say so.
    pub fn close(&self, at_most: Duration) -> Result<(), CloseError> {
        let deadline = Instant::now() + at_most;
        self.shared.queue.lock().closed = true;
        let outcome = self.flush(at_most);
        {
            let mut queue = self.shared.queue.lock();
            queue.ended = true;
            let left: usize = queue.entries.drain(..).map(|entry| entry.events.len()).sum();
            queue.done += left as u64;
            queue.lost += left as u64;
            queue.told = queue.lost;
        }
        self.shared.changed.notify_all();
        if !self.shared.subscribers.end(deadline) {
            tracing::warn!("a subscriber to events does not return, its thread is left to itself");
        }
        // A store that hangs keeps its thread: it is not waited for.
        let stored = !outcome.is_err_and(|error| error.waiting > 0);
        if let Some(writer) = self.writer.lock().take().filter(|_| stored) {
            // A panic in it was already told.
            let _ = writer.join();
        }
        outcome
    }

    fn push(
        &self,
        events: Vec<NewEvent>,
        condition: Option<Condition>,
        at_once: bool,
    ) -> Result<Receipt, EmitError> {
        events.iter().try_for_each(NewEvent::validate)?;
        let events: Vec<_> = events.into_iter().map(|event| self.take(event)).collect();
        let mut queue = self.shared.queue.lock();
        if queue.closed {
            return Err(EmitError::Closed);
        }
        if queue.waiting() + events.len() > self.shared.options.queue_max {
            return Err(EmitError::QueueFull { waiting: queue.waiting() });
        }
        let (promise, receipt) = pair();
        queue.taken += events.len() as u64;
        queue.entries.push_back(Entry { events, condition, promise, since: Instant::now() });
        if at_once {
            queue.flush = queue.entries.len();
        }
        drop(queue);
        self.shared.changed.notify_all();
        Ok(receipt)
    }

    /// Redacted, with its id and its time.
    fn take(&self, mut event: NewEvent) -> Event {
        self.shared.options.redactions.iter().for_each(|redaction| redaction.apply(&mut event));
        let time_unix_nano = unix_nanos(self.shared.options.time.now());
        let NewEvent { id, kind, tags, metadata, data } = event;
        let id = id.unwrap_or_else(Uuid::now_v7);
        Event { position: 0, id, kind, time_unix_nano, tags, metadata, data }
    }
}

fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.ok().and_then(|it| u64::try_from(it.as_nanos()).ok()).unwrap_or(0)
}

impl Drop for Events {
    fn drop(&mut self) {
        let ended = self.shared.queue.lock().ended;
        if !ended && let Err(error) = self.close(DROP_WAIT) {
            tracing::error!(%error, "events are lost");
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut sweep = self.options.retention.map(|_| Instant::now());
        while let Some(batch) = self.next_batch(sweep) {
            if !batch.is_empty() {
                self.write(batch);
            }
            if let Some(due) = sweep.as_mut().filter(|due| **due <= Instant::now()) {
                self.sweep();
                *due = Instant::now() + SWEEP_INTERVAL;
            }
        }
    }

    /// Deletes what is older than the retention.
    fn sweep(&self) {
        let Some(cutoff) = self.options.retention.and_then(|it| self.options.time.now().checked_sub(it))
        else {
            return;
        };
        let delete = std::panic::AssertUnwindSafe(|| self.store.delete_before(unix_nanos(cutoff)));
        let cutoff = rfc3339(cutoff);
        match std::panic::catch_unwind(delete) {
            Ok(Ok(0)) => {}
            Ok(Ok(events)) => tracing::info!(events, cutoff, "events expired"),
            Ok(Err(error)) => {
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::error!(error, cutoff, "events cannot be deleted");
            }
            Err(_) => tracing::error!(cutoff, "a store of events panicked"),
        }
    }

    /// What is written next: one conditional append, or several others together; nothing when it is time
    /// to sweep. None at the end.
    fn next_batch(&self, sweep: Option<Instant>) -> Option<Vec<Entry>> {
        let mut queue = self.queue.lock();
        loop {
            if queue.ended {
                return None;
            }
            let count: usize = queue.entries.iter().map(|entry| entry.events.len()).sum();
            let due = queue.entries.front().map(|entry| entry.since + self.options.flush_interval);
            if sweep.is_some_and(|sweep| sweep <= Instant::now()) {
                return Some(Vec::new());
            }
            match (due, sweep) {
                (None, None) => self.changed.wait(&mut queue),
                (None, Some(sweep)) => drop(self.changed.wait_until(&mut queue, sweep)),
                (Some(due), _) => {
                    let full = count >= self.options.batch_size;
                    if full || queue.flush > 0 || queue.closed || Instant::now() >= due {
                        return Some(self.cut(&mut queue));
                    }
                    self.changed.wait_until(&mut queue, due);
                }
            }
        }
    }

    fn cut(&self, queue: &mut Queue) -> Vec<Entry> {
        let mut batch = Vec::new();
        let mut count = 0;
        while let Some(entry) = queue.entries.pop_front() {
            let fits = count == 0 || count + entry.events.len() <= self.options.batch_size;
            let alone = entry.condition.is_some();
            if !batch.is_empty() && (alone || !fits) {
                queue.entries.push_front(entry);
                break;
            }
            count += entry.events.len();
            batch.push(entry);
            if alone {
                break;
            }
        }
        queue.flush = queue.flush.saturating_sub(batch.len());
        batch
    }

    fn write(&self, batch: Vec<Entry>) {
        let count: usize = batch.iter().map(|entry| entry.events.len()).sum();
        let events: Vec<_> = batch.iter().flat_map(|entry| entry.events.iter().cloned()).collect();
        let condition = batch.iter().find_map(|entry| entry.condition.as_ref());
        let outcome = self.append(events, condition);
        let lost = match &outcome {
            Ok(_) => 0,
            Err(EmitError::Store(error)) if matches!(**error, AppendError::Conflict { .. }) => 0,
            Err(_) => count as u64,
        };
        {
            let mut queue = self.queue.lock();
            queue.done += count as u64;
            queue.lost += lost;
        }
        if outcome.is_ok() {
            self.subscribers.ring(self.store.head());
        }
        let mut first = 0;
        for entry in batch {
            let own = first..first + entry.events.len();
            first = own.end;
            let last = |positions: &Vec<u64>| positions.get(own).and_then(|own| own.last()).copied();
            entry.promise.keep(outcome.clone().map(|positions| last(&positions).unwrap_or(0)));
        }
        self.changed.notify_all();
    }

    /// Tries again while it may help: whoever comes later waits, so that the order stays.
    fn append(&self, events: Vec<Event>, condition: Option<&Condition>) -> Result<Vec<u64>, EmitError> {
        let start = Instant::now();
        let mut pause = RETRY_PAUSE;
        loop {
            let attempt = std::panic::AssertUnwindSafe(|| self.store.append(events.clone(), condition));
            let error = match std::panic::catch_unwind(attempt) {
                Ok(Ok(positions)) => return Ok(positions),
                Ok(Err(error)) => error,
                Err(_) => AppendError::Failed("it panicked".into()),
            };
            let over = start.elapsed() + pause > self.options.retry_for || self.queue.lock().ended;
            if over || !error.retryable() {
                if !matches!(error, AppendError::Conflict { .. }) {
                    tracing::error!(%error, events = events.len(), "events cannot be stored");
                }
                return Err(EmitError::Store(Arc::new(error)));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}
