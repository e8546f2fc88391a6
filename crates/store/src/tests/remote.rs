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
use crate::{OpenError, Store};

fn rows(ids: std::ops::Range<u64>) -> Vec<Row> {
    ids.map(|id| Row { id, stream: (id % 7) as u8, time: NOON + id as i64 }).collect()
}

async fn open(disk: &ForgetfulDisk, bucket: &Arc<InMemory>, clock: &Arc<TestClock>) -> Store {
    let options = options(config(Path::new("/store")), Arc::new(disk.clone()), clock);
    let bucket = Arc::clone(bucket) as Arc<dyn ObjectStore>;
    let (store, replay) = Store::open_with(options, |_, disk, dir, fatal| {
        Objects::remote(disk, dir, fatal, bucket, Handle::current())
            .map_err(|source| OpenError::Io { path: dir.to_owned(), source })
    })
    .unwrap();
    restore(&store, replay).await.unwrap();
    store
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
    assert!(sealed.iter().all(|path| path.starts_with("segments/") && path.ends_with(".parquet")));
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
