//! Days that are over are merged by themselves, and everything at once when somebody asks for it.

use std::path::Path;
use std::sync::Arc;

use model::{NANOS_PER_DAY, Signal, Table, Tenant, day_of};

use super::fixture::*;
use crate::{CompactRequest, ForgetfulDisk, LocalDisk, Merged, NotMerged, Store};

fn rows(ids: std::ops::Range<u64>, day: i64) -> Vec<Row> {
    let row = |id: u64| Row { id, stream: (id % 7) as u8, time: NOON + day * NANOS_PER_DAY + id as i64 };
    ids.map(row).collect()
}

async fn seal(store: &Store, signal: Signal, rows: Vec<Row>) {
    append(store, signal, rows).await;
    store.seal_all().await.unwrap();
}

/// How often each segment was merged, with its id.
fn levels(store: &Store, table: Table) -> Vec<(u8, String)> {
    let segments = store.snapshot(&tenant(), table).segments;
    segments.iter().map(|segment| (segment.level, segment.id.clone())).collect()
}

fn count(store: &Store, table: Table) -> usize {
    levels(store, table).len()
}

/// Asks for these and waits for all of it.
async fn ask(store: &Store, request: CompactRequest) -> (Vec<Merged>, Vec<NotMerged>) {
    let mut compaction = store.compact(request).unwrap();
    let (mut merged, mut failed) = (Vec::new(), Vec::new());
    while let Some(done) = compaction.next().await {
        match done {
            Ok(one) => merged.push(one),
            Err(error) => failed.push(error),
        }
    }
    (merged, failed)
}

#[tokio::test]
async fn a_day_that_is_over_is_merged_once_it_is_quiet() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new(NOON);
    let store = open_with(options(config(dir.path()), Arc::new(LocalDisk::new()), &clock)).await;
    for signal in [Signal::Logs, Signal::Metrics] {
        seal(&store, signal, rows(0..50, 0)).await;
        seal(&store, signal, rows(50..100, 0)).await;
    }
    clock.advance(2 * HOUR);
    store.compact_now().await.unwrap();
    assert_eq!((count(&store, Table::Samples), count(&store, Table::Logs)), (2, 2), "more may come today");
    clock.advance(11 * HOUR);
    store.compact_now().await.unwrap();
    let merged = levels(&store, Table::Samples);
    assert_eq!((merged.len(), merged[0].0, count(&store, Table::Logs)), (1, 1, 1));
    store.compact_now().await.unwrap();
    assert_eq!(levels(&store, Table::Samples), merged, "once");
    // What comes late waits until it is quiet again.
    seal(&store, Signal::Metrics, rows(100..110, 0)).await;
    clock.advance(HOUR / 2);
    store.compact_now().await.unwrap();
    assert_eq!(count(&store, Table::Samples), 2);
    clock.advance(HOUR);
    store.compact_now().await.unwrap();
    assert_eq!(count(&store, Table::Samples), 1);
    assert_eq!(texts_of(&store, &tenant(), Table::Samples), expected(Table::Samples, &rows(0..110, 0)));
}

#[tokio::test]
async fn a_file_of_samples_that_stayed_alone_gets_its_scale() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new(NOON);
    let store = open_with(options(config(dir.path()), Arc::new(LocalDisk::new()), &clock)).await;
    for signal in [Signal::Logs, Signal::Metrics] {
        seal(&store, signal, rows(0..100, 0)).await;
    }
    clock.advance(14 * HOUR);
    store.compact_now().await.unwrap();
    let merged = levels(&store, Table::Samples);
    assert_eq!((merged.len(), merged[0].0), (1, 1));
    assert_eq!(levels(&store, Table::Logs)[0].0, 0, "nothing would become less");
    store.compact_now().await.unwrap();
    assert_eq!(levels(&store, Table::Samples), merged, "once");
    assert_eq!(texts_of(&store, &tenant(), Table::Samples), expected(Table::Samples, &rows(0..100, 0)));
}

#[tokio::test]
async fn what_is_asked_for_is_merged_at_once_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    let other = Tenant::parse("other").unwrap();
    for part in [0..50, 50..100] {
        for day in [0, -1] {
            let rows = rows(part.clone(), day);
            append(&store, Signal::Metrics, rows.clone()).await;
            append(&store, Signal::Logs, rows.clone()).await;
            send(&store, &other, Signal::Metrics, &Request::of(rows)).await.unwrap();
        }
        if part.start == 0 {
            store.seal_all().await.unwrap();
        }
    }
    let before = texts_of(&store, &tenant(), Table::Samples);
    let request =
        CompactRequest { tables: vec![Table::Samples], tenants: vec![tenant()], days: vec![day_of(NOON)] };
    let (merged, failed) = ask(&store, request.clone()).await;
    assert!(failed.is_empty());
    let [one] = merged.as_slice() else { panic!("{merged:?}") };
    assert_eq!((one.table, &one.tenant, one.day, one.files), (Table::Samples, &tenant(), day_of(NOON), 2));
    let bytes: Vec<u64> = store
        .snapshot(&tenant(), Table::Samples)
        .segments
        .iter()
        .filter(|segment| segment.level == 1)
        .map(|segment| segment.bytes)
        .collect();
    assert_eq!(bytes, [one.bytes], "what was in memory is in it, and yesterday is not");
    assert_eq!(store.snapshot(&other, Table::Samples).segments.iter().map(|it| it.level).max(), Some(0));
    assert_eq!(count(&store, Table::Logs), 2, "logs stay in memory and in files as they are");
    assert!(ask(&store, request).await.0.is_empty(), "it is done");
    // All of it.
    let (_, failed) = ask(&store, CompactRequest::default()).await;
    assert!(failed.is_empty());
    for table in [Table::Samples, Table::Series, Table::Histograms, Table::Exemplars, Table::Logs] {
        assert_eq!(count(&store, table), 2, "{table}: one each day");
    }
    assert_eq!(texts_of(&store, &tenant(), Table::Samples), before);
    assert_eq!(texts_of(&store, &other, Table::Samples), before);
}

#[tokio::test]
async fn only_one_asks_at_a_time_and_what_comes_in_meanwhile_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    for part in [0..50, 50..100] {
        for signal in [Signal::Logs, Signal::Spans] {
            seal(&store, signal, rows(part.clone(), 0)).await;
        }
    }
    let mut compaction = store.compact(CompactRequest::default()).unwrap();
    assert!(store.compact(CompactRequest::default()).is_none());
    let first = compaction.next().await.unwrap().unwrap();
    seal(&store, Signal::Logs, rows(100..150, 0)).await;
    seal(&store, Signal::Spans, rows(100..150, 0)).await;
    let second = compaction.next().await.unwrap().unwrap();
    assert_eq!(([first.files, second.files], first.rows + second.rows), ([2, 2], 200));
    assert!(compaction.next().await.is_none());
    assert_eq!((count(&store, Table::Logs), count(&store, Table::Spans)), (2, 2));
    // One that is given up makes room for the next.
    drop(compaction);
    let compaction = store.compact(CompactRequest::default()).unwrap();
    drop(compaction);
    let (merged, _) = ask(&store, CompactRequest::default()).await;
    assert_eq!(merged.iter().map(|merged| merged.rows).sum::<u64>(), 300);
}

#[tokio::test]
async fn what_cannot_be_merged_is_told_and_the_rest_is_merged() {
    let disk = ForgetfulDisk::new();
    let options = options(config(Path::new("/store")), Arc::new(disk.clone()), &TestClock::new(NOON));
    let store = open_with(options).await;
    for part in [0..50, 50..100] {
        for signal in [Signal::Logs, Signal::Spans] {
            seal(&store, signal, rows(part.clone(), 0)).await;
        }
    }
    let bad = Path::new("/store").join(&store.snapshot(&tenant(), Table::Logs).segments[1].path);
    disk.faults(|faults| faults.fail_read = Some((bad, 30)));
    let (merged, failed) = ask(&store, CompactRequest::default()).await;
    let [NotMerged { place, error }] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!(*place, Some((Table::Logs, tenant(), day_of(NOON))));
    assert!(error.retryable(), "{error}");
    assert_eq!(merged.iter().map(|merged| merged.table).collect::<Vec<_>>(), [Table::Spans]);
    assert_eq!(store.snapshot(&tenant(), Table::Logs).rows(), 100, "they are as they were");
    disk.faults(|faults| faults.fail_read = None);
    assert_eq!(ask(&store, CompactRequest::default()).await.0.len(), 1);
}
