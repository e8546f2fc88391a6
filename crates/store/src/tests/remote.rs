//! Segments in an object store; log and catalog on the local disk.

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use model::{Signal, Table};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

use super::fixture::*;
use crate::disk::ForgetfulDisk;
use crate::objects::Objects;
use crate::{Config, OpenError, Store};

fn rows(ids: std::ops::Range<u64>) -> Vec<Row> {
    ids.map(|id| Row { id, stream: (id % 7) as u8, time: NOON + id as i64 }).collect()
}

async fn open(disk: &ForgetfulDisk, bucket: &Arc<InMemory>, clock: &Arc<TestClock>) -> Store {
    try_open(disk, bucket, clock, false).await.unwrap()
}

async fn try_open(
    disk: &ForgetfulDisk,
    bucket: &Arc<InMemory>,
    clock: &Arc<TestClock>,
    adopt: bool,
) -> Result<Store, OpenError> {
    let s3 = serde_json::json!({
        "bucket": "b", "endpoint": "e", "access_key": "", "secret_key": "", "adopt": adopt
    });
    let config = Config { s3: Some(serde_json::from_value(s3).unwrap()), ..config(Path::new("/store")) };
    let options = options(config, Arc::new(disk.clone()), clock);
    let bucket = Arc::clone(bucket) as Arc<dyn ObjectStore>;
    let (store, replay) = Store::open_with(options, |_, disk, dir, fatal| {
        Objects::remote(disk, dir, fatal, bucket, Handle::current())
            .map_err(|source| OpenError::Io { path: dir.to_owned(), source })
    })?;
    restore(&store, replay).await.unwrap();
    Ok(store)
}

async fn objects(bucket: &Arc<InMemory>) -> Vec<String> {
    let all: Vec<_> = bucket.list(None).try_collect().await.unwrap();
    all.into_iter().map(|object| object.location.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_store_holds_the_segments_and_nothing_else() {
    let (disk, bucket, clock) = (ForgetfulDisk::new(), Arc::new(InMemory::new()), TestClock::new(NOON));
    let blocking = tokio::task::spawn_blocking;
    let store = open(&disk, &bucket, &clock).await;
    for part in 0..4 {
        for signal in Signal::ALL {
            append(&store, signal, rows(part * 100..part * 100 + 100)).await;
        }
        store.seal_all().await.unwrap();
    }
    store.compact_now().await.unwrap();
    let sealed = objects(&bucket).await;
    let (ids, segments): (Vec<_>, Vec<_>) = sealed.iter().partition(|path| *path == "store-id");
    assert!(segments.iter().all(|path| path.starts_with("segments/") && path.ends_with(".parquet")));
    assert_eq!(ids.len(), 1);
    assert!(crate::Disk::list(&disk, Path::new("/store/drafts")).unwrap().is_empty());
    let check = |store: Store| {
        move || {
            for table in [Table::Logs, Table::Spans, Table::Samples, Table::Exemplars] {
                let snapshot = store.snapshot(&tenant(), table);
                assert_eq!((snapshot.segments.len(), snapshot.memory.len()), (1, 0));
                assert_eq!(texts_of(&store, &tenant(), table), expected(table, &rows(0..400)), "{table}");
            }
        }
    };
    blocking(check(store.clone())).await.unwrap();
    let trace = store.trace(&tenant(), trace_id(9)).await.unwrap();
    assert_eq!(trace.spans.iter().map(|spans| spans.num_rows()).sum::<usize>(), 8);
    // What was replaced goes after its time.
    let later = NOON + 2 * HOUR;
    store.retain_now(later).await.unwrap();
    assert!(objects(&bucket).await.len() < sealed.len());
    drop(store);
    let store = open(&disk, &bucket, &clock).await;
    blocking(check(store.clone())).await.unwrap();
    // An object that is not what was written is moved away.
    let segment = Arc::clone(&store.snapshot(&tenant(), Table::Logs).segments[0]);
    bucket.put(&segment.path.as_str().into(), "garbage".into()).await.unwrap();
    drop(store);
    let store = open(&disk, &bucket, &clock).await;
    assert!(!store.snapshot(&tenant(), Table::Logs).complete());
    assert!(objects(&bucket).await.contains(&format!("set-aside/{}", segment.path)));
    assert_eq!(store.snapshot(&tenant(), Table::Spans).rows(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_belongs_to_one_store() {
    let (bucket, clock) = (Arc::new(InMemory::new()), TestClock::new(NOON));
    let (disk, other, third) = (ForgetfulDisk::new(), ForgetfulDisk::new(), ForgetfulDisk::new());
    let store = open(&disk, &bucket, &clock).await;
    append(&store, Signal::Logs, rows(0..50)).await;
    store.seal_all().await.unwrap();
    append(&store, Signal::Logs, rows(50..60)).await;
    drop(store);
    let before = objects(&bucket).await;
    let taken = |opened: Result<Store, OpenError>| {
        let error = opened.err().unwrap();
        assert!(matches!(error, OpenError::Taken { .. }), "{error}");
        assert!(error.to_string().contains("store.s3.adopt"), "{error}");
    };
    taken(try_open(&other, &bucket, &clock, false).await);
    assert_eq!(objects(&bucket).await, before, "nothing is touched");
    // The first one's disk is lost.
    let store = try_open(&other, &bucket, &clock, true).await.unwrap();
    assert_eq!(objects(&bucket).await, before);
    assert_eq!(texts_of_remote(&store, 0..50).await, (true, 50));
    append(&store, Signal::Logs, rows(60..70)).await;
    store.seal_all().await.unwrap();
    drop(store);
    // The setting may stay, and what was taken over is found again when the manifest is lost.
    clock.advance(HOUR);
    for file in crate::Disk::list(&other, Path::new("/store/manifest")).unwrap() {
        crate::Disk::remove(&other, &Path::new("/store/manifest").join(file.name)).unwrap();
    }
    let store = try_open(&other, &bucket, &clock, true).await.unwrap();
    assert_eq!(texts_of_remote(&store, (0..50).chain(60..70)).await, (true, 60));
    drop(store);
    // It was not lost after all: it must not go on, and nobody who has a directory may take over.
    taken(try_open(&disk, &bucket, &clock, false).await);
    taken(try_open(&disk, &bucket, &clock, true).await);
    taken(try_open(&third, &bucket, &clock, false).await);
}

/// Whether the logs are these, and how many there are.
async fn texts_of_remote(store: &Store, ids: impl Iterator<Item = u64>) -> (bool, u64) {
    let (store, wanted) = (store.clone(), ids.flat_map(|id| rows(id..id + 1)).collect::<Vec<_>>());
    let read = move || {
        let rows = store.snapshot(&tenant(), Table::Logs).rows();
        (texts_of(&store, &tenant(), Table::Logs) == expected(Table::Logs, &wanted), rows)
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_with_segments_and_without_an_id_is_not_taken_for_ones_own() {
    let (bucket, clock, disk) = (Arc::new(InMemory::new()), TestClock::new(NOON), ForgetfulDisk::new());
    let store = open(&disk, &bucket, &clock).await;
    append(&store, Signal::Logs, rows(0..50)).await;
    store.seal_all().await.unwrap();
    drop(store);
    bucket.delete(&"store-id".into()).await.unwrap();
    let refused = try_open(&ForgetfulDisk::new(), &bucket, &clock, false).await.err().unwrap();
    assert!(matches!(refused, OpenError::Taken { store: None }), "{refused}");
    // Who has commits is known to be at home there.
    let store = open(&disk, &bucket, &clock).await;
    assert_eq!(store.snapshot(&tenant(), Table::Logs).rows(), 50);
    assert!(objects(&bucket).await.contains(&"store-id".to_owned()));
}
