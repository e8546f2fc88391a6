//! The file: what a crash, damage and a second process do to it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;

use super::{event, positions};
use crate::events::{FileOptions, FileStore, OpenError, Page, Query, Store};

fn open(path: &PathBuf) -> Result<FileStore, OpenError> {
    FileStore::open(path, FileOptions::default())
}

/// A file with three appends, of one, two and one event, and where each of them ends.
fn written() -> (tempfile::TempDir, PathBuf, Vec<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let store = open(&path).unwrap();
    let mut ends = vec![fs::metadata(&path).unwrap().len()];
    for count in [1, 2, 1] {
        let events = (0..count).map(|n| event("A.B", &[("n", &n.to_string())], 7)).collect();
        store.append(events, None).unwrap();
        ends.push(fs::metadata(&path).unwrap().len());
    }
    drop(store);
    (folder, path, ends)
}

fn read(store: &FileStore) -> Vec<u64> {
    positions(&store.read(&Query::everything(), &Page::default()).unwrap())
}

#[test]
fn what_was_stored_is_there_after_the_next_open() {
    let (_folder, path, _) = written();
    let store = open(&path).unwrap();
    assert_eq!((read(&store), store.truncated()), (vec![1, 2, 3, 4], 0));
    let all = store.read(&Query::everything(), &Page::default()).unwrap();
    assert_eq!((all[2].tags["n"].as_str(), all[2].time_unix_nano), ("1", 7));
    store.append(vec![event("A.B", &[], 0)], None).unwrap();
    drop(store);
    assert_eq!(read(&open(&path).unwrap()), [1, 2, 3, 4, 5]);
}

/// A crash can leave any prefix of the last append. The appends before it are all there, none of it
/// is, and the file goes on.
#[test]
fn an_append_that_was_cut_off_anywhere_is_removed() {
    let (folder, path, ends) = written();
    let whole = fs::read(&path).unwrap();
    // Every third byte, so that all parts of a record are met.
    for cut in (0..whole.len()).step_by(3) {
        let torn = folder.path().join("torn");
        fs::write(&torn, &whole[..cut]).unwrap();
        let store = open(&torn).unwrap();
        let kept = ends.iter().filter(|end| **end <= cut as u64).count().saturating_sub(1);
        let expected = [0, 1, 3, 4][kept];
        assert_eq!(read(&store), (1..=expected).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(store.append(vec![event("A.B", &[], 0)], None).unwrap(), [expected + 1]);
        drop(store);
        assert_eq!(read(&open(&torn).unwrap()).len() as u64, expected + 1, "cut at {cut}");
    }
}

/// The size grew, but what was written there did not arrive.
#[test]
fn a_tail_of_zeros_or_dirt_is_removed() {
    for dirt in [0_u8, 0xff, 0xfe] {
        let (_folder, path, _) = written();
        let mut bytes = fs::read(&path).unwrap();
        let end = bytes.len();
        bytes.resize(end + 5000, dirt);
        fs::write(&path, bytes).unwrap();
        let store = open(&path).unwrap();
        assert_eq!((read(&store), store.truncated()), (vec![1, 2, 3, 4], 5000));
        assert_eq!(fs::metadata(&path).unwrap().len(), end as u64);
    }
}

/// What was acknowledged must not be taken for the tail of a crash.
#[test]
fn damage_before_good_events_is_refused_and_nothing_is_changed() {
    let (_folder, path, ends) = written();
    let whole = fs::read(&path).unwrap();
    // Behind the name, without which it is a file of something else.
    for place in (8..ends[2] as usize).step_by(3) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let error = open(&path).unwrap_err();
        let begin = match place as u64 {
            place if place < ends[0] => 0,
            place if place < ends[1] => ends[0],
            _ => ends[1],
        };
        assert!(matches!(error, OpenError::Damaged { offset, .. } if offset == begin), "{place}: {error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter");
    fs::write(&path, "Dear Ann,").unwrap();
    assert!(matches!(open(&path), Err(OpenError::Foreign(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "Dear Ann,");
    assert!(matches!(open(&folder.path().join("no/such/folder")), Err(OpenError::Io { .. })));
}

#[test]
fn one_store_at_a_time() {
    let (_folder, path, _) = written();
    let store = open(&path).unwrap();
    assert!(matches!(open(&path), Err(OpenError::InUse(_))));
    drop(store);
    assert!(open(&path).is_ok());
}

#[test]
fn an_event_that_is_damaged_while_the_store_is_open_is_told() {
    let (_folder, path, ends) = written();
    let store = open(&path).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"XXXX", ends[0] + 20).unwrap();
    let error = store.read(&Query::everything(), &Page::default()).unwrap_err();
    assert_eq!(error.to_string(), "the event at position 1 is damaged");
}

/// Whole appends stay or go; what comes later is as if nothing had happened.
#[test]
fn what_was_deleted_is_not_there_after_the_next_open_and_all_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let store = open(&path).unwrap();
    store.append(vec![event("A.B", &[], 1), event("A.B", &[], 2)], None).unwrap();
    store.append(vec![event("A.B", &[], 3), event("A.B", &[], 9)], None).unwrap();
    store.append(vec![event("A.B", &[], 10)], None).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::metadata(&path).unwrap().len();
    assert_eq!(store.delete_before(9).unwrap(), 2, "the third is older, and was stored with the fourth");
    let after = fs::metadata(&path).unwrap();
    assert!(after.len() < before && after.permissions().mode() & 0o777 == 0o600, "for nobody else");
    assert!(matches!(open(&path), Err(OpenError::InUse(_))), "the new file is locked as the old one was");
    store.append(vec![event("A.B", &[], 11)], None).unwrap();
    drop(store);
    let store = open(&path).unwrap();
    assert_eq!((read(&store), store.head(), store.truncated()), (vec![3, 4, 5, 6], 6, 0));
    assert_eq!(store.delete_before(u64::MAX).unwrap(), 4);
    drop(store);
    let store = open(&path).unwrap();
    assert_eq!((read(&store), store.head()), (vec![], 6), "the position goes on");
    assert_eq!(store.append(vec![event("A.B", &[], 12)], None).unwrap(), [7]);
    drop(store);
    assert_eq!(read(&open(&path).unwrap()), [7]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

/// A crash in the middle of it, at any byte, leaves the old file and a part of the new one.
#[test]
fn a_deletion_that_was_cut_off_has_deleted_nothing_and_succeeds_the_next_time() {
    let (_folder, path, _) = written();
    let new = path.with_extension("new");
    fs::write(&new, [0xfe; 100]).unwrap();
    let store = open(&path).unwrap();
    assert_eq!(read(&store), [1, 2, 3, 4]);
    assert_eq!(store.delete_before(8).unwrap(), 4);
    assert!(!new.exists());
}

/// Where there is no room for what stays, all of it stays as it was.
#[test]
fn a_deletion_that_fails_changes_nothing() {
    let (_folder, path, _) = written();
    let store = open(&path).unwrap();
    // It cannot be made where a folder is.
    fs::create_dir(path.with_extension("new")).unwrap();
    let error = store.delete_before(8).unwrap_err();
    assert_eq!(error.to_string(), "the events that stay cannot be written");
    assert_eq!((read(&store), store.failure()), (vec![1, 2, 3, 4], None));
    store.append(vec![event("A.B", &[], 0)], None).unwrap();
    drop(store);
    assert_eq!(read(&open(&path).unwrap()), [1, 2, 3, 4, 5]);
}

/// What an earlier version has written.
#[test]
fn a_file_of_the_first_form_is_read_and_written_on() {
    let (_folder, path, ends) = written();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, [b"FRSNEVT1", &bytes[ends[0] as usize..]].concat()).unwrap();
    let store = open(&path).unwrap();
    store.append(vec![event("A.B", &[], 9)], None).unwrap();
    drop(store);
    let store = open(&path).unwrap();
    assert_eq!(read(&store), [1, 2, 3, 4, 5]);
    assert_eq!(store.delete_before(8).unwrap(), 4);
    drop(store);
    assert_eq!(read(&open(&path).unwrap()), [5]);
}
