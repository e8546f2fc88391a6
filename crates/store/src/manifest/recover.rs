use std::io;
use std::path::{Path, PathBuf};

use super::ManifestError;
use super::file::{Lines, file_name, parse_file_name};
use super::record::{Record, VERSION};
use super::set_aside::SetAside;
use super::state::{Commit, State};
use crate::disk::Disk;
use crate::fatal::Fatal;

/// A file of the manifest that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestDamage {
    /// The copy in `set-aside/`, or the file itself when it could not be copied.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
    /// How many commits are lost by it. When there are any, segments may exist that no commit names.
    pub lost_commits: u64,
}

/// What the files say.
pub(super) struct Recovered {
    pub(super) state: State,
    pub(super) sequence: u64,
    /// The newest file; 0 when there is none.
    pub(super) generation: u64,
    /// Where the newest file can be written on; nothing when a new one has to be begun.
    pub(super) append_at: Option<u64>,
    pub(super) damage: Vec<ManifestDamage>,
}

/// A file, read.
struct Generation {
    number: u64,
    bytes: Vec<u8>,
    lines: Lines,
    problem: Option<String>,
}

/// Reads the newest file that begins with a sound checkpoint, and all after it.
pub(super) fn recover(disk: &dyn Disk, store_dir: &Path, fatal: &Fatal) -> Result<Recovered, ManifestError> {
    let dir = store_dir.join("manifest");
    let mut numbers = list(disk, &dir)?;
    let newest = numbers.last().copied().unwrap_or(0);
    let mut generations = Vec::new();
    let mut fold = Fold::default();
    while let Some(number) = numbers.pop() {
        let mut generation = Generation::read(disk, &dir, number)?;
        let checkpoint = generation.take_checkpoint();
        generations.push(generation);
        if let Some(base) = checkpoint {
            fold = base;
            break;
        }
    }
    let mut damage = Vec::new();
    let mut append_at = None;
    let mut torn = false;
    for mut generation in generations.into_iter().rev() {
        append_at = Some(generation.lines.sound_len);
        torn = generation.lines.torn;
        let lost_before = fold.lost;
        for record in std::mem::take(&mut generation.lines.records) {
            fold.apply(record);
        }
        let lost_commits = fold.lost - lost_before;
        if generation.problem.is_none() && lost_commits == 0 {
            continue;
        }
        damage.push(generation.set_aside(disk, store_dir, lost_commits, fatal));
    }
    for damage in &damage {
        tracing::error!(
            path = %damage.path.display(), reason = damage.reason, lost_commits = damage.lost_commits,
            "manifest is damaged"
        );
        let path = damage.path.strip_prefix(store_dir).unwrap_or(&damage.path).display().to_string();
        let reason = damage.reason.clone();
        fold.state.set_aside.push(SetAside { path, reason, ..SetAside::default() });
    }
    let Fold { mut state, sequence, .. } = fold;
    if torn || !damage.is_empty() {
        // In the next file's first line: a start that is interrupted before it has looked at what lies
        // there leaves a file that is whole and does not name all.
        state.in_doubt = true;
        append_at = None;
    }
    Ok(Recovered { state, sequence, generation: newest, append_at, damage })
}

/// The generations that there are, ascending. Takes away what an interrupted checkpoint left.
fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>, ManifestError> {
    let mut numbers = Vec::new();
    for entry in disk.list(dir).map_err(ManifestError::io(dir))? {
        if let Some(number) = parse_file_name(&entry.name) {
            numbers.push(number);
        } else if entry.name.ends_with(".unfinished")
            && let Err(error) = disk.remove(&dir.join(&entry.name))
        {
            tracing::warn!(name = entry.name, %error, "cannot remove an unfinished manifest file");
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

impl Generation {
    fn read(disk: &dyn Disk, dir: &Path, number: u64) -> Result<Self, ManifestError> {
        let path = dir.join(file_name(number));
        let (bytes, mut problem) = match disk.read(&path) {
            Ok(bytes) => (bytes, None),
            Err(error) => (Vec::new(), Some(format!("cannot be read: {error}"))),
        };
        let lines = Lines::read(&bytes);
        if let Some(record) = lines.records.iter().find(|record| record.version > VERSION) {
            return Err(ManifestError::Version { path, version: record.version, known: VERSION });
        }
        if lines.unsound > 0 {
            problem = Some(format!("{} lines in it do not match their checksums", lines.unsound));
        }
        Ok(Self { number, bytes, lines, problem })
    }

    /// The state that the file begins with, if that is sound.
    fn take_checkpoint(&mut self) -> Option<Fold> {
        let first = self.lines.records.first_mut();
        let base = first.and_then(|first| Some((first.sequence, first.checkpoint.take()?)));
        let base = base
            .and_then(|(sequence, checkpoint)| Some(Fold { state: checkpoint.decode()?, sequence, lost: 0 }));
        if base.is_none() && self.problem.is_none() {
            self.problem = Some("it does not begin with a checkpoint".to_owned());
        }
        base
    }

    /// Keeps a copy of the damaged file, if that is possible.
    fn set_aside(
        self,
        disk: &dyn Disk,
        store_dir: &Path,
        lost_commits: u64,
        fatal: &Fatal,
    ) -> ManifestDamage {
        let reason = self.problem.unwrap_or_else(|| "commits are missing in it".to_owned());
        let target = store_dir.join("set-aside").join(format!("manifest-{:020}.bin", self.number));
        match copy(disk, &target, &self.bytes, fatal) {
            Ok(()) => ManifestDamage { path: target, reason, lost_commits },
            Err(error) => ManifestDamage {
                path: store_dir.join("manifest").join(file_name(self.number)),
                reason: format!("{reason}; and it could not be copied: {error}"),
                lost_commits,
            },
        }
    }
}

fn copy(disk: &dyn Disk, target: &Path, bytes: &[u8], fatal: &Fatal) -> io::Result<()> {
    let dir = target.parent().unwrap_or(target);
    let mut file = disk.create(target)?;
    file.write_all(bytes)?;
    file.sync_data().and_then(|()| disk.sync_dir(dir)).inspect_err(|error| {
        fatal.raise(format!("cannot sync `{}`: {error}", target.display()));
    })
}

/// A state that commits are applied to, in the order of their numbers.
#[derive(Default)]
struct Fold {
    state: State,
    sequence: u64,
    /// Commits that could not be applied or were not there.
    lost: u64,
}

impl Fold {
    fn apply(&mut self, record: Record) {
        if record.sequence <= self.sequence {
            return;
        }
        self.lost += record.sequence - self.sequence - 1;
        self.sequence = record.sequence;
        let next = record.commit.and_then(|commit| commit.decode()).and_then(|commit| {
            self.state.apply(&commit).or_else(|_| self.state.apply(&self.fitting(commit))).ok()
        });
        match next {
            Some(next) => self.state = next,
            None => self.lost += 1,
        }
    }

    /// The part of a commit that can be applied although an earlier one is lost.
    fn fitting(&self, mut commit: Commit) -> Commit {
        let there = |id: &str| self.state.segments.values().flat_map(|s| s.iter()).any(|s| s.id == id);
        commit.remove.retain(|removal| there(&removal.id));
        commit.add.retain(|segment| !there(&segment.id));
        commit.progress.retain(|progress| {
            !self.state.is_sealed(&progress.tenant, progress.signal, progress.lsn.saturating_add(1))
        });
        commit
    }
}
