//! A configuration that stays current while its files change.

mod files;
mod subscribers;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use serde::Serialize;

pub(crate) use self::files::{Change as FileChange, Files};
use self::subscribers::Subscribers;
pub use self::subscribers::{Event, Subscription};
use super::Config;
use super::diff::{Change, diff};
use super::error::LoadError;
use super::load::{Gathered, Loader};
use super::loaded::Loaded;
use super::node::Node;
use super::path::KeyPath;
use super::shape::Shape;

/// How to watch.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// Paths whose change takes effect only after a restart, with everything in them. `store`
    /// means `store.dir`, not `store_cache`.
    pub restart: Vec<String>,
    /// How often the files are looked at. A change is applied once they looked the same twice.
    pub poll: Duration,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { restart: Vec::new(), poll: Duration::from_millis(100) }
    }
}

/// Why a reload changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// The new configuration is wrong; the old one stays.
    #[error("{0}")]
    Invalid(LoadError),
    /// It is right as a whole, but what could be applied now does not go with what needs a restart.
    #[error("these changes can only be applied together, by a restart: {0}")]
    NeedsRestart(LoadError),
    /// It was asked for by a subscriber, which runs inside a reload.
    #[error("a subscriber cannot change the configuration while it is told of a change")]
    Reentrant,
}

/// How the last reload went; the first one is the start.
#[derive(Clone, Debug)]
pub struct LastReload {
    /// When the sources were last read and found to be right.
    pub applied: SystemTime,
    /// Why the last reload changed nothing; none where it went well.
    pub failure: Option<ReloadError>,
}

impl LastReload {
    fn well() -> Self {
        Self { applied: SystemTime::now(), failure: None }
    }
}

/// Keeps a configuration current. Reloads run one after the other, each validated as a whole
/// before anything of it is applied. Dropping it ends the watching.
pub struct Watch<T: Config> {
    shared: Arc<Shared<T>>,
    stop: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<T> {
    current: RwLock<Arc<Loaded<T>>>,
    state: Mutex<State<T>>,
    /// The thread that is in a reload.
    reloading: Mutex<Option<ThreadId>>,
    subscribers: Subscribers<T>,
    shape: Shape,
    restart: Vec<KeyPath>,
}

struct State<T> {
    loader: Loader<T>,
    pending: Vec<Change>,
    watched: Vec<PathBuf>,
    last: LastReload,
}

impl<T: Config> Watch<T> {
    /// Loads the configuration and watches the files of `loader`, the missing ones too.
    ///
    /// # Errors
    /// As for [`Loader::load`].
    pub fn start(loader: Loader<T>, options: WatchOptions) -> Result<Self, LoadError> {
        // Marked before they are read, so that no change falls in between.
        let mut files = Files::new(loader.paths());
        let loaded = loader.load()?;
        files.follow(loaded.watched.clone());
        let (pending, watched, last) = (Vec::new(), loaded.watched.clone(), LastReload::well());
        let state = State { loader, pending, watched, last };
        let shared = Arc::new(Shared {
            current: RwLock::new(Arc::new(loaded)),
            state: Mutex::new(state),
            reloading: Mutex::new(None),
            subscribers: Subscribers::default(),
            shape: Shape::of::<T>(),
            restart: options.restart.iter().map(|path| KeyPath::parse(path)).collect(),
        });
        let (stop, stopped) = mpsc::sync_channel(0);
        let watching = shared.clone();
        let body = move || watch(&watching, files, options.poll, &stopped);
        let thread = thread::Builder::new().name("config-watch".into()).spawn(body);
        if let Err(error) = &thread {
            tracing::error!(%error, "configuration files are not watched");
        }
        Ok(Self { shared, stop: Some(stop), thread: thread.ok() })
    }

    /// The configuration in force.
    pub fn current(&self) -> Arc<T> {
        self.shared.current.read().value.clone()
    }

    /// The configuration in force with its origins.
    pub fn loaded(&self) -> Arc<Loaded<T>> {
        self.shared.current.read().clone()
    }

    /// What was changed but takes effect only after a restart.
    pub fn pending_restart(&self) -> Vec<Change> {
        self.shared.state.lock().pending.clone()
    }

    /// How the last reload went.
    pub fn last_reload(&self) -> LastReload {
        self.shared.state.lock().last.clone()
    }

    /// Calls back when something at, in or around `path` changes, after it was applied; the empty
    /// path means everything. A callback that panics is logged and does not disturb the others.
    /// It must not block: the next reload waits for it.
    #[must_use = "dropping the subscription ends it"]
    pub fn subscribe(
        &self,
        path: &str,
        callback: impl Fn(&Event<T>) + Send + Sync + 'static,
    ) -> Subscription {
        self.shared.subscribers.add(KeyPath::parse(path), Arc::new(callback))
    }

    /// Calls back when a reload fails and the old configuration stays.
    #[must_use = "dropping the subscription ends it"]
    pub fn on_failure(&self, callback: impl Fn(&ReloadError) + Send + Sync + 'static) -> Subscription {
        self.shared.subscribers.add_failure(Arc::new(callback))
    }

    /// Reads all sources again now.
    ///
    /// # Errors
    /// Why nothing changed. Those who subscribed to failures have been told.
    pub fn reload(&self) -> Result<Vec<Change>, ReloadError> {
        self.shared.reload(|_| {})
    }

    /// Sets one value on top of all sources, validated like a reload; it lasts while this lives.
    ///
    /// # Errors
    /// Why nothing changed.
    pub fn set(&self, path: &str, value: impl Serialize) -> Result<Vec<Change>, ReloadError> {
        let path = KeyPath::parse(path);
        // A value that cannot be written is null, which the check refuses by name.
        let value = serde_json::to_value(value).unwrap_or_default();
        self.shared.reload(|loader| {
            loader.runtime.retain(|(other, _)| *other != path);
            loader.runtime.push((path, value));
        })
    }
}

impl<T: Config> Drop for Watch<T> {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A subscriber may hold the last one: a thread cannot wait for itself.
        if let Some(thread) = self.thread.take().filter(|it| it.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}

impl<T: Config> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("current", &*self.loaded()).finish_non_exhaustive()
    }
}

/// Looks at the files until told to stop.
fn watch<T: Config>(shared: &Shared<T>, mut files: Files, poll: Duration, stopped: &mpsc::Receiver<()>) {
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(poll) {
        if files.look() == FileChange::Settled {
            match catch_unwind(AssertUnwindSafe(|| shared.reload(|_| {}))) {
                Ok(Ok(changes)) if changes.is_empty() => {}
                Ok(Ok(changes)) => changes.iter().for_each(tell),
                Ok(Err(error)) => tracing::error!(%error, "configuration not reloaded, the old one stays"),
                Err(_) => tracing::error!("reloading the configuration panicked, the old one stays"),
            }
            files.follow(shared.state.lock().watched.clone());
        }
    }
}

/// Says what changed, or is to.
fn tell(change: &Change) {
    let (path, old, new) = (&change.path, change.old_text(), change.new_text());
    if change.requires_restart {
        tracing::info!(%path, %old, %new, "configuration changed, in force after a restart");
    } else {
        tracing::info!(%path, %old, %new, "configuration changed");
    }
}

impl<T: Config> Shared<T> {
    /// One reload, from reading to telling. `edit` changes the sources; for good if all goes well.
    fn reload(&self, edit: impl FnOnce(&mut Loader<T>)) -> Result<Vec<Change>, ReloadError> {
        let me = thread::current().id();
        if *self.reloading.lock() == Some(me) {
            return Err(ReloadError::Reentrant);
        }
        let turn = self.subscribers.turn();
        let _reset = Reset(&self.reloading);
        *self.reloading.lock() = Some(me);
        let mut loader = self.state.lock().loader.clone();
        edit(&mut loader);
        let result = self.apply(loader);
        if let Err(error) = &result {
            self.state.lock().last.failure = Some(error.clone());
        }
        match &result {
            Ok(changes) if changes.is_empty() => {}
            Ok(changes) => self.subscribers.publish(&turn, &self.current.read().value.clone(), changes),
            Err(error) => self.subscribers.publish_failure(&turn, error),
        }
        result
    }

    /// Validates the new configuration and puts the part that needs no restart in force. Returns
    /// what is news: changes that wait for a restart are told once.
    fn apply(&self, loader: Loader<T>) -> Result<Vec<Change>, ReloadError> {
        let settled = loader.gather(&self.shape).and_then(|gathered| {
            let (tree, defaults) = (gathered.tree.clone(), gathered.defaults.clone());
            Ok((tree, defaults, gathered.settle::<T>(&self.shape)?))
        });
        let (tree, defaults, wanted) = loader.counted(settled).map_err(ReloadError::Invalid)?;
        let current = self.current.read().clone();
        let changes = diff(&*current.value, &*wanted.value, &self.restart);
        let (pending, live): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| change.requires_restart);
        let watched = wanted.watched.clone();
        let next = if pending.is_empty() {
            wanted
        } else {
            let tree = mix(tree, &current.tree, &pending);
            let mixed = Gathered::of(tree, defaults, loader.validators.clone(), &wanted);
            mixed.settle(&self.shape).map_err(ReloadError::NeedsRestart)?
        };
        let mut state = self.state.lock();
        let news = pending.iter().filter(|change| !state.pending.contains(change)).cloned().collect();
        *state = State { loader, pending, watched, last: LastReload::well() };
        *self.current.write() = Arc::new(next);
        Ok([live, news].concat())
    }
}

/// The new tree with the old values of what must wait.
fn mix(mut tree: Node, running: &Node, pending: &[Change]) -> Node {
    for change in pending {
        match running.get(&change.key) {
            Some(node) => tree.insert(&change.key, node.clone()),
            None => tree.remove(&change.key),
        }
    }
    tree
}

struct Reset<'a>(&'a Mutex<Option<ThreadId>>);

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}
