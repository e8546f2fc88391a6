//! Evaluates groups of rules at their times, and follows their files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::Evaluated;
use detect::group::{Group, Health, Restore};
use detect::rules::RuleFile;
use fresnel_sdk::telemetry::metrics::{Counter, Histogram, Registry, SECONDS};
use query::Engine;
use receive::Intake;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::board::{Board, shown};
use super::config::milliseconds;
use super::files::{self, Look};
use super::series::StoreSeries;
use crate::config::Config;
use crate::observe::now_unix_nano;

/// How often it is looked whether rule files changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Evaluations before alerts are given back what they knew before the restart: what they depend on has
/// to have come in again.
const EVALUATIONS_BEFORE_RESTORE: usize = 2;

/// What rules are evaluated with.
#[derive(Clone)]
pub struct Rules {
    pub engine: Engine,
    pub intake: Intake,
    pub board: Board,
    pub metrics: Metrics,
    pub settings: watch::Receiver<Arc<Config>>,
}

/// What is counted of rules, by group.
#[derive(Clone)]
pub struct Metrics {
    duration: Histogram,
    evaluated: Counter,
    failed: Counter,
    missed: Counter,
    samples: Counter,
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &Registry) -> Self {
        Self {
            duration: registry.histogram(
                "fresnel.rules.group.duration",
                "s",
                "From the start of a group's evaluation to its end.",
                SECONDS,
            ),
            evaluated: registry.counter("fresnel.rules.evaluated", "{rule}", "Rules that were evaluated."),
            failed: registry.counter(
                "fresnel.rules.failed",
                "{rule}",
                "Rules whose expression had no answer or whose samples were not stored.",
            ),
            missed: registry.counter(
                "fresnel.rules.group.missed",
                "{evaluation}",
                "Evaluations of a group that fell out because the one before took too long.",
            ),
            samples: registry.counter("fresnel.rules.samples", "{sample}", "Samples that rules gave."),
        }
    }
}

impl Rules {
    /// Runs until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        let mut settings = self.settings.clone();
        let mut groups: Vec<Timed> = Vec::new();
        let mut anew = true;
        loop {
            let config = Arc::clone(&settings.borrow_and_update());
            let looks = look(&config).await;
            match read(&config).await {
                Ok(files) => {
                    groups = self.exchange(groups, files, &config, anew, &stop).await;
                    anew = false;
                }
                Err(problems) => {
                    let problems = problems.join("; ");
                    tracing::warn!(%problems, "keep the rules before: rule files are invalid");
                }
            }
            let until = stop.child_token();
            let slots = Arc::new(Semaphore::new(config.rules.concurrency));
            let mut running = JoinSet::new();
            for group in groups.drain(..) {
                let work = Work {
                    rules: self.clone(),
                    config: Arc::clone(&config),
                    slots: Arc::clone(&slots),
                    stop: stop.clone(),
                };
                running.spawn(work.evaluate_on_time(group, until.clone()));
            }
            let ended = tokio::select! {
                () = stop.cancelled() => None,
                () = changed(&config, &looks, &mut settings) => None,
                // A group ends only when it is told to, or when it panics.
                ended = running.join_next(), if !running.is_empty() => ended,
            };
            until.cancel();
            groups.extend(ended.map(returned));
            while let Some(ended) = running.join_next().await {
                groups.push(returned(ended));
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }

    /// The groups of the files, with what the same groups knew before; series of groups that are gone
    /// are ended. At the start of the server (`anew`) what alerts knew is in the store.
    async fn exchange(
        &self,
        before: Vec<Timed>,
        files: Vec<(String, RuleFile)>,
        config: &Arc<Config>,
        anew: bool,
        stop: &CancellationToken,
    ) -> Vec<Timed> {
        let defaults = config.rules.defaults();
        let mut before: Vec<Option<Timed>> = before.into_iter().map(Some).collect();
        let mut groups = Vec::new();
        for (name, file) in files {
            for group in file.groups {
                let mut group = Group::new(&name, group, &defaults);
                let same = before.iter_mut().find(|old| {
                    old.as_ref().is_some_and(|old| {
                        old.group.file() == group.file() && old.group.name() == group.name()
                    })
                });
                match same.and_then(Option::take) {
                    Some(old) => group.adopt(old.group),
                    None if !anew => group.begin_anew(),
                    None => {}
                }
                groups.push(Timed::new(group));
            }
        }
        let shown = groups.iter().map(Timed::shown).collect();
        self.board.reset(config.rules.tenant(), shown);
        let rules: usize = groups.iter().map(|timed| timed.group.rules().len()).sum();
        if !groups.is_empty() || before.iter().any(Option::is_some) {
            tracing::info!(groups = groups.len(), rules, "evaluate rules");
        }
        let gone: Vec<Timed> = before.into_iter().flatten().collect();
        if !gone.is_empty() {
            self.end(gone, config, stop).await;
        }
        groups
    }

    async fn end(&self, gone: Vec<Timed>, config: &Config, stop: &CancellationToken) {
        let mut series = self.series(config, stop, config.rules.evaluation_interval.get());
        let ended = tokio::task::spawn_blocking(move || {
            for timed in gone {
                let name = timed.group.name().to_owned();
                if let Err(error) = timed.group.end(now_ms(), &mut series) {
                    tracing::warn!(group = name, error = %error, "series of a group that is gone are not ended");
                }
            }
        });
        returned(ended.await);
    }

    fn series(&self, config: &Config, stop: &CancellationToken, patience: Duration) -> StoreSeries {
        StoreSeries {
            engine: self.engine.clone(),
            intake: self.intake.clone(),
            tenant: config.rules.tenant(),
            runtime: Handle::current(),
            stop: stop.clone(),
            patience,
        }
    }
}

/// What a task gave; a panic of it goes on where the supervisor sees it. No task is aborted.
fn returned<T>(ended: Result<T, tokio::task::JoinError>) -> T {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn now_ms() -> i64 {
    now_unix_nano().div_euclid(1_000_000)
}

async fn read(config: &Arc<Config>) -> Result<Vec<(String, RuleFile)>, Vec<String>> {
    let config = Arc::clone(config);
    let read = tokio::task::spawn_blocking(move || {
        files::read_configured(&config.rules.files, config.query.prometheus.experimental)
    });
    read.await.unwrap_or_else(|error| Err(vec![error.to_string()]))
}

async fn look(config: &Arc<Config>) -> Vec<Look> {
    let config = Arc::clone(config);
    tokio::task::spawn_blocking(move || files::looks(&config.rules.files)).await.unwrap_or_default()
}

/// Waits until the configuration or a rule file is another.
async fn changed(config: &Arc<Config>, looks: &[Look], settings: &mut watch::Receiver<Arc<Config>>) {
    loop {
        tokio::select! {
            changed = settings.changed() => {
                if changed.is_err() {
                    // Nobody changes it any more.
                    std::future::pending::<()>().await;
                }
                let now = Arc::clone(&settings.borrow_and_update());
                let same_query = now.query.prometheus == config.query.prometheus;
                if now.rules != config.rules || !same_query {
                    return;
                }
            }
            () = tokio::time::sleep(LOOK_EVERY), if !config.rules.files.is_empty() => {
                if look(config).await != looks {
                    return;
                }
            }
        }
    }
}

/// A group, and when what of it was evaluated.
struct Timed {
    group: Group,
    evaluated: Evaluated,
    rules: Vec<Evaluated>,
    evaluations: usize,
}

impl Timed {
    fn new(group: Group) -> Self {
        let rules = vec![Evaluated::default(); group.rules().len()];
        Self { group, evaluated: Evaluated::default(), rules, evaluations: 0 }
    }

    fn shown(&self) -> api::RuleGroup {
        shown(&self.group, self.evaluated, &self.rules)
    }
}

/// What one group is evaluated with.
struct Work {
    rules: Rules,
    config: Arc<Config>,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Work {
    /// Evaluates a group at each of its times until it is told to end; gives it back.
    async fn evaluate_on_time(self, mut timed: Timed, until: CancellationToken) -> Timed {
        let work = Arc::new(self);
        let interval_ms = timed.group.interval_ms();
        let mut next_ms = timed.group.slot_ms(now_ms()) + interval_ms;
        loop {
            let wait = u64::try_from(next_ms - now_ms()).unwrap_or(0);
            let slept = tokio::time::sleep(Duration::from_millis(wait));
            if until.run_until_cancelled(slept).await.is_none() {
                return timed;
            }
            let due_ms = timed.group.slot_ms(now_ms());
            if due_ms < next_ms {
                // Woken early, or the clock was set back.
                next_ms = due_ms + interval_ms;
                continue;
            }
            // What fell out while the evaluation before took its time.
            let missed = u64::try_from((due_ms - next_ms) / interval_ms).unwrap_or(0);
            if missed > 0 {
                work.count(&timed.group, &work.rules.metrics.missed, missed);
            }
            let Ok(slot) = Arc::clone(&work.slots).acquire_owned().await else { return timed };
            let evaluating = Arc::clone(&work);
            let evaluated = tokio::task::spawn_blocking(move || {
                evaluating.evaluate(&mut timed, due_ms);
                timed
            });
            timed = returned(evaluated.await);
            drop(slot);
            work.rules.board.update(timed.shown());
            next_ms = due_ms + interval_ms;
        }
    }

    fn count(&self, group: &Group, counter: &Counter, count: u64) {
        counter.bind(&[("group", group.name()), ("file", group.file())]).add(count);
    }

    fn evaluate(&self, timed: &mut Timed, due_ms: i64) {
        let began = Instant::now();
        let patience = Duration::from_millis(u64::try_from(timed.group.interval_ms()).unwrap_or(0));
        let mut series = self.rules.series(&self.config, &self.stop, patience);
        let (mut samples, mut failed) = (0, 0);
        for index in 0..timed.group.rules().len() {
            let (at_ms, rule_began) = (now_ms(), Instant::now());
            let health = timed.group.rules()[index].health().clone();
            samples += timed.group.evaluate_rule(index, due_ms, &mut series);
            timed.rules[index] = Evaluated { at_ms: Some(at_ms), took: rule_began.elapsed() };
            failed += u64::from(self.tell(&timed.group, index, &health));
        }
        if let Err(error) = timed.group.end_series(due_ms, &mut series) {
            tracing::warn!(group = timed.group.name(), error = %error, "series that are gone are not ended");
        }
        timed.evaluations += 1;
        if !timed.group.is_restored() && timed.evaluations >= EVALUATIONS_BEFORE_RESTORE {
            self.restore(&mut timed.group, &series);
        }
        let took = began.elapsed();
        timed.evaluated = Evaluated { at_ms: Some(due_ms), took };
        let group = &timed.group;
        let metrics = &self.rules.metrics;
        self.count(group, &metrics.evaluated, group.rules().len() as u64);
        self.count(group, &metrics.failed, failed);
        self.count(group, &metrics.samples, samples as u64);
        metrics.duration.bind(&[("group", group.name()), ("file", group.file())]).record_duration(took);
    }

    /// Says when a rule fails in a way that it did not before; whether it failed.
    fn tell(&self, group: &Group, index: usize, before: &Health) -> bool {
        let rule = &group.rules()[index];
        let (file, name) = (group.file(), rule.rule().name());
        match (rule.health(), before) {
            (Health::Bad(_), _) if self.stop.is_cancelled() => true,
            (Health::Bad(error), before) => {
                if rule.health() != before {
                    tracing::warn!(file, group = group.name(), rule = name, error = %error, "rule failed");
                }
                true
            }
            (_, Health::Bad(_)) => {
                tracing::info!(file, group = group.name(), rule = name, "rule is well again");
                false
            }
            _ => false,
        }
    }

    fn restore(&self, group: &mut Group, series: &StoreSeries) {
        let rules = &self.config.rules;
        let restore = Restore {
            now_ms: now_ms(),
            outage_tolerance_ms: milliseconds(rules.for_outage_tolerance.get()),
            grace_period_ms: milliseconds(rules.for_grace_period.get()),
            lookback_ms: milliseconds(self.config.query.prometheus.lookback.get()),
        };
        if let Err(error) = group.restore(&restore, series) {
            tracing::warn!(group = group.name(), %error, "alerts begin anew: what they knew cannot be read");
        }
    }
}
