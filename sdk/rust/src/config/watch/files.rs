use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files that are looked at from time to time. A file that another one is renamed over, that is
/// reached by a link which moves, or that appears and goes, is a changed file.
pub(crate) struct Files {
    seen: BTreeMap<PathBuf, Option<Mark>>,
    /// The files changed and may not be written completely yet.
    restless: bool,
}

/// What changes when a file does.
#[derive(Clone, PartialEq, Eq)]
struct Mark {
    modified: Option<SystemTime>,
    length: u64,
    identity: Identity,
}

/// What one look told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    /// Something changed since the last look.
    Ongoing,
    /// Something changed before the last look, and nothing since.
    Settled,
}

impl Files {
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        Self { seen: marks(paths), restless: false }
    }

    pub(crate) fn look(&mut self) -> Change {
        let now = marks(self.seen.keys().cloned());
        let changed = now != self.seen;
        self.seen = now;
        match (changed, std::mem::replace(&mut self.restless, changed)) {
            (true, _) => Change::Ongoing,
            (false, true) => Change::Settled,
            (false, false) => Change::None,
        }
    }

    /// Looks at `paths` from now on. What was already watched keeps its mark and what is new gets
    /// none, so that a change since it was read is seen, at the price of one reload for nothing.
    pub(crate) fn follow(&mut self, paths: Vec<PathBuf>) {
        self.seen.retain(|path, _| paths.contains(path));
        for path in paths {
            self.seen.entry(path).or_insert(None);
        }
    }
}

fn marks(paths: impl IntoIterator<Item = PathBuf>) -> BTreeMap<PathBuf, Option<Mark>> {
    paths.into_iter().map(|path| (path.clone(), mark(&path))).collect()
}

fn mark(path: &Path) -> Option<Mark> {
    let metadata = fs::metadata(path).ok()?;
    let identity = identity(&metadata);
    Some(Mark { modified: metadata.modified().ok(), length: metadata.len(), identity })
}

/// Device, inode and the time of the last change of either content or inode.
#[cfg(unix)]
type Identity = (u64, u64, i64, i64);

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> Identity {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Change, Files};
    use crate::config::WatchOptions;

    /// So a change is applied after two polls at most, and what it takes to read the files.
    #[test]
    fn a_change_is_seen_at_the_next_look_and_settled_at_the_one_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        let mut files = Files::new(vec![path.clone()]);
        assert_eq!(files.look(), Change::None);
        std::fs::write(&path, "a").unwrap();
        assert_eq!(files.look(), Change::Ongoing);
        assert_eq!(files.look(), Change::Settled);
        assert_eq!(files.look(), Change::None);
        assert_eq!(WatchOptions::default().poll.as_millis() * 2, 200);
    }
}
