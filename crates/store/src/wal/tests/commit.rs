use std::io::ErrorKind as Io;
use std::time::Duration;

use model::ErrorKind;

use super::*;

#[test]
fn what_was_appended_is_replayed_in_order() {
    let (disk, _, _) = written(100);
    let (read, damage) = replay(&options(&disk));
    assert_eq!(read, pairs(1..=100));
    assert_eq!(damage, []);
    let (read, _) = replay(&WalOptions { replay_from: 60, ..options(&disk) });
    assert_eq!(read, pairs(60..=100));
}

#[test]
fn an_empty_body_is_an_entry() {
    let disk = ForgetfulDisk::new();
    let (wal, _) = open(&options(&disk));
    block_on(wal.append(empty_entry(), 0)).unwrap();
    drop(wal);
    let (_wal, recovery) = open(&options(&disk.kill_copy()));
    assert_eq!(recovery.collect::<Vec<_>>(), [(1, empty_entry())]);
}

#[test]
fn concurrent_senders_share_syncs_and_are_published_in_order() {
    let disk = ForgetfulDisk::new();
    disk.faults(|faults| faults.sync_delay = Duration::from_millis(1));
    let (wal, published) = open_published(&options(&disk));
    std::thread::scope(|scope| {
        for sender in 0..8 {
            let (wal, published) = (&wal, &published);
            scope.spawn(move || {
                for n in 0..100 {
                    let id = sender * 100 + n;
                    let lsn = append(wal, id).unwrap();
                    // Whoever is answered finds it published.
                    let found = published.lock()[lsn as usize - 1].clone();
                    assert_eq!(found, (lsn, entry(id).meta, id));
                }
            });
        }
    });
    let stats = wal.stats();
    assert_eq!((stats.entries, stats.last_lsn, stats.queue_bytes), (800, 800, 0));
    assert!(stats.sync.count < 400, "{} syncs for 800 entries of 8 senders", stats.sync.count);
    assert_eq!(stats.group_entries.sum, 800);
    drop(wal);
    let published = published.lock();
    let order: Vec<_> = published.iter().map(|(lsn, _, _)| *lsn).collect();
    assert_eq!(order, (1..=800).collect::<Vec<_>>());
    let (read, damage) = replay(&options(&disk.kill_copy()));
    assert_eq!(read, published.iter().map(|(lsn, _, id)| (*lsn, *id)).collect::<Vec<_>>());
    assert_eq!(damage, []);
}

#[test]
fn an_entry_whose_sender_left_stays() {
    let disk = ForgetfulDisk::new();
    let (wal, published) = open_published(&options(&disk));
    drop(wal.append(entry(1), 1));
    assert_eq!(append(&wal, 2).unwrap(), 2);
    wal.close();
    assert_eq!(published.lock().len(), 2);
    assert_eq!(replay(&options(&disk.kill_copy())).0, pairs(1..=2));
}

#[test]
fn a_full_queue_refuses_and_closing_writes_what_waits() {
    let disk = ForgetfulDisk::new();
    let (wal, _) = open(&WalOptions { queue_bytes_max: 2000, ..options(&disk) });
    // Greater than the queue, but alone.
    assert_eq!(append(&wal, 7).unwrap(), 1);
    disk.faults(|faults| faults.sync_delay = Duration::from_millis(200));
    let answers: Vec<_> = (8..14).map(|id| wal.append(entry(id), id)).collect();
    wal.close();
    let answers: Vec<_> = answers.into_iter().map(block_on).collect();
    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((1..6).contains(&accepted), "{answers:?}");
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert!(matches!(refused, WalError::Full { limit: 2000 }), "{refused:?}");
        assert_eq!((refused.kind(), refused.retryable()), (ErrorKind::ResourceExhausted, true));
    }
    assert!(matches!(append(&wal, 20), Err(WalError::Closed)));
    assert_eq!(replay(&options(&disk.kill_copy())).0.len(), accepted + 1);
}

#[test]
fn files_rotate_and_are_deleted_when_all_in_them_is_below() {
    let disk = ForgetfulDisk::new();
    let options = WalOptions { file_size: 2000, ..options(&disk) };
    let (wal, _) = open(&options);
    for id in 1..=100 {
        append(&wal, id).unwrap();
    }
    let before = wal.stats();
    assert!(before.files > 5, "{before:?}");
    wal.delete_below(50).unwrap();
    let after = wal.stats();
    assert!(after.files < before.files && after.bytes < before.bytes);
    let listed = disk.list(&Path::new(DIR).join("wal")).unwrap();
    assert_eq!((listed.len(), listed.iter().map(|e| e.len).sum()), (after.files, after.bytes));
    wal.delete_below(1000).unwrap();
    assert_eq!(wal.stats().files, 1, "the newest stays");
    append(&wal, 101).unwrap();
    drop(wal);
    let disk = disk.kill_copy();
    let (read, damage) = replay(&WalOptions { disk: Arc::new(disk), replay_from: 101, ..options });
    assert_eq!((read, damage), (pairs([101]), vec![]));
}

#[test]
fn what_is_not_replayed_yet_is_not_deleted() {
    let disk = ForgetfulDisk::new();
    let options = WalOptions { file_size: 600, ..options(&disk) };
    let (wal, _) = open(&options);
    for id in 1..=30 {
        append(&wal, id).unwrap();
    }
    drop(wal);
    let (wal, mut recovery) = open(&options);
    assert_eq!(append(&wal, 31).unwrap(), 31);
    let mut read = Vec::new();
    for (lsn, _) in recovery.by_ref() {
        read.push(lsn);
        wal.delete_below(1000).unwrap();
    }
    assert_eq!((read, recovery.damage()), ((1..=30).collect(), [].as_slice()));
    wal.delete_below(1000).unwrap();
    assert_eq!(wal.stats().files, 1);
}

#[test]
fn lsns_go_on_after_restarts_and_above_what_the_manifest_knows() {
    let (disk, _, _) = written(3);
    for (lsn_min, lsn) in [(0, 4), (0, 5), (100, 100), (50, 101)] {
        let (wal, recovery) = open(&WalOptions { lsn_min, ..options(&disk) });
        drop(recovery);
        assert_eq!(append(&wal, lsn).unwrap(), lsn);
    }
    let (read, damage) = replay(&options(&disk));
    assert_eq!(read, pairs([1, 2, 3, 4, 5, 100, 101]));
    assert_eq!((damage.len(), damage[0].first_lsn, damage[0].entries), (1, 6, 94));
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_space() {
    for space in [0, 10, 512, 600, 5000] {
        let disk = ForgetfulDisk::new();
        disk.faults(|faults| faults.space = Some(space));
        let options = WalOptions { file_size: 3000, ..options(&disk) };
        let (wal, published) = open_published(&options);
        let mut kept = Vec::new();
        for id in 0..60 {
            match append(&wal, id) {
                Ok(_) => kept.push(id),
                Err(error) => {
                    assert!(
                        matches!(&error, WalError::Io { source, .. } if source.kind() == Io::StorageFull)
                    );
                    assert_eq!((error.kind(), error.retryable()), (ErrorKind::ResourceExhausted, true));
                }
            }
            if id == 40 {
                disk.faults(|faults| faults.space = None);
            }
        }
        assert!((19..60).contains(&kept.len()), "space {space}: {kept:?}");
        assert!(options.fatal.reason().is_none());
        assert_eq!(published.lock().len(), kept.len());
        assert!(wal.stats().failed_groups > 0);
        assert_eq!(wal.stats().failing, None, "it is written again");
        drop(wal);
        let expected: Vec<_> = (1..).zip(kept).collect();
        // Also without what was not synced: a refused entry must not come back.
        for disk in [disk.clone().kill(), disk.power_cut(space)] {
            let options = WalOptions { disk: Arc::new(disk), ..options.clone() };
            assert_eq!(replay(&options), (expected.clone(), vec![]), "space {space}");
        }
    }
}

#[test]
fn a_log_starts_on_a_full_disk() {
    let (disk, _, _) = written(5);
    disk.faults(|faults| faults.space = Some(0));
    let (wal, recovery) = open(&options(&disk));
    assert_eq!(recovery.count(), 5);
    assert!(append(&wal, 6).is_err());
    assert!(append(&wal, 6).is_err());
    let failing = wal.stats().failing.expect("the log cannot be written");
    assert_eq!(failing.groups, 2);
    assert!(failing.error.starts_with("cannot write `"), "{}", failing.error);
    disk.faults(|faults| faults.space = None);
    assert_eq!(append(&wal, 6).unwrap(), 6);
    assert_eq!(wal.stats().failing, None);
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let (disk, _, _) = written(5);
    let (wal, recovery) = open(&options(&disk));
    drop(recovery);
    append(&wal, 6).unwrap();
    disk.faults(|faults| faults.fail_write = Some((0, Io::Other)));
    let error = append(&wal, 7).unwrap_err();
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::Unavailable, true));
    drop(wal);
    for seed in 0..50 {
        let disk = disk.kill_copy().power_cut(seed);
        assert_eq!(replay(&options(&disk)), (pairs(1..=6), vec![]), "seed {seed}");
    }
}

#[test]
fn a_failed_write_that_cannot_be_taken_back_is_fatal() {
    let disk = ForgetfulDisk::new();
    let options = options(&disk);
    let (wal, _) = open(&options);
    append(&wal, 1).unwrap();
    disk.faults(|faults| {
        faults.fail_write = Some((0, Io::StorageFull));
        faults.fail_set_len = true;
    });
    assert!(matches!(append(&wal, 2), Err(WalError::Fatal { .. })));
    assert!(matches!(append(&wal, 3), Err(WalError::Fatal { .. })));
    assert!(options.fatal.reason().unwrap().contains("take back"));
    assert_eq!(&*block_on(options.fatal.raised()), &*options.fatal.reason().unwrap());
}

#[test]
fn a_failed_sync_is_fatal_and_never_tried_again() {
    // The syncs of a new file: its header, its directory, the first group.
    for nth in 0..4 {
        let disk = ForgetfulDisk::new();
        let options = options(&disk);
        let (wal, published) = open_published(&options);
        disk.faults(|faults| faults.fail_sync = Some(nth));
        let answers: Vec<_> = (1..=4).map(|id| append(&wal, id)).collect();
        let acknowledged = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(acknowledged, nth.saturating_sub(2) as usize);
        assert!(answers[acknowledged..].iter().all(|a| matches!(a, Err(WalError::Fatal { .. }))));
        assert!(options.fatal.reason().is_some());
        assert_eq!(published.lock().len(), acknowledged);
        drop(wal);
        let (read, _) = replay(&super::options(&disk.power_cut(nth)));
        assert!(read.len() >= acknowledged && read.len() <= acknowledged + 1, "{read:?}");
    }
}

#[test]
fn a_panic_while_publishing_is_fatal() {
    let disk = ForgetfulDisk::new();
    let options = options(&disk);
    let publish = Box::new(|lsn, _, _: u64| assert_ne!(lsn, 2, "this panic is part of the test"));
    let (wal, _) = Wal::open(options.clone(), publish).unwrap();
    append(&wal, 1).unwrap();
    assert!(matches!(append(&wal, 2), Err(WalError::Fatal { .. })));
    assert!(append(&wal, 3).is_err());
    assert!(options.fatal.reason().unwrap().contains("panicked"));
    drop(wal);
    assert_eq!(replay(&super::options(&disk.kill_copy())).0, pairs(1..=2), "it was durable");
}

#[test]
fn a_slow_disk_makes_greater_groups() {
    let disk = ForgetfulDisk::new();
    let (wal, _) = open(&options(&disk));
    append(&wal, 1).unwrap();
    disk.faults(|faults| faults.sync_delay = Duration::from_millis(100));
    let answers: Vec<_> = (2..100).map(|id| wal.append(entry(id), id)).collect();
    for answer in answers {
        block_on(answer).unwrap();
    }
    assert!(wal.stats().sync.count <= 4, "{} syncs", wal.stats().sync.count);
}
