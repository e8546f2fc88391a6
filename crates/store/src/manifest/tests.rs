#![allow(clippy::unwrap_used)]

mod damage;
mod power;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use model::{Signal, Table, Tenant};

use super::file::file_name;
use super::*;
use crate::disk::{Chance, ForgetfulDisk};
use crate::ledger::{Counts, LedgerDelta};

const DIR: &str = "/store";

fn options(disk: &ForgetfulDisk) -> ManifestOptions {
    ManifestOptions {
        disk: Arc::new(disk.clone()),
        dir: DIR.into(),
        checkpoint_bytes: 1 << 20,
        fatal: Fatal::default(),
    }
}

fn tenant(name: &str) -> Tenant {
    Tenant::parse(name).unwrap()
}

fn segment(number: u64) -> SegmentMeta {
    let table = Table::ALL[(number % 6) as usize];
    let tenant = tenant(["default", "a"][(number % 2) as usize]);
    SegmentMeta {
        id: format!("0192-{number}"),
        path: format!("segments/{table}/tenant={tenant}/day=2026-01-01/0192-{number}.parquet"),
        table,
        tenant,
        day: 20_454,
        rows: number + 1,
        bytes: 1000 + number,
        min_time: -(number as i64),
        max_time: i64::MAX - number as i64,
        level: 0,
        created_unix_ms: 5,
        tail: number.is_multiple_of(2).then_some(Tail { len: 7 + number, crc: u32::MAX }),
        lsns: vec![(number + 1, number + 1)],
        tier: (number % 3 == 1).then_some(TierOf { resolution_ms: 300_000, rule: u64::MAX - number }),
        thinned: (0..number % 3).collect(),
    }
}

/// A commit as a seal makes it: a segment, progress and what it adds to the ledger.
fn seal(number: u64) -> Commit {
    let segment = segment(number);
    let (tenant, signal) = (segment.tenant.clone(), segment.table.signal());
    let rejected = BTreeMap::from([("no name".to_owned(), 2)]);
    let counts = Counts { received: segment.rows + 2, stored: segment.rows, rejected, ..Counts::default() };
    Commit {
        progress: vec![Progress { tenant: tenant.clone(), signal, lsn: number + 1 }],
        ledger: vec![LedgerDelta { tenant, signal, counts }],
        add: vec![segment],
        ..Commit::default()
    }
}

fn removal(number: u64, reason: RemovalReason) -> Commit {
    let remove = vec![Removal { id: segment(number).id, reason, at_unix_ms: 9 }];
    Commit { remove, ..Commit::default() }
}

/// As it is once what no commit names has been looked at.
fn sure(state: &State) -> Arc<State> {
    Arc::new(State { in_doubt: false, ..state.clone() })
}

fn reopened(disk: &ForgetfulDisk) -> (Arc<State>, Vec<ManifestDamage>) {
    let (manifest, damage) = Manifest::open(options(disk)).unwrap();
    (manifest.state(), damage)
}

#[test]
fn commits_are_there_after_a_restart() {
    let disk = ForgetfulDisk::new();
    let (manifest, damage) = Manifest::open(options(&disk)).unwrap();
    assert_eq!((&*manifest.state(), damage), (&State::default(), vec![]));
    for number in 0..8 {
        manifest.commit(seal(number)).unwrap();
    }
    let set_aside = SetAside {
        path: "set-aside/x".to_owned(),
        reason: "bad".to_owned(),
        rows: Some(3),
        times: Some((-5, 7)),
        whose: Some(Whose { tenant: Some(tenant("a")), signal: None }),
    };
    let twice = vec![set_aside.clone(), set_aside];
    manifest.commit(Commit { set_aside: twice, ..removal(2, RemovalReason::Compacted) }).unwrap();
    let state = manifest.commit(removal(0, RemovalReason::Expired)).unwrap();
    assert!(Arc::ptr_eq(&state, &manifest.state()));
    assert_eq!(state.removed.len(), 2);
    assert_eq!(state.set_aside.len(), 1);
    assert!(state.segments_of(&tenant("default"), Table::Logs).iter().all(|s| s.id != segment(0).id));
    assert_eq!(state.segments_of(&tenant("a"), Table::Spans).len(), 2);
    assert_eq!(state.lsn_max(), 8);
    assert!(state.is_sealed(&tenant("default"), Signal::Logs, 7));
    assert!(!state.is_sealed(&tenant("default"), Signal::Logs, 8));
    assert!(!state.is_sealed(&tenant("nobody"), Signal::Logs, 1));
    assert_eq!(reopened(&disk), (Arc::clone(&state), vec![]));
    let (manifest, _) = Manifest::open(options(&disk)).unwrap();
    let deleted = vec![segment(0).id, segment(2).id];
    let state = manifest.commit(Commit { deleted, ..Commit::default() }).unwrap();
    assert!(state.removed.is_empty());
    assert_eq!(reopened(&disk).0, state);
}

#[test]
fn the_ledger_moves_expired_records_of_counted_tables_only() {
    let disk = ForgetfulDisk::new();
    let (manifest, _) = Manifest::open(options(&disk)).unwrap();
    let logs = (tenant("default"), Signal::Logs);
    let metrics = (tenant("a"), Signal::Metrics);
    let mut series = seal(3);
    assert_eq!(series.add[0].table, Table::Series);
    series.ledger.clear();
    for commit in [seal(0), seal(6), series, removal(6, RemovalReason::Compacted)] {
        manifest.commit(commit).unwrap();
    }
    let before = manifest.state();
    assert_eq!((before.ledger[&logs].stored, before.ledger[&logs].received), (8, 12));
    manifest.commit(removal(0, RemovalReason::Expired)).unwrap();
    let state = manifest.commit(removal(3, RemovalReason::Expired)).unwrap();
    assert_eq!((state.ledger[&logs].stored, state.ledger[&logs].expired), (7, 1));
    assert_eq!(state.ledger.get(&metrics), None);
    assert!(state.ledger.values().all(Counts::balances));
}

#[test]
fn a_commit_that_contradicts_the_state_changes_nothing() {
    let disk = ForgetfulDisk::new();
    let (manifest, _) = Manifest::open(options(&disk)).unwrap();
    let before = manifest.commit(seal(8)).unwrap();
    let mut again = seal(8);
    again.progress.clear();
    let mut back = seal(2);
    back.progress[0].lsn = 3;
    let contradictions = [again, back, removal(5, RemovalReason::Compacted)];
    for commit in contradictions {
        let error = manifest.commit(commit).unwrap_err();
        assert!(matches!(error, ManifestError::Conflict { .. }), "{error}");
        assert!(!error.retryable());
    }
    assert_eq!((&manifest.state(), &reopened(&disk).0), (&before, &before));
    let twice = Removal { id: segment(8).id, reason: RemovalReason::Compacted, at_unix_ms: 1 };
    let commit = Commit { remove: vec![twice.clone(), twice], ..Commit::default() };
    assert_eq!(manifest.commit(commit).unwrap().removed.len(), 1);
    assert!(manifest.commit(removal(8, RemovalReason::Compacted)).is_err());
}

#[test]
fn a_grown_file_is_followed_by_a_checkpoint_and_one_is_kept() {
    let disk = ForgetfulDisk::new();
    let options = ManifestOptions { checkpoint_bytes: 2000, ..options(&disk) };
    let (manifest, _) = Manifest::open(options.clone()).unwrap();
    for number in 0..200 {
        let state = manifest.commit(seal(number)).unwrap();
        if number > 0 {
            let gone = manifest.commit(removal(number - 1, RemovalReason::Expired)).unwrap();
            let deleted = vec![gone.removed[0].segment.id.clone()];
            manifest.commit(Commit { deleted, ..Commit::default() }).unwrap();
        }
        drop(state);
    }
    let names: Vec<_> = disk.list(&Path::new(DIR).join("manifest")).unwrap();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[1].name > file_name(20), "{names:?}");
    assert!(names[0].len + names[1].len < 10_000, "{names:?}");
    assert_eq!(reopened(&disk), (manifest.state(), vec![]));
}

#[test]
fn a_failed_write_changes_nothing_and_a_failed_sync_is_fatal() {
    let disk = ForgetfulDisk::new();
    let options = options(&disk);
    let (manifest, _) = Manifest::open(options.clone()).unwrap();
    let before = manifest.commit(seal(1)).unwrap();
    disk.faults(|faults| faults.space = Some(20));
    let error = manifest.commit(seal(2)).unwrap_err();
    assert_eq!((error.kind(), error.retryable()), (model::ErrorKind::ResourceExhausted, true));
    assert_eq!(manifest.state(), before);
    for seed in 0..20 {
        assert_eq!(reopened(&disk.kill_copy().power_cut(seed)).0, before, "seed {seed}");
    }
    disk.faults(|faults| faults.space = None);
    let after = manifest.commit(seal(2)).unwrap();
    disk.faults(|faults| faults.fail_sync = Some(0));
    assert!(matches!(manifest.commit(seal(3)), Err(ManifestError::Fatal { .. })));
    assert!(matches!(manifest.commit(seal(4)), Err(ManifestError::Fatal { .. })));
    assert!(options.fatal.reason().is_some());
    assert_eq!(manifest.state(), after);
}

#[test]
fn a_checkpoint_that_does_not_fit_is_left_out() {
    let disk = ForgetfulDisk::new();
    let options = ManifestOptions { checkpoint_bytes: 3000, ..options(&disk) };
    let (manifest, _) = Manifest::open(options.clone()).unwrap();
    disk.faults(|faults| faults.space = Some(4000));
    let mut number = 0;
    while manifest.commit(seal(number)).is_ok() {
        number += 1;
    }
    assert!(options.fatal.reason().is_none());
    assert!(number >= 6, "{number}");
    let before = manifest.state();
    assert_eq!(reopened(&disk.kill_copy()), (before, vec![]));
    disk.faults(|faults| faults.space = None);
    for number in number..number + 10 {
        manifest.commit(seal(number)).unwrap();
    }
    assert_eq!(reopened(&disk).0, manifest.state());
}

#[test]
fn more_damage_than_is_listed_still_says_that_something_is_missing() {
    let disk = ForgetfulDisk::new();
    let (manifest, _) = Manifest::open(options(&disk)).unwrap();
    let place = |number: i64| SetAside {
        path: format!("set-aside/segments/logs/tenant=default/day=2026-01-01/{number}.parquet"),
        rows: Some(1),
        times: Some((number, number + 1)),
        ..SetAside::default()
    };
    let unread = SetAside { path: "set-aside/manifest.bin".to_owned(), ..SetAside::default() };
    let set_aside = std::iter::once(unread).chain((0..1010).map(place)).collect();
    manifest.commit(Commit { set_aside, ..Commit::default() }).unwrap();
    for _ in 0..2 {
        let state = reopened(&disk).0;
        assert_eq!(state.set_aside.len(), 1000);
        let older = &state.set_aside[0];
        assert_eq!((older.span(), older.concerns(&tenant("default"), Table::Logs)), ((0, 11), true));
        assert_eq!(state.set_aside[1], place(11));
        manifest.commit(Commit { set_aside: vec![place(11)], ..Commit::default() }).unwrap();
    }
    let state = manifest.commit(Commit { forget: vec![place(12).path], ..Commit::default() }).unwrap();
    assert_eq!((state.set_aside.len(), reopened(&disk).0), (999, state));
}
