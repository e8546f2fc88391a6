use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;
use parking_lot::{Mutex, RwLock};
use tokio::task::{AbortHandle, JoinSet};

use super::entry::Entry;
use super::report::{overall, rfc3339};
use super::{Check, CheckOptions, CheckResult, Finding, Report, Status, Summary};
use crate::clock;
use crate::telemetry::metrics::Registry;

/// More checks than this are a mistake.
const CHECKS_MAX: usize = 1_000;

/// The checks of a service. Clones are the same.
#[derive(Clone)]
pub struct Checker(Arc<Inner>);

struct Inner {
    version: String,
    registry: Registry,
    started: Instant,
    entries: RwLock<BTreeMap<Arc<str>, Arc<Entry>>>,
    phase: RwLock<Phase>,
    monitor: Mutex<Option<Monitor>>,
}

/// The tasks that run checks in the background; they end when it is dropped.
#[derive(Default)]
struct Monitor {
    tasks: JoinSet<()>,
    by_name: BTreeMap<Arc<str>, AbortHandle>,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Whether the process must be restarted: only checks that are [`CheckOptions::live`].
    Live,
    /// Whether it can take requests: all checks, and its [`Phase`].
    Ready,
    /// How it is: all checks.
    All,
}

/// Where a service is in its life. Checks say nothing about that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It is not ready yet, and must not be restarted for that.
    Starting,
    /// It is ready if its checks say so.
    Running,
    /// It is not ready any more; what was begun is ended.
    Stopping,
}

/// Why a check was not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// The name is taken.
    #[error("there is a check `{name}` already; remove it first")]
    Taken {
        /// The name.
        name: String,
    },
    /// There are too many.
    #[error("there are {CHECKS_MAX} checks already")]
    TooMany,
}

impl Checker {
    /// No checks yet, of a service of this version; the time since its start is counted from now.
    pub fn new(version: impl Into<String>, registry: &Registry) -> Self {
        Self(Arc::new(Inner {
            version: version.into(),
            registry: registry.clone(),
            started: clock::now(),
            entries: RwLock::default(),
            phase: RwLock::new(Phase::Running),
            monitor: Mutex::default(),
        }))
    }

    /// One more check. While the checks are monitored, it runs at once.
    ///
    /// # Errors
    /// The name is taken, or there are too many.
    pub fn register(
        &self,
        name: impl Into<Arc<str>>,
        options: CheckOptions,
        check: impl Check + 'static,
    ) -> Result<(), RegisterError> {
        self.register_boxed(name.into(), options, Box::new(check))
    }

    /// As [`Checker::register`] with the default options, of a call that many parts of a program share:
    /// what it gives does not matter, an error is unhealthy.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use fresnel_sdk::{health::{Checker, RegisterError}, telemetry::metrics::Registry};
    /// struct Shop;
    ///
    /// impl Shop {
    ///     async fn stock(&self, product: &str) -> Result<u32, std::io::Error> {
    ///         Ok(12) // Of the database.
    ///     }
    /// }
    ///
    /// let (checker, shop) = (Checker::new("1.4.2", &Registry::new()), Arc::new(Shop));
    /// checker.watch("database", &shop, async |shop| shop.stock("tea").await)?;
    /// # Ok::<(), RegisterError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Checker::register`].
    pub fn watch<S, F, T, E>(
        &self,
        name: impl Into<Arc<str>>,
        of: &Arc<S>,
        call: impl Fn(Arc<S>) -> F + Send + Sync + 'static,
    ) -> Result<(), RegisterError>
    where
        S: Send + Sync + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: 'static,
        E: fmt::Display + 'static,
    {
        let of = of.clone();
        self.register(name, CheckOptions::default(), move || {
            let answer = call(of.clone());
            async move { answer.await.map(drop) }
        })
    }

    /// As [`Checker::register`], of a check whose type is not known.
    ///
    /// # Errors
    /// As [`Checker::register`].
    pub fn register_boxed(
        &self,
        name: Arc<str>,
        options: CheckOptions,
        check: Box<dyn Check>,
    ) -> Result<(), RegisterError> {
        let mut entries = self.0.entries.write();
        if entries.contains_key(&name) {
            return Err(RegisterError::Taken { name: name.to_string() });
        }
        if entries.len() >= CHECKS_MAX {
            return Err(RegisterError::TooMany);
        }
        let entry = Arc::new(Entry::new(name.clone(), options, check, &self.0.registry));
        entries.insert(name.clone(), entry.clone());
        if let Some(monitor) = &mut *self.0.monitor.lock() {
            monitor.add(name, entry);
        }
        Ok(())
    }

    /// A check less. False when it is not there.
    pub fn remove(&self, name: &str) -> bool {
        let removed = self.0.entries.write().remove(name).is_some();
        if let Some(monitor) = &mut *self.0.monitor.lock()
            && let Some(task) = monitor.by_name.remove(name)
        {
            task.abort();
        }
        removed
    }

    /// Says where the service is in its life; [`Phase::Running`] until this is called.
    pub fn set_phase(&self, phase: Phase) {
        let before = std::mem::replace(&mut *self.0.phase.write(), phase);
        if before != phase {
            tracing::info!(event.name = "health.phase.changed", from = ?before, to = ?phase, "the service changed its phase");
        }
    }

    /// Where the service is in its life.
    pub fn phase(&self) -> Phase {
        *self.0.phase.read()
    }

    /// Asks all checks at once, but for those that were asked not long ago.
    pub async fn check(&self, scope: Scope) -> Report {
        let start = clock::now();
        let entries = self.entries(scope);
        let checks = join_all(entries.iter().map(|entry| entry.fresh())).await;
        self.report(scope, start, checks)
    }

    /// As [`Checker::check`] of all; with `detailed` false what each found is left out.
    pub async fn check_health(&self, detailed: bool) -> Report {
        let report = self.check(Scope::All).await;
        if detailed { report } else { report.without_details() }
    }

    /// What the checks found last, each with its age. It waits for nothing: with monitoring on it is
    /// what to answer probes with.
    pub fn last(&self, scope: Scope) -> Report {
        let start = clock::now();
        let checks = self.entries(scope).iter().map(|entry| entry.result()).collect();
        self.report(scope, start, checks)
    }

    /// [`Checker::last`] while the checks are monitored, else [`Checker::check`].
    pub async fn answer(&self, scope: Scope) -> Report {
        if self.is_monitoring() { self.last(scope) } else { self.check(scope).await }
    }

    /// Runs the checks in the background from now on, each at its own interval and the first time
    /// at once. Calling it again changes nothing. It ends with [`Checker::stop_monitoring`], or with
    /// the last clone of the checker.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start_monitoring(&self) {
        let entries = self.0.entries.read();
        let mut monitor = self.0.monitor.lock();
        if monitor.is_none() {
            let new = monitor.insert(Monitor::default());
            entries.iter().for_each(|(name, entry)| new.add(name.clone(), entry.clone()));
        }
    }

    /// Runs no checks in the background any more; those that run are cut off.
    pub fn stop_monitoring(&self) {
        *self.0.monitor.lock() = None;
    }

    /// Whether checks run in the background.
    pub fn is_monitoring(&self) -> bool {
        self.0.monitor.lock().is_some()
    }

    /// How the checker itself is: degraded when a check that is monitored is overdue.
    pub fn health_check(&self) -> Finding {
        let entries = self.entries(Scope::All);
        let monitored = self.is_monitoring();
        let overdue = |entry: &&Arc<Entry>| {
            let CheckOptions { interval, timeout, .. } = entry.options;
            let patience = (interval + timeout) * 2;
            entry.age().unwrap_or_else(|| clock::now() - self.0.started) > patience
        };
        let overdue = if monitored { entries.iter().filter(overdue).count() } else { 0 };
        let finding = match overdue {
            0 => Finding::healthy(),
            overdue => Finding::degraded(format!("{overdue} checks are overdue")),
        };
        finding.detail("checks", entries.len()).detail("monitoring", monitored)
    }

    fn entries(&self, scope: Scope) -> Vec<Arc<Entry>> {
        let entries = self.0.entries.read();
        entries.values().filter(|entry| scope != Scope::Live || entry.options.live).cloned().collect()
    }

    fn report(&self, scope: Scope, start: Instant, checks: Vec<CheckResult>) -> Report {
        let phase = self.phase();
        let by_phase = (scope == Scope::Ready && phase != Phase::Running).then(|| match phase {
            Phase::Starting => "the service is starting".to_owned(),
            _ => "the service is stopping".to_owned(),
        });
        let (status, message) = match by_phase {
            Some(message) => (Status::Unhealthy, Some(message)),
            None => (overall(&checks), checks.is_empty().then(|| "no checks".to_owned())),
        };
        let now = clock::now();
        Report {
            status,
            message,
            timestamp: rfc3339(SystemTime::now()),
            uptime: (now - self.0.started).as_secs_f64(),
            version: self.0.version.clone(),
            duration: (now - start).as_secs_f64() * 1_000.0,
            summary: Summary::of(&checks),
            checks: Some(checks),
        }
    }
}

impl Monitor {
    fn add(&mut self, name: Arc<str>, entry: Arc<Entry>) {
        let task = self.tasks.spawn(async move {
            loop {
                let next = clock::after(entry.options.interval.max(Duration::from_millis(1)));
                entry.refresh().await;
                clock::sleep_until(next).await;
            }
        });
        self.by_name.insert(name, task);
    }
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.entries.read().keys().cloned().collect();
        f.debug_struct("Checker").field("checks", &names).finish_non_exhaustive()
    }
}
