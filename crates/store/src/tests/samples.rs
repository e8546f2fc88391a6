//! Samples are merged series by series.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use model::{Budget, Signal, Table};

use super::fixture::*;
use crate::compact::runs::{Part, open_bytes};
use crate::segment::{SegmentFile, Wanted};
use crate::{LocalDisk, Options, Store};

/// Eight seals of the same series, their times interleaved, merged within this much memory.
async fn merged(dir: &std::path::Path, limit: u64) -> (Store, Vec<Row>) {
    let options = options(config(dir), Arc::new(LocalDisk::new()), &TestClock::new(NOON));
    let store = open_with(Options { budget: Budget::new(limit), ..options }).await;
    let row = |id: u64| Row { id, stream: (id % 7) as u8, time: NOON + ((id * 7919) % 800) as i64 };
    let rows: Vec<Row> = (0..800).map(row).collect();
    for part in rows.chunks(100) {
        append(&store, Signal::Metrics, part.to_vec()).await;
        store.seal_all().await.unwrap();
    }
    store.compact_now().await.unwrap();
    (store, rows)
}

/// The series of each row of a row group, and how many its footer says there are.
fn series_of_groups(store: &Store) -> Vec<(Vec<[u8; 16]>, Option<u64>)> {
    let snapshot = store.snapshot(&tenant(), Table::Samples);
    let mut groups = Vec::new();
    for segment in &snapshot.segments {
        let file = SegmentFile::new(&store.inner().objects, segment);
        let metadata = file.metadata(Wanted::Groups).unwrap();
        for group in 0..metadata.num_row_groups() {
            let (mut ids, mut times) = (Vec::new(), Vec::new());
            for batch in file.group(&metadata, group).unwrap() {
                let batch = batch.unwrap();
                let own = batch.column(1).as_binary::<i32>();
                ids.extend((0..own.len()).map(|row| <[u8; 16]>::try_from(own.value(row)).unwrap()));
                times.extend_from_slice(batch.column(2).as_primitive::<Int64Type>().values());
            }
            let place = |id: &[u8; 16]| ids.iter().position(|own| own == id).unwrap();
            let sorted = ids.iter().zip(&times).is_sorted_by_key(|(id, time)| (place(id), *time));
            assert!(sorted, "a series has one run, in the order of its times");
            let column = metadata.row_group(group).column(1);
            groups.push((ids, column.statistics().and_then(|statistics| statistics.distinct_count_opt())));
        }
    }
    groups
}

/// The series and the time of each row, where there is one file.
fn rows_of_the_file(store: &Store) -> Vec<([u8; 16], i64)> {
    let snapshot = store.snapshot(&tenant(), Table::Samples);
    assert_eq!(snapshot.segments.len(), 1);
    let file = SegmentFile::new(&store.inner().objects, &snapshot.segments[0]);
    let metadata = file.metadata(Wanted::Groups).unwrap();
    let mut found = Vec::new();
    for batch in (0..metadata.num_row_groups()).flat_map(|group| file.group(&metadata, group).unwrap()) {
        let batch = batch.unwrap();
        let ids = batch.column(1).as_binary::<i32>();
        let times = batch.column(2).as_primitive::<Int64Type>().values();
        found.extend(times.iter().enumerate().map(|(row, time)| (ids.value(row).try_into().unwrap(), *time)));
    }
    found
}

#[tokio::test]
async fn what_several_seals_have_of_a_series_becomes_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let (store, rows) = merged(dir.path(), 1 << 30).await;
    assert_eq!(texts_of(&store, &tenant(), Table::Samples), expected(Table::Samples, &rows));
    let groups = series_of_groups(&store);
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].1, Some(7), "the footer tells how many series there are");
}

#[tokio::test]
async fn what_does_not_fit_into_memory_at_once_is_merged_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    // A sixteenth has room for two row groups at a time.
    let (store, rows) = merged(dir.path(), 40 << 20).await;
    assert_eq!(texts_of(&store, &tenant(), Table::Samples), expected(Table::Samples, &rows));
    let groups = series_of_groups(&store);
    assert_eq!(groups.len(), 4);
    assert!(groups.iter().all(|(_, series)| *series == Some(7)));
}

#[tokio::test]
async fn row_groups_of_a_merged_file_are_open_one_after_the_other() {
    const FILES: u64 = 4;
    const ROWS: u64 = 30_000;
    let dir = tempfile::tempdir().unwrap();
    let options = options(config(dir.path()), Arc::new(LocalDisk::new()), &TestClock::new(NOON));
    // A sixteenth has room for four row groups, half of it for 45,056 rows on their way.
    let store = open_with(Options { budget: Budget::new(88 << 20), ..options }).await;
    let row = |id: u64| Row { id, stream: (id % 97) as u8, time: NOON + id as i64 };
    for file in 0..2 * FILES {
        append(&store, Signal::Metrics, (file * ROWS..(file + 1) * ROWS).map(row)).await;
        store.seal_all().await.unwrap();
        if file % FILES == FILES - 1 {
            store.compact_now().await.unwrap();
        }
    }
    for segment in &store.snapshot(&tenant(), Table::Samples).segments {
        let file = SegmentFile::new(&store.inner().objects, segment);
        let metadata = file.metadata(Wanted::Pages).unwrap();
        let groups = metadata.num_row_groups();
        let parts: Vec<_> = (0..groups).map(|group| Part::new(&file, &metadata, group)).collect();
        let one = open_bytes(&parts[..1]).last().unwrap();
        assert!(groups >= 3, "{groups}");
        assert!(open_bytes(&parts).last().unwrap() < 3 * one, "two at most");
    }
    // These are merged again.
    let request = crate::CompactRequest { tables: vec![Table::Samples], ..Default::default() };
    let mut asked = store.compact(request).unwrap();
    assert_eq!(asked.next().await.unwrap().unwrap().files, 2);
    let found = rows_of_the_file(&store);
    let runs: Vec<_> = found.chunk_by(|(a, _), (b, _)| a == b).collect();
    assert_eq!(runs.len(), 97, "over all row groups, too, a series has one run");
    assert!(runs.iter().all(|run| run.is_sorted()), "in the order of its times");
    let mut times: Vec<_> = found.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let expected = (0..2 * FILES * ROWS).filter(|id| !is_histogram(*id)).map(|id| row(id).time);
    assert!(times.into_iter().eq(expected), "every row once");
}

/// Merges everything as somebody who asks for it.
async fn compact(store: &Store) -> u64 {
    let request = crate::CompactRequest { tables: vec![Table::Samples], ..Default::default() };
    store.compact(request).unwrap().next().await.unwrap().unwrap().files
}

#[tokio::test]
async fn what_is_left_of_a_day_joins_the_long_runs_of_the_rest() {
    const SERIES: u64 = 60;
    const ROWS: u64 = SERIES * 3_000;
    let dir = tempfile::tempdir().unwrap();
    let store =
        open_with(options(config(dir.path()), Arc::new(LocalDisk::new()), &TestClock::new(NOON))).await;
    let row = |id: u64| Row { id, stream: (id % SERIES) as u8, time: NOON + id as i64 };
    for ids in [0..ROWS / 2, ROWS / 2..ROWS] {
        append(&store, Signal::Metrics, ids.map(row)).await;
        store.seal_all().await.unwrap();
    }
    assert_eq!(compact(&store).await, 2);
    let file =
        SegmentFile::new(&store.inner().objects, &store.snapshot(&tenant(), Table::Samples).segments[0]);
    let metadata = file.metadata(Wanted::Groups).unwrap();
    assert!(crate::segment::has_long_runs(&metadata), "else nothing would be copied anyway");
    assert!(crate::segment::is_large(Table::Samples, metadata.row_group(0)));

    append(&store, Signal::Metrics, (ROWS..ROWS + 600).map(row)).await;
    assert_eq!(compact(&store).await, 2);
    let found = rows_of_the_file(&store);
    assert_eq!(found.chunk_by(|(a, _), (b, _)| a == b).count(), 48, "a series has one run, a fifth has none");
    let mut times: Vec<_> = found.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let expected = (0..ROWS + 600).filter(|id| !is_histogram(*id)).map(|id| row(id).time);
    assert!(times.into_iter().eq(expected), "every row once");
}
