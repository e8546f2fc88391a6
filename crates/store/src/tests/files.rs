//! What becomes of files: days, merging, retention, damage.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fresnel_sdk::config::Duration;
use model::{NANOS_PER_DAY, Signal, Table, Tenant, day_of};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::fixture::*;
use crate::disk::{Chance, ForgetfulDisk};
use crate::error::ReadError;
use crate::segment::SegmentFile;
use crate::{LocalDisk, Store};

fn rows(ids: std::ops::Range<u64>, time: impl Fn(u64) -> i64) -> Vec<Row> {
    ids.map(|id| Row { id, stream: (id % 7) as u8, time: time(id) }).collect()
}

#[tokio::test]
async fn every_day_has_files_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    let times = [i64::MIN, -1, 0, NANOS_PER_DAY - 1, NANOS_PER_DAY, NOON, i64::MAX];
    let sent = rows(0..70, |id| times[(id % 7) as usize]);
    for signal in Signal::ALL {
        append(&store, signal, sent.clone()).await;
    }
    store.seal_all().await.unwrap();
    for table in [Table::Logs, Table::Spans, Table::Samples] {
        let snapshot = store.snapshot(&tenant(), table);
        let days: BTreeSet<i32> = snapshot.segments.iter().map(|segment| segment.day).collect();
        assert_eq!(days, times.iter().map(|time| day_of(*time)).collect(), "{table}");
        for segment in &snapshot.segments {
            assert_eq!((day_of(segment.min_time), day_of(segment.max_time)), (segment.day, segment.day));
            assert!(dir.path().join(&segment.path).exists());
        }
        assert_eq!(texts_of(&store, &tenant(), table), expected(table, &sent), "{table}");
    }
    // A series has a row for each day that it has points on.
    let series = store.snapshot(&tenant(), Table::Series);
    assert_eq!(
        series.segments.iter().map(|segment| (segment.day, segment.rows)).collect::<BTreeSet<_>>().len(),
        6
    );
}

#[tokio::test]
async fn hundreds_of_days_become_no_more_than_64_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    let sent = rows(0..300, |id| id as i64 * NANOS_PER_DAY);
    append(&store, Signal::Logs, sent.clone()).await;
    store.seal_all().await.unwrap();
    let snapshot = store.snapshot(&tenant(), Table::Logs);
    assert_eq!(snapshot.segments.len(), 64);
    let rest = snapshot.segments.iter().find(|segment| segment.rows > 1).unwrap();
    assert_eq!(day_of(rest.max_time), rest.day);
    assert!(rest.min_time < rest.max_time && rest.rows == 300 - 63);
    assert_eq!(texts_of(&store, &tenant(), Table::Logs), expected(Table::Logs, &sent));
}

#[tokio::test]
async fn compaction_keeps_every_row_and_frees_the_old_files_later() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new(NOON);
    let store = open_with(options(config(dir.path()), Arc::new(LocalDisk::new()), &clock)).await;
    let sent = rows(0..400, |id| NOON + ((id * 7919) % 400) as i64);
    for part in sent.chunks(50) {
        for signal in Signal::ALL {
            append(&store, signal, part.to_vec()).await;
        }
        store.seal_all().await.unwrap();
    }
    let tables = [Table::Logs, Table::Spans, Table::Samples, Table::Histograms, Table::Exemplars];
    let before = tables.map(|table| store.snapshot(&tenant(), table).segments.len());
    assert_eq!(before, [8; 5]);
    let reading = store.snapshot(&tenant(), Table::Logs);
    store.compact_now().await.unwrap();
    for table in tables {
        let segments = store.snapshot(&tenant(), table).segments;
        assert_eq!((segments.len(), segments[0].level), (1, 1), "{table}");
        assert_eq!(texts_of(&store, &tenant(), table), expected(table, &sent), "{table}");
    }
    let files = |store: &Store| store.inner().objects.list("segments").unwrap().len();
    let after = files(&store);
    clock.advance(2 * HOUR);
    store.retain_now(NOON + 2 * HOUR).await.unwrap();
    // The files that are being read are still there.
    let pinned = after - 4 * 8;
    assert_eq!(files(&store), pinned);
    assert_eq!(batches(&store, &reading).1.iter().map(|batch| batch.num_rows()).sum::<usize>(), 400);
    drop(reading);
    store.retain_now(NOON + 2 * HOUR).await.unwrap();
    assert_eq!(files(&store), pinned - 8);
    assert_eq!(store.status().removed_segments, 0);
}

/// A disk with four small segments of each table.
async fn small_segments(clock: &Arc<TestClock>) -> (ForgetfulDisk, Store) {
    let disk = ForgetfulDisk::new();
    let options = options(config(Path::new("/store")), Arc::new(disk.clone()), clock);
    let store = open_with(options).await;
    for part in 0..4 {
        for signal in [Signal::Logs, Signal::Spans] {
            append(&store, signal, rows(part * 10..part * 10 + 10, |id| NOON + id as i64)).await;
        }
        store.seal_all().await.unwrap();
    }
    (disk, store)
}

#[tokio::test]
async fn what_cannot_be_merged_does_not_keep_the_rest_from_it() {
    let clock = TestClock::new(NOON);
    let (disk, store) = small_segments(&clock).await;
    let segments = |table| store.snapshot(&tenant(), table).segments.len();
    let bad = Path::new("/store").join(&store.snapshot(&tenant(), Table::Logs).segments[1].path);
    disk.faults(|faults| faults.fail_read = Some((bad, 30)));
    store.compact_now().await.unwrap_err();
    assert_eq!((segments(Table::Logs), segments(Table::Spans)), (4, 1));
    // It is left alone for a while, and then tried again.
    store.compact_now().await.unwrap();
    clock.advance(HOUR / 10);
    store.compact_now().await.unwrap_err();
    disk.faults(|faults| faults.fail_read = None);
    clock.advance(HOUR / 10);
    store.compact_now().await.unwrap();
    assert_eq!((segments(Table::Logs), segments(Table::Spans)), (1, 1));
    assert_eq!(store.snapshot(&tenant(), Table::Logs).rows(), 40);
}

#[tokio::test]
async fn a_stop_is_heard_between_two_merges() {
    let (_disk, store) = small_segments(&TestClock::new(NOON)).await;
    let merges = || store.status().work.compactions;
    store.inner().compact_all(|| merges() == 1).await.unwrap();
    assert_eq!(merges(), 1, "there were two to be done");
    store.compact_now().await.unwrap();
    assert_eq!(merges(), 2);
}

/// Each bit of a file that changes is noticed when it is read, or it changes nothing.
#[tokio::test]
async fn what_is_altered_in_a_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    let sent = rows(0..500, |id| NOON + id as i64);
    for signal in Signal::ALL {
        append(&store, signal, sent.clone()).await;
    }
    store.seal_all().await.unwrap();
    let (mut noticed, mut harmless) = (0, 0);
    for table in [Table::Logs, Table::Spans, Table::Samples, Table::Histograms] {
        let snapshot = store.snapshot(&tenant(), table);
        let [segment] = &snapshot.segments[..] else { panic!("one file") };
        let path = dir.path().join(&segment.path);
        let whole = std::fs::read(&path).unwrap();
        let end = whole.len() - usize::try_from(segment.tail.unwrap().len).unwrap();
        let file = SegmentFile::new(&store.inner().objects, segment);
        let wanted = expected(table, &sent);
        let mut chance = Chance::new(3);
        // In the pages, and in what says where they are.
        for at in (0..end).step_by(end / 100).chain((end..whole.len()).step_by((whole.len() - end) / 100)) {
            let mut altered = whole.clone();
            altered[at] ^= 1 << chance.below(8);
            std::fs::write(&path, altered).unwrap();
            match (file.verify(), try_batches(&store, &snapshot)) {
                (Err(ReadError::Damaged { .. }), _) => noticed += 1,
                (Err(error), _) => panic!("{error}"),
                (Ok(()), read) => {
                    assert!(at < end, "{table}: byte {at} of {}", whole.len());
                    let mut texts: Vec<_> = read.unwrap().1.iter().flat_map(rows_of).collect();
                    texts.sort();
                    assert_eq!(texts, wanted, "{table}: byte {at}");
                    harmless += 1;
                }
            }
        }
        std::fs::write(&path, &whole).unwrap();
        file.verify().unwrap();
    }
    // Of the header of a page not all is asked for.
    assert!(noticed > 50 * harmless, "{noticed}, {harmless}");
}

/// Writes a file anew as it was before its last columns were added, as long as it is.
fn without_last_columns(path: &Path, columns: usize) {
    let whole = std::fs::read(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(whole.clone())).unwrap();
    let kept: Vec<usize> = (0..reader.schema().fields().len() - columns).collect();
    let schema = Arc::new(reader.schema().project(&kept).unwrap());
    // Small, so that there is room for padding.
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(19).unwrap()))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options).unwrap();
    for batch in reader.build().unwrap() {
        writer.write(&batch.unwrap().project(&kept).unwrap()).unwrap();
    }
    let mut file = writer.into_inner().unwrap();
    // Between the last page and the footer there may be anything.
    let (ends, length) = (file.len() - 8, 4);
    let footer = u32::from_le_bytes(file[ends..ends + length].try_into().unwrap()) as usize;
    let padding = whole.len().checked_sub(file.len()).unwrap();
    file.splice(ends - footer..ends - footer, std::iter::repeat_n(0, padding));
    std::fs::write(path, file).unwrap();
}

/// Takes from the manifest what it says about the ends of files, as if they were older than that.
fn without_tails(store: &Path) {
    let tail = regex::Regex::new(r#","tail":\[\d+,\d+\]"#).unwrap();
    for file in std::fs::read_dir(store.join("manifest")).unwrap() {
        let path = file.unwrap().path();
        let whole = std::fs::read_to_string(&path).unwrap();
        assert!(tail.is_match(&whole));
        let line = |line: &str| {
            let json = tail.replace_all(line.split_once(' ').unwrap().1, "").into_owned();
            format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
        };
        std::fs::write(&path, whole.lines().map(line).collect::<String>()).unwrap();
    }
}

#[tokio::test]
async fn files_from_before_a_column_was_added_are_read_and_merged() {
    let dir = tempfile::tempdir().unwrap();
    let sent = rows(0..400, |id| NOON + ((id * 7919) % 400) as i64);
    let store = open_local(dir.path()).await;
    for part in sent.chunks(100) {
        append(&store, Signal::Metrics, part.to_vec()).await;
        store.seal_all().await.unwrap();
    }
    let old = store.snapshot(&tenant(), Table::Histograms).segments[0].path.clone();
    drop(store);
    without_last_columns(&dir.path().join(old), 5);
    without_tails(dir.path());
    let store = open_local(dir.path()).await;
    assert_eq!(texts_of(&store, &tenant(), Table::Histograms), expected(Table::Histograms, &sent));
    store.compact_now().await.unwrap();
    let segments = store.snapshot(&tenant(), Table::Histograms).segments;
    assert_eq!((segments.len(), segments[0].level), (1, 1));
    assert_eq!(texts_of(&store, &tenant(), Table::Histograms), expected(Table::Histograms, &sent));
    assert!(store.status().set_aside.is_empty());
}

#[tokio::test]
async fn a_series_that_every_restart_writes_again_is_left_once_by_compaction() {
    let dir = tempfile::tempdir().unwrap();
    for restart in 0..4 {
        let store = open_local(dir.path()).await;
        append(&store, Signal::Metrics, rows(restart * 10..restart * 10 + 10, |id| NOON + id as i64)).await;
        store.seal_all().await.unwrap();
    }
    let store = open_local(dir.path()).await;
    assert_eq!(store.snapshot(&tenant(), Table::Series).rows(), 28);
    store.compact_now().await.unwrap();
    assert_eq!(store.snapshot(&tenant(), Table::Series).rows(), 7);
    assert_eq!(store.ledger()[&(tenant(), Signal::Metrics)].stored, 40);
}

#[tokio::test]
async fn what_is_too_old_goes_and_the_ledger_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.retention.logs = Duration::from_days(2);
    config.retention.spans = Duration::ZERO;
    let own = crate::TenantRetention { logs: Some(Duration::from_days(30)), ..Default::default() };
    config.retention.tenant.insert("vip".into(), own);
    let clock = TestClock::new(NOON);
    let store = open_with(options(config.clone(), Arc::new(LocalDisk::new()), &clock)).await;
    let vip = Tenant::parse("vip").unwrap();
    let sent = Request::of(rows(0..30, |id| NOON - (id as i64 % 3) * NANOS_PER_DAY));
    for tenant in [&tenant(), &vip] {
        for signal in Signal::ALL {
            send(&store, tenant, signal, &sent).await.unwrap();
        }
    }
    store.seal_all().await.unwrap();
    store.retain_now(NOON + NANOS_PER_DAY).await.unwrap();
    let check = |store: &Store| {
        let rows = |tenant: &Tenant, table| store.snapshot(tenant, table).rows();
        assert_eq!((rows(&tenant(), Table::Logs), rows(&vip, Table::Logs)), (20, 30));
        assert_eq!((rows(&tenant(), Table::Spans), rows(&vip, Table::Spans)), (30, 30));
        for ((tenant, signal), counts) in store.ledger() {
            let expired = if tenant != vip && signal == Signal::Logs { 10 } else { 0 };
            assert_eq!((counts.received, counts.expired, counts.stored), (30, expired, 30 - expired));
            assert!(counts.balances());
        }
    };
    check(&store);
    drop(store);
    check(&open_with(options(config, Arc::new(LocalDisk::new()), &clock)).await);
}

#[tokio::test]
async fn a_table_may_have_a_retention_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.retention.metrics = Duration::from_days(30);
    config.retention.table.insert("exemplars".into(), Duration::from_days(2));
    config.retention.table.insert("logs".into(), Duration::from_days(2));
    let own = crate::TenantRetention {
        logs: Some(Duration::from_days(30)),
        table: [("exemplars".to_owned(), Duration::from_days(5))].into(),
        ..Default::default()
    };
    config.retention.tenant.insert("vip".into(), own);
    let store = open_with(options(config, Arc::new(LocalDisk::new()), &TestClock::new(NOON))).await;
    let vip = Tenant::parse("vip").unwrap();
    let sent = Request::of(rows(0..35, |_| NOON));
    for tenant in [&tenant(), &vip] {
        for signal in [Signal::Logs, Signal::Metrics] {
            send(&store, tenant, signal, &sent).await.unwrap();
        }
    }
    store.seal_all().await.unwrap();
    let rows = |tenant: &Tenant, table| store.snapshot(tenant, table).rows();
    store.retain_now(NOON + 3 * NANOS_PER_DAY).await.unwrap();
    assert_eq!((rows(&tenant(), Table::Logs), rows(&vip, Table::Logs)), (0, 35));
    assert_eq!((rows(&tenant(), Table::Exemplars), rows(&vip, Table::Exemplars)), (0, 5));
    assert_eq!((rows(&tenant(), Table::Samples), rows(&tenant(), Table::Series)), (28, 7));
    store.retain_now(NOON + 6 * NANOS_PER_DAY).await.unwrap();
    assert_eq!((rows(&vip, Table::Exemplars), rows(&vip, Table::Samples)), (0, 28));
    assert!(store.ledger().values().all(crate::Counts::balances));
}

#[tokio::test]
async fn files_that_cannot_be_read_are_set_aside_and_named() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("shorter", |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("missing", |path| std::fs::remove_file(path).unwrap()),
        ("altered end", |path| {
            let mut bytes = std::fs::read(path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(path, bytes).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let store = open_local(dir.path()).await;
        append(&store, Signal::Logs, rows(0..10, |id| NOON + id as i64)).await;
        store.seal_all().await.unwrap();
        append(&store, Signal::Logs, rows(10..20, |_| NOON)).await;
        store.seal_all().await.unwrap();
        let path: PathBuf = store.snapshot(&tenant(), Table::Logs).segments[0].path.clone().into();
        drop(store);
        damage(&dir.path().join(&path));
        for _ in 0..2 {
            let store = open_local(dir.path()).await;
            let snapshot = store.snapshot(&tenant(), Table::Logs);
            assert_eq!((snapshot.rows(), snapshot.complete()), (10, false), "{what}");
            assert_eq!(snapshot.missing[0].times, (NOON, NOON + 9), "{what}");
            for (from, to, missing) in [
                (i64::MIN, i64::MAX, 1),
                (NOON + 9, NOON + 9, 1),
                (NOON + 10, i64::MAX, 0),
                (i64::MIN, NOON - 1, 0),
            ] {
                assert_eq!(snapshot.missing_in(from..=to).count(), missing, "{what}: {from}..={to}");
            }
            assert_eq!(snapshot.warnings().len(), 1);
            let set_aside = store.status().set_aside;
            assert_eq!(set_aside.len(), 1, "{what}");
            assert_eq!(dir.path().join(&set_aside[0].path).exists(), what != "missing");
            assert!(store.snapshot(&tenant(), Table::Spans).complete());
        }
    }
}

#[tokio::test]
async fn files_that_no_commit_names_are_deleted_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    append(&store, Signal::Logs, rows(0..10, |_| NOON)).await;
    store.seal_all().await.unwrap();
    let segment = store.snapshot(&tenant(), Table::Logs).segments[0].clone();
    drop(store);
    let path = dir.path().join(&segment.path);
    let orphan = path.with_file_name("018cf57c-98c0-791b-8f70-a6d7c58b6458.parquet");
    std::fs::copy(&path, &orphan).unwrap();
    let draft = path.with_extension("draft");
    std::fs::copy(&path, &draft).unwrap();
    let store = open_local(dir.path()).await;
    assert_eq!((path.exists(), orphan.exists(), draft.exists()), (true, false, false));
    assert_eq!(store.snapshot(&tenant(), Table::Logs).rows(), 10);
}

#[tokio::test]
async fn segments_that_lost_commits_named_are_named_again() {
    let disk = ForgetfulDisk::new();
    let clock = TestClock::new(NOON);
    let open = |disk: &ForgetfulDisk| {
        open_with(options(config(Path::new("/store")), Arc::new(disk.clone()), &clock))
    };
    let store = open(&disk).await;
    for part in 0..3 {
        append(&store, Signal::Logs, rows(part * 10..part * 10 + 10, |_| NOON)).await;
        store.seal_all().await.unwrap();
    }
    drop(store);
    let manifest = crate::Disk::list(&disk, Path::new("/store/manifest")).unwrap().pop().unwrap();
    disk.alter(&Path::new("/store/manifest").join(manifest.name), |bytes| {
        // The second of the commits.
        let lines: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
        bytes[lines[1] + 20] ^= 1;
    });
    let store = open(&disk).await;
    let snapshot = store.snapshot(&tenant(), Table::Logs);
    assert_eq!((snapshot.segments.len(), snapshot.rows(), snapshot.complete()), (3, 30, true));
    assert!(!store.status().set_aside.is_empty(), "the status says what happened");
}

#[tokio::test]
async fn many_small_requests_are_folded_and_keep_their_content() {
    let dir = tempfile::tempdir().unwrap();
    for signal in Signal::ALL {
        let store = open_local(&dir.path().join(signal.as_str())).await;
        let mut chance = Chance::new(5);
        let mut sent = Vec::new();
        for id in (0..300).step_by(3) {
            let some = rows(id..id + 1 + chance.below(3), |_| NOON + chance_time(id));
            append(&store, signal, some.clone()).await;
            sent.extend(some);
        }
        let chunks = |store: &Store| store.snapshot(&tenant(), signal.tables()[0]).memory.len();
        let before = chunks(&store);
        for shard in store.inner().memory.shards() {
            while shard.fold() {}
        }
        assert!(chunks(&store) < 32 && before > 60, "{before} chunks became {}", chunks(&store));
        for table in signal.tables().iter().filter(|table| **table != Table::Series) {
            assert_eq!(texts_of(&store, &tenant(), *table), expected(*table, &sent), "{table}");
        }
    }
}

fn chance_time(id: u64) -> i64 {
    ((id * 31) % 17) as i64
}
