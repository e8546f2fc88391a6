//! What the manifest does not name: what is left of a seal goes, and what was lost from the manifest
//! comes back, each record once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Signal, Table, sums};

use super::fixture::*;
use crate::disk::ForgetfulDisk;
use crate::{Disk, LocalDisk, Store};

const DIR: &str = "/store";
const COUNTED: [Table; 4] = [Table::Logs, Table::Spans, Table::Samples, Table::Histograms];

fn rows(ids: std::ops::Range<u64>) -> Vec<Row> {
    ids.map(|id| Row { id, stream: (id % 7) as u8, time: NOON + id as i64 }).collect()
}

async fn open(disk: &ForgetfulDisk, clock: &Arc<TestClock>) -> Store {
    open_with(options(config(Path::new(DIR)), Arc::new(disk.clone()), clock)).await
}

fn below(folder: &str) -> PathBuf {
    Path::new(DIR).join(folder)
}

fn manifest_file(disk: &ForgetfulDisk) -> PathBuf {
    let files = disk.list(&below("manifest")).unwrap();
    below("manifest").join(&files.last().unwrap().name)
}

fn remove_all(disk: &ForgetfulDisk, folder: &str) {
    for file in disk.list(&below(folder)).unwrap() {
        disk.remove(&below(folder).join(file.name)).unwrap();
    }
}

fn files(disk: &ForgetfulDisk) -> Vec<String> {
    fn walk(disk: &ForgetfulDisk, dir: &Path, found: &mut Vec<String>) {
        for entry in disk.list(dir).unwrap_or_default() {
            let path = dir.join(&entry.name);
            match entry.is_dir {
                true => walk(disk, &path, found),
                false => found.push(path.display().to_string()),
            }
        }
    }
    let mut found = Vec::new();
    walk(disk, &below("segments"), &mut found);
    found
}

/// Every row once, and a ledger that says the same.
fn check(store: &Store, sent: &[Row], what: &str) {
    for table in COUNTED {
        assert_eq!(texts_of(store, &tenant(), table), expected(table, sent), "{what}: {table}");
        assert!(store.snapshot(&tenant(), table).complete(), "{what}: {table}");
    }
    for (key, counts) in store.ledger() {
        assert!(counts.balances(), "{what}: {key:?} {counts:?}");
        assert_eq!(counts.stored, sent.len() as u64, "{what}: {key:?} {counts:?}");
    }
}

async fn seal(store: &Store, ids: std::ops::Range<u64>) {
    for signal in Signal::ALL {
        append(store, signal, rows(ids.clone())).await;
    }
    store.seal_all().await.unwrap();
}

/// A disk with merged files, their inputs, small files and records that are in the log only.
async fn lived(clock: &Arc<TestClock>) -> (ForgetfulDisk, Vec<Row>) {
    let disk = ForgetfulDisk::new();
    let store = open(&disk, clock).await;
    for part in 0..5 {
        clock.advance(1_000_000_000);
        seal(&store, part * 40..part * 40 + 40).await;
        if part == 3 {
            store.compact_now().await.unwrap();
        }
    }
    for signal in Signal::ALL {
        append(&store, signal, rows(200..240)).await;
    }
    drop(store);
    (disk, rows(0..240))
}

type Loss = (&'static str, fn(&ForgetfulDisk));

const LOSSES: [Loss; 6] = [
    ("nothing", |_| {}),
    ("the folder is empty", |disk| remove_all(disk, "manifest")),
    ("the file is empty", |disk| disk.alter(&manifest_file(disk), Vec::clear)),
    ("the file is cut in its first line", |disk| {
        disk.alter(&manifest_file(disk), |bytes| bytes.truncate(30))
    }),
    ("the file ends after its first line", |disk| {
        disk.alter(&manifest_file(disk), |bytes| {
            let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
            bytes.truncate(end + 1);
        });
    }),
    ("the last line is altered", |disk| {
        disk.alter(&manifest_file(disk), |bytes| {
            let at = bytes.len() - 20;
            bytes[at] ^= 1;
        });
    }),
];

#[tokio::test]
async fn a_lost_manifest_is_made_again_from_the_segments() {
    for (what, lose) in LOSSES {
        let clock = TestClock::new(NOON);
        let (disk, sent) = lived(&clock).await;
        let before = files(&disk).len();
        lose(&disk);
        let store = open(&disk, &clock).await;
        assert_eq!(files(&disk).len(), before, "{what}: no file is deleted");
        check(&store, &sent, what);
        for restart in 0..3 {
            clock.advance(HOUR);
            seal(&store, 1000 + restart * 10..1005 + restart * 10).await;
            store.compact_now().await.unwrap();
            store.retain_now(crate::Clock::now_unix_nano(&*clock)).await.unwrap();
        }
        drop(store);
        let store = open(&disk, &clock).await;
        let new = [1000..1005, 1010..1015, 1020..1025].into_iter().flat_map(rows);
        check(&store, &sent.iter().copied().chain(new).collect::<Vec<_>>(), what);
    }
}

#[tokio::test]
async fn every_line_of_the_manifest_may_be_altered() {
    let clock = TestClock::new(NOON);
    let (whole, sent) = lived(&clock).await;
    let lines: Vec<usize> = {
        let bytes = whole.read(&manifest_file(&whole)).unwrap();
        (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect()
    };
    assert!(lines.len() > 15, "{}", lines.len());
    for (number, end) in lines.iter().enumerate() {
        let disk = whole.kill_copy();
        disk.alter(&manifest_file(&disk), |bytes| bytes[end - 5] ^= 1);
        let before = files(&disk).len();
        let store = open(&disk, &clock).await;
        check(&store, &sent, &format!("line {number}"));
        assert_eq!(files(&disk).len(), before, "line {number}");
        // An altered last line looks like one that was interrupted; the log still has what it said.
        assert_eq!(store.status().set_aside.is_empty(), number == lines.len() - 1, "line {number}");
    }
}

/// What the first start after it does may end at any moment: what it found is not forgotten by that.
#[tokio::test]
async fn a_start_with_an_altered_manifest_may_be_interrupted() {
    let clock = TestClock::new(NOON);
    let (whole, sent) = lived(&clock).await;
    let bytes = whole.read(&manifest_file(&whole)).unwrap();
    let lines: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    // The first seals, one in the middle, and a torn end.
    for end in [lines[1], lines[2], lines[lines.len() / 2], bytes.len() - 1] {
        let altered = whole.kill_copy();
        altered.alter(&manifest_file(&altered), |bytes| bytes[end - 5] ^= 1);
        for after in 0.. {
            let disk = altered.kill_copy();
            disk.faults(|faults| faults.power_off = Some(after));
            let opened = try_open(options(config(Path::new(DIR)), Arc::new(disk.clone()), &clock)).await;
            let is_on = disk.list(Path::new(DIR)).is_ok();
            drop(opened);
            if is_on {
                assert!(after > 6, "{after}");
                break;
            }
            for disk in [disk.kill(), disk.power_cut(after)] {
                let store = open(&disk, &clock).await;
                check(&store, &sent, &format!("line to {end}, off after {after}"));
            }
        }
    }
}

/// With the manifest its checksums of the ends of segments are lost, and which entries of the log a segment
/// holds is in its end: altered, its rows would be there twice or not at all, and nothing would say so.
#[tokio::test]
async fn what_a_segment_says_of_itself_is_altered_and_the_manifest_is_lost() {
    let clock = TestClock::new(NOON);
    let (whole, sent) = lived(&clock).await;
    remove_all(&whole, "manifest");
    let key = b"\"lsns\":";
    for path in files(&whole) {
        let bytes = whole.read(Path::new(&path)).unwrap();
        let name = path.rsplit('/').next().unwrap();
        let from = bytes.windows(key.len()).rposition(|part| part == key).unwrap() + key.len();
        let to = from + bytes[from..].windows(2).position(|part| part == b"]]").unwrap();
        let digits = (from..to).filter(|at| bytes[*at].is_ascii_digit());
        for at in digits {
            let disk = whole.kill_copy();
            disk.alter(Path::new(&path), |bytes| bytes[at] ^= 1);
            let store = open(&disk, &clock).await;
            let what = format!("{path}: {at}");
            let set_aside = store.status().set_aside;
            assert!(set_aside.iter().any(|file| file.path.ends_with(name)), "{what}: {set_aside:?}");
            for table in COUNTED {
                let (found, sent) = (texts_of(&store, &tenant(), table), expected(table, &sent));
                let complete = store.snapshot(&tenant(), table).complete();
                assert!(found == sent || !complete && is_part(&found, &sent), "{what}: {table}");
            }
        }
    }
}

/// What was set aside is still missing, and still counted as what it was: by what its own end says, or the
/// manifest of before. Of a merge what it was made of may be there yet: then nothing is missing.
#[tokio::test]
async fn what_was_set_aside_is_counted_when_the_manifest_is_lost() {
    let mut came_back = 0;
    for (what, lose) in LOSSES {
        for (table, merged) in
            [Table::Logs, Table::Spans].into_iter().flat_map(|of| [(of, false), (of, true)])
        {
            let what = format!("{what}: {table}, merged: {merged}");
            let clock = TestClock::new(NOON);
            let (disk, _) = lived(&clock).await;
            let store = open(&disk, &clock).await;
            seal(&store, 240..280).await;
            let segments = store.snapshot(&tenant(), table).segments;
            let rows = if merged { 160 } else { 40 };
            let damaged = segments.iter().find(|segment| segment.rows == rows).unwrap();
            disk.alter(&below(&damaged.path), |bytes| bytes[100] ^= 1);
            assert!(store.examine(&damaged.path).await.unwrap(), "{what}");
            drop(store);
            lose(&disk);
            for restart in 0..2 {
                let store = open(&disk, &clock).await;
                let counts = store.ledger()[&(tenant(), table.signal())].clone();
                let (snapshot, set_aside) = (store.snapshot(&tenant(), table), store.status().set_aside);
                let what = format!("{what}, restart {restart}: {counts:?} {set_aside:?}");
                assert_eq!((counts.stored, counts.balances()), (280, true), "{what}");
                let back = merged && snapshot.complete();
                let missing = if back { 0 } else { rows };
                came_back += usize::from(back);
                assert_eq!((snapshot.rows(), snapshot.complete()), (280 - missing, back), "{what}");
                let of_segment = set_aside.iter().find(|place| place.path.ends_with(&damaged.path));
                let known = of_segment.map(|place| (place.rows, place.times));
                let times = Some((damaged.min_time, damaged.max_time));
                assert_eq!(known, (!back).then_some((Some(rows), times)), "{what}");
            }
        }
    }
    assert!(came_back > 0);
}

/// Whether what is sorted is a part of something else that is.
fn is_part<T: PartialEq>(part: &[T], whole: &[T]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|wanted| whole.any(|found| found == wanted))
}

/// What is found after a kill may be in memory only: it is on the disk before it is named.
#[tokio::test]
async fn what_is_named_again_is_on_the_disk() {
    let clock = TestClock::new(NOON);
    let (disk, sent) = lived(&clock).await;
    let mut disk = disk.kill();
    for path in files(&disk) {
        let bytes = disk.read(Path::new(&path)).unwrap();
        disk.remove(Path::new(&path)).unwrap();
        disk.sync_dir(Path::new(&path).parent().unwrap()).unwrap();
        disk.create(Path::new(&path)).unwrap().write_all(&bytes).unwrap();
    }
    remove_all(&disk, "manifest");
    for life in 0..4 {
        let store = open(&disk, &clock).await;
        // Of what merges have replaced the power cut leaves damaged files, and that is said.
        for table in COUNTED {
            assert_eq!(texts_of(&store, &tenant(), table), expected(table, &sent), "life {life}: {table}");
        }
        drop(store);
        disk = disk.power_cut(life);
    }
}

#[tokio::test]
async fn a_lost_log_and_a_lost_manifest_leave_what_is_in_files() {
    let clock = TestClock::new(NOON);
    let (disk, sent) = lived(&clock).await;
    remove_all(&disk, "manifest");
    remove_all(&disk, "wal");
    disk.remove(&below("store-id")).unwrap();
    let store = open(&disk, &clock).await;
    assert_eq!(texts_of(&store, &tenant(), Table::Logs), expected(Table::Logs, &sent[..200]));
    let after = append_lsn(&store, rows(500..501)).await;
    drop(store);
    // New entries are above those that were sealed, or they would be lost at a replay.
    let store = open(&disk, &clock).await;
    assert_eq!(store.snapshot(&tenant(), Table::Logs).rows(), 201, "{after}");
    assert!(store.ledger().values().all(crate::Counts::balances));
}

/// A seal that was never committed lies there, and another one with other bounds was, by a clock that had
/// gone back. That the log's beginning is gone does not say that the first one was committed.
#[tokio::test]
async fn a_seal_that_was_given_up_is_known_whatever_the_clock_said() {
    type Case = (&'static str, bool, fn(&ForgetfulDisk));
    let torn = |disk: &ForgetfulDisk| {
        let mut manifest = disk.open_append(&manifest_file(disk)).unwrap();
        manifest.write_all(b"the beginning of a line").unwrap();
    };
    let lost = |disk: &ForgetfulDisk| remove_all(disk, "manifest");
    let cases: [Case; 5] = [
        ("whole", false, |_| {}),
        ("torn", false, torn),
        ("torn, sealed", true, torn),
        ("lost", false, lost),
        ("lost, sealed", true, lost),
    ];
    for (what, is_sealed, lose) in cases {
        let clock = TestClock::new(NOON);
        let disk = ForgetfulDisk::new();
        let store = open(&disk, &clock).await;
        let first = append_lsn(&store, rows(0..10)).await;
        let given_up = {
            let (ahead, later) = (disk.kill_copy(), TestClock::new(NOON + HOUR));
            let store = open(&ahead, &later).await;
            append(&store, Signal::Spans, rows(0..1)).await;
            append_lsn(&store, rows(10..20)).await;
            store.seal_all().await.unwrap();
            let path = below(&store.snapshot(&tenant(), Table::Logs).segments[0].path);
            (ahead.read(&path).unwrap(), path)
        };
        store.seal_all().await.unwrap();
        append(&store, Signal::Spans, rows(0..1)).await;
        store.seal_all().await.unwrap();
        append_lsn(&store, rows(10..20)).await;
        append_lsn(&store, rows(20..30)).await;
        if is_sealed {
            store.seal_all().await.unwrap();
        }
        drop(store);
        let (bytes, path) = given_up;
        disk.create(&path).unwrap().write_all(&bytes).unwrap();
        lose(&disk);
        // Of the log the first entry is gone.
        let oldest = &disk.list(&below("wal")).unwrap()[0].name;
        assert!(*oldest > format!("{first:020}.wal"), "{oldest}");
        clock.advance(2 * HOUR);
        for _ in 0..2 {
            let store = open(&disk, &clock).await;
            assert_eq!(
                texts_of(&store, &tenant(), Table::Logs),
                expected(Table::Logs, &rows(0..30)),
                "{what}"
            );
            assert!(store.ledger().values().all(crate::Counts::balances), "{what}");
            assert!(what != "whole" || disk.len(&path).is_err(), "it is deleted");
            drop(store);
        }
    }
}

/// A seal was given up, and its file is found by the next start, whose clock has gone back. What that one
/// seals is younger all the same, or with the manifest lost it would seem to be what was given up.
#[tokio::test]
async fn a_seal_is_younger_than_what_its_start_found_whatever_the_clock_says() {
    let clock = TestClock::new(NOON);
    let disk = ForgetfulDisk::new();
    let store = open(&disk, &clock).await;
    let first = append_lsn(&store, rows(0..10)).await;
    drop(store);
    let (bytes, path) = {
        let (ahead, later) = (disk.kill_copy(), TestClock::new(NOON + HOUR));
        let store = open(&ahead, &later).await;
        store.seal_all().await.unwrap();
        let path = below(&store.snapshot(&tenant(), Table::Logs).segments[0].path);
        (ahead.read(&path).unwrap(), path)
    };
    disk.create_dir_all(path.parent().unwrap()).unwrap();
    disk.create(&path).unwrap().write_all(&bytes).unwrap();
    // With a manifest that is not sure of all its commits it is not deleted.
    disk.open_append(&manifest_file(&disk)).unwrap().write_all(b"the beginning of a line").unwrap();
    let store = open(&disk, &clock).await;
    append(&store, Signal::Spans, rows(0..1)).await;
    append_lsn(&store, rows(10..20)).await;
    store.seal_all().await.unwrap();
    append(&store, Signal::Spans, rows(1..2)).await;
    store.seal_all().await.unwrap();
    let segments = store.segments().live;
    let made = |path: &Path| path.file_name().unwrap().to_owned();
    assert!(segments.iter().all(|segment| made(Path::new(&segment.path)) > made(&path)), "{segments:?}");
    assert!(segments.iter().all(|segment| segment.created_unix_ms == NOON / 1_000_000), "{segments:?}");
    drop(store);
    assert!(disk.len(&path).is_ok());
    let oldest = &disk.list(&below("wal")).unwrap()[0].name;
    assert!(*oldest > format!("{first:020}.wal"), "{oldest}");
    remove_all(&disk, "manifest");
    for _ in 0..2 {
        let store = open(&disk, &clock).await;
        assert_eq!(texts_of(&store, &tenant(), Table::Logs), expected(Table::Logs, &rows(0..20)));
        assert!(store.ledger().values().all(crate::Counts::balances));
        drop(store);
    }
}

/// Also by a clock that says an earlier time than what is there was made at.
#[tokio::test]
async fn what_is_ahead_of_the_clock_is_found_again() {
    let (disk, sent) = lived(&TestClock::new(NOON)).await;
    remove_all(&disk, "manifest");
    disk.remove(&below("store-id")).unwrap();
    let clock = TestClock::new(NOON - 100 * HOUR);
    let store = open(&disk, &clock).await;
    check(&store, &sent, "ahead");
    let now_ms = (NOON - 100 * HOUR) / 1_000_000;
    assert!(store.segments().live.iter().all(|segment| segment.created_unix_ms <= now_ms));
    drop(store);
    check(&open(&disk, &clock).await, &sent, "again");
}

async fn append_lsn(store: &Store, rows: Vec<Row>) -> model::Lsn {
    send(store, &tenant(), Signal::Logs, &Request::of(rows)).await.unwrap()
}

#[tokio::test]
async fn an_older_manifest_that_was_put_back_knows_the_newer_segments_again() {
    let clock = TestClock::new(NOON);
    let disk = ForgetfulDisk::new();
    let store = open(&disk, &clock).await;
    seal(&store, 0..40).await;
    let old = disk.read(&manifest_file(&disk)).unwrap();
    for part in 1..6 {
        clock.advance(1_000_000_000);
        seal(&store, part * 40..part * 40 + 40).await;
    }
    store.compact_now().await.unwrap();
    clock.advance(2 * HOUR);
    store.retain_now(crate::Clock::now_unix_nano(&*clock)).await.unwrap();
    drop(store);
    disk.alter(&manifest_file(&disk), |bytes| bytes.clone_from(&old));
    let store = open(&disk, &clock).await;
    check(&store, &rows(0..240), "put back");
}

#[tokio::test]
async fn what_is_not_ours_by_name_or_of_another_store_stays() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    for dir in [dir.path(), other.path()] {
        let store = open_local(dir).await;
        append(&store, Signal::Logs, rows(0..10)).await;
        store.seal_all().await.unwrap();
    }
    let store = open_local(dir.path()).await;
    let segment = dir.path().join(&store.snapshot(&tenant(), Table::Logs).segments[0].path);
    drop(store);
    let day = segment.parent().unwrap();
    let foreign = open_local(other.path()).await.snapshot(&tenant(), Table::Logs).segments[0].path.clone();
    std::fs::copy(other.path().join(&foreign), dir.path().join(&foreign)).unwrap();
    let ours_not = [
        day.join("notes.txt"),
        day.join("my-export.parquet"),
        day.join("my-export.draft"),
        dir.path().join("segments/export.parquet"),
        dir.path().join("segments/logs/_delta_log/00000000000000000000.json"),
    ];
    for path in &ours_not {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "mine").unwrap();
    }
    for _ in 0..2 {
        let store = open_local(dir.path()).await;
        assert!(ours_not.iter().all(|path| path.exists()));
        assert!(dir.path().join(&foreign).exists());
        assert_eq!(store.snapshot(&tenant(), Table::Logs).rows(), 10);
    }
}

#[tokio::test]
async fn a_segment_without_its_origin_is_set_aside_and_not_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_local(dir.path()).await;
    append(&store, Signal::Logs, rows(0..10)).await;
    store.seal_all().await.unwrap();
    let segment = dir.path().join(&store.snapshot(&tenant(), Table::Logs).segments[0].path);
    drop(store);
    let unknown = segment.with_file_name("018cf57c-98c0-791b-8f70-a6d7c58b6458.parquet");
    let mut bytes = std::fs::read(&segment).unwrap();
    // As a version wrote it that did not say where the rows came from.
    let key = b"fresnel.segment";
    let at = bytes.windows(key.len()).position(|bytes| bytes == key).unwrap();
    bytes[at..at + key.len()].copy_from_slice(b"fresnel.nothing");
    reseal(&mut bytes);
    std::fs::write(&unknown, &bytes).unwrap();
    let store =
        open_with(options(config(dir.path()), Arc::new(LocalDisk::new()), &TestClock::new(NOON))).await;
    assert!(!unknown.exists());
    let set_aside = store.status().set_aside;
    assert_eq!(set_aside.len(), 1, "{set_aside:?}");
    assert_eq!(std::fs::read(dir.path().join(&set_aside[0].path)).unwrap(), bytes);
    assert!(!store.snapshot(&tenant(), Table::Logs).complete());
    assert_eq!(store.snapshot(&tenant(), Table::Logs).rows(), 10);
}

/// Makes the end of a segment, which was changed, say again that it is what was written.
fn reseal(bytes: &mut [u8]) {
    let at = bytes.windows(sums::KEY.len()).rposition(|part| part == sums::KEY.as_bytes()).unwrap();
    // Between key and value are the kind of the value and its length.
    let from = at + sums::KEY.len() + 2;
    let value = from..from + usize::from(bytes[from - 1]);
    bytes[value.end - 8..value.end].fill(b'0');
    let place = String::from_utf8(bytes[value].to_vec()).unwrap();
    let from = usize::try_from(sums::end_from(&place).unwrap()).unwrap();
    sums::seal(&place, &mut bytes[from..]);
}
