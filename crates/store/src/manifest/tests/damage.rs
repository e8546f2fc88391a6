use super::*;

fn path(generation: u64) -> std::path::PathBuf {
    Path::new(DIR).join("manifest").join(file_name(generation))
}

/// A disk with this many seals in the manifest's one file, the states after each, and where its lines end.
fn written(seals: u64) -> (ForgetfulDisk, Vec<Arc<State>>, Vec<u64>) {
    let disk = ForgetfulDisk::new();
    let (manifest, _) = Manifest::open(options(&disk)).unwrap();
    let mut states = vec![manifest.state()];
    let mut ends = vec![disk.len(&path(1)).unwrap()];
    for number in 0..seals {
        states.push(manifest.commit(seal(number)).unwrap());
        ends.push(disk.len(&path(1)).unwrap());
    }
    (disk, states, ends)
}

#[test]
fn a_torn_last_record_is_cut_off_wherever_it_was_torn() {
    let (disk, states, ends) = written(4);
    for len in ends[3]..ends[4] {
        let disk = disk.kill_copy();
        disk.alter(&path(1), |bytes| bytes.truncate(len as usize));
        let (manifest, damage) = Manifest::open(options(&disk)).unwrap();
        assert_eq!((sure(&manifest.state()), damage), (Arc::clone(&states[3]), vec![]), "cut at {len}");
        let state = manifest.commit(seal(3)).unwrap();
        assert_eq!(sure(&state), states[4]);
        assert_eq!(reopened(&disk), (state, vec![]), "cut at {len}");
    }
}

/// A start may end before it has looked at what no commit names, and the next one must not believe that
/// the manifest names all.
#[test]
fn what_was_torn_or_damaged_stays_in_doubt_until_it_is_settled() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 2] =
        [|bytes| bytes.truncate(bytes.len() - 1), |bytes| *bytes.last_mut().unwrap() ^= 1];
    for damage in damages {
        let (disk, ..) = written(4);
        let open = || Manifest::open(options(&disk)).unwrap().0;
        assert!(open().found_whole());
        disk.alter(&path(1), damage);
        for _ in 0..3 {
            let manifest = open();
            assert!(!manifest.found_whole() && manifest.state().in_doubt);
            manifest.commit(Commit::default()).unwrap();
        }
        open().commit(Commit { settled: true, ..Commit::default() }).unwrap();
        assert!(open().found_whole());
        assert!(!open().state().in_doubt);
    }
}

#[test]
fn a_damaged_record_in_the_middle_is_loud_and_costs_only_itself() {
    let (disk, states, ends) = written(4);
    for at in ends[1]..ends[2] {
        let disk = disk.kill_copy();
        disk.alter(&path(1), |bytes| bytes[at as usize] ^= 1);
        let (state, damage) = reopened(&disk);
        assert_eq!(damage.len(), 1, "byte {at}");
        // The end of a line that is none joins two lines.
        let lost = if at == ends[2] - 1 { 2 } else { 1 };
        assert_eq!(damage[0].lost_commits, lost, "byte {at}: {damage:?}");
        let rows: u64 = state.segments.values().flat_map(|s| s.iter()).map(|s| s.rows).sum();
        let expected = if lost == 1 { 1 + 3 + 4 } else { 1 + 4 };
        assert_eq!(rows, expected, "byte {at}");
        assert_eq!(state.set_aside.len(), 1);
        assert_eq!(Path::new(DIR).join(&state.set_aside[0].path), damage[0].path);
        assert_eq!(disk.len(&damage[0].path).unwrap(), ends[4], "a copy is kept");
        assert_eq!(reopened(&disk), (state, vec![]), "the next start is clean");
    }
    assert_eq!(states.len(), 5);
}

#[test]
fn a_lost_commit_does_not_take_others_with_it() {
    let (disk, _, ends) = written(4);
    let (manifest, _) = Manifest::open(options(&disk)).unwrap();
    let remove = [1, 2].map(|number| removal(number, RemovalReason::Compacted).remove.remove(0)).to_vec();
    let mut merged = segment(8);
    merged.table = segment(2).table;
    manifest.commit(Commit { remove, add: vec![merged], ..Commit::default() }).unwrap();
    drop(manifest);
    // The commit that added segment 1 goes; a later one removes it.
    disk.alter(&path(1), |bytes| bytes[ends[1] as usize + 20] ^= 1);
    let (state, damage) = reopened(&disk);
    assert_eq!(damage[0].lost_commits, 1);
    let live: Vec<_> = state.segments.values().flat_map(|s| s.iter()).map(|s| s.id.clone()).collect();
    assert_eq!(live.len(), 3, "{live:?}");
    assert!([0, 3, 8].iter().all(|number| live.contains(&segment(*number).id)), "{live:?}");
}

#[test]
fn a_damaged_checkpoint_is_made_up_from_the_file_before() {
    let disk = ForgetfulDisk::new();
    let small = ManifestOptions { checkpoint_bytes: 2000, ..options(&disk) };
    let (manifest, _) = Manifest::open(small.clone()).unwrap();
    let mut number = 0;
    while disk.len(&path(3)).is_err() {
        manifest.commit(seal(number)).unwrap();
        number += 1;
    }
    let state = manifest.commit(seal(number)).unwrap();
    drop(manifest);
    for alter in [|bytes: &mut Vec<u8>| bytes[100] ^= 1, |bytes: &mut Vec<u8>| bytes[0] = b'\n'] {
        let disk = disk.kill_copy();
        disk.alter(&path(3), alter);
        let (found, damage) = reopened(&disk);
        assert_eq!((damage.len(), damage[0].lost_commits), (1, 0), "{damage:?}");
        assert_eq!((&found.segments, &found.progress), (&state.segments, &state.progress));
        assert_eq!(found.ledger, state.ledger);
        assert_eq!(reopened(&disk), (found, vec![]));
    }
    // With the file before it gone as well, all of it is lost; but the start succeeds and says so.
    disk.alter(&path(3), |bytes| bytes[100] ^= 1);
    disk.remove(&path(2)).unwrap();
    let (found, damage) = reopened(&disk);
    assert_eq!((damage.len(), damage[0].lost_commits), (1, number));
    assert_eq!(found.segments.len(), 1);
}

#[test]
fn a_file_that_cannot_be_read_does_not_stop_the_start() {
    let (disk, _, _) = written(3);
    disk.faults(|faults| faults.fail_read = Some((path(1), 0)));
    let (state, damage) = reopened(&disk);
    assert_eq!((damage.len(), state.segments.len()), (1, 0));
    assert!(damage[0].reason.contains("cannot be read"), "{damage:?}");
}

#[test]
fn a_newer_version_is_refused() {
    let (disk, _, _) = written(2);
    let json = br#"{"version":2,"sequence":3,"something":{"new":[]}}"#;
    disk.alter(&path(1), |bytes| {
        bytes.extend(format!("{:08x} ", crc32fast::hash(json)).bytes());
        bytes.extend(json);
        bytes.push(b'\n');
    });
    let error = Manifest::open(options(&disk)).err().unwrap();
    assert!(matches!(error, ManifestError::Version { version: 2, known: 1, .. }), "{error}");
}

#[test]
fn what_an_interrupted_checkpoint_left_is_removed() {
    let (disk, states, _) = written(2);
    let unfinished = Path::new(DIR).join("manifest/00000000000000000002.unfinished");
    disk.create(&unfinished).unwrap().write_all(b"12345678 {").unwrap();
    assert_eq!(reopened(&disk), (Arc::clone(&states[2]), vec![]));
    assert!(disk.len(&unfinished).is_err());
}
