use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::Table;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::PublishError;
use crate::metrics::Status;
use crate::plan::Stamp;
use crate::segment::{Live, Segment};
use crate::table::PublishedTable;

/// How long one table may take in one run.
const DEADLINE: Duration = Duration::from_secs(120);

/// Keeps the Delta tables equal to the live segments. There may be only one over a place.
pub struct Publisher {
    tables: Vec<PublishedTable>,
    status: Status,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Report {
    /// Tables that are equal to the live segments now, in the order of [`Table::ALL`].
    pub changes: Vec<Change>,
    /// Why the others are not.
    pub failures: Vec<PublishError>,
}

/// What a run did to one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub table: Table,
    /// Its version now.
    pub version: Option<u64>,
    /// Whether that version is new.
    pub committed: bool,
    /// Files that it has in addition.
    pub added: u64,
    /// Files that it has no more.
    pub removed: u64,
    /// Whether its log could not be read and was written anew.
    pub rebuilt: bool,
}

impl Change {
    pub(crate) fn none(table: Table) -> Self {
        Self { table, version: None, committed: false, added: 0, removed: 0, rebuilt: false }
    }
}

impl Publisher {
    /// For segments in the directory `<dir>/segments`; `dir` is created when it is missing.
    ///
    /// # Errors
    /// When the directory cannot be used; also when its path has a `%`, which the readers of Delta
    /// Lake take for the beginning of an escape.
    pub fn local(dir: &Path) -> Result<Self, PublishError> {
        let place = |source: io::Error| PublishError::Place {
            path: dir.display().to_string(),
            source: source.into(),
        };
        std::fs::create_dir_all(dir).map_err(place)?;
        let dir = dir.canonicalize().map_err(place)?;
        if dir.to_string_lossy().contains('%') {
            return Err(place(io::Error::other("Delta Lake cannot be read below a path with a `%`")));
        }
        let base =
            Url::from_directory_path(&dir).map_err(|()| place(io::ErrorKind::InvalidFilename.into()))?;
        Self::new(Arc::new(LocalFileSystem::new()), &base)
    }

    /// For segments in an object store that lists in the order of the keys, as S3 does, and that can
    /// create an object only if it is absent. Their keys in `objects` begin with `segments/`.
    ///
    /// # Errors
    /// When a table's columns cannot be told in Delta Lake.
    pub fn remote(objects: Arc<dyn ObjectStore>) -> Result<Self, PublishError> {
        let base = Url::parse("objects:///")
            .map_err(|error| PublishError::Place { path: "/".to_owned(), source: error.into() })?;
        Self::new(objects, &base)
    }

    fn new(objects: Arc<dyn ObjectStore>, base: &Url) -> Result<Self, PublishError> {
        let table = |table| PublishedTable::new(Arc::clone(&objects), base, table);
        let tables = Table::ALL.into_iter().map(table).collect::<Result<_, _>>()?;
        Ok(Self { tables, status: Status::new() })
    }

    /// How the tables are doing.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Brings every table up to date, one after the other: what fails for one does not stop the
    /// others. Running it again is safe at any time, also after it was dropped half-way.
    pub async fn publish(&mut self, live: &Live, now_unix_ms: i64) -> Report {
        let mut report = Report::default();
        let stamp = Stamp { sequence: live.sequence, now_unix_ms };
        for (table, published) in Table::ALL.into_iter().zip(&mut self.tables) {
            let begin = Instant::now();
            let deadline = |_| PublishError::Deadline { table, limit: DEADLINE };
            let reconciled = timeout(DEADLINE, Box::pin(reconcile(table, published, live, stamp))).await;
            let reconciled = reconciled.map_err(deadline).flatten();
            let kept_short = timeout(DEADLINE, Box::pin(published.keep_short())).await;
            let kept_short = kept_short.map_err(deadline).flatten();
            let duration = begin.elapsed();
            self.status.change(table, |status| {
                status.duration = duration;
                if let Some((version, files)) = published.known() {
                    (status.version, status.files) = (Some(version), files);
                }
                if let Ok(change) = &reconciled {
                    status.current_unix_ms = Some(now_unix_ms);
                    status.commits += u64::from(change.committed);
                    status.rebuilds += u64::from(change.rebuilt);
                }
                let error = reconciled.as_ref().err().or(kept_short.as_ref().err());
                status.error = error.map(chain);
            });
            match reconciled {
                Ok(change) => report.changes.push(change),
                Err(error) => report.failures.push(error),
            }
            report.failures.extend(kept_short.err());
        }
        report
    }
}

async fn reconcile(
    table: Table,
    published: &mut PublishedTable,
    live: &Live,
    stamp: Stamp,
) -> Result<Change, PublishError> {
    let change = published.reconcile(&segments_of(table, live)?, stamp).await?;
    if change.committed {
        let Change { version, added, removed, .. } = change;
        tracing::debug!(%table, version, added, removed, "publish a version of the Delta table");
    }
    Ok(change)
}

/// The live segments of a table by their path below its root.
fn segments_of(table: Table, live: &Live) -> Result<BTreeMap<&str, &Segment>, PublishError> {
    let segments = live.segments.iter().filter(|segment| segment.table == table);
    let located = segments.map(|segment| match segment.relative() {
        Some(relative) => Ok((relative, segment)),
        None => Err(PublishError::Misplaced { table, path: segment.path.clone() }),
    });
    located.collect()
}

fn chain(error: &PublishError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
