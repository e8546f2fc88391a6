//! Introduces `store` to `publish`: sealed segments as Delta tables, in the background.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use publish::{Live, Publisher, Segment};
use store::Store;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::observe;
use crate::sink::chain;
use crate::supervise::Supervisor;

/// Publishes at every interval, if that is wanted.
pub fn start(config: &Config, store: &Arc<Store>, supervisor: &Supervisor) {
    if !config.publish.enabled {
        return;
    }
    let (store, interval) = (Arc::clone(store), config.publish.interval.get());
    let dir = config.store.s3.is_none().then(|| config.store.dir.clone());
    supervisor.spawn("publish", move |stop| reconcile(Arc::clone(&store), dir.clone(), interval, stop));
}

/// `dir`: where the segments are, unless they are in an object store.
async fn reconcile(store: Arc<Store>, dir: Option<PathBuf>, interval: Duration, stop: CancellationToken) {
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
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let report = publisher.publish(&live(&store), observe::now_unix_nano() / 1_000_000).await;
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
