//! The file: what a crash, damage and a second process do to it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
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
    for place in (8..ends[2] as usize).step_by(3) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let error = open(&path).unwrap_err();
        let begin = if (place as u64) < ends[1] { ends[0] } else { ends[1] };
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
