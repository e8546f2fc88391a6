#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::Path;

use super::{BLOCK, Disk, ForgetfulDisk, LocalDisk};

/// What holds for every disk.
fn contract(disk: &dyn Disk, root: &Path) {
    let dir = root.join("a/b");
    disk.create_dir_all(&dir).unwrap();
    disk.create_dir_all(&dir).unwrap();
    let (one, two) = (dir.join("one"), dir.join("two"));
    assert_eq!(disk.open_append(&one).err().map(|e| e.kind()), Some(io::ErrorKind::NotFound));
    let mut file = disk.create(&one).unwrap();
    assert!(file.is_empty());
    file.write_all_vectored(&mut [IoSlice::new(b"he"), IoSlice::new(b""), IoSlice::new(b"llo")]).unwrap();
    file.write_all_vectored(&mut [IoSlice::new(b""), IoSlice::new(b"")]).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(&dir).unwrap();
    assert_eq!((file.len(), disk.len(&one).unwrap()), (5, 5));
    file.set_len(4).unwrap();
    file.write_all(b"!").unwrap();
    drop(file);
    disk.open_append(&one).unwrap().write_all(b"?").unwrap();
    assert_eq!(disk.read(&one).unwrap(), b"hell!?");
    assert_eq!(disk.read_at(&one, 1, 3).unwrap(), b"ell");
    let beyond = disk.read_at(&one, 4, 3).unwrap_err();
    assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
    // Whatever is announced, what is read is the same.
    disk.read_ahead(&one, &[0..2, 3..3, 4..99]);
    disk.read_ahead(&two, std::slice::from_ref(&(0..1)));
    assert_eq!(disk.read_at(&one, 0, 6).unwrap(), b"hell!?");
    disk.create(&two).unwrap().write_all(b"x").unwrap();
    disk.rename(&one, &two).unwrap();
    let names = |dir: &Path| -> Vec<_> {
        disk.list(dir).unwrap().into_iter().map(|e| (e.name, e.len, e.is_dir)).collect()
    };
    assert_eq!(names(&dir), [("two".to_owned(), 6, false)]);
    assert_eq!(names(&root.join("a")), [("b".to_owned(), 0, true)]);
    assert!(disk.create(&two).unwrap().is_empty());
    disk.remove(&two).unwrap();
    assert_eq!(disk.remove(&two).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(disk.list(&dir).unwrap().is_empty());
    assert!(disk.available_bytes(&dir).unwrap() > 0);
}

#[test]
fn both_disks_do_the_same() {
    let dir = tempfile::tempdir().unwrap();
    contract(&LocalDisk::new(), dir.path());
    contract(&ForgetfulDisk::new(), Path::new("/store"));
}

/// What holds for files that are written past the memory of the system, or could be.
fn direct(disk: &dyn Disk, dir: &Path) {
    disk.create_dir_all(dir).unwrap();
    let path = dir.join("direct");
    let bytes: Vec<u8> = (0..3 * (1 << 20) + BLOCK).map(|at| (at / 7) as u8).collect();
    let mut file = disk.create_direct(&path).unwrap();
    // Parts that are no blocks; together they are.
    let mut parts: Vec<_> = bytes.chunks(100_003).map(IoSlice::new).collect();
    file.write_all_vectored(&mut parts).unwrap();
    file.write_all(&[1; BLOCK]).unwrap();
    file.sync_data().unwrap();
    assert_eq!(file.len(), (bytes.len() + BLOCK) as u64);
    file.set_len(bytes.len() as u64).unwrap();
    file.write_all(&[2; BLOCK]).unwrap();
    file.sync_data().unwrap();
    let found = disk.read(&path).unwrap();
    assert!(found[..bytes.len()] == bytes && found[bytes.len()..] == [2; BLOCK]);
    assert!(disk.create_direct(&path).unwrap().is_empty(), "an existing one is emptied");
}

#[test]
fn blocks_written_directly_are_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    direct(&LocalDisk::new(), dir.path());
    direct(&ForgetfulDisk::new(), Path::new("/store"));
}

/// What holds for files that end anywhere.
fn direct_to_the_end(disk: &dyn Disk, dir: &Path) {
    let path = dir.join("end");
    for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, (1 << 20) - 1, (1 << 20) + 7, 3 * (1 << 20) + 4095] {
        let bytes: Vec<u8> = (0..len).map(|at| (at / 7) as u8).collect();
        let mut file = disk.create_direct(&path).unwrap();
        bytes.chunks(300_007).for_each(|part| file.write_all(part).unwrap());
        assert_eq!(file.len(), len as u64);
        file.end().unwrap();
        file.sync_data().unwrap();
        assert_eq!((file.len(), disk.len(&path).unwrap()), (len as u64, len as u64));
        assert!(disk.read(&path).unwrap() == bytes, "{len} bytes");
        for (from, to) in [(0, len), (len / 2, len), (1, len), (len / 3, len / 2)] {
            let (from, to) = (from.min(len), to.min(len));
            let found = disk.read_once_at(&path, from as u64, to - from).unwrap();
            assert!(found == bytes[from..to], "{from} to {to} of {len} bytes");
        }
        let behind = disk.read_once_at(&path, 0, len + 1).unwrap_err();
        assert_eq!(behind.kind(), io::ErrorKind::UnexpectedEof, "{len} bytes");
    }
    let missing = disk.read_once_at(&dir.join("missing"), 0, 1).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
}

#[test]
fn files_written_directly_end_anywhere_and_are_read_from_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    direct_to_the_end(&LocalDisk::new(), dir.path());
    let forgetful = ForgetfulDisk::new();
    forgetful.create_dir_all(Path::new("/store")).unwrap();
    direct_to_the_end(&forgetful, Path::new("/store"));
}

#[test]
fn a_part_of_a_block_is_not_synced_before_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("direct");
    let Some(mut file) = super::direct::DirectFile::create(&path).unwrap() else {
        // A file system without such writes takes the other way, which has no blocks.
        return;
    };
    super::File::write_all(&mut file, &[1; BLOCK + 1]).unwrap();
    let refused = super::File::sync_data(&mut file).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_power_cut_keeps_what_was_synced_and_anything_of_the_rest() {
    let dir = Path::new("/store");
    let path = dir.join("file");
    let mut outcomes = BTreeSet::new();
    for seed in 0..300 {
        let disk = ForgetfulDisk::new();
        disk.create_dir_all(dir).unwrap();
        let mut file = disk.create(&path).unwrap();
        file.write_all(&[1; 700]).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(dir).unwrap();
        file.write_all(&[2; 1000]).unwrap();
        let after = disk.power_cut(seed);
        assert!(file.write_all(b"x").is_err(), "seed {seed}: the power was cut");
        let content = after.read(&path).unwrap();
        assert!(content.starts_with(&[1; 700]), "seed {seed}: synced bytes are lost");
        assert!(content.len() <= 1700, "seed {seed}");
        outcomes.insert(content);
    }
    assert!(outcomes.contains([1; 700].as_slice()), "all of it can be lost");
    assert!(outcomes.iter().any(|c| c.len() == 1700 && c.ends_with(&[2; 1000])), "all can survive");
    assert!(outcomes.len() > 50, "and much between");
}

#[test]
fn a_name_survives_for_sure_only_after_its_directory_was_synced() {
    let dir = Path::new("/store");
    let (old, new) = (dir.join("old"), dir.join("new"));
    let outcomes: BTreeSet<(bool, bool)> = (0..100)
        .map(|seed| {
            let disk = ForgetfulDisk::new();
            disk.create_dir_all(dir).unwrap();
            disk.create(&old).unwrap().sync_data().unwrap();
            disk.sync_dir(dir).unwrap();
            disk.rename(&old, &new).unwrap();
            let after = disk.power_cut(seed);
            (after.len(&old).is_ok(), after.len(&new).is_ok())
        })
        .collect();
    assert_eq!(outcomes, BTreeSet::from([(true, false), (false, true)]));
}

#[test]
fn a_directory_that_a_kill_left_is_durable_once_it_was_asked_for_again() {
    let (above, dir) = (Path::new("/store"), Path::new("/store/a/b"));
    let killed = || {
        let disk = ForgetfulDisk::new();
        disk.create_dir_all(above).unwrap();
        // Two are made, and the second sync does not come.
        disk.faults(|faults| faults.power_off = Some(3));
        assert!(disk.create_dir_all(dir).is_err());
        disk.kill()
    };
    let write = |disk: &ForgetfulDisk| {
        let path = dir.join("file");
        disk.create(&path).unwrap().sync_data().unwrap();
        disk.sync_dir(dir).unwrap();
        path
    };
    let lost = |disk: &ForgetfulDisk, path: &Path, seed| disk.kill().power_cut(seed).len(path).is_err();
    let careless = killed();
    let path = write(&careless);
    assert!((0..50).any(|seed| lost(&careless, &path, seed)), "it may be in memory only");
    let careful = killed();
    careful.create_dir_all(dir).unwrap();
    let path = write(&careful);
    assert!((0..50).all(|seed| !lost(&careful, &path, seed)));
}

#[test]
fn directories_are_made_again_when_somebody_removed_them() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = (LocalDisk::new(), root.path().join("a/b"));
    for _ in 0..2 {
        disk.create_dir_all(&dir).unwrap();
        disk.create(&dir.join("file")).unwrap();
        std::fs::remove_dir_all(root.path().join("a")).unwrap();
    }
    // What stands in the way is said.
    std::fs::write(root.path().join("a"), "").unwrap();
    assert!(disk.create_dir_all(&dir).is_err());
}

#[test]
fn a_kill_keeps_what_was_written() {
    let dir = Path::new("/store");
    let disk = ForgetfulDisk::new();
    disk.create_dir_all(dir).unwrap();
    let mut file = disk.create(&dir.join("file")).unwrap();
    file.write_all(b"abc").unwrap();
    let after = disk.kill();
    assert!(file.sync_data().is_err());
    assert_eq!(after.read(&dir.join("file")).unwrap(), b"abc");
    let lost = (0..50).any(|seed| after.kill().power_cut(seed).read(&dir.join("file")).is_err());
    assert!(lost, "a kill syncs nothing");
}

#[test]
fn a_lock_is_for_one_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let held = LocalDisk::new().lock(&path).unwrap();
    assert_eq!(LocalDisk::new().lock(&path).err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
    drop(held);
    LocalDisk::new().lock(&path).unwrap();
}
