use super::super::DamageKind;
use super::super::format::{FILE_HEADER_LEN, FileHeader, VERSION};
use super::*;

#[test]
fn a_torn_tail_is_cut_off_wherever_it_was_torn() {
    let (disk, bounds, path) = written(6);
    let end = end_of(&disk, &path, bounds[5]);
    for len in bounds[5]..end {
        let disk = disk.kill_copy();
        disk.alter(&path, |bytes| bytes.truncate(len as usize));
        let (read, damage) = replay(&options(&disk));
        assert_eq!(read, pairs(1..=5), "cut at {len}");
        let expected: &[_] = if len == bounds[5] { &[] } else { &[DamageKind::TornTail] };
        assert_eq!(damage.iter().map(|d| d.kind).collect::<Vec<_>>(), expected, "cut at {len}");
        let (wal, _) = open(&options(&disk));
        assert_eq!(append(&wal, 6).unwrap(), 6, "the LSN is free again");
        drop(wal);
        assert_eq!(replay(&options(&disk)), (pairs(1..=6), vec![]), "cut at {len}");
    }
    for len in end..=bounds[6] {
        let disk = disk.kill_copy();
        disk.alter(&path, |bytes| bytes.truncate(len as usize));
        assert_eq!(replay(&options(&disk)), (pairs(1..=6), vec![]), "only fill is missing: {len}");
    }
}

#[test]
fn altered_fill_costs_nothing() {
    let (disk, bounds, path) = written(3);
    for at in end_of(&disk, &path, bounds[0])..bounds[1] {
        let disk = disk.kill_copy();
        disk.alter(&path, |bytes| bytes[at as usize] ^= 0x40);
        assert_eq!(replay(&options(&disk)), (pairs(1..=3), vec![]), "byte {at}");
    }
}

#[test]
fn a_flipped_byte_costs_one_entry_and_the_rest_is_kept() {
    let (disk, bounds, path) = written(6);
    let intact = disk.read(&path).unwrap();
    for at in bounds[2]..end_of(&disk, &path, bounds[2]) {
        let disk = disk.kill_copy();
        disk.alter(&path, |bytes| bytes[at as usize] ^= 0x40);
        let (read, damage) = replay(&options(&disk));
        assert_eq!(read, pairs([1, 2, 4, 5, 6]), "byte {at}");
        assert_eq!(damage.len(), 1, "byte {at}: {damage:?}");
        let found = &damage[0];
        assert_eq!((found.kind, found.first_lsn, found.entries), (DamageKind::SetAside, 3, 1));
        assert!(!found.last_write);
        assert_eq!(found.path, Path::new("/store/set-aside/wal-00000000000000000003.bin"));
        let mut expected = intact[bounds[2] as usize..bounds[3] as usize].to_vec();
        expected[(at - bounds[2]) as usize] ^= 0x40;
        assert_eq!(disk.read(&found.path).unwrap(), expected, "byte {at}");
        // The next start says the same and the log goes on.
        assert_eq!(replay(&options(&disk)).1, damage);
        let (wal, _) = open(&options(&disk));
        assert_eq!(append(&wal, 7).unwrap(), 7);
        let above = WalOptions { replay_from: 4, ..options(&disk.kill_copy()) };
        assert_eq!(replay(&above), (pairs([4, 5, 6, 7]), vec![]), "below is nobody's concern");
    }
}

#[test]
fn the_last_entry_altered_in_full_length_is_kept_to_look_at() {
    let (disk, bounds, path) = written(6);
    let end = end_of(&disk, &path, bounds[5]);
    disk.alter(&path, |bytes| bytes[end as usize - 1] ^= 1);
    let (read, damage) = replay(&options(&disk));
    assert_eq!(read, pairs(1..=5));
    assert_eq!((damage[0].kind, damage[0].first_lsn, damage[0].entries), (DamageKind::TornTail, 6, 1));
    assert!(damage[0].last_write);
    assert_eq!(disk.len(&damage[0].path).unwrap(), bounds[6] - bounds[5]);
}

#[test]
fn a_damaged_file_header_costs_nothing() {
    let (disk, _, path) = written(4);
    for at in 0..32 {
        let disk = disk.kill_copy();
        disk.alter(&path, |bytes| bytes[at] ^= 1);
        assert_eq!(replay(&options(&disk)), (pairs(1..=4), vec![]), "byte {at}");
    }
}

#[test]
fn a_newest_file_that_cannot_be_read_is_moved_away() {
    let (disk, bounds, path) = written(4);
    disk.alter(&path, |bytes| bytes[..bounds[0] as usize + 8].fill(0));
    let (wal, mut recovery) = open(&options(&disk));
    assert_eq!(recovery.next(), None);
    let damage = &recovery.damage()[0];
    assert_eq!((damage.kind, damage.first_lsn, recovery.damage().len()), (DamageKind::SetAside, 1, 1));
    assert_eq!(disk.len(&damage.path).unwrap(), bounds[4]);
    assert!(append(&wal, 9).unwrap() > 4, "no LSN is given out twice");
}

#[test]
fn files_in_the_middle_that_are_missing_short_or_unreadable_are_reported() {
    let disk = ForgetfulDisk::new();
    let options = WalOptions { file_size: 600, ..options(&disk) };
    let (wal, _) = open(&options);
    for id in 1..=30 {
        append(&wal, id).unwrap();
    }
    drop(wal);
    let dir = Path::new(DIR).join("wal");
    let names: Vec<_> = disk.list(&dir).unwrap().into_iter().map(|entry| entry.name).collect();
    let first = |at: usize| super::super::format::parse_file_name(&names[at]).unwrap();
    let check = |what: &str, kind: DamageKind, alter: &dyn Fn(&ForgetfulDisk, &Path)| {
        let disk = disk.kill_copy();
        alter(&disk, &dir.join(&names[3]));
        let (read, damage) = replay(&WalOptions { disk: Arc::new(disk), ..options.clone() });
        let lost = first(3)..first(4);
        assert_eq!(read, pairs((1..=30).filter(|id| !lost.contains(id))), "{what}");
        assert_eq!(damage.len(), 1, "{what}: {damage:?}");
        let found = (damage[0].kind, damage[0].first_lsn, damage[0].entries);
        assert_eq!(found, (kind, lost.start, lost.end - lost.start), "{what}");
    };
    check("missing", DamageKind::Missing, &|disk, path| disk.remove(path).unwrap());
    let header = FILE_HEADER_LEN;
    check("short", DamageKind::Missing, &|disk, path| disk.alter(path, |bytes| bytes.truncate(header)));
    check("empty", DamageKind::Missing, &|disk, path| disk.alter(path, Vec::clear));
    check("zeros", DamageKind::SetAside, &|disk, path| disk.alter(path, |bytes| bytes.fill(0)));
}

#[test]
fn a_bad_sector_costs_only_what_is_in_it() {
    let (disk, bounds, path) = written(30);
    disk.faults(|faults| faults.fail_read = Some((path, bounds[10] + 1)));
    let (read, damage) = replay(&options(&disk));
    let page = bounds[10] / 4096 * 4096..(bounds[10] / 4096 + 1) * 4096;
    let touched = |id: u64| bounds[id as usize - 1] < page.end && bounds[id as usize] > page.start;
    assert_eq!(read, pairs((1..=30).filter(|id| !touched(*id) || *id < 1)));
    assert!(!damage.is_empty());
}

#[test]
fn a_body_that_looks_like_an_entry_is_not_taken_for_one() {
    let (other, bounds, path) = written(3);
    let forged = other.read(&path).unwrap()[bounds[1] as usize..bounds[2] as usize].to_vec();
    let disk = ForgetfulDisk::new();
    let (wal, _) = open(&options(&disk));
    let carrier = Entry { body: forged.into(), ..empty_entry() };
    block_on(wal.append(carrier, 0)).unwrap();
    let start = disk.len(&path).unwrap();
    append(&wal, 2).unwrap();
    drop(wal);
    let disk = disk.kill_copy();
    // Its own header goes, so that its body is searched.
    disk.alter(&path, |bytes| bytes[bounds[0] as usize + 10] ^= 1);
    let (read, damage) = replay(&options(&disk));
    assert_eq!(read, pairs([2]));
    assert_eq!(damage[0].bytes, start - bounds[0]);
}

#[test]
fn a_newer_version_is_refused() {
    let (disk, _, path) = written(2);
    let header = FileHeader { version: VERSION + 1, first_lsn: 1, marker: [1; 8] };
    disk.alter(&path, |bytes| bytes[..FILE_HEADER_LEN].copy_from_slice(&header.encode()));
    let error = Wal::<u64>::open(options(&disk), Box::new(|_, _, _| {})).err().unwrap();
    let WalError::Version { version, known, .. } = error else { panic!("{error}") };
    assert_eq!((version, known), (VERSION + 1, VERSION));
}
