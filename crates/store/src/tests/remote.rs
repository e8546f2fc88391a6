//! Segments in an object store; log and catalog on the local disk.

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use model::{Signal, Table};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

use super::bucket::Bucket;
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

async fn try_open<B: ObjectStore>(
    disk: &ForgetfulDisk,
    bucket: &Arc<B>,
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

/// What is in the bucket of a store that sealed 50 logs, and its disk.
async fn sealed(clock: &Arc<TestClock>) -> (ForgetfulDisk, Arc<InMemory>) {
    let (bucket, disk) = (Arc::new(InMemory::new()), ForgetfulDisk::new());
    let store = open(&disk, &bucket, clock).await;
    append(&store, Signal::Logs, rows(0..50)).await;
    store.seal_all().await.unwrap();
    (disk.kill(), bucket)
}

/// However a first start ends, the next one goes on: with an empty bucket, and with one to take over, of
/// which it is known whose it is or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_may_be_interrupted() {
    let clock = TestClock::new(NOON);
    for (there, adopt) in [(None, false), (Some(true), true), (Some(false), true)] {
        let mut ends = std::collections::BTreeSet::new();
        for after in 0..120 {
            let objects = match there {
                None => Arc::new(InMemory::new()),
                Some(_) => sealed(&clock).await.1,
            };
            if there == Some(false) {
                objects.delete(&"store-id".into()).await.unwrap();
            }
            let disk = ForgetfulDisk::new();
            let bucket = Bucket::with(Arc::clone(&objects), after, &disk);
            // First by what is written here, then by what is asked of the bucket, which does it or not.
            match after.checked_sub(40) {
                None => disk.faults(|faults| faults.power_off = Some(after)),
                Some(after) => bucket.faults(0, Some(after / 4)),
            }
            let opened = try_open(&disk, &Arc::new(bucket), &clock, adopt).await;
            ends.insert(opened.is_ok());
            let next = disk.power_cut(after);
            drop(opened);
            let store = try_open(&next, &objects, &clock, adopt).await;
            let store = store.unwrap_or_else(|error| panic!("{there:?}, {after}: {error}"));
            let (same, _) = texts_of_remote(&store, 0..if there.is_some() { 50 } else { 0 }).await;
            assert!(same, "{there:?}, {after}");
        }
        assert_eq!(ends.len(), 2, "some were interrupted and some were not");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_lost_here_is_known_to_the_bucket() {
    let clock = TestClock::new(NOON);
    let lose: [fn(&ForgetfulDisk); 2] = [
        |disk| crate::Disk::remove(disk, Path::new("/store/store-id")).unwrap(),
        |disk| disk.alter(Path::new("/store/store-id"), |bytes| bytes[3] = b'?'),
    ];
    for lose in lose {
        let (disk, bucket) = sealed(&clock).await;
        lose(&disk);
        let store = open(&disk, &bucket, &clock).await;
        assert_eq!(texts_of_remote(&store, 0..50).await, (true, 50));
        drop(store);
        // It is theirs as before, for good.
        drop(open(&disk, &bucket, &clock).await);
        // But not once somebody else has taken over.
        let other = ForgetfulDisk::new();
        drop(try_open(&other, &bucket, &clock, true).await.unwrap());
        lose(&disk);
        let refused = try_open(&disk, &bucket, &clock, false).await.err().unwrap();
        assert!(matches!(refused, OpenError::Taken { .. }), "{refused}");
    }
}

/// What was put in vain is there, and no start has seen it: what is made instead of it is younger all the
/// same, so that a start without a manifest knows which of them counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_is_younger_than_what_its_start_could_not_see() {
    let mut left_over = 0;
    for seed in 0..12 {
        let (disk, clock) = (ForgetfulDisk::new(), TestClock::new(NOON));
        let objects = Arc::new(InMemory::new());
        let bucket = Bucket::with(Arc::clone(&objects), seed, &disk);
        let store = try_open(&disk, &Arc::new(bucket.clone()), &clock, false).await.unwrap();
        append(&store, Signal::Logs, rows(0..10)).await;
        clock.advance(HOUR);
        bucket.faults(0, Some(0));
        assert!(store.seal_all().await.is_err());
        let disk = disk.kill();
        drop(store);
        left_over += usize::from(self::objects(&objects).await.len() == 2);
        clock.advance(-2 * HOUR);
        let bucket = Bucket::with(Arc::clone(&objects), seed, &disk);
        bucket.faults(1, None);
        let store = try_open(&disk, &Arc::new(bucket.clone()), &clock, false).await.unwrap();
        bucket.faults(0, None);
        append(&store, Signal::Logs, rows(10..20)).await;
        store.seal_all().await.unwrap();
        // So that the log has nothing of it any more.
        append(&store, Signal::Spans, rows(20..60)).await;
        append(&store, Signal::Spans, rows(60..70)).await;
        store.seal_all().await.unwrap();
        let disk = disk.kill();
        drop(store);
        for file in crate::Disk::list(&disk, Path::new("/store/manifest")).unwrap() {
            crate::Disk::remove(&disk, &Path::new("/store/manifest").join(file.name)).unwrap();
        }
        let store = open(&disk, &objects, &clock).await;
        assert_eq!(texts_of_remote(&store, 0..20).await, (true, 20), "seed {seed}");
    }
    assert!((1..12).contains(&left_over), "{left_over}");
}

/// The manifest without its last commits, cut where a line ends: it looks whole.
fn cut_manifest(disk: &ForgetfulDisk, before: &str) {
    let dir = Path::new("/store/manifest");
    let newest = crate::Disk::list(disk, dir).unwrap().pop().unwrap();
    let mut lines = 0;
    disk.alter(&dir.join(newest.name), |bytes| {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        let kept = text.split_inclusive('\n').take_while(|line| !line.contains(before));
        *bytes = kept.inspect(|_| lines += 1).collect::<String>().into_bytes();
    });
    assert!(lines > 0, "the checkpoint stays");
}

/// The log begins behind what the manifest says was sealed: what lost commits named is looked for before
/// anything else, and a start does without the bucket only where nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_begins_too_late_tells_of_lost_commits() {
    let (disk, clock) = (ForgetfulDisk::new(), TestClock::new(NOON));
    let objects = Arc::new(InMemory::new());
    let store = open(&disk, &objects, &clock).await;
    append(&store, Signal::Logs, rows(0..10)).await;
    store.seal_all().await.unwrap();
    // So that the log has nothing of it any more.
    append(&store, Signal::Spans, rows(20..60)).await;
    append(&store, Signal::Spans, rows(60..70)).await;
    store.seal_all().await.unwrap();
    let disk = disk.kill();
    drop(store);
    let first = crate::wal::first_lsn(&disk, Path::new("/store")).unwrap();
    assert!(first.is_some_and(|first| first > 1), "{first:?}");
    cut_manifest(&disk, "\"add\"");
    let bucket = Bucket::with(Arc::clone(&objects), 1, &disk);
    bucket.faults(1, None);
    let refused = try_open(&disk, &Arc::new(bucket), &clock, false).await.err();
    assert!(matches!(refused, Some(OpenError::Segments(_))), "{refused:?}");
    let store = open(&disk, &objects, &clock).await;
    assert_eq!(texts_of_remote(&store, 0..10).await, (true, 10));
}

/// Something is missing that is named, and the bucket could not say what is there instead: the next start
/// does not delete what no commit names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_outlives_its_commit_and_a_start_that_did_not_see_it() {
    let mut missed = 0;
    for seed in 0..40 {
        let (disk, clock) = (ForgetfulDisk::new(), TestClock::new(NOON));
        let objects = Arc::new(InMemory::new());
        let store = open(&disk, &objects, &clock).await;
        for from in [0, 10] {
            append(&store, Signal::Logs, rows(from..from + 10)).await;
            clock.advance(HOUR);
            store.seal_all().await.unwrap();
        }
        let mut merging = store.compact(crate::CompactRequest::default()).unwrap();
        while let Some(merged) = merging.next().await {
            merged.unwrap();
        }
        clock.advance(2 * HOUR);
        store.retain_now(NOON + 4 * HOUR).await.unwrap();
        assert_eq!(self::objects(&objects).await.len(), 2, "what was merged is gone");
        let disk = disk.kill();
        drop(store);
        cut_manifest(&disk, "\"remove\"");
        let bucket = Bucket::with(Arc::clone(&objects), seed, &disk);
        bucket.faults(3, None);
        let unsure = try_open(&disk, &Arc::new(bucket.clone()), &clock, false).await;
        bucket.faults(0, None);
        if let Ok(store) = &unsure {
            missed +=
                usize::from(store.status().set_aside.iter().any(|place| place.reason == "it is missing"));
        }
        drop(unsure);
        let store = open(&disk, &objects, &clock).await;
        assert_eq!(texts_of_remote(&store, 0..20).await, (true, 20), "seed {seed}");
    }
    assert!((1..40).contains(&missed), "{missed}");
}
