//! What is on a [`super::ForgetfulDisk`], and what a power cut leaves of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::chance::Chance;
use super::forgetful::{Faults, power_is_off};

/// What a disk writes at once.
const SECTOR: usize = 512;

#[derive(Clone, Default)]
pub(super) struct World {
    pub(super) inodes: Vec<Inode>,
    pub(super) dirs: BTreeSet<PathBuf>,
    /// Directories that were made since the syncs of those that they are in.
    pub(super) pending_dirs: BTreeSet<PathBuf>,
    pub(super) names: BTreeMap<PathBuf, usize>,
    pub(super) durable_names: BTreeMap<PathBuf, usize>,
    /// Changes of names since the syncs of their directories, in order.
    pub(super) pending: Vec<NameChange>,
    pub(super) faults: Faults,
    pub(super) off: bool,
}

#[derive(Clone, Default)]
pub(super) struct Inode {
    pub(super) content: Vec<u8>,
    /// The content at the last sync.
    pub(super) durable: Vec<u8>,
    /// The shortest length since the last sync: before it, both are the same.
    pub(super) kept: usize,
    /// Contents since the last sync that were cut off again: the disk may have written them meanwhile.
    pub(super) discarded: Vec<Vec<u8>>,
}

#[derive(Clone)]
pub(super) enum NameChange {
    Set(PathBuf, usize),
    Unset(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl World {
    pub(super) fn powered(&self) -> io::Result<()> {
        if self.off { Err(power_is_off()) } else { Ok(()) }
    }

    pub(super) fn inode(&self, path: &Path) -> io::Result<usize> {
        self.powered()?;
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn parent_exists(&self, path: &Path) -> io::Result<()> {
        let there = path.parent().is_some_and(|parent| self.dirs.contains(parent));
        if there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    pub(super) fn write(&mut self, inode: usize, bytes: &[u8]) -> io::Result<()> {
        let mut len = bytes.len();
        let mut error = None;
        if let Some((left, kind)) = &mut self.faults.fail_write {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => {
                    len /= 2;
                    error = Some(io::Error::from(*kind));
                    self.faults.fail_write = None;
                }
            }
        }
        if let Some(space) = &mut self.faults.space {
            if (len as u64) > *space {
                len = usize::try_from(*space).unwrap_or(len);
                error = Some(io::ErrorKind::StorageFull.into());
            }
            *space -= len as u64;
        }
        self.inodes[inode].content.extend_from_slice(&bytes[..len]);
        error.map_or(Ok(()), Err)
    }
}

impl Inode {
    pub(super) fn set_len(&mut self, len: usize) {
        if len < self.content.len() {
            self.discarded.push(self.content.clone());
        }
        self.kept = self.kept.min(len);
        self.content.resize(len, 0);
    }

    /// What is there after a power cut: what was synced; behind it, of every sector, the old or the new
    /// content, zeros or garbage; up to the old length, the new one, or one between.
    pub(super) fn surviving(&self, chance: &mut Chance) -> Vec<u8> {
        let content = match self.discarded.get(chance.below(2 * self.discarded.len() as u64) as usize) {
            Some(discarded) => discarded,
            None => &self.content,
        };
        let shortest = self.kept.min(self.durable.len());
        let longest = content.len().max(self.durable.len());
        let between = shortest as u64 + chance.below((longest - shortest) as u64 + 1);
        let len = match chance.below(4) {
            0 => self.durable.len(),
            1 | 2 => content.len(),
            _ => usize::try_from(between).unwrap_or(longest),
        };
        // Without a later set_len nothing that was synced can become shorter.
        let len = if self.kept >= self.durable.len() { len.max(self.durable.len()) } else { len };
        let mut survivor = content[..shortest].to_vec();
        let clean = chance.one_in(3);
        while survivor.len() < len {
            let at = survivor.len();
            let end = (at / SECTOR * SECTOR + SECTOR).min(len);
            let choice = if clean { 0 } else { chance.below(6) };
            for at in at..end {
                let new = content.get(at).or(self.durable.get(at)).copied().unwrap_or(0);
                let old = self.durable.get(at).or(content.get(at)).copied().unwrap_or(0);
                survivor.push(match choice {
                    0..=2 => new,
                    3 => old,
                    4 => 0,
                    _ => chance.number().to_le_bytes()[0],
                });
            }
        }
        survivor
    }
}

/// The directories that are there after a power cut.
pub(super) fn surviving_dirs(world: &World, chance: &mut Chance) -> BTreeSet<PathBuf> {
    let mut dirs = BTreeSet::new();
    // Those above come first.
    for dir in &world.dirs {
        let above = dir.parent().is_none_or(|parent| dirs.contains(parent));
        if above && (!world.pending_dirs.contains(dir) || chance.one_in(2)) {
            dirs.insert(dir.clone());
        }
    }
    dirs
}

/// Applies a part of the changes of names: in half of the cases the first so many, as a journal does, in
/// the others any.
pub(super) fn surviving_names(world: &World, chance: &mut Chance) -> BTreeMap<PathBuf, usize> {
    let mut names = world.durable_names.clone();
    let first = chance.one_in(2).then(|| chance.below(world.pending.len() as u64 + 1));
    for (position, change) in (0..).zip(&world.pending) {
        let survives = first.map_or_else(|| chance.one_in(2), |first| position < first);
        if survives {
            apply(&mut names, change);
        }
    }
    names
}

pub(super) fn apply(names: &mut BTreeMap<PathBuf, usize>, change: &NameChange) {
    match change {
        NameChange::Set(path, inode) => {
            names.insert(path.clone(), *inode);
        }
        NameChange::Unset(path) => {
            names.remove(path);
        }
        NameChange::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
    }
}

impl NameChange {
    /// Whether a sync of the directory makes it durable.
    pub(super) fn is_in(&self, dir: &Path) -> bool {
        match self {
            Self::Set(path, _) | Self::Unset(path) => path.parent() == Some(dir),
            Self::Rename(from, to) => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }
}
