//! One table and what is known of its log.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake_core::kernel::{Action, Metadata};
use model::Table;
use object_store::ObjectStore;
use url::Url;

use crate::log::{Loaded, Log, LogError};
use crate::plan::{Edit, Files, Plan, Stamp};
use crate::schema::CHECKPOINT_INTERVAL;
use crate::segment::Segment;
use crate::{Change, PublishError, schema};

/// How often a commit is tried when others commit too.
const ATTEMPTS_MAX: u32 = 5;

/// A table that is kept equal to the live segments.
pub(crate) struct PublishedTable {
    table: Table,
    log: Log,
    /// What the log says, unless it has to be read.
    known: Option<Known>,
    /// What it should say about itself.
    metadata: Metadata,
}

/// What the log says.
#[derive(Debug)]
struct Known {
    /// None when there is no log.
    version: Option<u64>,
    files: Files,
    /// What the table has to say about itself from now on.
    metadata: Option<Metadata>,
    checkpoint: Option<u64>,
    /// Whether the log was thrown away to get here.
    rebuilt: bool,
}

impl PublishedTable {
    pub(crate) fn new(objects: Arc<dyn ObjectStore>, base: &Url, table: Table) -> Result<Self, PublishError> {
        let metadata = schema::metadata(table).map_err(|source| PublishError::Schema { table, source })?;
        Ok(Self { table, log: Log::new(objects, base, table)?, known: None, metadata })
    }

    /// Its last version and how many files it has, as far as is known.
    pub(crate) fn known(&self) -> Option<(u64, u64)> {
        let known = self.known.as_ref()?;
        Some((known.version?, known.files.len() as u64))
    }

    /// Commits what makes the table equal to the live segments, if it is not. When it fails or is
    /// dropped half-way, the next run begins by reading the log.
    pub(crate) async fn reconcile(
        &mut self,
        live: &BTreeMap<&str, &Segment>,
        stamp: Stamp,
    ) -> Result<Change, PublishError> {
        let mut change = Change::none(self.table);
        for _ in 0..ATTEMPTS_MAX {
            let known = self.read().await?;
            change.rebuilt |= known.rebuilt;
            let plan = Plan::new(&known.files, live);
            if known.version.is_some() && known.metadata.is_none() && plan.is_empty() {
                change.version = known.version;
                self.known = Some(known);
                return Ok(change);
            }
            let next = known.version.map_or(0, |version| version + 1);
            let actions = self.actions(&plan, &known, stamp)?;
            let edit = plan.edit();
            if self.log.write(next, &actions).await? {
                change.version = Some(next);
                change.committed = true;
                (change.added, change.removed) = (edit.add.len() as u64, edit.remove.len() as u64);
                self.known = Some(known.after(next, edit));
                return Ok(change);
            }
            tracing::info!(table = %self.table, version = next, "somebody else changed the Delta table");
        }
        Err(PublishError::Contended { table: self.table, attempts: ATTEMPTS_MAX })
    }

    fn actions(&self, plan: &Plan<'_>, known: &Known, stamp: Stamp) -> Result<Vec<Action>, PublishError> {
        let metadata = match known.version {
            None => Some(self.metadata.clone()),
            Some(_) => known.metadata.clone(),
        };
        let mut actions = plan.actions(self.table.time_column(), metadata, stamp);
        if known.version.is_none() {
            let protocol =
                schema::protocol().map_err(|source| PublishError::Schema { table: self.table, source })?;
            actions.insert(1, Action::Protocol(protocol));
        }
        Ok(actions)
    }

    /// What the log says: as remembered while its last version is there, else read; thrown away
    /// when it cannot be read.
    async fn read(&mut self) -> Result<Known, PublishError> {
        if let Some(known) = self.known.take()
            && let Some(version) = known.version
            && self.log.has(version).await?
        {
            return Ok(known);
        }
        let damage = match self.log.load().await {
            Ok(Some(loaded)) => return self.remember(loaded),
            Ok(None) => return Ok(Known::nothing(false)),
            Err(LogError::Unavailable(error)) => return Err(error),
            Err(LogError::Damaged(damage)) => damage,
        };
        tracing::warn!(table = %self.table, error = %damage, "rebuild the Delta table, its log cannot be read");
        self.log.wipe().await?;
        Ok(Known::nothing(true))
    }

    fn remember(&self, loaded: Loaded) -> Result<Known, PublishError> {
        let metadata = schema::replacement(&loaded.metadata, &self.metadata)
            .map_err(|source| PublishError::Schema { table: self.table, source })?;
        let Loaded { version, files, checkpoint, .. } = loaded;
        Ok(Known { version: Some(version), files, metadata, checkpoint, rebuilt: false })
    }

    /// Writes a checkpoint when the last one is long ago, so that readers and the next start need
    /// not read the whole log.
    pub(crate) async fn keep_short(&mut self) -> Result<(), PublishError> {
        let Some(known) = &mut self.known else { return Ok(()) };
        let due = known.checkpoint.unwrap_or(0).saturating_add(CHECKPOINT_INTERVAL);
        if known.version.is_none_or(|version| version < due) {
            return Ok(());
        }
        match self.log.checkpoint().await {
            Ok(version) => {
                known.checkpoint = Some(version);
                Ok(())
            }
            Err(LogError::Unavailable(error)) => Err(error),
            // The next run reads the log and finds the damage.
            Err(LogError::Damaged(damage)) => {
                self.known = None;
                let (table, source) = (self.table, damage.into());
                Err(PublishError::Storage { table, what: "checkpoint", source })
            }
        }
    }
}

impl Known {
    fn after(mut self, version: u64, edit: Edit) -> Self {
        for path in &edit.remove {
            self.files.remove(path);
        }
        self.files.extend(edit.add);
        Self { version: Some(version), metadata: None, rebuilt: false, ..self }
    }

    fn nothing(rebuilt: bool) -> Self {
        Self { version: None, files: Files::new(), metadata: None, checkpoint: None, rebuilt }
    }
}
