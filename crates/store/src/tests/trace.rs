use std::sync::Arc;

use model::{Signal, Table};

use super::fixture::*;
use crate::manifest::SegmentMeta;
use crate::memtable::SeriesCatalog;
use crate::segment::{Effort, Origin, Rows, SegmentFile, Wanted, order};
use crate::store::Inner;
use crate::trace::select;

#[tokio::test]
async fn a_trace_is_what_a_look_at_every_span_finds() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    let row = |id: u64| Row { id, stream: (id % 7) as u8, time: NOON + ((id * 7919) % 1000) as i64 };
    // Traces go across requests and segments; the last are in memory.
    let sent: Vec<Row> = (0..6000).map(|n| row((n * 37) % 6000)).collect();
    for (number, part) in sent.chunks(500).enumerate() {
        append(&store, Signal::Spans, part.to_vec()).await;
        if number % 2 == 0 && number < 10 {
            store.seal_all().await.unwrap();
        }
        if number == 7 {
            store.compact_now().await.unwrap();
        }
    }
    assert!(!store.snapshot(&tenant(), Table::Spans).memory.is_empty());
    for id in (0..6000).step_by(8 * 25).chain([5999, 1 << 40]) {
        let trace = store.trace(&tenant(), trace_id(id)).await.unwrap();
        let mut found: Vec<_> = trace.spans.iter().flat_map(rows_of).collect();
        found.sort();
        let wanted: Vec<Row> = sent.iter().copied().filter(|row| trace_id(row.id) == trace_id(id)).collect();
        assert_eq!(wanted.len(), if id < 6000 { 8 } else { 0 });
        assert_eq!(found, expected(Table::Spans, &wanted), "trace of span {id}");
        assert!(trace.warnings.is_empty());
    }
}

/// A segment of spans with row groups of so many rows, of what is in memory.
fn sealed(inner: &Inner, group_rows: usize) -> Arc<SegmentMeta> {
    let chunks = inner.memory.shard(&tenant(), Signal::Spans).generations();
    let chunks = chunks[0].chunks(Table::Spans);
    let catalog = SeriesCatalog::default();
    let rows = Rows::new(Table::Spans, chunks.iter().map(Arc::as_ref), &catalog).unwrap();
    let picks = order(&rows);
    let new = inner.new_segment(inner.moment().unwrap(), (Table::Spans, &tenant(), model::day_of(NOON)), 0);
    let written = inner.write_segment(new, &Origin::default(), Effort::Seal, |writer| {
        picks.chunks(group_rows).try_for_each(|picks| inner.write_rows(writer, &rows, picks))
    });
    Arc::new(written.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_from_the_pages_that_are_announced_and_from_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    let row = |id: u64| Row { id, stream: (id % 7) as u8, time: NOON + ((id * 7919) % 1000) as i64 };
    append(&store, Signal::Spans, (0..60_000).map(row)).await;
    let (inner, dir) = (Arc::clone(store.inner()), dir.path().to_owned());
    let check = move || {
        // Three row groups, of three pages each.
        let segment = sealed(&inner, 20_000);
        let file = SegmentFile::new(&inner.objects, &segment);
        let metadata = file.metadata(Wanted::Offsets).unwrap();
        let sizes = || metadata.row_groups().iter().map(|group| group.num_rows());
        let read = |rows: &[u32]| {
            let (groups, selection) = select(sizes(), rows);
            let batches = file.rows(&metadata, groups, selection).unwrap();
            batches.flat_map(|batch| rows_of(&batch.unwrap())).collect::<Vec<_>>()
        };
        let wanted = [3, 9_000, 9_001, 59_999];
        let before = read(&wanted);
        assert_eq!(before.len(), wanted.len());
        let (groups, selection) = select(sizes(), &wanted);
        let pages = SegmentFile::pages(&metadata, &groups, selection);
        let path = dir.join(&segment.path);
        let bytes = std::fs::read(&path).unwrap();
        let mut left = vec![0xff; bytes.len()];
        for page in &pages {
            // In whole blocks, which have checksums.
            let block = model::sums::BLOCK as usize;
            let end = (page.end as usize).next_multiple_of(block).min(bytes.len());
            let page = page.start as usize / block * block..end;
            left[page.clone()].copy_from_slice(&bytes[page]);
        }
        assert!(pages.iter().map(|page| page.end - page.start).sum::<u64>() < segment.bytes / 2);
        std::fs::write(&path, left).unwrap();
        assert_eq!(read(&wanted), before);
    };
    tokio::task::spawn_blocking(check).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_unread_is_what_the_columns_say() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    let row = |id: u64| Row { id, stream: (id % 7) as u8, time: NOON + ((id * 7919) % 1000) as i64 };
    append(&store, Signal::Spans, (0..3000).map(row)).await;
    let inner = Arc::clone(store.inner());
    let check = move || {
        // Three row groups.
        let segment = sealed(&inner, 1234);
        let file = SegmentFile::new(&inner.objects, &segment);
        let metadata = file.metadata(Wanted::Pages).unwrap();
        let traces = file.traces(&metadata).unwrap().unwrap();
        assert_eq!((metadata.num_row_groups(), traces.len()), (3, 3000));
        for group in 0..3 {
            let told = file.facts(&metadata, group, Some(&traces)).unwrap();
            let mut read = file.facts(&metadata, group, None).unwrap();
            read.traces.sort_unstable();
            assert_eq!(told, read, "row group {group}");
            // An index that does not fit the file is not believed.
            assert_eq!(file.facts(&metadata, group, Some(&traces[1..])).unwrap().time_min, read.time_min);
        }
    };
    tokio::task::spawn_blocking(check).await.unwrap();
}

#[tokio::test]
async fn a_damaged_segment_is_set_aside_and_the_answer_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    append(&store, Signal::Spans, (0..16).map(|id| Row { id, stream: 1, time: NOON })).await;
    store.seal_all().await.unwrap();
    append(&store, Signal::Spans, (0..1).map(|id| Row { id: id + 4, stream: 1, time: NOON })).await;
    let path = dir.path().join(&store.snapshot(&tenant(), Table::Spans).segments[0].path);
    let mut bytes = std::fs::read(&path).unwrap();
    let footer = bytes.len() - 60;
    bytes[footer..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let trace = store.trace(&tenant(), trace_id(4)).await.unwrap();
    assert_eq!(trace.spans.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1);
    assert_eq!(trace.warnings.len(), 1);
    assert_eq!(store.status().set_aside.len(), 1);
    assert!(!store.snapshot(&tenant(), Table::Spans).complete());
}

#[tokio::test]
async fn a_trace_is_incomplete_only_where_it_may_have_spans_that_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    let part = |first: u64, time: i64| (first..first + 8).map(move |id| Row { id, stream: 1, time });
    append(&store, Signal::Spans, part(0, NOON)).await;
    store.seal_all().await.unwrap();
    append(&store, Signal::Spans, part(8, NOON - 5 * HOUR).chain(part(16, NOON + HOUR / 2))).await;
    let path = dir.path().join(&store.snapshot(&tenant(), Table::Spans).segments[0].path);
    let mut bytes = std::fs::read(&path).unwrap();
    let footer = bytes.len() - 60;
    bytes[footer..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(store.trace(&tenant(), trace_id(0)).await.unwrap().warnings.len(), 1);
    assert_eq!(store.status().set_aside.len(), 1);
    for (id, spans, warnings) in [(0, 0, 1), (8, 8, 0), (16, 8, 1), (1 << 40, 0, 1)] {
        let trace = store.trace(&tenant(), trace_id(id)).await.unwrap();
        let found: usize = trace.spans.iter().map(|spans| spans.num_rows()).sum();
        assert_eq!((found, trace.warnings.len()), (spans, warnings), "the trace of span {id}");
    }
}
