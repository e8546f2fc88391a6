//! A snapshot has every acknowledged record exactly once, whatever the background does meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fresnel_sdk::config::{ByteSize, Duration};
use model::{Signal, Table};

use super::fixture::*;
use crate::LocalDisk;

const REQUESTS: u64 = 300;
const ROWS: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
#[expect(clippy::disallowed_methods, reason = "both are awaited below")]
async fn snapshots_count_each_record_once_while_sealing_and_compacting() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.seal.size = ByteSize::kib(96);
    config.seal.age = Duration::from_hours(1);
    config.compact.files_min = 2;
    let store = open_with(options(config, Arc::new(LocalDisk::new()), &TestClock::new(NOON))).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let background = tokio::spawn({
        let store = store.clone();
        async move { Box::pin(store.run(async { drop(stopped.await) })).await }
    });
    // What was acknowledged before a snapshot is in it; what is sent after it is not.
    let (begun, acknowledged) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let sender = tokio::spawn({
        let (store, begun, acknowledged) = (store.clone(), Arc::clone(&begun), Arc::clone(&acknowledged));
        async move {
            for request in 0..REQUESTS {
                let ids = request * ROWS..(request + 1) * ROWS;
                begun.fetch_add(ROWS, Ordering::SeqCst);
                let rows = ids.map(|id| Row { id, stream: (id % 3) as u8, time: NOON + id as i64 });
                append(&store, Signal::Logs, rows).await;
                acknowledged.fetch_add(ROWS, Ordering::SeqCst);
            }
        }
    });
    let mut snapshots = 0;
    while !sender.is_finished() {
        let least = acknowledged.load(Ordering::SeqCst);
        let snapshot = store.snapshot(&tenant(), Table::Logs);
        let most = begun.load(Ordering::SeqCst);
        let (memory, files) = batches(&store, &snapshot);
        let mut ids: Vec<u64> =
            memory.iter().chain(&files).flat_map(|batch| ids_in(Table::Logs, batch)).collect();
        ids.sort_unstable();
        assert!(ids.iter().copied().eq(0..ids.len() as u64), "a record is missing or twice there");
        assert!((least..=most).contains(&(ids.len() as u64)), "{least} <= {} <= {most}", ids.len());
        assert_eq!(snapshot.rows(), ids.len() as u64);
        snapshots += 1;
        tokio::task::yield_now().await;
    }
    sender.await.unwrap();
    stop.send(()).unwrap();
    background.await.unwrap();
    let status = store.status();
    assert!(status.work.seals > 3 && status.work.compactions > 0, "{status:?}");
    assert!(snapshots > 3 && status.problems.is_empty(), "{:?}", status.problems);
}
