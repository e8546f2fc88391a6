//! Introduces `store` to `publish`: sealed segments as Delta tables, in the background.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fresnel_sdk::telemetry::metrics::Registry;
use parking_lot::Mutex;
use publish::{Live, Publisher, Segment, Status, TableStatus};
use store::Store;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::observe;
use crate::sink::chain;
use crate::supervise::Supervisor;

/// How the tables are doing, once there is a publisher. Cloning shares it.
#[derive(Clone, Default)]
pub struct Published(Arc<Mutex<Option<Status>>>);

impl Published {
    /// All tables; none when nothing is published.
    pub fn read(&self) -> Vec<TableStatus> {
        self.0.lock().as_ref().map(Status::read).unwrap_or_default()
    }

    /// Registers what is read when somebody looks.
    pub fn register(&self, registry: &Registry) {
        let of = self.clone();
        registry.observe_counter(
            "fresnel.publish.commits",
            "{commit}",
            "Versions of Delta tables that were committed, by table.",
            move |to| of.read().iter().for_each(|it| to.observe(it.commits, &[("table", it.table.as_str())])),
        );
        let of = self.clone();
        registry.observe_gauge(
            "fresnel.publish.lag",
            "s",
            "How far a Delta table may be behind the sealed segments, by table.",
            move |to| {
                let now = observe::now_unix_nano() / 1_000_000;
                for table in of.read() {
                    if let Some(lag) = table.lag(now) {
                        to.observe(lag.as_secs_f64(), &[("table", table.table.as_str())]);
                    }
                }
            },
        );
    }
}

/// Publishes at every interval, if that is wanted.
pub fn start(config: &Config, store: &Arc<Store>, published: &Published, supervisor: &Supervisor) {
    if !config.publish.enabled {
        return;
    }
    let (store, interval) = (Arc::clone(store), config.publish.interval.get());
    let dir = config.store.s3.is_none().then(|| config.store.dir.clone());
    let published = published.clone();
    supervisor.spawn("publish", move |stop| {
        reconcile(Arc::clone(&store), dir.clone(), interval, published.clone(), stop)
    });
}

/// `dir`: where the segments are, unless they are in an object store.
async fn reconcile(
    store: Arc<Store>,
    dir: Option<PathBuf>,
    interval: Duration,
    published: Published,
    stop: CancellationToken,
) {
    let publisher = match dir {
        Some(dir) => Publisher::local(&dir),
        None => Publisher::remote(store.objects()),
    };
    let mut publisher = match publisher {
        Ok(publisher) => publisher,
        Err(error) => {
            tracing::error!(error = %chain(&error), "cannot publish Delta tables");
            return stop.cancelled().await;
        }
    };
    *published.0.lock() = Some(publisher.status());
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // The disk or S3 may take its time: a run that is cut off is one that the next repeats.
        let (live, now) = (live(&store), observe::now_unix_nano() / 1_000_000);
        let Some(report) = stop.run_until_cancelled(publisher.publish(&live, now)).await else { return };
        for failure in report.failures {
            tracing::warn!(error = %chain(&failure), "a Delta table is not up to date; it is tried again");
        }
    }
}

fn live(store: &Store) -> Live {
    let segments = store.segments();
    let of = |segment: &Arc<store::SegmentMeta>| Segment {
        table: segment.table,
        path: segment.path.clone(),
        rows: segment.rows,
        bytes: segment.bytes,
        min_time: segment.min_time,
        max_time: segment.max_time,
        level: segment.level,
        created_unix_ms: segment.created_unix_ms,
    };
    Live { sequence: segments.sequence, segments: segments.live.iter().map(of).collect() }
}
