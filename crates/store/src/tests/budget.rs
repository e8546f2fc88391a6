//! Memory is bounded: what does not fit is refused, and sealing makes room.

use std::sync::Arc;

use model::{Budget, Signal, Table};

use super::fixture::*;
use crate::{AppendError, LocalDisk, Options};

fn rows(ids: std::ops::Range<u64>) -> Vec<Row> {
    ids.map(|id| Row { id, stream: (id % 7) as u8, time: NOON }).collect()
}

#[tokio::test]
async fn what_does_not_fit_is_refused_until_sealing_has_made_room() {
    let dir = tempfile::tempdir().unwrap();
    let budget = Budget::new(4 << 20);
    let clock = TestClock::new(NOON);
    let mut config = config(dir.path());
    config.seal.size = fresnel_sdk::config::ByteSize::mib(64);
    let options = Options { budget: budget.clone(), ..options(config, Arc::new(LocalDisk::new()), &clock) };
    let store = open_with(options).await;
    let idle = budget.used();
    let mut stored = 0;
    let refused = loop {
        let request = Request::of(rows(stored..stored + 100));
        // No reservation: the store takes what it needs.
        let (entry, batch) = (request.entry(&tenant(), Signal::Logs), request.batch(Signal::Logs));
        match store.append(entry, batch, budget.reserve(0).unwrap()).await {
            Ok(_) => stored += 100,
            Err(error) => break error,
        }
        assert!(budget.used() <= budget.limit());
    };
    assert!(matches!(refused, AppendError::Full { .. }) && refused.retryable(), "{refused}");
    assert!(stored >= 1000, "{stored}");
    store.seal_all().await.unwrap();
    assert!(budget.used() <= idle + (64 << 10), "sealing gives back all memory: {}", budget.used() - idle);
    append(&store, Signal::Logs, rows(stored..stored + 100)).await;
    assert_eq!(store.snapshot(&tenant(), Table::Logs).rows(), stored + 100);
    assert_eq!(store.ledger()[&(tenant(), Signal::Logs)].received, stored + 100);
}

#[tokio::test]
async fn a_query_keeps_its_memory_accounted_until_it_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let budget = Budget::new(64 << 20);
    let options = options(config(dir.path()), Arc::new(LocalDisk::new()), &TestClock::new(NOON));
    let store = open_with(Options { budget: budget.clone(), ..options }).await;
    append(&store, Signal::Logs, rows(0..1000)).await;
    let full = budget.used();
    let snapshot = store.snapshot(&tenant(), Table::Logs);
    store.seal_all().await.unwrap();
    assert!(budget.used() >= full);
    drop(snapshot);
    assert!(budget.used() < full / 2);
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let (disk, clock) = (crate::ForgetfulDisk::new(), TestClock::new(NOON));
    let open = || {
        let config = config(std::path::Path::new("/store"));
        open_with(options(config, Arc::new(disk.clone()), &clock))
    };
    let store = open().await;
    let mut stored = Vec::new();
    disk.faults(|faults| faults.space = Some(60_000));
    for id in (0..2000).step_by(20) {
        if send(&store, &tenant(), Signal::Logs, &Request::of(rows(id..id + 20))).await.is_ok() {
            stored.extend(rows(id..id + 20));
        }
    }
    assert!((100..1900).contains(&stored.len()), "{}", stored.len());
    assert!(store.seal_all().await.is_err());
    assert_eq!(texts_of(&store, &tenant(), Table::Logs), expected(Table::Logs, &stored));
    drop(store);
    // It starts, and takes nothing more, until there is room again.
    let store = open().await;
    assert_eq!(texts_of(&store, &tenant(), Table::Logs), expected(Table::Logs, &stored));
    let refused = send(&store, &tenant(), Signal::Logs, &Request::of(rows(5000..5500))).await;
    assert!(refused.is_err_and(|error| error.retryable()));
    disk.faults(|faults| faults.space = None);
    store.seal_all().await.unwrap();
    append(&store, Signal::Logs, rows(5000..5500)).await;
    stored.extend(rows(5000..5500));
    assert_eq!(texts_of(&store, &tenant(), Table::Logs), expected(Table::Logs, &stored));
    let counts = &store.ledger()[&(tenant(), Signal::Logs)];
    assert_eq!((counts.stored, counts.balances()), (stored.len() as u64, true));
    assert_eq!(store.fatal().reason(), None);
}

#[tokio::test]
async fn a_seal_that_fails_leaves_no_files_and_is_tried_again() {
    let mut failed = 0;
    for write in 0.. {
        let disk = crate::ForgetfulDisk::new();
        let config = config(std::path::Path::new("/store"));
        let store = open_with(options(config, Arc::new(disk.clone()), &TestClock::new(NOON))).await;
        append(&store, Signal::Metrics, rows(0..50)).await;
        disk.faults(|faults| faults.fail_write = Some((write, std::io::ErrorKind::StorageFull)));
        let sealed = store.seal_all().await;
        disk.faults(|faults| faults.fail_write = None);
        if sealed.is_ok() {
            break;
        }
        failed += 1;
        assert_eq!(store.inner().objects.list("segments").unwrap(), Vec::<String>::new(), "write {write}");
        assert_eq!(texts_of(&store, &tenant(), Table::Samples), expected(Table::Samples, &rows(0..50)));
        store.seal_all().await.unwrap();
        assert_eq!(store.inner().objects.list("segments").unwrap().len(), 4);
        assert_eq!(texts_of(&store, &tenant(), Table::Samples), expected(Table::Samples, &rows(0..50)));
    }
    assert!(failed >= 5, "each of four segments and the manifest fails once: {failed}");
}

#[tokio::test]
async fn nothing_is_taken_before_ready_and_after_stop() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(config(dir.path()), Arc::new(LocalDisk::new()), &TestClock::new(NOON));
    let (store, replay) = crate::Store::open(options).unwrap();
    let request = Request::of(rows(0..1));
    let early = send(&store, &tenant(), Signal::Logs, &request).await;
    assert!(matches!(early, Err(AppendError::Closed)));
    assert_eq!(replay.count(), 0);
    store.ready();
    send(&store, &tenant(), Signal::Logs, &request).await.unwrap();
    store.stop();
    let late = send(&store, &tenant(), Signal::Logs, &request).await;
    assert!(matches!(late, Err(AppendError::Closed)));
    store.seal_all().await.unwrap();
    store.close();
    assert_eq!(store.snapshot(&tenant(), Table::Logs).segments.len(), 1);
}
