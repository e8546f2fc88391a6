//! The store as a whole: opening it, taking in, showing, and the work in the background.

mod damage;
mod intake;
mod run;
mod view;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8};
use std::time::Instant;

use futures::future::BoxFuture;
use model::{Budget, Lsn, Reservation};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::compact::Paused;
use crate::config::Config;
use crate::disk::Disk;
use crate::error::{OpenError, WorkError};
use crate::fatal::Fatal;
use crate::identity::{Claim, Identity};
use crate::ledger::Ledger;
use crate::manifest::{Manifest, ManifestOptions, State};
use crate::memtable::{Memory, Prepared};
use crate::metrics::{Work, chain};
use crate::names::{Names, made_ms};
use crate::objects::Objects;
use crate::pins::PinBoard;
use crate::rebuild::Rebuild;
use crate::replay::Replay;
use crate::segment::Buffers;
use crate::tiers::Rules;
use crate::trace::IndexCache;
use crate::wal::{EntryMeta, Publish, Wal, WalOptions};

pub use self::intake::{Appended, RefusedPoints};
pub(crate) use self::run::blocking;
pub use self::view::Segments;

/// From this size on the manifest is rewritten.
const MANIFEST_BYTES: u64 = 4 << 20;

/// What a store is opened with.
pub struct Options {
    /// Validated settings.
    pub config: Config,
    /// Where log and manifest, and without S3 the segments, lie.
    pub disk: Arc<dyn Disk>,
    /// What all memory is taken from.
    pub budget: Budget,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The clock for durations.
    pub now: fn() -> Instant,
}

/// Where records are kept. Cloning shares it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) budget: Budget,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fatal: Fatal,
    pub(crate) objects: Arc<Objects>,
    pub(crate) identity: Identity,
    pub(crate) names: Names,
    /// Whether this start has looked for what no commit names.
    pub(crate) looked: bool,
    pub(crate) wal: Wal<Payload>,
    pub(crate) manifest: Manifest,
    pub(crate) memory: Arc<Memory>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) view: RwLock<View>,
    /// Held for a commit and making it visible.
    commits: Mutex<()>,
    pub(crate) pins: PinBoard,
    pub(crate) indexes: IndexCache,
    /// Something to seal or fold.
    pub(crate) filled: Arc<Notify>,
    /// New segments, perhaps to compact.
    pub(crate) sealed: Notify,
    /// Which segments there are has changed: records may come when they are too old already, samples
    /// expire once they were downsampled.
    pub(crate) changed: Notify,
    pub(crate) work: Work,
    /// Of the segments that are written.
    pub(crate) buffers: Buffers,
    /// What is not merged for a while.
    pub(crate) paused: Paused,
    /// What the configuration says about metrics.
    pub(crate) rules: Rules,
    /// Held while segments are merged or downsampled.
    pub(crate) merging: Mutex<()>,
    /// Whether a compaction that somebody asked for goes on.
    pub(crate) asked: Arc<AtomicBool>,
    phase: AtomicU8,
    /// The seal that goes on while the log is replayed.
    restoring: Mutex<Option<BoxFuture<'static, Result<(), WorkError>>>>,
    /// No other process may use the directory.
    _lock: Box<dyn Send + Sync>,
}

/// What queries see of the catalog.
pub(crate) struct View {
    pub(crate) state: Arc<State>,
    pub(crate) sequence: u64,
}

/// What travels along with an entry until it is durable.
pub(crate) struct Payload {
    prepared: Prepared,
    /// Of the body, and of what the batch has beside its chunks.
    _rest: Reservation,
}

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

impl Store {
    /// Opens the store in `config.dir`, creating it when it is not there. Blocks. With S3
    /// configured it needs a Tokio runtime of several threads around it.
    ///
    /// What was acknowledged and is not in files comes out of [`Replay`]; nothing can be appended
    /// before [`Store::ready`].
    ///
    /// # Errors
    /// [`OpenError`] when the directory cannot be used or is of a newer version. Damage is no
    /// error: it is set aside, logged and in the status.
    pub fn open(options: Options) -> Result<(Self, Replay), OpenError> {
        Self::open_with(options, Objects::open)
    }

    /// Opens the store with its segments in the place that `objects` opens.
    pub(crate) fn open_with(
        options: Options,
        objects: impl FnOnce(&Config, Arc<dyn Disk>, &Path, Fatal) -> Result<Objects, OpenError>,
    ) -> Result<(Self, Replay), OpenError> {
        let Options { config, disk, budget, clock, now } = options;
        let dir = config.dir.clone();
        disk.create_dir_all(&dir).map_err(not_usable(&dir))?;
        let (lock, fatal) = (locked(&*disk, &dir)?, Fatal::default());
        let objects = Arc::new(objects(&config, Arc::clone(&disk), &dir, fatal.clone())?);
        objects.discard_all().map_err(not_usable(&dir))?;
        let (manifest, _) = Manifest::open(ManifestOptions {
            disk: Arc::clone(&disk),
            dir: dir.clone(),
            checkpoint_bytes: MANIFEST_BYTES,
            fatal: fatal.clone(),
        })
        .map_err(OpenError::Manifest)?;
        let log_from = crate::wal::first_lsn(&*disk, &dir).map_err(OpenError::Wal)?;
        let found = identify(&config, &*disk, &objects, &manifest, (log_from, &*clock))?;
        let (state, full) = (manifest.state(), seal_bytes(&config, &budget));
        let (ledger, filled) = (Arc::new(Ledger::new(&state)), Arc::new(Notify::new()));
        let memory = Arc::new(Memory::new(budget.clone(), Arc::clone(&clock), full, Arc::clone(&filled)));
        let wal = WalOptions {
            disk: Arc::clone(&disk),
            dir: dir.clone(),
            file_size: config.wal.file_size.bytes(),
            queue_bytes_max: config.wal.queue.as_usize(),
            replay_from: 0,
            lsn_min: state.lsn_max() + 1,
            fatal: fatal.clone(),
            now,
        };
        let (wal, recovery) = Wal::open(wal, publish(&ledger, &memory)).map_err(OpenError::Wal)?;
        let inner = Arc::new(Inner {
            indexes: IndexCache::new(&budget),
            buffers: Buffers::new(&budget),
            rules: Rules::new(&config.tiers),
            view: RwLock::new(View { state, sequence: 0 }),
            config,
            disk,
            dir,
            budget,
            clock,
            fatal,
            objects,
            identity: found.identity,
            names: found.names,
            looked: found.looked,
            wal,
            manifest,
            memory,
            ledger,
            commits: Mutex::new(()),
            pins: PinBoard::default(),
            filled,
            sealed: Notify::new(),
            changed: Notify::new(),
            work: Work::default(),
            paused: Paused::default(),
            merging: Mutex::default(),
            asked: Arc::default(),
            phase: AtomicU8::new(STARTING),
            restoring: Mutex::default(),
            _lock: lock,
        });
        inner.note_lost_beginning(log_from);
        inner.tidy();
        let replay = Replay::new(Arc::clone(&inner), recovery);
        Ok((Self(inner), replay))
    }
}

/// What a start knows of itself.
struct Identified {
    identity: Identity,
    names: Names,
    looked: bool,
}

/// Finds out which store this is, and brings the manifest up to the segments that there are. What is new
/// is younger than all of them.
fn identify(
    config: &Config,
    disk: &dyn Disk,
    objects: &Arc<Objects>,
    manifest: &Manifest,
    (log_from, clock): (Option<Lsn>, &dyn Clock),
) -> Result<Identified, OpenError> {
    let (dir, now_ms) = (&config.dir, crate::clock::unix_ms(clock));
    let adopt = config.s3.as_ref().is_some_and(|s3| s3.adopt);
    let state = manifest.state();
    let live = state.segments.values().flat_map(|segments| segments.iter());
    let youngest = live.max_by(|a, b| a.id.cmp(&b.id)).cloned();
    let claim = Claim { adopt, new: manifest.is_new(), youngest, now_ms };
    let mut identity = Identity::open(disk, dir, objects, claim)?;
    // What the log has no more was sealed: where it begins later than that, commits are lost, however whole
    // the manifest looks.
    let sound = manifest.found_whole() && log_from.is_none_or(|from| from <= state.lsn_max() + 1);
    let log_from = log_from.unwrap_or(Lsn::MAX);
    let rebuilt = Rebuild { objects, manifest, identity: &mut identity, sound, log_from, now_ms }.run();
    let (found_ms, looked) = match rebuilt {
        Ok(youngest_ms) => (youngest_ms, true),
        // All that is named is known: the rest can wait for the next start.
        Err(error) if sound => {
            tracing::warn!(error = %chain(&error), "cannot look for segments that no commit names");
            (0, false)
        }
        Err(error) => return Err(OpenError::Segments(error)),
    };
    if identity.fresh {
        identity.save(disk, dir, objects)?;
    }
    let state = manifest.state();
    let live = state.segments.values().flat_map(|segments| segments.iter());
    let named = live.chain(state.removed.iter().map(|removed| &removed.segment));
    let named_ms = named.filter_map(|segment| made_ms(&segment.id)).max().unwrap_or(0);
    let names = Names::after(named_ms.max(found_ms).max(state.names_until_ms));
    Ok(Identified { identity, names, looked })
}

/// The lock on the directory: no other process may use it.
fn locked(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn Send + Sync>, OpenError> {
    disk.lock(&dir.join("lock")).map_err(|source| match source.kind() {
        std::io::ErrorKind::WouldBlock => OpenError::Locked { path: dir.to_owned() },
        _ => not_usable(dir)(source),
    })
}

fn not_usable(path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}

/// What becomes of an entry when it is durable.
fn publish(ledger: &Arc<Ledger>, memory: &Arc<Memory>) -> Publish<Payload> {
    let (ledger, memory) = (Arc::clone(ledger), Arc::clone(memory));
    Box::new(move |lsn, meta: EntryMeta, payload| {
        ledger.count(&meta);
        memory.publish(lsn, &meta, payload.prepared);
    })
}

impl Store {
    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }
}

/// Bytes at which a generation is full.
fn seal_bytes(config: &Config, budget: &Budget) -> u64 {
    config.seal.size.bytes().min(budget.limit() / 16)
}
