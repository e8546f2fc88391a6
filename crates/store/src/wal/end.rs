//! Finds the end of the log at a start, and makes it clean.

use std::path::Path;
use std::sync::Arc;

use model::Lsn;

use super::WalOptions;
use super::error::WalError;
use super::format::{ENTRY_HEADER_LEN, FILE_HEADER_LEN, block_end, parse_file_name, set_aside_dir, wal_dir};
use super::log::raise;
use super::replay::{Damage, DamageKind, ReplayFile, set_aside};
use super::scan::{FileScan, Found, Hole};
use crate::disk::Disk;

pub(super) fn list_files(disk: &dyn Disk, dir: &Path) -> Result<Vec<ReplayFile>, WalError> {
    let entries = disk.list(dir).map_err(WalError::io(dir))?;
    let mut files: Vec<_> = entries
        .into_iter()
        .filter_map(|entry| {
            let first_lsn = parse_file_name(&entry.name)?;
            Some(ReplayFile { path: dir.join(&entry.name), first_lsn, len: entry.len })
        })
        .collect();
    files.sort_by_key(|file| file.first_lsn);
    Ok(files)
}

/// Where the log goes on.
pub(super) struct End {
    pub(super) next_lsn: Lsn,
    /// Below, entries should be there.
    pub(super) replayed_to: Lsn,
    pub(super) unproven_from: Lsn,
    pub(super) damage: Vec<Damage>,
}

/// Finds the end of the log and makes it clean.
pub(super) fn find_end(options: &WalOptions, files: &mut Vec<ReplayFile>) -> Result<End, WalError> {
    let Some(newest) = files.last_mut() else {
        let next_lsn = options.lsn_min.max(1);
        return Ok(End { next_lsn, replayed_to: next_lsn, unproven_from: next_lsn, damage: Vec::new() });
    };
    let tail = Tail::of(&options.disk, newest)?;
    let first_lsn = newest.first_lsn;
    if tail.sound_len == 0 && newest.len > block_end(FILE_HEADER_LEN as u64) {
        let damage = vec![move_away(options, newest)?];
        // Which LSNs it held is not known, only how many it can have held at most.
        let next_lsn = (first_lsn + newest.len / ENTRY_HEADER_LEN as u64).max(options.lsn_min);
        files.pop();
        return Ok(End { next_lsn, replayed_to: first_lsn, unproven_from: first_lsn, damage });
    }
    let mut file = options.disk.open_append(&newest.path).map_err(WalError::io(&newest.path))?;
    let mut damage = Vec::new();
    if newest.len > tail.sound_len {
        damage.extend(copy_tail(options, newest, &tail));
        file.set_len(tail.sound_len).map_err(WalError::io(&newest.path))?;
        newest.len = tail.sound_len;
    }
    // Also what is whole may have been read from memory only, after a kill: it is going to be replayed, so
    // it must not go away any more. And what was cut off must not come back.
    file.sync_data().map_err(|error| raise(&options.fatal, "sync", &newest.path, &error))?;
    let next_lsn = tail.next_lsn.max(options.lsn_min);
    Ok(End { next_lsn, replayed_to: next_lsn, unproven_from: tail.group_first, damage })
}

/// Looks at what is behind the last whole entry of the newest file, and is going to be cut off.
fn copy_tail(options: &WalOptions, newest: &ReplayFile, tail: &Tail) -> Option<Damage> {
    let mut damage = Damage {
        kind: DamageKind::TornTail,
        path: newest.path.clone(),
        first_lsn: tail.next_lsn,
        entries: tail.altered,
        bytes: newest.len - tail.sound_len,
        reason: "the last write was interrupted".to_owned(),
        last_write: true,
    };
    // What has its full length may also be an entry that was altered later: kept for somebody to look at.
    if tail.altered > 0 {
        let torn = Hole::new(tail.next_lsn, tail.next_lsn, tail.sound_len..newest.len, "");
        match set_aside(&*options.disk, &options.dir, &newest.path, &torn, &options.fatal) {
            Ok(copy) => damage.path = copy,
            Err(error) => damage.reason.push_str(&format!("; and it could not be copied: {error}")),
        }
    }
    // A file without a header never held anything.
    (tail.sound_len > 0).then_some(damage)
}

/// Moves the newest file away when neither its header nor its first entry can be read.
fn move_away(options: &WalOptions, newest: &ReplayFile) -> Result<Damage, WalError> {
    let target_dir = set_aside_dir(&options.dir);
    let target = target_dir.join(format!("wal-{:020}.bin", newest.first_lsn));
    options.disk.rename(&newest.path, &target).map_err(WalError::io(&target))?;
    for dir in [&target_dir, &wal_dir(&options.dir)] {
        let synced = options.disk.sync_dir(dir);
        synced.map_err(|error| raise(&options.fatal, "sync the directory", dir, &error))?;
    }
    Ok(Damage {
        kind: DamageKind::SetAside,
        path: target,
        first_lsn: newest.first_lsn,
        entries: 0,
        bytes: newest.len,
        reason: "neither its header nor its first entry can be read".to_owned(),
        last_write: false,
    })
}

/// What [`FileScan`] finds at the end of the newest file.
struct Tail {
    /// The end of the last whole entry.
    sound_len: u64,
    /// One more than the LSN of the last whole entry.
    pub(super) next_lsn: Lsn,
    /// The first LSN of the last group of which something is whole.
    group_first: Lsn,
    /// Entries behind the last whole one that have their full length, but another content.
    altered: u64,
}

impl Tail {
    /// Reads the newest file through.
    fn of(disk: &Arc<dyn Disk>, file: &ReplayFile) -> Result<Self, WalError> {
        let mut scan = FileScan::open(disk, &file.path, file.first_lsn, file.len)?;
        let first_lsn = file.first_lsn;
        let mut tail =
            Self { sound_len: scan.offset, next_lsn: first_lsn, group_first: first_lsn, altered: 0 };
        loop {
            match scan.next(0) {
                Found::Entry { header, .. } => {
                    tail = Self {
                        sound_len: scan.offset,
                        next_lsn: header.lsn + 1,
                        group_first: header.group_first,
                        altered: 0,
                    };
                }
                Found::Damaged(hole) => tail.altered += u64::from(hole.altered),
                Found::End => return Ok(tail),
            }
        }
    }
}
