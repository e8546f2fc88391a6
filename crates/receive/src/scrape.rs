//! The scraper: asks targets for their metrics as Prometheus does, by Prometheus' configuration.
//!
//! Enters: files of Prometheus' configuration. Leaves: for every scrape one request of remote write
//! through the [`Intake`], with the samples, the markers of staleness and what Prometheus tells of a
//! scrape itself (`up` and others); and the state of the targets. Must hold: a scrape that cannot be
//! read fails as a whole; one that cannot be stored until the next one is due is counted as missed,
//! never lost in silence; what is kept between scrapes is held in the memory budget.

mod config;
mod discover;
mod fetch;
mod labels;
mod pool;
mod relabel;
mod series;
mod target;
mod told;
mod turn;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fresnel_sdk::config::{LastReload, LoadError, Loader, Watch, WatchOptions};
use model::Tenant;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use self::config::Job;
use self::labels::Labels;
use self::pool::Pool;
use self::relabel::Rule;
use self::series::{Limits, Rules};
use self::target::Target;
use crate::intake::Intake;

pub use self::config::{Config, PrometheusFile};
pub use self::series::Metadata;

/// Scrapes what the files say.
pub struct Scraper {
    files: Vec<(PathBuf, Watch<PrometheusFile>)>,
    changed: Arc<Notify>,
    tenant: Tenant,
    pools: Mutex<BTreeMap<String, Arc<Mutex<PoolState>>>>,
}

/// Why there is nothing to scrape by.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file cannot be used.
    #[error("{0}")]
    File(LoadError),
    /// Two files have a job of the same name.
    #[error("two files of `receive.scrape.files` have a job `{0}`: its name must be its own")]
    Twice(String),
    /// The setting is no tenant.
    #[error("`receive.scrape.tenant`: {0}")]
    Tenant(String),
    /// A job cannot be used.
    #[error("job `{job}`: {reason}")]
    Job {
        /// Its name.
        job: String,
        /// What is wrong.
        reason: String,
    },
}

/// A job, ready.
struct Prepared {
    job: Job,
    rules: Vec<Rule>,
    series: Rules,
}

/// What the turns of all targets share.
struct Context {
    intake: Intake,
    tenant: Tenant,
    now: fn() -> i64,
}

#[derive(Default)]
struct PoolState {
    active: BTreeMap<u64, Arc<Seen>>,
    dropped: Vec<Labels>,
    dropped_count: usize,
}

/// A target and how it is.
struct Seen {
    target: Target,
    status: Mutex<Status>,
}

#[derive(Clone, Default)]
struct Status {
    health: Health,
    error: String,
    began_unix_nano: i64,
    elapsed: Duration,
    metadata: Arc<BTreeMap<String, Metadata>>,
}

/// Whether a target answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// Its last scrape was well.
    Up,
    /// Its last scrape failed.
    Down,
}

/// Names and values.
pub type Pairs = Vec<(String, String)>;

/// What is known of a target.
#[derive(Clone, Debug)]
pub struct TargetState {
    /// Its job.
    pub pool: String,
    /// Labels before the rules.
    pub discovered: Pairs,
    /// Labels of its series.
    pub labels: Pairs,
    /// Where it is asked.
    pub url: String,
    /// Whether it answers.
    pub health: Health,
    /// Why the last scrape failed; empty if it did not.
    pub last_error: String,
    /// When the last scrape began, nanoseconds since 1970; 0 before the first.
    pub last_scrape_unix_nano: i64,
    /// How long it took.
    pub last_scrape_duration: Duration,
    /// How often it is asked.
    pub interval: Duration,
    /// How long it may take.
    pub timeout: Duration,
    /// What it told of its metrics.
    pub metadata: Arc<BTreeMap<String, Metadata>>,
}

/// What is known of a job's targets.
#[derive(Clone, Debug)]
pub struct PoolTargets {
    /// The job.
    pub pool: String,
    /// Those that are asked.
    pub active: Vec<TargetState>,
    /// Labels, before the rules, of those that rules dropped: the first of them.
    pub dropped: Vec<Pairs>,
    /// How many were dropped.
    pub dropped_count: usize,
}

impl Scraper {
    /// Reads the files, and follows them from now on.
    ///
    /// # Errors
    /// What is wrong with them, with the place.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        let changed = Arc::new(Notify::new());
        let mut files = Vec::new();
        for path in &config.files {
            let loader = Loader::<PrometheusFile>::new().file(path);
            let watch = Watch::start(loader, WatchOptions::default()).map_err(StartError::File)?;
            let file = path.display().to_string();
            for section in watch.current().unused() {
                tracing::info!(file, section, "leave aside what is not about scraping");
            }
            let notify = Arc::clone(&changed);
            watch.subscribe("", move |_| notify.notify_one()).forever();
            files.push((path.clone(), watch));
        }
        let tenant = Tenant::parse(&config.tenant).map_err(|error| StartError::Tenant(error.to_string()))?;
        let scraper = Self { files, changed, tenant, pools: Mutex::default() };
        scraper.jobs()?;
        Ok(scraper)
    }

    /// Whether there is no file that could say what to scrape.
    pub fn is_idle(&self) -> bool {
        self.files.is_empty()
    }

    /// Whose the samples are.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The configuration in force, as far as it differs from the usual: `global` as the first file has
    /// it, and the jobs with what holds for them. Secrets are masked. None where there is no file.
    pub fn config(&self) -> Option<Map<String, Value>> {
        let (_, first) = self.files.first()?;
        let jobs = self.files.iter().flat_map(|(path, watch)| {
            let (file, folder) = (watch.current(), path.parent().unwrap_or(Path::new("")));
            let jobs = file.scrape_configs.iter().map(|job| told::job(&job.resolved(&file.global, folder)));
            jobs.collect::<Vec<_>>()
        });
        let (global, jobs) = (told::global(&first.current()), jobs.collect::<Value>());
        Some(Map::from_iter([("global".to_owned(), global), ("scrape_configs".to_owned(), jobs)]))
    }

    /// How the last reload of each file went.
    pub fn last_reloads(&self) -> impl Iterator<Item = LastReload> {
        self.files.iter().map(|(_, watch)| watch.last_reload())
    }

    /// The state of all targets, by job.
    pub fn targets(&self) -> Vec<PoolTargets> {
        let pools: Vec<_> =
            self.pools.lock().iter().map(|(name, state)| (name.clone(), Arc::clone(state))).collect();
        pools.into_iter().map(|(pool, state)| state.lock().told(pool)).collect()
    }

    /// All jobs as the files have them now, by name.
    fn jobs(&self) -> Result<BTreeMap<String, Prepared>, StartError> {
        let mut jobs = BTreeMap::new();
        for (path, watch) in &self.files {
            let file = watch.current();
            let folder = path.parent().unwrap_or(Path::new(""));
            for job in &file.scrape_configs {
                let (name, job) = (job.job_name.clone(), job.resolved(&file.global, folder));
                let failed = |reason| StartError::Job { job: name.clone(), reason };
                let prepared = Prepared::new(job).map_err(failed)?;
                if jobs.insert(name.clone(), prepared).is_some() {
                    return Err(StartError::Twice(name));
                }
            }
        }
        Ok(jobs)
    }

    /// Scrapes until told to stop. What a scrape under way found by then is not stored.
    pub async fn run(&self, intake: Intake, now: fn() -> i64, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let context = Arc::new(Context { intake, tenant: self.tenant.clone(), now });
        let mut running: BTreeMap<String, watch::Sender<Option<Arc<Prepared>>>> = BTreeMap::new();
        let mut pools = JoinSet::new();
        loop {
            match self.jobs() {
                Ok(jobs) => self.arrange(jobs, &mut running, &mut pools, &context),
                Err(error) => tracing::error!(error = %error, "the jobs are not changed"),
            }
            tokio::select! {
                () = &mut stop => return,
                () = self.changed.notified() => {}
                Some(ended) = pools.join_next(), if !pools.is_empty() => match ended {
                    Ok((name, state)) => {
                        let mut pools = self.pools.lock();
                        // It may have come again meanwhile.
                        if pools.get(&name).is_some_and(|current| Arc::ptr_eq(current, &state)) {
                            pools.remove(&name);
                        }
                    }
                    // As everywhere: whoever supervises this starts it again.
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
            }
        }
    }

    /// Starts, changes and ends jobs.
    fn arrange(
        &self,
        jobs: BTreeMap<String, Prepared>,
        running: &mut BTreeMap<String, watch::Sender<Option<Arc<Prepared>>>>,
        pools: &mut JoinSet<(String, Arc<Mutex<PoolState>>)>,
        context: &Arc<Context>,
    ) {
        running.retain(|name, told| {
            let stays = jobs.contains_key(name);
            if !stays {
                // It ends by itself once it has marked its series.
                let _ = told.send(None);
            }
            stays
        });
        for (name, prepared) in jobs {
            if let Some(told) = running.get(&name).filter(|told| !told.is_closed()) {
                let same = told.borrow().as_ref().is_some_and(|old| old.job == prepared.job);
                if !same {
                    let _ = told.send(Some(Arc::new(prepared)));
                }
                continue;
            }
            let (told, jobs) = watch::channel(Some(Arc::new(prepared)));
            let state = Arc::new(Mutex::new(PoolState::default()));
            self.pools.lock().insert(name.clone(), Arc::clone(&state));
            let pool = Pool::new(Arc::clone(context), Arc::clone(&state));
            let own = name.clone();
            pools.spawn(async move {
                pool.run(jobs).await;
                (own, state)
            });
            running.insert(name, told);
        }
    }
}

impl Prepared {
    fn new(job: Job) -> Result<Self, String> {
        let rules = |configs: &[relabel::RelabelConfig]| -> Result<Vec<Rule>, String> {
            configs.iter().map(|config| Rule::new(config).map_err(|error| error.to_string())).collect()
        };
        let series = Rules {
            honor_labels: job.honor_labels,
            honor_timestamps: job.honor_timestamps,
            track_timestamps: job.track_timestamps_staleness,
            relabel: rules(&job.metric_relabel_configs)?,
            limits: Limits {
                samples: job.sample_limit.unwrap_or(0),
                labels: job.label_limit.unwrap_or(0),
                name_bytes: job.label_name_length_limit.unwrap_or(0),
                value_bytes: job.label_value_length_limit.unwrap_or(0),
            },
        };
        Ok(Self { rules: rules(&job.relabel_configs)?, series, job })
    }
}

fn pairs(labels: &Labels) -> Pairs {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl PoolState {
    fn told(&self, pool: String) -> PoolTargets {
        let active = self.active.values().map(|seen| {
            let Status { health, error, began_unix_nano, elapsed, metadata } = seen.status.lock().clone();
            let Target { discovered, labels, url, interval, timeout } = &seen.target;
            TargetState {
                pool: pool.clone(),
                discovered: pairs(discovered),
                labels: pairs(labels),
                url: url.to_string(),
                health,
                last_error: error,
                last_scrape_unix_nano: began_unix_nano,
                last_scrape_duration: elapsed,
                interval: *interval,
                timeout: *timeout,
                metadata,
            }
        });
        let (active, dropped) = (active.collect(), self.dropped.iter().map(pairs).collect());
        PoolTargets { pool, active, dropped, dropped_count: self.dropped_count }
    }
}
