use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::chance::Chance;
use super::world::{Inode, NameChange, World, apply, surviving_dirs, surviving_names};
use super::{DirEntry, Disk, File};

/// A disk in memory that forgets what was not synced when the power goes, and fails on demand.
///
/// Clones are the same disk.
#[derive(Clone, Default)]
pub struct ForgetfulDisk(Arc<Mutex<World>>);

/// What is to go wrong. Counters count down; at 0 it happens once.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// How many bytes can still be written before the disk is full. A write that does not fit is done in
    /// part, as on a real disk.
    pub space: Option<u64>,
    /// Fails the write after so many others, half done, with this kind of error.
    pub fail_write: Option<(u64, io::ErrorKind)>,
    /// Fails the sync (of a file or a directory) after so many others.
    pub fail_sync: Option<u64>,
    /// Fails cutting files.
    pub fail_set_len: bool,
    /// Fails reads that touch this byte of this file.
    pub fail_read: Option<(PathBuf, u64)>,
    /// Turns the power off in the middle of the change after so many others.
    pub power_off: Option<u64>,
    /// How long every sync takes.
    pub sync_delay: Duration,
}

struct ForgetfulFile {
    disk: ForgetfulDisk,
    inode: usize,
}

impl ForgetfulDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes what is to go wrong.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.lock().faults);
    }

    /// Changes a file behind everybody's back, durably, as a disk does that goes bad.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn alter(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.0.lock();
        let inode = *world.names.get(path).expect("the file exists");
        let inode = &mut world.inodes[inode];
        change(&mut inode.content);
        inode.durable.clone_from(&inode.content);
        inode.kept = inode.content.len();
        inode.discarded.clear();
    }

    /// Turns the power off for everybody who has this disk open, and on again: the returned disk has what
    /// survived. Synced things do; of the others the seed decides.
    pub fn power_cut(&self, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut world = self.0.lock();
        world.off = true;
        let mut next = World { dirs: surviving_dirs(&world, &mut chance), ..World::default() };
        let names = surviving_names(&world, &mut chance);
        for (path, inode) in names {
            if next.parent_exists(&path).is_err() {
                continue;
            }
            let content = world.inodes[inode].surviving(&mut chance);
            let durable = content.clone();
            let inode = Inode { kept: content.len(), durable, content, discarded: Vec::new() };
            next.names.insert(path.clone(), next.inodes.len());
            next.durable_names.insert(path, next.inodes.len());
            next.inodes.push(inode);
        }
        Self(Arc::new(Mutex::new(next)))
    }

    /// Ends everybody who has this disk open, as `kill -9` does, even in the middle of something: the
    /// returned disk still has what was written, but knows no more than before what is synced.
    pub fn kill(&self) -> Self {
        let next = self.kill_copy();
        self.0.lock().off = true;
        next
    }

    /// A copy of the disk as [`ForgetfulDisk::kill`] would leave it, while this one lives on.
    pub fn kill_copy(&self) -> Self {
        let next = World { faults: Faults::default(), off: false, ..self.0.lock().clone() };
        Self(Arc::new(Mutex::new(next)))
    }

    /// Begins a change; fails when the power is off or goes off now.
    fn change<T>(&self, change: impl FnOnce(&mut World) -> io::Result<T>) -> io::Result<T> {
        let mut world = self.0.lock();
        world.powered()?;
        let goes_off = count_down(&mut world.faults.power_off);
        let result = change(&mut world);
        if goes_off {
            world.off = true;
            return Err(power_is_off());
        }
        result
    }

    /// Syncs something; when the power goes off in the middle, nothing is synced for sure.
    fn sync(&self, sync: impl FnOnce(&mut World)) -> io::Result<()> {
        let delay = self.0.lock().faults.sync_delay;
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        let mut world = self.0.lock();
        world.powered()?;
        if count_down(&mut world.faults.power_off) {
            world.off = true;
            return Err(power_is_off());
        }
        if count_down(&mut world.faults.fail_sync) {
            return Err(io::Error::other("the disk could not sync"));
        }
        sync(&mut world);
        Ok(())
    }
}

fn count_down(counter: &mut Option<u64>) -> bool {
    match counter {
        Some(0) => {
            *counter = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

pub(super) fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

impl Disk for ForgetfulDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let Some(parent) = dir.parent() else {
            self.0.lock().dirs.insert(dir.to_owned());
            return Ok(());
        };
        self.create_dir_all(parent)?;
        if !self.0.lock().dirs.contains(dir) {
            self.change(|world| {
                world.dirs.insert(dir.to_owned());
                world.pending_dirs.insert(dir.to_owned());
                Ok(())
            })?;
        }
        if self.0.lock().pending_dirs.contains(dir) { self.sync_dir(parent) } else { Ok(()) }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let world = self.0.lock();
        world.powered()?;
        if !world.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let name = |path: &Path| path.file_name()?.to_str().map(str::to_owned);
        let here = |path: &Path| path.parent() == Some(dir);
        let files = world.names.iter().filter(|(path, _)| here(path)).filter_map(|(path, inode)| {
            let len = world.inodes[*inode].content.len() as u64;
            Some(DirEntry { name: name(path)?, len, is_dir: false })
        });
        let dirs = world.dirs.iter().filter(|path| here(path));
        let dirs = dirs.filter_map(|path| Some(DirEntry { name: name(path)?, len: 0, is_dir: true }));
        let mut entries: Vec<_> = files.chain(dirs).collect();
        entries.sort();
        Ok(entries)
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let inode = self.0.lock().inode(path)?;
        Ok(Box::new(ForgetfulFile { disk: self.clone(), inode }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let inode = self.change(|world| {
            world.parent_exists(path)?;
            if let Some(inode) = world.names.get(path).copied() {
                world.inodes[inode].set_len(0);
                return Ok(inode);
            }
            let inode = world.inodes.len();
            world.inodes.push(Inode::default());
            world.names.insert(path.to_owned(), inode);
            world.pending.push(NameChange::Set(path.to_owned(), inode));
            Ok(inode)
        })?;
        Ok(Box::new(ForgetfulFile { disk: self.clone(), inode }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.len(path)?).map_err(io::Error::other)?;
        self.read_at(path, 0, len)
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let world = self.0.lock();
        let content = &world.inodes[world.inode(path)?].content;
        if let Some((bad, at)) = &world.faults.fail_read
            && bad == path
            && (offset..offset + len as u64).contains(at)
        {
            return Err(io::Error::other("the sector is bad"));
        }
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let range = content.get(start..start.saturating_add(len));
        range.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|world| {
            world.parent_exists(to)?;
            let inode = world.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            world.names.insert(to.to_owned(), inode);
            world.pending.push(NameChange::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|world| {
            let inode = world.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
            let freed = world.inodes[inode].content.len() as u64;
            if let Some(space) = &mut world.faults.space {
                *space += freed;
            }
            world.pending.push(NameChange::Unset(path.to_owned()));
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.sync(|world| {
            let (synced, pending) =
                std::mem::take(&mut world.pending).into_iter().partition(|c| c.is_in(dir));
            world.pending = pending;
            let synced: Vec<NameChange> = synced;
            for change in &synced {
                apply(&mut world.durable_names, change);
            }
            world.pending_dirs.retain(|made| made.parent() != Some(dir));
        })
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let world = self.0.lock();
        Ok(world.inodes[world.inode(path)?].content.len() as u64)
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        // Nobody else can have it.
        Ok(Box::new(()))
    }

    fn available_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.0.lock().faults.space.unwrap_or(1 << 40))
    }
}

impl File for ForgetfulFile {
    fn write_all_vectored(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.disk.change(|world| world.write(self.inode, &bytes))
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.disk.sync(|world| {
            let inode = &mut world.inodes[self.inode];
            // Only what changed is copied: the files of a log are long and synced often.
            inode.durable.truncate(inode.kept);
            let known = inode.durable.len();
            inode.durable.extend_from_slice(&inode.content[known..]);
            inode.kept = inode.content.len();
            inode.discarded.clear();
        })
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.disk.change(|world| {
            if world.faults.fail_set_len {
                return Err(io::Error::other("the file cannot be cut"));
            }
            let inode = &mut world.inodes[self.inode];
            let freed = inode.content.len().saturating_sub(len) as u64;
            inode.set_len(len);
            if let Some(space) = &mut world.faults.space {
                *space += freed;
            }
            Ok(())
        })
    }

    fn len(&self) -> u64 {
        self.disk.0.lock().inodes[self.inode].content.len() as u64
    }
}
