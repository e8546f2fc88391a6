use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use reqwest::{Client, Url};
use tokio::sync::{oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};

use super::discover::{Discovery, Found};
use super::fetch::Access;
use super::series::Series;
use super::target::{Target, targets};
use super::turn::{End, Turn};
use super::{Context, PoolState, Prepared, Seen, Status};

/// Dropped targets that are shown; the others are counted.
const DROPPED_MAX: usize = 1_000;

/// The targets of a job, each with a turn of its own.
pub(super) struct Pool {
    context: Arc<Context>,
    state: Arc<Mutex<PoolState>>,
    turns: JoinSet<Ended>,
    running: HashMap<u64, Running>,
    /// What was known of targets whose turns were ended to be begun again.
    kept: HashMap<u64, (Arc<Seen>, Series)>,
}

struct Running {
    task: Id,
    end: oneshot::Sender<End>,
}

/// A turn that ended: of which target, and what it knew, unless the target is gone.
type Ended = (u64, Option<(Arc<Seen>, Series)>);

impl Pool {
    pub(super) fn new(context: Arc<Context>, state: Arc<Mutex<PoolState>>) -> Self {
        Self { context, state, turns: JoinSet::new(), running: HashMap::new(), kept: HashMap::new() }
    }

    /// Goes on until there is no job any more, and then marks its series stale.
    pub(super) async fn run(mut self, mut jobs: watch::Receiver<Option<Arc<Prepared>>>) {
        loop {
            let job = jobs.borrow_and_update().clone();
            let Some(job) = job else { return self.end().await };
            match Discovery::new(&job.job) {
                Ok(mut discovery) => {
                    discovery.first(&self.context.intake).await;
                    self.follow(&job, discovery, &mut jobs).await;
                    if jobs.borrow().is_some() {
                        self.pause().await;
                    }
                }
                Err(reason) => {
                    tracing::error!(job = job.job.job_name, error = %reason, "a job cannot be scraped");
                    self.forget(&job);
                    if jobs.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Scrapes by one configuration, until there is another one.
    async fn follow(
        &mut self,
        job: &Arc<Prepared>,
        mut discovery: Discovery,
        jobs: &mut watch::Receiver<Option<Arc<Prepared>>>,
    ) {
        loop {
            self.arrange(job, &discovery.groups());
            loop {
                tokio::select! {
                    changed = jobs.changed() => {
                        if changed.is_err() {
                            // Who tells of jobs is gone, and with it everything.
                            std::future::pending::<()>().await;
                        }
                        return;
                    }
                    () = discovery.changed(&self.context.intake) => break,
                    Some(ended) = self.turns.join_next(), if !self.turns.is_empty() => {
                        if self.ended(ended) {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Begins the turns of targets that are new, ends those of targets that are gone.
    fn arrange(&mut self, job: &Arc<Prepared>, groups: &[Found]) {
        let found = targets(groups, &job.job, &job.rules);
        for reason in &found.wrong {
            tracing::warn!(job = job.job.job_name, target = %reason, "leave out a target that cannot be scraped");
        }
        let limit = job.job.target_limit.unwrap_or(0);
        let count = found.active.len();
        let refused = (limit > 0 && count as u64 > limit)
            .then(|| format!("target_limit of {limit} exceeded: {count} targets"));
        let gone: Vec<u64> =
            self.running.keys().filter(|id| !found.active.contains_key(id)).copied().collect();
        for id in gone {
            self.end_turn(id, End::Gone);
        }
        let client = self.client(job);
        for (id, target) in found.active {
            let running = self.running.get(&id).is_some_and(|running| !running.end.is_closed());
            if !running {
                self.begin(id, target, job, (&client, refused.clone()));
            }
        }
        self.forget(job);
        let mut state = self.state.lock();
        state.active.retain(|id, _| self.running.contains_key(id));
        state.dropped_count = found.dropped.len();
        state.dropped = found.dropped;
        state.dropped.truncate(DROPPED_MAX);
    }

    /// Marks what was there before the configuration changed, and is not any more.
    fn forget(&mut self, job: &Arc<Prepared>) {
        for (_, (seen, series)) in std::mem::take(&mut self.kept) {
            let turn = Turn::new(&self.context, job, seen, Err("it is gone".into()), series);
            self.turns.spawn(turn.gone());
        }
    }

    /// The client of all targets, where they can share one.
    fn client(&self, job: &Prepared) -> Option<Result<Client, String>> {
        let access = Access::from(&job.job);
        let nowhere = || Url::parse("http://localhost").map_err(|error| error.to_string());
        (!access.is_by_host()).then(|| access.client(&nowhere()?))
    }

    fn begin(
        &mut self,
        id: u64,
        target: Target,
        job: &Arc<Prepared>,
        (shared, refused): (&Option<Result<Client, String>>, Option<String>),
    ) {
        let client = match (refused, shared) {
            (Some(reason), _) => Err(reason),
            (None, Some(client)) => client.clone(),
            (None, None) => Access::from(&job.job).client(&target.url),
        };
        let (status, series) = match self.kept.remove(&id) {
            Some((seen, series)) => (seen.status.lock().clone(), series),
            None => (Status::default(), Series::default()),
        };
        let seen = Arc::new(Seen { target, status: Mutex::new(status) });
        self.state.lock().active.insert(id, Arc::clone(&seen));
        let (end, told) = oneshot::channel();
        let turn = Turn::new(&self.context, job, seen, client, series);
        let task = self.turns.spawn(turn.run(told)).id();
        self.running.insert(id, Running { task, end });
    }

    fn end_turn(&mut self, id: u64, end: End) {
        if let Some(running) = self.running.remove(&id) {
            // One that panicked hears nothing.
            let _ = running.end.send(end);
        }
    }

    /// Notes the end of a turn; whether it has to be begun again.
    fn ended(&mut self, ended: Result<Ended, JoinError>) -> bool {
        match ended {
            Ok((id, Some(known))) => {
                self.kept.insert(id, known);
                false
            }
            Ok((_, None)) => false,
            Err(error) => {
                tracing::error!(error = %error, "begin the turn of a target again, which panicked");
                let before = self.running.len();
                self.running.retain(|_, running| running.task != error.id());
                self.running.len() != before
            }
        }
    }

    /// Ends all turns and keeps what they know.
    async fn pause(&mut self) {
        let all: Vec<u64> = self.running.keys().copied().collect();
        all.into_iter().for_each(|id| self.end_turn(id, End::Pause));
        while let Some(ended) = self.turns.join_next().await {
            self.ended(ended);
        }
    }

    /// Ends all turns and marks all series.
    async fn end(mut self) {
        let all: Vec<u64> = self.running.keys().copied().collect();
        all.into_iter().for_each(|id| self.end_turn(id, End::Gone));
        while self.turns.join_next().await.is_some() {}
    }
}
