use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{Lsn, Signal, Table, Tenant};

use super::ManifestError;
use super::set_aside::{self, SetAside};
use crate::ledger::{self, LedgerDelta, Totals};

/// A segment: one immutable Parquet file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentMeta {
    /// Unique for ever (UUID, version 7).
    pub id: String,
    /// The table whose rows it holds.
    pub table: Table,
    /// Whose rows.
    pub tenant: Tenant,
    /// The UTC day of its rows, since 1970-01-01.
    pub day: i32,
    /// Its object key: `segments/<table>/tenant=<t>/day=<YYYY-MM-DD>/<id>.parquet`.
    pub path: String,
    /// How many rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The smallest time in nanoseconds.
    pub min_time: i64,
    /// The greatest time in nanoseconds.
    pub max_time: i64,
    /// How often its rows have been compacted.
    pub level: u8,
    /// When it was written.
    pub created_unix_ms: i64,
    /// What says where its rows are, if that is known: it has a checksum here, as every page has in the file.
    pub tail: Option<Tail>,
    /// Which entries of the log its rows came with, ranges that include both ends; empty when that
    /// is not known.
    pub lsns: Vec<(Lsn, Lsn)>,
    /// Of downsampled samples, what they are.
    pub tier: Option<TierOf>,
    /// Of samples, the rules of tiers whose rows have expired from it, ascending.
    pub thinned: Vec<u64>,
}

/// The end of a segment: the indexes of its pages, and its footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// How many bytes.
    pub len: u64,
    /// Their CRC-32.
    pub crc: u32,
}

impl Tail {
    /// Whether these are its bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.len && crc32fast::hash(bytes) == self.crc
    }
}

/// What samples were downsampled to, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TierOf {
    /// The length of a window.
    pub resolution_ms: u64,
    /// What stands for the rule of the configuration that chose the metrics.
    pub rule: u64,
}

impl SegmentMeta {
    /// Whether its rows are records that the ledger counts.
    pub fn counts_records(&self) -> bool {
        ledger::counts_records(self.table)
    }
}

/// What changes in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// How far into the log the sealed entries reach now.
    pub progress: Vec<Progress>,
    /// Segments that there are from now on.
    pub add: Vec<SegmentMeta>,
    /// Segments that there are no more; their files live on for running queries. The records of expired
    /// ones are moved in the ledger here, not in `ledger`.
    pub remove: Vec<Removal>,
    /// Ids of removed segments whose files have been deleted now; they are forgotten.
    pub deleted: Vec<String>,
    /// What the sealed entries add to the ledger.
    pub ledger: Vec<LedgerDelta>,
    /// Records that are not in the added segments any more though they were in the removed ones,
    /// because they were too old.
    pub expired: Vec<ExpiredRows>,
    /// Damage to remember.
    pub set_aside: Vec<SetAside>,
    /// Paths of damage whose records would be too old by now: they have expired with it.
    pub forget: Vec<String>,
    /// What no commit names has been looked at, and what lost commits had named is named again.
    pub settled: bool,
    /// Something is missing that is named, and nobody has looked for what no commit names: commits may be
    /// lost.
    pub doubted: bool,
    /// Until when names are given out without another commit that says so; 0 where that stays as it was.
    pub names_until_ms: i64,
}

/// Records of a segment that expired before the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiredRows {
    /// Whose records.
    pub tenant: Tenant,
    /// Of which signal.
    pub signal: Signal,
    /// How many.
    pub rows: u64,
}

/// All entries of a tenant and signal up to this LSN are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Whose entries.
    pub tenant: Tenant,
    /// Of which signal.
    pub signal: Signal,
    /// The last sealed entry.
    pub lsn: Lsn,
}

/// A segment that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Which.
    pub id: String,
    /// Why.
    pub reason: RemovalReason,
    /// When.
    pub at_unix_ms: i64,
}

/// Why a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalReason {
    /// Its rows are in another segment.
    Compacted,
    /// It was too old.
    Expired,
    /// It cannot be read.
    SetAside,
}

/// A segment that has gone, but whose file is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The segment.
    pub segment: Arc<SegmentMeta>,
    /// Why it went.
    pub reason: RemovalReason,
    /// When it went.
    pub at_unix_ms: i64,
}

/// What there is after a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The live segments.
    pub segments: BTreeMap<(Tenant, Table), Arc<Vec<Arc<SegmentMeta>>>>,
    /// The last sealed LSN.
    pub progress: BTreeMap<(Tenant, Signal), Lsn>,
    /// The ledger of the sealed entries.
    pub ledger: Totals,
    /// Segments whose files have to be deleted later.
    pub removed: Vec<Removed>,
    /// Damage, the oldest first.
    pub set_aside: Vec<SetAside>,
    /// Commits may be lost, and nobody has looked yet for what they named.
    pub in_doubt: bool,
    /// No name was given out that is of a later moment.
    pub names_until_ms: i64,
}

impl State {
    /// The live segments of one tenant's table.
    pub fn segments_of(&self, tenant: &Tenant, table: Table) -> &[Arc<SegmentMeta>] {
        self.segments.get(&(tenant.clone(), table)).map_or(&[], |segments| segments.as_slice())
    }

    /// The state after a commit.
    ///
    /// # Errors
    /// When it takes back progress, adds what is there or removes what is not.
    pub(super) fn apply(&self, commit: &Commit) -> Result<Self, ManifestError> {
        let mut next = self.clone();
        for progress in &commit.progress {
            let lsn = next.progress.entry((progress.tenant.clone(), progress.signal)).or_default();
            if progress.lsn < *lsn {
                return Err(conflict(format!("it takes back progress from {lsn} to {}", progress.lsn)));
            }
            *lsn = progress.lsn;
        }
        next.remove(&commit.remove)?;
        for segment in &commit.add {
            next.add(segment)?;
        }
        if !commit.deleted.is_empty() {
            next.removed.retain(|removed| !commit.deleted.contains(&removed.segment.id));
        }
        for delta in &commit.ledger {
            ledger::add(&mut next.ledger, delta);
        }
        for expired in &commit.expired {
            ledger::expire_rows(&mut next.ledger, &expired.tenant, expired.signal, expired.rows);
        }
        next.forget(&commit.forget);
        set_aside::add(&mut next.set_aside, &commit.set_aside);
        next.in_doubt = (next.in_doubt && !commit.settled) || commit.doubted;
        next.names_until_ms = next.names_until_ms.max(commit.names_until_ms);
        Ok(next)
    }

    fn add(&mut self, segment: &SegmentMeta) -> Result<(), ManifestError> {
        let segments = self.segments.entry((segment.tenant.clone(), segment.table)).or_default();
        if segments.iter().any(|there| there.id == segment.id) {
            return Err(conflict(format!("it adds segment {} again", segment.id)));
        }
        Arc::make_mut(segments).push(Arc::new(segment.clone()));
        Ok(())
    }

    fn forget(&mut self, paths: &[String]) {
        if paths.is_empty() {
            return;
        }
        let (ledger, forgotten) = (&mut self.ledger, |damage: &SetAside| paths.contains(&damage.path));
        self.set_aside.iter().filter(|damage| forgotten(damage)).for_each(|damage| {
            if let Some((tenant, signal, rows)) = damage.records() {
                ledger::expire_rows(ledger, &tenant, signal, rows);
            }
        });
        self.set_aside.retain(|damage| !forgotten(damage));
    }

    fn remove(&mut self, removals: &[Removal]) -> Result<(), ManifestError> {
        if removals.is_empty() {
            return Ok(());
        }
        let mut wanted: HashMap<&str, &Removal> =
            removals.iter().map(|removal| (removal.id.as_str(), removal)).collect();
        for segments in self.segments.values_mut() {
            if !segments.iter().any(|segment| wanted.contains_key(segment.id.as_str())) {
                continue;
            }
            let is_wanted = |segment: &mut Arc<SegmentMeta>| wanted.contains_key(segment.id.as_str());
            let going: Vec<_> = Arc::make_mut(segments).extract_if(.., is_wanted).collect();
            for segment in going {
                let Some(removal) = wanted.remove(segment.id.as_str()) else { continue };
                if removal.reason == RemovalReason::Expired {
                    ledger::expire(&mut self.ledger, &segment);
                }
                let (reason, at_unix_ms) = (removal.reason, removal.at_unix_ms);
                self.removed.push(Removed { segment, reason, at_unix_ms });
            }
        }
        self.segments.retain(|_, segments| !segments.is_empty());
        match wanted.keys().next() {
            Some(id) => Err(conflict(format!("it removes segment {id}, which is not there"))),
            None => Ok(()),
        }
    }
}

fn conflict(reason: String) -> ManifestError {
    ManifestError::Conflict { reason }
}
