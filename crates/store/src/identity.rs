//! Which store this is: what keeps a second one from taking the first one's segments for garbage.
//!
//! Enters: the file `store-id` of the directory, and of the bucket where there is one. Leaves: the
//! own id, and those whose segments this store has taken over. Must hold: a bucket belongs to one
//! store; another one is refused before it has read, written or deleted a segment.

use std::io;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use crate::disk::Disk;
use crate::error::OpenError;
use crate::manifest::SegmentMeta;
use crate::metrics::chain;
use crate::names::made_ms;
use crate::objects::Objects;
use crate::segment::{SEGMENTS, SegmentFile, Wanted, parse_path};

/// The file, and the object.
const NAME: &str = "store-id";

/// Which store this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// What its segments say.
    pub(crate) own: String,
    /// Stores whose segments are ours now, if they are not younger than these milliseconds.
    former: Vec<(String, i64)>,
    /// There was none before, or it could not be read.
    pub(crate) fresh: bool,
}

/// What decides about the bucket.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The configuration lets a new store take over what another one left.
    pub(crate) adopt: bool,
    /// Nothing was ever committed here.
    pub(crate) new: bool,
    /// The youngest segment that is named here.
    pub(crate) youngest: Option<Arc<SegmentMeta>>,
    pub(crate) now_ms: i64,
}

impl Identity {
    /// Reads who we are, or decides it; claims the bucket where there is one. Blocks.
    ///
    /// # Errors
    /// When the directory or the bucket belongs to another store or does not answer.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &Path,
        objects: &Arc<Objects>,
        claim: Claim,
    ) -> Result<Self, OpenError> {
        let known = read(disk, dir)?;
        let mut identity = known.clone().unwrap_or_else(|| Self {
            own: Uuid::now_v7().to_string(),
            former: Vec::new(),
            fresh: true,
        });
        if !objects.is_remote() {
            return Ok(identity);
        }
        let bucket = match objects.get(NAME) {
            Ok(bucket) => bucket.and_then(|bytes| Self::parse(&bytes)),
            Err(error) if known.is_some() => {
                // It was ours; what is in memory and log goes on until it answers.
                tracing::warn!(error = %chain(&error), "cannot see whose the bucket is");
                return Ok(identity);
            }
            Err(source) => return Err(OpenError::Bucket { source }),
        };
        match bucket {
            Some(bucket) if bucket.own == identity.own => return Ok(identity),
            // A start ended after it had written here what it took over, and before the bucket knew.
            Some(bucket) if identity.has_taken_over(&bucket.own) => {}
            Some(bucket) if claim.adopt && claim.new && known.is_none() => {
                tracing::warn!(store = bucket.own, "take over the segments of another store");
                identity.former = bucket.former;
                // What it has written may be ahead of our clock.
                let until_ms = youngest_ms(objects)?.unwrap_or(0).max(claim.now_ms);
                identity.take_over(&bucket.own, until_ms);
            }
            // The id that was here is lost, and nobody else has written since to what is named here.
            Some(bucket) if known.is_none() && claim.is_named_of(&bucket.own, objects) => {
                tracing::warn!(store = bucket.own, "the bucket knows the id that is lost here");
                identity = bucket;
            }
            Some(bucket) => return Err(OpenError::Taken { store: Some(bucket.own) }),
            // The segments may be of a store that had no id yet; of ours, if we have commits.
            None if claim.new && !claim.adopt && youngest_ms(objects)?.is_some() => {
                return Err(OpenError::Taken { store: None });
            }
            // Saved once it is known whose segments there are: a start that ends before begins anew.
            None if identity.fresh => return Ok(identity),
            None => {}
        }
        identity.save(disk, dir, objects)?;
        Ok(identity)
    }

    /// Whether a segment of this store, written at this time, is ours.
    pub(crate) fn is_ours(&self, store: &str, made_ms: i64) -> bool {
        store == self.own || self.former.iter().any(|(former, until)| former == store && made_ms <= *until)
    }

    fn has_taken_over(&self, store: &str) -> bool {
        self.former.iter().any(|(former, _)| former == store)
    }

    /// From now on what this store has written is ours, if it is not younger than that.
    pub(crate) fn take_over(&mut self, store: &str, until_ms: i64) {
        self.former.retain(|(former, _)| former != store);
        self.former.push((store.to_owned(), until_ms));
    }

    /// Makes it durable, in the bucket too. Here first: who finds itself in the bucket and nothing in its
    /// directory takes itself for somebody else.
    ///
    /// # Errors
    /// When the directory cannot be written, or the bucket does not answer.
    pub(crate) fn save(&self, disk: &dyn Disk, dir: &Path, objects: &Objects) -> Result<(), OpenError> {
        let path = dir.join(NAME);
        let written = write(disk, &path, self.format().as_bytes());
        written.map_err(|source| OpenError::Io { path, source })?;
        let put = if objects.is_remote() { objects.put(NAME, self.format()) } else { Ok(()) };
        put.map_err(|source| OpenError::Bucket { source })
    }

    fn format(&self) -> String {
        let former = self.former.iter().map(|(store, until)| format!("{store} {until}\n"));
        std::iter::once(format!("{}\n", self.own)).chain(former).collect()
    }

    /// Nothing when these are not such lines.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        let own = Uuid::parse_str(lines.next()?).ok()?.to_string();
        let former = |line: &str| {
            let (store, until) = line.split_once(' ')?;
            Some((store.to_owned(), until.parse().ok()?))
        };
        let former = lines.map(former).collect::<Option<_>>()?;
        Some(Self { own, former, fresh: false })
    }
}

impl Claim {
    /// Whether this store wrote the youngest of what is named here.
    fn is_named_of(&self, store: &str, objects: &Arc<Objects>) -> bool {
        self.youngest.as_ref().is_some_and(|segment| {
            let file = SegmentFile::new(objects, segment);
            let stamp = file.metadata(Wanted::Groups).map(|metadata| file.stamp(&metadata));
            stamp.is_ok_and(|stamp| stamp.is_some_and(|stamp| stamp.store == store))
        })
    }
}

/// When the youngest of all segments was made that are there.
fn youngest_ms(objects: &Objects) -> Result<Option<i64>, OpenError> {
    let paths = objects.list(SEGMENTS).map_err(OpenError::Segments)?;
    Ok(paths.iter().filter_map(|path| parse_path(path)).filter_map(|(.., id)| made_ms(id)).max())
}

fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Identity>, OpenError> {
    let path = dir.join(NAME);
    let bytes = match disk.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot read the store's id, it gets another");
            return Ok(None);
        }
    };
    let identity = Identity::parse(&bytes);
    if identity.is_none() {
        tracing::warn!(path = %path.display(), "the store's id is damaged, it gets another");
    }
    Ok(identity)
}

/// Under another name first, so that it is there as a whole or not at all.
fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = disk.create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    disk.rename(&unfinished, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
}
