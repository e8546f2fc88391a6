//! The log of one Delta table on an object store.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use deltalake_core::checkpoints::{cleanup_metadata, create_checkpoint};
use deltalake_core::kernel::{Action, Metadata};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, commit_uri_from_version, default_logstore};
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::{StreamExt, TryStreamExt};
use model::Table;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use url::Url;

use crate::plan::{File, Files};
use crate::segment::root;
use crate::{PublishError, schema};

const LOG: &str = "_delta_log";

/// The log of a table.
pub(crate) struct Log {
    table: Table,
    /// Its keys are relative to the table's root.
    files: Arc<dyn ObjectStore>,
    delta: LogStoreRef,
}

/// What a log says.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) version: u64,
    pub(crate) files: Files,
    pub(crate) metadata: Metadata,
    /// The version of the last checkpoint.
    pub(crate) checkpoint: Option<u64>,
}

/// Why a log cannot be used.
#[derive(Debug)]
pub(crate) enum LogError {
    /// Not now.
    Unavailable(PublishError),
    /// What is there makes no table; it has to be thrown away.
    Damaged(String),
}

impl Log {
    /// The log of the table in `segments/<table>` below `base`, which says where in `objects` that is.
    pub(crate) fn new(objects: Arc<dyn ObjectStore>, base: &Url, table: Table) -> Result<Self, PublishError> {
        let place =
            |source: Box<dyn Error + Send + Sync>| PublishError::Place { path: base.to_string(), source };
        let location = base.join(&format!("{}/", root(table))).map_err(|error| place(error.into()))?;
        let prefix = Path::from_url_path(location.path()).map_err(|error| place(error.into()))?;
        let files: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(Arc::clone(&objects), prefix));
        let delta = default_logstore(Arc::clone(&files), objects, &location, &StorageConfig::default());
        Ok(Self { table, files, delta })
    }

    /// Whether the version is there, so that a next one can follow it.
    pub(crate) async fn has(&self, version: u64) -> Result<bool, PublishError> {
        match self.files.head(&commit_uri_from_version(Some(version))).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.storage("read", error)),
        }
    }

    /// Reads the last version; `None` when there is no log.
    pub(crate) async fn load(&self) -> Result<Option<Loaded>, LogError> {
        let first = self.files.list(Some(&Path::from(LOG))).next().await;
        match first {
            None => return Ok(None),
            Some(Err(error)) => return Err(LogError::Unavailable(self.storage("read", error))),
            Some(Ok(_)) => {}
        }
        let table = self.open().await?;
        let damaged = |error: DeltaTableError| LogError::Damaged(error.to_string());
        let state = table.snapshot().map_err(damaged)?;
        if *state.protocol() != schema::protocol().map_err(|error| LogError::Damaged(error.to_string()))? {
            return Err(LogError::Damaged("its protocol was changed by somebody else".to_owned()));
        }
        if !schema::partitioned_alike(state.metadata()) {
            return Err(LogError::Damaged("its partitions are not those of our files".to_owned()));
        }
        let log = state.log_data();
        let files = log.iter().map(|view| {
            let rows = view.num_records().map(|rows| rows as u64);
            (view.path().into_owned(), File { rows, bytes: u64::try_from(view.size()).unwrap_or(0) })
        });
        Ok(Some(Loaded {
            version: state.version(),
            files: files.collect(),
            metadata: state.metadata().clone(),
            checkpoint: self.checkpoint_version().await,
        }))
    }

    /// Reads the table. When that fails, although everything can be read, and fails again, it is not
    /// the storage's fault.
    async fn open(&self) -> Result<DeltaTable, LogError> {
        let mut table = DeltaTable::new(Arc::clone(&self.delta));
        if table.load().await.is_err() {
            self.touch().await.map_err(LogError::Unavailable)?;
            table.load().await.map_err(|error| LogError::Damaged(error.to_string()))?;
        }
        Ok(table)
    }

    /// Reads every object of the log.
    async fn touch(&self) -> Result<(), PublishError> {
        let mut objects = self.files.list(Some(&Path::from(LOG)));
        while let Some(object) = objects.next().await {
            let object = object.map_err(|error| self.storage("read", error))?;
            let read = async { self.files.get(&object.location).await?.bytes().await };
            read.await.map_err(|error| self.storage("read", error))?;
        }
        Ok(())
    }

    /// The version that the pointer to the last checkpoint names. Only a hint: without it the next
    /// checkpoint comes earlier.
    async fn checkpoint_version(&self) -> Option<u64> {
        let pointer = self.files.get(&Path::from(format!("{LOG}/_last_checkpoint"))).await.ok()?;
        let pointer: serde_json::Value = serde_json::from_slice(&pointer.bytes().await.ok()?).ok()?;
        pointer["version"].as_u64()
    }

    /// Writes a version; false when it exists already.
    pub(crate) async fn write(&self, version: u64, actions: &[Action]) -> Result<bool, PublishError> {
        let mut lines = Vec::new();
        for action in actions {
            serde_json::to_writer(&mut lines, action).map_err(|error| self.storage("write", error))?;
            lines.push(b'\n');
        }
        let path = commit_uri_from_version(Some(version));
        match self.files.put_opts(&path, Bytes::from(lines).into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(self.storage("write", error)),
        }
    }

    /// Writes a checkpoint of the last version and deletes what is older than it and has outlived
    /// `delta.logRetentionDuration`. Returns what it read.
    pub(crate) async fn checkpoint(&self) -> Result<u64, LogError> {
        let table = self.open().await?;
        let version = table.version().unwrap_or(0);
        let failed = |error| LogError::Unavailable(self.storage("checkpoint", error));
        create_checkpoint(&table, None).await.map_err(failed)?;
        let deleted = cleanup_metadata(&table, None).await.map_err(failed)?;
        tracing::debug!(table = %self.table, version, deleted, "checkpoint the Delta log");
        Ok(version)
    }

    /// Deletes the whole log. Whatever is left when that fails is no table, or one that the next
    /// comparison puts right.
    pub(crate) async fn wipe(&self) -> Result<(), PublishError> {
        let paths = self.files.list(Some(&Path::from(LOG))).map_ok(|object| object.location).boxed();
        let deleted = self.files.delete_stream(paths).try_for_each(|_| async { Ok(()) });
        deleted.await.map_err(|error| self.storage("delete", error))
    }

    fn storage(&self, what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> PublishError {
        PublishError::Storage { table: self.table, what, source: source.into() }
    }
}
