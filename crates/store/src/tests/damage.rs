//! Damage of the log, and what is set aside: what is missing is counted, said, and said as long as it
//! matters.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fresnel_sdk::config::Duration;
use model::{NANOS_PER_DAY, Signal, Table};

use super::fixture::*;
use crate::disk::ForgetfulDisk;
use crate::{Disk, LocalDisk, Store};

const DIR: &str = "/store";

fn rows(ids: std::ops::Range<u64>) -> Vec<Row> {
    ids.map(|id| Row { id, stream: (id % 7) as u8, time: NOON + id as i64 }).collect()
}

async fn open(disk: &ForgetfulDisk, clock: &Arc<TestClock>) -> Store {
    open_with(options(config(Path::new(DIR)), Arc::new(disk.clone()), clock)).await
}

/// A file of the log in which this text is, and where.
fn find(disk: &ForgetfulDisk, text: &str) -> (PathBuf, usize) {
    let dir = Path::new(DIR).join("wal");
    let found = disk.list(&dir).unwrap().into_iter().find_map(|file| {
        let path = dir.join(file.name);
        let bytes = disk.read(&path).unwrap();
        let at = bytes.windows(text.len()).position(|bytes| bytes == text.as_bytes())?;
        Some((path, at))
    });
    found.unwrap_or_else(|| panic!("`{text}` is in no file of the log"))
}

/// A disk whose log has five requests, and the third is of spans.
async fn logged(clock: &Arc<TestClock>) -> ForgetfulDisk {
    let disk = ForgetfulDisk::new();
    let store = open(&disk, clock).await;
    for part in 0..5 {
        let signal = if part == 2 { Signal::Spans } else { Signal::Logs };
        append(&store, signal, rows(part * 10..part * 10 + 10)).await;
    }
    disk.kill_copy()
}

const UNREADABLE: &str = "unreadable at replay";

#[tokio::test]
async fn an_entry_with_a_damaged_body_is_counted_and_makes_its_table_incomplete() {
    let clock = TestClock::new(NOON);
    let disk = logged(&clock).await;
    let (file, at) = find(&disk, "\"id\":25,");
    disk.alter(&file, |bytes| bytes[at + 5] ^= 1);
    for restart in 0..3 {
        let store = open(&disk, &clock).await;
        let spans = store.ledger()[&(tenant(), Signal::Spans)].clone();
        assert_eq!((spans.received, spans.stored, spans.rejected[UNREADABLE]), (10, 0, 10), "{restart}");
        assert!(spans.balances() && store.ledger()[&(tenant(), Signal::Logs)].stored == 40);
        let snapshot = store.snapshot(&tenant(), Table::Spans);
        assert_eq!((snapshot.missing.len(), snapshot.rows()), (1, 0), "{restart}: {:?}", snapshot.missing);
        assert_eq!(snapshot.missing_in(NOON..=NOON + HOUR / 100).count(), 1);
        assert_eq!(snapshot.missing_in(NOON + HOUR..=NOON + 2 * HOUR).count(), 0);
        assert_eq!(snapshot.missing_in(NOON - 3 * HOUR..=NOON - 2 * HOUR).count(), 0);
        assert!(store.snapshot(&tenant(), Table::Logs).complete());
        if restart == 1 {
            store.seal_all().await.unwrap();
        }
    }
}

/// Its tenant, its signal and its counts may be what is altered: then the records of somebody else would be
/// said to be missing, and those that are would not.
#[tokio::test]
async fn what_an_altered_entry_says_of_itself_is_not_believed() {
    let clock = TestClock::new(NOON);
    let whole = logged(&clock).await;
    let (file, body) = find(&whole, "{\"rows\":[{\"id\":20,");
    let bytes = whole.read(&file).unwrap();
    let name = b"default";
    let tenant_at = bytes[..body].windows(name.len()).rposition(|part| part == name).unwrap();
    // Before the name are its length, the signal and the protocol; behind it the time and how many records.
    let (signal_at, records_at) = (tenant_at - 5, tenant_at + name.len() + 8);
    for (at, change) in [(tenant_at, 0x20), (signal_at, 1), (records_at + 2, 1)] {
        let disk = whole.kill_copy();
        disk.alter(&file, |bytes| bytes[at] ^= change);
        let store = open(&disk, &clock).await;
        for table in [Table::Logs, Table::Spans, Table::Samples] {
            let missing = store.snapshot(&tenant(), table).missing_in(NOON..=NOON).count();
            assert_eq!(missing, 1, "{at}: {table}");
        }
        let ledger = store.ledger();
        assert_eq!(ledger.keys().collect::<Vec<_>>(), [&(tenant(), Signal::Logs)], "{at}: {ledger:?}");
        assert_eq!(ledger[&(tenant(), Signal::Logs)].stored, 40);
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_told_may_have_been_anybodys() {
    let clock = TestClock::new(NOON);
    let disk = logged(&clock).await;
    let (file, at) = find(&disk, "{\"rows\":[{\"id\":20,");
    // Its metadata and its header go, too.
    disk.alter(&file, |bytes| bytes[at - 70..at].fill(7));
    let store = open(&disk, &clock).await;
    for table in [Table::Logs, Table::Spans, Table::Samples] {
        assert_eq!(store.snapshot(&tenant(), table).missing_in(NOON..=NOON).count(), 1, "{table}");
    }
    assert!(!store.ledger().contains_key(&(tenant(), Signal::Spans)));
    assert_eq!(store.ledger()[&(tenant(), Signal::Logs)].stored, 40);
}

#[tokio::test]
async fn an_altered_last_entry_is_not_passed_over() {
    let clock = TestClock::new(NOON);
    let disk = logged(&clock).await;
    let (file, at) = find(&disk, "\"id\":45,");
    disk.alter(&file, |bytes| bytes[at + 5] ^= 1);
    for _ in 0..2 {
        let store = open(&disk, &clock).await;
        assert_eq!(store.status().set_aside.len(), 1);
        assert!(!store.snapshot(&tenant(), Table::Logs).complete());
        assert_eq!(store.ledger()[&(tenant(), Signal::Logs)].stored, 30);
    }
    // One that was cut off is what a power cut leaves.
    let disk = logged(&clock).await;
    disk.alter(&file, |bytes| bytes.truncate(at));
    let store = open(&disk, &clock).await;
    assert!(store.status().set_aside.is_empty() && store.snapshot(&tenant(), Table::Logs).complete());
}

#[tokio::test]
async fn damage_is_remembered_when_it_is_found_and_not_when_the_replay_ends() {
    let clock = TestClock::new(NOON);
    let disk = logged(&clock).await;
    let (file, at) = find(&disk, "\"id\":25,");
    disk.alter(&file, |bytes| bytes[at + 5] ^= 1);
    let (store, mut replay) =
        Store::open(options(config(Path::new(DIR)), Arc::new(disk.clone()), &clock)).unwrap();
    assert!(replay.nth(3).is_some());
    let killed = disk.kill();
    drop((store, replay));
    // What a seal meanwhile had deleted.
    killed.remove(&file).unwrap();
    let store = open(&killed, &clock).await;
    assert!(
        store.status().set_aside.iter().any(|place| place.path.contains("wal-")),
        "{:?}",
        store.status().set_aside
    );
}

#[tokio::test]
async fn a_log_that_begins_too_late_or_is_missing_is_seen() {
    let clock = TestClock::new(NOON);
    let disk = ForgetfulDisk::new();
    let store = open(&disk, &clock).await;
    append(&store, Signal::Logs, rows(0..10)).await;
    store.seal_all().await.unwrap();
    for part in 1..60 {
        append(&store, Signal::Logs, rows(part * 10..part * 10 + 10)).await;
    }
    let disk = disk.kill();
    drop(store);
    let dir = Path::new(DIR).join("wal");
    let files = disk.list(&dir).unwrap();
    assert!(files.len() > 2);
    let whole = open(&disk.kill_copy(), &clock).await;
    assert!(whole.status().set_aside.is_empty() && whole.snapshot(&tenant(), Table::Logs).complete());
    // The files with the entry behind the sealed one, and all of them.
    let first = |name: &str| name.trim_end_matches(".wal").parse::<u64>().unwrap();
    let some = files.iter().position(|file| first(&file.name) > 2).unwrap();
    for lost in [some, files.len()] {
        let disk = disk.kill_copy();
        files[..lost].iter().for_each(|file| disk.remove(&dir.join(&file.name)).unwrap());
        let store = open(&disk, &clock).await;
        let snapshot = store.snapshot(&tenant(), Table::Logs);
        assert_eq!(snapshot.missing_in(NOON..=NOON).count(), 1, "{lost}");
        assert_eq!(snapshot.missing_in(NOON - 3 * HOUR..=NOON - 2 * HOUR).count(), 0, "{lost}");
        assert_eq!(store.status().set_aside.len(), 1, "{lost}: {:?}", store.status().set_aside);
    }
}

#[tokio::test]
async fn what_was_set_aside_expires_like_the_records_that_were_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.retention.logs = Duration::from_days(2);
    let clock = TestClock::new(NOON);
    let open = || open_with(options(config.clone(), Arc::new(LocalDisk::new()), &clock));
    let store = open().await;
    for part in 0..2 {
        append(&store, Signal::Logs, rows(part * 10..part * 10 + 10)).await;
        store.seal_all().await.unwrap();
    }
    let path = dir.path().join(&store.snapshot(&tenant(), Table::Logs).segments[0].path);
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let store = open().await;
    let kept = dir.path().join(&store.status().set_aside[0].path);
    store.retain_now(NOON + NANOS_PER_DAY).await.unwrap();
    assert!(kept.exists() && !store.snapshot(&tenant(), Table::Logs).complete());
    assert_eq!(store.ledger()[&(tenant(), Signal::Logs)].stored, 20);
    store.retain_now(NOON + 3 * NANOS_PER_DAY).await.unwrap();
    let check = |store: &Store| {
        let snapshot = store.snapshot(&tenant(), Table::Logs);
        assert!(!kept.exists() && snapshot.complete() && snapshot.rows() == 0);
        let counts = &store.ledger()[&(tenant(), Signal::Logs)];
        assert_eq!((counts.received, counts.stored, counts.expired), (20, 0, 20));
        assert!(counts.balances() && store.status().set_aside.is_empty());
    };
    check(&store);
    drop(store);
    check(&open().await);
}
