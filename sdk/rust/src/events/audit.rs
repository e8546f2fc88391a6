//! What happened, as lines in a file that people and their programs read: the audit trail.
//!
//! What enters: stored events of the types that are asked for. What leaves: JSON lines or CSV, in the
//! order of the events, until they are too old.
//!
//! What must hold: no event is missing and none is there twice, also after a restart or a crash: the
//! last line says where to go on, and the store of the events has the rest; a disk that is full
//! stops the trail, not the events; what is deleted before its time is told.

mod config;
mod file;
mod line;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex, MutexGuard};

pub use self::config::{AuditConfig, AuditFile, AuditFormat, AuditStorage};
use self::file::{Files, Swept};
use self::line::Last;
use super::bus::Events;
use super::event::Event;
use super::pattern::{Pattern, PatternError};
use super::query::{Criterion, Query};
use super::store::ReadError;
use super::subscribe::{Start, SubscribeError, Subscription};
use crate::time_of_day::{SystemTimeOfDay, TimeOfDay};

/// Before a line that could not be written is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked for what is too old, also when nothing happens.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// Why there is no audit trail.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A pattern of types is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Its bound is too low.
    #[error("an audit trail needs at least {min} bytes, not {0}", min = AuditFile::BYTES_MIN)]
    Bound(u64),
    /// The file system does not let it.
    #[error("cannot write the audit trail {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// Somebody else writes it.
    #[error("the audit trail {0} is in use")]
    InUse(PathBuf),
    /// What it has already cannot be compared with the events.
    #[error("cannot find where the audit trail ended")]
    Read(#[from] ReadError),
    /// It cannot subscribe.
    #[error("cannot subscribe to the events")]
    Subscribe(#[from] SubscribeError),
    /// There can be no more threads.
    #[error("cannot start the thread of the audit trail")]
    Thread(#[source] std::io::Error),
}

/// How it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditHealth {
    /// Why nothing is written; it is tried again every second.
    pub failure: Option<String>,
    /// The position of the last event in it.
    pub position: u64,
    /// Files that were deleted because they were too old.
    pub expired: u64,
    /// Files that were deleted before their time, because of the bound.
    pub evicted: u64,
}

/// An audit trail; it is written until this is dropped. Then its file and the store are free.
///
/// ```
/// use std::time::Duration;
/// use fresnel_sdk::events::{Audit, AuditConfig, AuditFile, AuditStorage, Events, MemoryStore, NewEvent};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("audit.log");
/// let events = Events::new(MemoryStore::default(), Default::default());
/// let file = AuditFile { path: path.clone(), ..AuditFile::default() };
/// let config = AuditConfig { storage: AuditStorage::File(file), ..AuditConfig::default() };
/// let audit = Audit::start(&events, &config)?;
/// let position = events.emit(NewEvent::new("USER.ADDED"))?.wait(Duration::from_secs(20))?;
/// assert!(audit.wait(position, Duration::from_secs(20)));
/// assert!(std::fs::read_to_string(path)?.contains("USER.ADDED"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends the audit trail"]
pub struct Audit {
    shared: Arc<Shared>,
    subscription: Option<Subscription>,
    sweeper: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    retention: Duration,
    time: Box<dyn TimeOfDay>,
}

#[derive(Default)]
struct State {
    /// None at the end, and when it is switched off.
    files: Option<Files>,
    health: AuditHealth,
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl Audit {
    /// Begins, where the last one ended.
    ///
    /// # Errors
    /// It cannot.
    pub fn start(events: &Events, config: &AuditConfig) -> Result<Self, AuditError> {
        Self::start_by(events, config, SystemTimeOfDay)
    }

    /// As [`Audit::start`], by another clock.
    ///
    /// # Errors
    /// It cannot.
    pub fn start_by(events: &Events, config: &AuditConfig, time: impl TimeOfDay) -> Result<Self, AuditError> {
        let types = config.events.iter().map(|it| it.parse()).collect::<Result<Vec<Pattern>, _>>()?;
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared =
            Arc::new(Shared { state, changed, retention: config.retention.get(), time: Box::new(time) });
        let mut audit = Self { shared: shared.clone(), subscription: None, sweeper: None };
        // No type at all is a criterion for every event.
        if !config.enabled || types.is_empty() {
            return Ok(audit);
        }
        let AuditStorage::File(file) = &config.storage;
        let (files, last) = Files::open(file, config.format)?;
        // Other events, such as those of a memory that began anew, are all to be written.
        let after = match last {
            Some(last) if is_of(events, &last)? => last.position,
            _ => 0,
        };
        {
            let mut state = shared.state.lock();
            state.files = Some(files);
            state.health.position = after;
            shared.sweep(&mut state);
        }
        let sweeping = shared.clone();
        let thread = thread::Builder::new().name("events-audit".into());
        audit.sweeper = Some(thread.spawn(move || sweeping.run()).map_err(AuditError::Thread)?);
        let query = Query::any_of([Criterion { types, ..Criterion::default() }]);
        let take = move |event: &Event| shared.take(event);
        audit.subscription = Some(events.subscribe_to(query, Start::After(after), take)?);
        Ok(audit)
    }

    /// How it is.
    pub fn health(&self) -> AuditHealth {
        self.shared.state.lock().health.clone()
    }

    /// Waits until the event at this position, which must be one of those that are asked for, or a
    /// later one is in it. False if that took too long.
    pub fn wait(&self, position: u64, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut state = self.shared.state.lock();
        while state.health.position < position {
            if self.shared.changed.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.health.position >= position
    }

    #[cfg(test)]
    pub(super) fn sweep(&self) {
        self.shared.sweep(&mut self.shared.state.lock());
    }
}

/// Whether the last line is one of these events.
fn is_of(events: &Events, last: &Last) -> Result<bool, ReadError> {
    Ok(events.get(last.id)?.is_some_and(|event| event.position == last.position))
}

impl Drop for Audit {
    fn drop(&mut self) {
        let subscription = self.subscription.take();
        subscription.iter().for_each(Subscription::end);
        // The file is free from here on; an event that is being told, or waits for a disk, finds none.
        self.shared.state.lock().files = None;
        self.shared.changed.notify_all();
        drop(subscription);
        if let Some(sweeper) = self.sweeper.take() {
            // A panic in it was already told.
            let _ = sweeper.join();
        }
    }
}

impl Shared {
    /// Since when events are kept.
    fn cutoff(&self) -> SystemTime {
        self.time.now().checked_sub(self.retention).unwrap_or(UNIX_EPOCH)
    }

    /// Takes an event.
    fn take(&self, event: &Event) {
        let time = UNIX_EPOCH + Duration::from_nanos(event.time_unix_nano);
        let mut state = self.state.lock();
        // What is stored for longer than it is audited is not worth a line that is deleted at once.
        if time >= self.cutoff() {
            self.write(&mut state, event, time);
        }
        if state.files.is_some() {
            state.health.position = event.position;
        }
        self.changed.notify_all();
    }

    /// Writes an event, however long that takes: others are told on threads of their own.
    fn write(&self, state: &mut MutexGuard<'_, State>, event: &Event, time: SystemTime) {
        loop {
            let State { files: Some(files), health } = &mut **state else { return };
            match files.append(event, time) {
                Ok(put_aside) => {
                    health.failure = None;
                    if put_aside {
                        self.sweep(state);
                    }
                    return;
                }
                Err(error) => {
                    let path = files.path().display();
                    if health.failure.replace(format!("cannot write to {path}: {error}")).is_none() {
                        tracing::error!(%path, %error, "audit trail cannot be written");
                    }
                    self.changed.wait_for(state, RETRY_PAUSE);
                }
            }
        }
    }

    /// Deletes what is too old or too much.
    fn sweep(&self, state: &mut State) {
        let State { files: Some(files), health } = state else { return };
        let Swept { expired, evicted, error } = files.sweep(self.cutoff());
        health.expired += expired;
        health.evicted += evicted;
        let path = files.path().display();
        if expired > 0 {
            tracing::info!(%path, files = expired, "audit trail expired");
        }
        if evicted > 0 {
            tracing::warn!(%path, files = evicted, "audit trail deleted before its time, it is at its bound");
        }
        if let Some(error) = error {
            tracing::error!(%path, %error, "audit trail cannot be deleted");
        }
    }

    /// The thread: also what nothing is added to gets old.
    fn run(&self) {
        let mut due = Instant::now() + SWEEP_INTERVAL;
        let mut state = self.state.lock();
        while state.files.is_some() {
            if self.changed.wait_until(&mut state, due).timed_out() {
                self.sweep(&mut state);
                due = Instant::now() + SWEEP_INTERVAL;
            }
        }
    }
}
