//! The manifest: which segments there are, and how far into the log they reach.
//!
//! Enters: commits. Leaves: immutable states. Must hold: a commit is durable as a whole or not at all, in
//! one synced record; since it says both what was sealed and up to which LSN, a crash between sealing and
//! committing neither loses a record nor doubles one. It is the source of truth: a segment that it does not
//! name does not exist.
//!
//! On disk: `manifest/<generation>.manifest`, a file of lines `<crc> <json>`, the first a checkpoint, the
//! others commits. A file that has grown is followed by a new one; one older is kept to fall back on.

mod error;
mod file;
mod record;
mod recover;
mod set_aside;
mod state;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Lsn;
use parking_lot::{Mutex, RwLock};

pub use error::ManifestError;
pub use recover::ManifestDamage;
pub use set_aside::{SetAside, Whose};
pub use state::{
    Commit, ExpiredRows, Progress, Removal, RemovalReason, Removed, SegmentMeta, State, Tail, TierOf,
};

use crate::disk::{Disk, File};
use crate::fatal::Fatal;
use file::{encode_line, file_name, parse_file_name};
use record::Record;
use recover::Recovered;

/// How to open a manifest.
#[derive(Clone)]
pub struct ManifestOptions {
    /// Where its files are.
    pub disk: Arc<dyn Disk>,
    /// The store's directory; the manifest is in `manifest/`, what is damaged goes to `set-aside/`.
    pub dir: PathBuf,
    /// A file that is greater, and twice its own checkpoint, is followed by a new one.
    pub checkpoint_bytes: u64,
    /// Raised when the disk can no longer be trusted.
    pub fatal: Fatal,
}

/// The manifest, open for commits.
pub struct Manifest {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    checkpoint_bytes: u64,
    fatal: Fatal,
    log: Mutex<Log>,
    state: RwLock<Arc<State>>,
    found_whole: bool,
}

/// The file that is written to.
struct Log {
    file: Box<dyn File>,
    generation: u64,
    /// Number of the last commit since the store was created.
    sequence: u64,
    /// The length of the checkpoint at its beginning.
    checkpoint_len: u64,
}

impl Manifest {
    /// Opens the manifest, or begins one. Blocks.
    ///
    /// What was damaged is returned and has been copied to `set-aside/`. When commits were lost, there may
    /// be segments that no commit names and that are not garbage: then nothing unnamed may be deleted.
    ///
    /// # Errors
    /// When the directory cannot be read or written, or is of a newer version. Damage is no error.
    pub fn open(options: ManifestOptions) -> Result<(Self, Vec<ManifestDamage>), ManifestError> {
        let ManifestOptions { disk, dir: store_dir, checkpoint_bytes, fatal } = options;
        let dir = store_dir.join("manifest");
        for dir in [&dir, &store_dir.join("set-aside")] {
            disk.create_dir_all(dir).map_err(ManifestError::io(dir))?;
        }
        let Recovered { state, sequence, generation, append_at, damage } =
            recover::recover(&*disk, &store_dir, &fatal)?;
        let log = match append_at {
            Some(end) => reopen(&*disk, &dir, generation, sequence, end, &fatal)?,
            None => begin(&*disk, &dir, generation + 1, sequence, &state, &fatal)?,
        };
        let found_whole = sequence > 0 && !state.in_doubt;
        let state = RwLock::new(Arc::new(state));
        let log = Mutex::new(log);
        let manifest = Self { disk, dir, checkpoint_bytes, fatal, log, state, found_whole };
        Ok((manifest, damage))
    }

    /// Whether no commit was ever made, as far as can be read.
    pub fn is_new(&self) -> bool {
        self.log.lock().sequence == 0
    }

    /// Whether it was found as it was written, and not torn at its end, or has been settled since. Only then
    /// is what no commit names known to be unnamed.
    pub fn found_whole(&self) -> bool {
        self.found_whole
    }

    /// The state after the last commit.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read())
    }

    /// Makes the commit durable and returns the state after it. Blocks for one sync.
    ///
    /// # Errors
    /// When it contradicts the state or could not be written; then nothing has changed.
    pub fn commit(&self, commit: Commit) -> Result<Arc<State>, ManifestError> {
        let mut log = self.log.lock();
        if let Some(reason) = self.fatal.reason() {
            return Err(ManifestError::Fatal { reason });
        }
        let state = Arc::new(self.state().apply(&commit)?);
        let sequence = log.sequence + 1;
        let line = encode_line(&Record::commit(sequence, &commit));
        let path = self.dir.join(file_name(log.generation));
        let good_len = log.file.len();
        if let Err(error) = log.file.write_all(&line) {
            let taken = log.file.set_len(good_len).and_then(|()| log.file.sync_data());
            taken.map_err(|error| raise(&self.fatal, "take back a failed write to", &path, &error))?;
            return Err(ManifestError::io(&path)(error));
        }
        log.file.sync_data().map_err(|error| raise(&self.fatal, "sync", &path, &error))?;
        log.sequence = sequence;
        *self.state.write() = Arc::clone(&state);
        if log.file.len() > self.checkpoint_bytes.max(2 * log.checkpoint_len) {
            self.checkpoint(&mut log, &state);
        }
        Ok(state)
    }

    /// Begins a new file. A failure costs nothing but space: the old file goes on.
    fn checkpoint(&self, log: &mut Log, state: &State) {
        match begin(&*self.disk, &self.dir, log.generation + 1, log.sequence, state, &self.fatal) {
            Ok(next) => *log = next,
            Err(error) => {
                // Not again at once: it would cost every commit a failed attempt.
                log.checkpoint_len = log.file.len();
                tracing::warn!(%error, "cannot begin a new manifest file, keep the old one");
                return;
            }
        }
        remove_before(&*self.disk, &self.dir, log.generation - 1);
    }
}

/// Removes the files before this one, which are not needed even if the newest is damaged.
fn remove_before(disk: &dyn Disk, dir: &Path, generation: u64) {
    let files = disk.list(dir).unwrap_or_default().into_iter();
    let numbered = files.filter_map(|file| parse_file_name(&file.name));
    for superfluous in numbered.filter(|number| *number < generation) {
        let path = dir.join(file_name(superfluous));
        if let Err(error) = disk.remove(&path) {
            tracing::warn!(path = %path.display(), %error, "cannot remove an old manifest file");
        }
    }
}

/// Opens the newest file for writing behind its end.
fn reopen(
    disk: &dyn Disk,
    dir: &Path,
    generation: u64,
    sequence: u64,
    end: u64,
    fatal: &Fatal,
) -> Result<Log, ManifestError> {
    let path = dir.join(file_name(generation));
    let mut file = disk.open_append(&path).map_err(ManifestError::io(&path))?;
    // After a kill, the last commit and even the file's name may have been read from memory only. What
    // relies on them is going to delete parts of the log, so they must not go away any more.
    file.sync_data().map_err(|error| raise(fatal, "sync", &path, &error))?;
    disk.sync_dir(dir).map_err(|error| raise(fatal, "sync the directory of", &path, &error))?;
    // Its own checkpoint counts as all that is there, so that a restart does not write one at once.
    Ok(Log { file, generation, sequence, checkpoint_len: end / 2 })
}

/// Writes a new file that begins with the state, under another name until it is whole.
fn begin(
    disk: &dyn Disk,
    dir: &Path,
    generation: u64,
    sequence: u64,
    state: &State,
    fatal: &Fatal,
) -> Result<Log, ManifestError> {
    let path = dir.join(file_name(generation));
    let unfinished = path.with_extension("unfinished");
    let line = encode_line(&Record::checkpoint(sequence, state));
    let mut file = disk.create(&unfinished).map_err(ManifestError::io(&unfinished))?;
    file.write_all(&line).map_err(ManifestError::io(&unfinished))?;
    file.sync_data().map_err(|error| raise(fatal, "sync", &unfinished, &error))?;
    disk.rename(&unfinished, &path).map_err(ManifestError::io(&path))?;
    disk.sync_dir(dir).map_err(|error| raise(fatal, "sync the directory of", &path, &error))?;
    Ok(Log { file, generation, sequence, checkpoint_len: line.len() as u64 })
}

fn raise(fatal: &Fatal, what: &str, path: &Path, error: &io::Error) -> ManifestError {
    let reason: Arc<str> = format!("cannot {what} `{}`: {error}", path.display()).into();
    fatal.raise(Arc::clone(&reason));
    ManifestError::Fatal { reason }
}

impl State {
    /// Whether what this entry of the log holds is in segments.
    pub fn is_sealed(&self, tenant: &model::Tenant, signal: model::Signal, lsn: Lsn) -> bool {
        self.progress.get(&(tenant.clone(), signal)).is_some_and(|sealed| lsn <= *sealed)
    }

    /// The greatest LSN that any commit has named; 0 before the first.
    pub fn lsn_max(&self) -> Lsn {
        self.progress.values().copied().max().unwrap_or(0)
    }
}
