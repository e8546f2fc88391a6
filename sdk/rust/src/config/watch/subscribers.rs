use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard};

use super::ReloadError;
use crate::config::diff::Change;
use crate::config::path::KeyPath;

/// A change that was applied, as one subscriber sees it.
#[derive(Debug)]
pub struct Event<T> {
    /// The configuration in force now.
    pub config: Arc<T>,
    /// What changed at, in or around the subscribed path. A change that requires a restart is
    /// told but not in force.
    pub changes: Vec<Change>,
}

type Callback<T> = Arc<dyn Fn(&Event<T>) + Send + Sync>;
type FailureCallback = Arc<dyn Fn(&ReloadError) + Send + Sync>;

/// Who is told. The lists are never locked while a callback runs, so that one may unsubscribe.
pub(super) struct Subscribers<T> {
    lists: Arc<Mutex<Lists<T>>>,
    turns: Mutex<()>,
    next_id: AtomicU64,
}

struct Lists<T> {
    changes: Vec<(u64, KeyPath, Callback<T>)>,
    failures: Vec<(u64, FailureCallback)>,
}

impl<T> Default for Subscribers<T> {
    fn default() -> Self {
        let lists = Lists { changes: Vec::new(), failures: Vec::new() };
        Self { lists: Arc::new(Mutex::new(lists)), turns: Mutex::new(()), next_id: AtomicU64::new(0) }
    }
}

impl<T: Send + Sync + 'static> Subscribers<T> {
    /// Waits for the reload before this one to end.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turns.lock()
    }

    pub(super) fn add(&self, path: KeyPath, callback: Callback<T>) -> Subscription {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.lists.lock().changes.push((id, path, callback));
        self.subscription(id)
    }

    pub(super) fn add_failure(&self, callback: FailureCallback) -> Subscription {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.lists.lock().failures.push((id, callback));
        self.subscription(id)
    }

    fn subscription(&self, id: u64) -> Subscription {
        let lists: Weak<Mutex<Lists<T>>> = Arc::downgrade(&self.lists);
        let end = move || {
            let Some(lists) = lists.upgrade() else { return };
            // Dropped outside the lock: a callback may own other subscriptions.
            let _ended = {
                let mut lists = lists.lock();
                let changes: Vec<_> = lists.changes.extract_if(.., |(other, ..)| *other == id).collect();
                let failures: Vec<_> = lists.failures.extract_if(.., |(other, _)| *other == id).collect();
                (changes, failures)
            };
        };
        Subscription { end: Some(Box::new(end)) }
    }

    /// Tells everybody whose path is touched. Only in one's turn, so that all see one order.
    pub(super) fn publish(&self, _: &MutexGuard<'_, ()>, config: &Arc<T>, changes: &[Change]) {
        let listeners = self.lists.lock().changes.clone();
        for (_, path, callback) in listeners {
            let touched = changes.iter().filter(|change| change.key.overlaps(&path));
            let event = Event { config: config.clone(), changes: touched.cloned().collect() };
            if !event.changes.is_empty() && catch_unwind(AssertUnwindSafe(|| callback(&event))).is_err() {
                tracing::error!(path = %path, "a subscriber to configuration changes panicked");
            }
        }
    }

    pub(super) fn publish_failure(&self, _: &MutexGuard<'_, ()>, error: &ReloadError) {
        let listeners = self.lists.lock().failures.clone();
        for (_, callback) in listeners {
            if catch_unwind(AssertUnwindSafe(|| callback(error))).is_err() {
                tracing::error!("a subscriber to configuration failures panicked");
            }
        }
    }
}

/// A subscription; dropping it ends it.
pub struct Subscription {
    end: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Subscription {
    /// Keeps it for as long as the watch lives.
    pub fn forever(mut self) {
        self.end = None;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            end();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}
