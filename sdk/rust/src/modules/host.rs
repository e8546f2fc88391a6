use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::task::JoinSet;

use super::context::Context;
use super::event::{Event, Observers};
use super::graph::{Plan, PlanError, plan};
use super::made::Made;
use super::manifest::{Checked, Manifest, RegisterError};
use super::record::{Known, Record, STARTS};
use super::services::Services;
use super::task::contain;
use super::{Failure, Health, Module};
use crate::telemetry::metrics::{Registry, Success};

/// How modules are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// A start that takes longer is broken off; 30 s.
    pub start_timeout: Duration,
    /// A stop that takes longer is broken off; 10 s.
    pub stop_timeout: Duration,
    /// All stops together take no longer; 30 s.
    pub stop_all_timeout: Duration,
    /// A question for the health that takes longer is answered by "unhealthy"; 5 s.
    pub health_timeout: Duration,
    /// More modules are refused; 1,000.
    pub modules_max: usize,
    /// Ids of modules that are not started.
    pub disabled: BTreeSet<String>,
    /// What stands in the place of the priority of a module, by id.
    pub positions: BTreeMap<String, i32>,
    /// Settings by id.
    pub settings: BTreeMap<String, Value>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            stop_all_timeout: Duration::from_secs(30),
            health_timeout: Duration::from_secs(5),
            modules_max: 1000,
            disabled: BTreeSet::new(),
            positions: BTreeMap::new(),
            settings: BTreeMap::new(),
        }
    }
}

/// What came of the start of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It runs. One that is not healthy is told in the log.
    Started(Health),
    /// It ran before.
    Running,
    /// It does not run; why.
    Failed(String),
    /// It is switched off.
    Disabled,
    /// Nobody needed it yet.
    Lazy,
}

/// What came of the start of several modules, in the order in which they were tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Each module with what came of it and how long it took.
    pub modules: Vec<(String, Outcome, Duration)>,
    /// How long all of it took.
    pub elapsed: Duration,
}

impl Report {
    /// Whether none failed.
    pub fn is_complete(&self) -> bool {
        !self.modules.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Failed(_)))
    }

    /// What came of a module, if it was tried.
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.modules.iter().find(|(own, ..)| own == id).map(|(_, outcome, _)| outcome)
    }
}

/// Why a module cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// There is none.
    #[error("there is no module `{0}`")]
    Unknown(String),
    /// The graph has no order.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Why a module was not unloaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopError {
    /// There is none.
    #[error("there is no module `{0}`")]
    Unknown(String),
    /// Others that run need it.
    #[error("these modules need it: {}", .0.join(", "))]
    InUse(Vec<String>),
}

/// Why a module was not replaced. The old one runs on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// There is none to be replaced.
    #[error("there is no module `{0}`")]
    Unknown(String),
    /// The manifest of the new one is wrong.
    #[error(transparent)]
    Manifest(#[from] RegisterError),
    /// With the new one the graph has no order, or is not what others need.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The new one did not start, or is not healthy.
    #[error("the new module does not run: {0}")]
    Failed(String),
}

/// Holds modules and runs them. One start, stop or replacement at a time; the others wait.
pub struct Modules {
    registered: tokio::sync::Mutex<BTreeMap<String, Entry>>,
    /// In the order of their start.
    running: Mutex<Vec<Running>>,
    services: Services,
    options: Options,
    starts: Option<Success>,
    observers: Observers,
}

#[derive(Clone)]
struct Entry {
    checked: Checked,
    module: Arc<dyn Module>,
    type_name: &'static str,
    size_bytes: usize,
    known: Arc<Known>,
}

impl Entry {
    fn new<M: Module>(checked: Checked, module: M) -> Self {
        let (type_name, size_bytes) = (std::any::type_name::<M>(), size_of::<M>());
        Self { checked, module: Arc::new(module), type_name, size_bytes, known: Arc::default() }
    }

    /// With what the factory will make instead of what calls it.
    fn made_as<M>(self) -> Self {
        Self { type_name: std::any::type_name::<M>(), size_bytes: size_of::<M>(), ..self }
    }
}

#[derive(Clone)]
struct Running {
    id: String,
    module: Arc<dyn Module>,
    context: Context,
    health_checks: Vec<String>,
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Modules").field("running", &self.running()).finish_non_exhaustive()
    }
}

impl Modules {
    /// No modules yet. All of them will see these services.
    pub fn new(services: Services, options: Options) -> Self {
        let (registered, running) = (tokio::sync::Mutex::default(), Mutex::default());
        Self { registered, running, services, options, starts: None, observers: Observers::default() }
    }

    /// Calls back before and after a module starts, stops and is replaced. A callback that panics is told
    /// in the log. It must not block: the modules wait for it.
    #[must_use]
    pub fn observed_by(mut self, observer: impl Fn(&str, &Event) + Send + Sync + 'static) -> Self {
        self.observers.add(observer);
        self
    }

    /// Counts how starts end, as `modules.starts` by `modules.outcome`, `started` or `failed`; the share
    /// that went well is `modules.starts.success.ratio`, 1 until there was one. A module that is not
    /// started because of another one counts as failed, too.
    #[must_use]
    pub fn counted_in(mut self, registry: &Registry) -> Self {
        self.starts = Some(Success::new(registry, &STARTS));
        self
    }

    /// Adds a module. Whether what it needs is there is asked when it starts.
    ///
    /// # Errors
    /// Its manifest is wrong, naming the field, or the id is taken.
    pub async fn register(&self, manifest: Manifest, module: impl Module) -> Result<(), RegisterError> {
        self.enter(manifest, |checked| Entry::new(checked, module)).await
    }

    /// Adds a module that is made when it starts, and made anew when it starts again. The time that
    /// takes belongs to the start, and an error or a panic of `make` is one of the start.
    ///
    /// # Errors
    /// As for [`Modules::register`].
    pub async fn register_factory<M, F>(
        &self,
        manifest: Manifest,
        make: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<(), RegisterError>
    where
        M: Module,
        F: Future<Output = Result<M, Failure>> + Send + 'static,
    {
        self.enter(manifest, |checked| Entry::new(checked, Made::by(make)).made_as::<M>()).await
    }

    async fn enter(
        &self,
        manifest: Manifest,
        entry: impl FnOnce(Checked) -> Entry,
    ) -> Result<(), RegisterError> {
        let mut registered = self.registered.lock().await;
        let outcome = manifest.check().and_then(|checked| {
            if registered.contains_key(&manifest.id) {
                return Err(RegisterError::Duplicate(manifest.id.clone()));
            }
            if registered.len() >= self.options.modules_max {
                return Err(RegisterError::TooMany(registered.len()));
            }
            Ok(checked)
        });
        match outcome {
            Ok(checked) => {
                let needs: Vec<_> = manifest.dependencies.iter().map(|it| it.id.as_str()).collect();
                let (id, version) = (manifest.id.as_str(), manifest.version.as_str());
                tracing::info!(module.id = id, module.version = version, ?needs, "register module");
                registered.insert(manifest.id, entry(checked));
                Ok(())
            }
            Err(error) => {
                tracing::error!(module.id = manifest.id, %error, "module is not registered");
                Err(error)
            }
        }
    }

    /// Starts all modules that are not lazy, and what they need. Of an option for a module that is not
    /// registered the log warns.
    ///
    /// # Errors
    /// There is no order. Nothing was started. That a module did not start is in the report.
    pub async fn start_all(&self) -> Result<Report, PlanError> {
        let registered = self.registered.lock().await;
        let plan = plan(&self.checked(&registered))?;
        let Options { disabled, positions, settings, .. } = &self.options;
        let named: BTreeSet<_> = disabled.iter().chain(positions.keys()).chain(settings.keys()).collect();
        for id in named.into_iter().filter(|id| !registered.contains_key(*id)) {
            tracing::warn!(module.id = id, "options are for a module that is not registered");
        }
        let eager = registered.iter().filter(|(_, entry)| !entry.checked.manifest.lazy);
        let wanted = closure(&plan, eager.map(|(id, _)| id.as_str()), &self.options.disabled);
        Ok(self.start_wanted(&registered, &plan, &wanted).await)
    }

    /// Starts a module and what it needs, lazy ones too.
    ///
    /// # Errors
    /// There is none, or no order. That it did not start is in the report.
    pub async fn start(&self, id: &str) -> Result<Report, StartError> {
        let registered = self.registered.lock().await;
        if !registered.contains_key(id) {
            return Err(StartError::Unknown(id.to_owned()));
        }
        let plan = plan(&self.checked(&registered))?;
        let wanted = closure(&plan, [id], &self.options.disabled);
        let mut report = self.start_wanted(&registered, &plan, &wanted).await;
        report.modules.retain(|(id, ..)| wanted.contains(id));
        Ok(report)
    }

    /// Stops all modules, those that were started last first. Each is told with why its stop was not
    /// clean, if it was not; it counts as stopped all the same.
    pub async fn stop_all(&self) -> Vec<(String, Option<String>)> {
        let _turn = self.registered.lock().await;
        let deadline = Instant::now() + self.options.stop_all_timeout;
        let mut outcomes = Vec::new();
        loop {
            let Some(last) = self.running.lock().pop() else { return outcomes };
            let left = deadline.saturating_duration_since(Instant::now());
            self.observers.tell(&last.id, &Event::Stopping);
            let problem = stop(&last, left.min(self.options.stop_timeout)).await;
            self.observers.tell(&last.id, &Event::Stopped);
            outcomes.push((last.id, problem));
        }
    }

    /// Stops a module and forgets it.
    ///
    /// # Errors
    /// There is none, or others that run need it.
    pub async fn unload(&self, id: &str) -> Result<(), StopError> {
        let mut registered = self.registered.lock().await;
        if !registered.contains_key(id) {
            return Err(StopError::Unknown(id.to_owned()));
        }
        let needs = |other: &String| {
            let entry = registered.get(other);
            entry.is_some_and(|entry| {
                let dependencies = &entry.checked.manifest.dependencies;
                dependencies.iter().any(|it| it.id == id || it.fallback.as_deref() == Some(id))
            })
        };
        let dependents: Vec<_> = self.running().into_iter().filter(needs).collect();
        if !dependents.is_empty() {
            return Err(StopError::InUse(dependents));
        }
        let running = self.take_running(id);
        if let Some(running) = &running {
            self.observers.tell(id, &Event::Stopping);
            // Told in the log.
            let _ = stop(running, self.options.stop_timeout).await;
        }
        registered.remove(id);
        if running.is_some() {
            self.observers.tell(id, &Event::Stopped);
        }
        Ok(())
    }

    /// Puts a new module in the place of one with the same id. If that one runs, the new one is given
    /// its state and started beside it; once it is healthy it takes the place, and the old one is
    /// stopped. Modules that took services of the old one keep those until they start again.
    ///
    /// # Errors
    /// The old one stays.
    pub async fn replace(&self, manifest: Manifest, module: impl Module) -> Result<(), ReplaceError> {
        let id = manifest.id.clone();
        let outcome = self.try_replace(manifest, module).await;
        self.observers.tell(
            &id,
            &match &outcome {
                Ok(()) => Event::Replaced,
                Err(error) => Event::ReplaceFailed(error.to_string()),
            },
        );
        outcome
    }

    async fn try_replace(&self, manifest: Manifest, module: impl Module) -> Result<(), ReplaceError> {
        let mut registered = self.registered.lock().await;
        let id = manifest.id.clone();
        self.observers.tell(&id, &Event::Replacing);
        if !registered.contains_key(&id) {
            return Err(ReplaceError::Unknown(id));
        }
        let entry = Entry::new(manifest.check()?, module);
        let mut after = registered.clone();
        after.insert(id.clone(), entry.clone());
        let plan = plan(&self.checked(&after))?;
        let old = self.running.lock().iter().find(|it| it.id == id).cloned();
        if let Some(old) = old {
            let state = self.state_of(&old).await.map_err(ReplaceError::Failed)?;
            let (new, health) = self.begin(&id, &entry, &plan, state).await.map_err(ReplaceError::Failed)?;
            if let Health::Unhealthy(problem) = health {
                // Told in the log.
                let _ = stop(&new, self.options.stop_timeout).await;
                return Err(ReplaceError::Failed(format!("it is unhealthy: {problem}")));
            }
            if let Some(place) = self.running.lock().iter_mut().find(|it| it.id == id) {
                *place = new;
            }
            // Told in the log.
            let _ = stop(&old, self.options.stop_timeout).await;
        }
        tracing::info!(module.id = id, module.version = manifest.version, "replace module");
        registered.insert(id, entry);
        Ok(())
    }

    /// Ids of the modules that run, in the order of their start.
    pub fn running(&self) -> Vec<String> {
        self.running.lock().iter().map(|running| running.id.clone()).collect()
    }

    /// What is known of each module at run time, by id.
    pub async fn records(&self) -> BTreeMap<String, Record> {
        let registered = self.registered.lock().await;
        let running = self.running.lock();
        let record = |id: &String, entry: &Entry| {
            let running = running.iter().find(|running| running.id == *id);
            Record {
                version: entry.checked.manifest.version.clone(),
                type_name: entry.type_name,
                size_bytes: entry.size_bytes,
                running: running.is_some(),
                exports: running.map(|it| it.context.provided().names()).unwrap_or_default(),
                load_time: entry.known.load_time(),
                last_accessed: entry.known.last_accessed(),
                error_count: entry.known.error_count(),
            }
        };
        registered.iter().map(|(id, entry)| (id.clone(), record(id, entry))).collect()
    }

    /// How every running module is, which is the worst of what it says and of what its checks find, all
    /// asked at once. One that panics or takes too long is unhealthy.
    pub async fn health(&self) -> BTreeMap<String, Health> {
        let running = self.running.lock().clone();
        let mut questions = JoinSet::new();
        for it in running {
            let limit = self.options.health_timeout;
            questions.spawn(async move { (it.id.clone(), health(&it, limit).await) });
        }
        let mut answers = BTreeMap::new();
        while let Some(answer) = questions.join_next().await {
            // It does not panic: the module runs in a task of its own.
            answers.extend(answer.ok());
        }
        answers
    }

    /// What the checks of a running module find, by name, all asked at once; nothing if it does not run.
    pub async fn checks(&self, id: &str) -> BTreeMap<String, Health> {
        let running = self.running.lock().iter().find(|running| running.id == id).cloned();
        match running {
            Some(running) => checks(&running, self.options.health_timeout).await,
            None => BTreeMap::new(),
        }
    }

    /// What modules say of themselves, at the positions that the options give them.
    fn checked(&self, registered: &BTreeMap<String, Entry>) -> BTreeMap<String, Checked> {
        let placed = |(id, entry): (&String, &Entry)| {
            let mut checked = entry.checked.clone();
            if let Some(position) = self.options.positions.get(id) {
                checked.manifest.priority = *position;
            }
            (id.clone(), checked)
        };
        registered.iter().map(placed).collect()
    }

    async fn start_wanted(
        &self,
        registered: &BTreeMap<String, Entry>,
        plan: &Plan,
        wanted: &BTreeSet<String>,
    ) -> Report {
        let begin = Instant::now();
        let mut modules = Vec::new();
        for id in &plan.order {
            let Some(entry) = registered.get(id) else { continue };
            let start = Instant::now();
            let outcome = self.start_one(id, entry, plan, wanted).await;
            modules.push((id.clone(), outcome, start.elapsed()));
        }
        let report = Report { modules, elapsed: begin.elapsed() };
        let count =
            |wanted: fn(&Outcome) -> bool| report.modules.iter().filter(|(_, it, _)| wanted(it)).count();
        tracing::info!(
            modules.total = report.modules.len(),
            modules.started = count(|outcome| matches!(outcome, Outcome::Started(_))),
            modules.failed = count(|outcome| matches!(outcome, Outcome::Failed(_))),
            elapsed_ms = report.elapsed.as_millis() as u64,
            "start modules"
        );
        report
    }

    async fn start_one(&self, id: &str, entry: &Entry, plan: &Plan, wanted: &BTreeSet<String>) -> Outcome {
        if self.options.disabled.contains(id) {
            tracing::debug!(module.id = id, "module is switched off");
            return Outcome::Disabled;
        }
        if self.running.lock().iter().any(|running| running.id == id) {
            return Outcome::Running;
        }
        if !wanted.contains(id) {
            return Outcome::Lazy;
        }
        self.observers.tell(id, &Event::Starting);
        match self.begin(id, entry, plan, None).await {
            Ok((running, health)) => {
                self.running.lock().push(running);
                self.observers.tell(id, &Event::Started);
                if health != Health::Healthy {
                    tracing::warn!(module.id = id, ?health, "module started, but is not healthy");
                }
                Outcome::Started(health)
            }
            Err(problem) => {
                tracing::error!(module.id = id, error = problem, "module does not start");
                self.observers.tell(id, &Event::StartFailed(problem.clone()));
                Outcome::Failed(problem)
            }
        }
    }

    /// Starts a module and keeps how that ended; if it fails, what it began is stopped.
    async fn begin(
        &self,
        id: &str,
        entry: &Entry,
        plan: &Plan,
        state: Option<Value>,
    ) -> Result<(Running, Health), String> {
        let start = Instant::now();
        let outcome = self.try_begin(id, entry, plan, state).await;
        match &outcome {
            Ok(_) => entry.known.loaded(start.elapsed()),
            Err(_) => entry.known.failed(),
        }
        if let Some(starts) = &self.starts {
            starts.count(outcome.is_ok());
        }
        outcome
    }

    async fn try_begin(
        &self,
        id: &str,
        entry: &Entry,
        plan: &Plan,
        state: Option<Value>,
    ) -> Result<(Running, Health), String> {
        let given = self.given(plan, id)?;
        let settings = self.options.settings.get(id).cloned().unwrap_or_default();
        let version = &entry.checked.manifest.version;
        let context = Context::new(id, version, given, settings, state, entry.known.clone());
        let health_checks = entry.checked.manifest.health_checks.clone();
        let running = Running { id: id.to_owned(), module: entry.module.clone(), context, health_checks };
        let (module, context) = (running.module.clone(), running.context.clone());
        let call = async move { module.start(&context).await.map_err(|error| chain(&*error)) };
        let problem = match contain(self.options.start_timeout, running.context.span(), call).await {
            Ok(Ok(())) => {
                let health = health(&running, self.options.health_timeout).await;
                return Ok((running, health));
            }
            Ok(Err(problem)) => problem,
            Err(broken) => broken.to_string(),
        };
        // Told in the log.
        let _ = stop(&running, self.options.stop_timeout).await;
        Err(problem)
    }

    /// What a module may see: the host's services, and those of what it needs.
    fn given(&self, plan: &Plan, id: &str) -> Result<Services, String> {
        let running = self.running.lock();
        let mut given = self.services.clone();
        for need in plan.needs.get(id).into_iter().flatten() {
            match running.iter().find(|running| running.id == need.id) {
                Some(running) => given.extend(&running.context.provided()),
                None if need.optional => {}
                None => return Err(format!("it needs `{}`, which does not run", need.id)),
            }
        }
        Ok(given)
    }

    async fn state_of(&self, running: &Running) -> Result<Option<Value>, String> {
        let module = running.module.clone();
        let call = async move { module.state().await };
        let state = contain(self.options.health_timeout, running.context.span(), call).await;
        state.map_err(|broken| format!("the old module does not give its state: {broken}"))
    }

    fn take_running(&self, id: &str) -> Option<Running> {
        let mut running = self.running.lock();
        let place = running.iter().position(|it| it.id == id)?;
        Some(running.remove(place))
    }
}

/// These modules, without those that are switched off, and all that they need.
fn closure<'a>(
    plan: &Plan,
    ids: impl IntoIterator<Item = &'a str>,
    disabled: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut wanted: BTreeSet<String> =
        ids.into_iter().filter(|id| !disabled.contains(*id)).map(str::to_owned).collect();
    // From the last to the first: who needs something comes after it.
    for id in plan.order.iter().rev() {
        if wanted.contains(id) {
            wanted.extend(plan.needs.get(id).into_iter().flatten().map(|need| need.id.clone()));
        }
    }
    wanted
}

/// Stops a module, and tells why that was not clean.
async fn stop(running: &Running, limit: Duration) -> Option<String> {
    let module = running.module.clone();
    let call = async move { module.stop().await.map_err(|error| chain(&*error)) };
    let problem = match contain(limit, running.context.span(), call).await {
        Ok(Ok(())) => None,
        Ok(Err(problem)) => Some(problem),
        Err(broken) => Some(broken.to_string()),
    };
    if let Some(problem) = &problem {
        running.context.known().failed();
        tracing::warn!(module.id = running.id, error = problem, "module does not stop cleanly");
    }
    problem
}

async fn health(running: &Running, limit: Duration) -> Health {
    let module = running.module.clone();
    let own = contain(limit, running.context.span(), async move { module.health().await });
    let (own, found) = tokio::join!(own, checks(running, limit));
    let own = own.unwrap_or_else(|broken| Health::Unhealthy(broken.to_string()));
    let health = found.into_iter().fold(own, |worst, (name, found)| worst.worse(found.found_by(&name)));
    if matches!(health, Health::Unhealthy(_)) {
        running.context.known().failed();
    }
    health
}

/// What each check finds. They are tasks of their own, none of which waits for another.
async fn checks(running: &Running, limit: Duration) -> BTreeMap<String, Health> {
    let mut questions = JoinSet::new();
    for name in running.health_checks.iter().cloned() {
        let Running { module, context, .. } = running.clone();
        questions.spawn(async move {
            let asked = name.clone();
            let answer = contain(limit, context.span(), async move { module.check(&asked).await }).await;
            (name, answer.unwrap_or_else(|broken| Health::Unhealthy(broken.to_string())))
        });
    }
    let mut answers = BTreeMap::new();
    while let Some(answer) = questions.join_next().await {
        // It does not panic: the module runs in a task of its own.
        answers.extend(answer.ok());
    }
    answers
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
