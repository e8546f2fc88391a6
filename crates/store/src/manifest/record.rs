//! What the lines of a manifest file say. The names in here are on disk: they are added, never changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Lsn, Signal, Table, Tenant};
use serde::{Deserialize, Serialize};

use super::state::{
    Commit, ExpiredRows, Progress, Removal, RemovalReason, Removed, SegmentMeta, State, Tail, TierOf,
};
use super::{SetAside, Whose};
use crate::ledger::{Counts, LedgerDelta};

/// The version that is written.
pub(super) const VERSION: u32 = 1;

/// A line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) version: u32,
    /// Number of the commit; of a checkpoint, that of the last commit in it.
    pub(super) sequence: u64,
    /// Only in the first line of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint: Option<CheckpointRecord>,
    /// In all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<CommitRecord>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct CheckpointRecord {
    segments: Vec<SegmentRecord>,
    progress: Vec<ProgressRecord>,
    ledger: Vec<CountsRecord>,
    removed: Vec<RemovedRecord>,
    set_aside: Vec<SetAsideRecord>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    in_doubt: bool,
    #[serde(skip_serializing_if = "is_zero")]
    names_until_ms: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct CommitRecord {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    progress: Vec<ProgressRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    add: Vec<SegmentRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remove: Vec<RemovalRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deleted: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ledger: Vec<CountsRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    set_aside: Vec<SetAsideRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forget: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expired: Vec<ExpiredRecord>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    settled: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    doubted: bool,
    #[serde(skip_serializing_if = "is_zero")]
    names_until_ms: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct SegmentRecord {
    id: String,
    table: String,
    tenant: String,
    day: i32,
    path: String,
    rows: u64,
    bytes: u64,
    min_time: i64,
    max_time: i64,
    level: u8,
    created_unix_ms: i64,
    /// The length and the checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tail: Option<(u64, u32)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lsns: Vec<(Lsn, Lsn)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier: Option<TierRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    thinned: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TierRecord {
    resolution_ms: u64,
    rule: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct ExpiredRecord {
    tenant: String,
    signal: String,
    rows: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct ProgressRecord {
    tenant: String,
    signal: String,
    lsn: Lsn,
}

#[derive(Debug, Serialize, Deserialize)]
struct RemovalRecord {
    id: String,
    reason: ReasonRecord,
    at_unix_ms: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct RemovedRecord {
    segment: SegmentRecord,
    reason: ReasonRecord,
    at_unix_ms: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReasonRecord {
    Compacted,
    Expired,
    SetAside,
}

#[derive(Debug, Serialize, Deserialize)]
struct CountsRecord {
    tenant: String,
    signal: String,
    received: u64,
    stored: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rejected: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    dropped: BTreeMap<String, u64>,
    #[serde(default)]
    deduplicated: u64,
    #[serde(default)]
    expired: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct SetAsideRecord {
    path: String,
    reason: String,
    rows: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<(i64, i64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whose: Option<WhoseRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WhoseRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_zero(ms: &i64) -> bool {
    *ms == 0
}

impl Record {
    pub(super) fn commit(sequence: u64, commit: &Commit) -> Self {
        let commit = CommitRecord {
            progress: commit.progress.iter().map(ProgressRecord::from).collect(),
            add: commit.add.iter().map(SegmentRecord::from).collect(),
            remove: commit.remove.iter().map(RemovalRecord::from).collect(),
            deleted: commit.deleted.clone(),
            ledger: commit
                .ledger
                .iter()
                .map(|delta| CountsRecord::new(&delta.tenant, delta.signal, &delta.counts))
                .collect(),
            set_aside: commit.set_aside.iter().map(SetAsideRecord::from).collect(),
            forget: commit.forget.clone(),
            expired: commit.expired.iter().map(ExpiredRecord::from).collect(),
            settled: commit.settled,
            doubted: commit.doubted,
            names_until_ms: commit.names_until_ms,
        };
        Self { version: VERSION, sequence, checkpoint: None, commit: Some(commit) }
    }

    pub(super) fn checkpoint(sequence: u64, state: &State) -> Self {
        let progress = state.progress.iter().map(|((tenant, signal), lsn)| ProgressRecord {
            tenant: tenant.to_string(),
            signal: signal.to_string(),
            lsn: *lsn,
        });
        let ledger = state.ledger.iter();
        let checkpoint = CheckpointRecord {
            segments: state.segments.values().flat_map(|s| s.iter()).map(|s| (&**s).into()).collect(),
            progress: progress.collect(),
            ledger: ledger.map(|((t, signal), counts)| CountsRecord::new(t, *signal, counts)).collect(),
            removed: state.removed.iter().map(RemovedRecord::from).collect(),
            set_aside: state.set_aside.iter().map(SetAsideRecord::from).collect(),
            in_doubt: state.in_doubt,
            names_until_ms: state.names_until_ms,
        };
        Self { version: VERSION, sequence, checkpoint: Some(checkpoint), commit: None }
    }
}

impl CheckpointRecord {
    /// The state, unless a name in it is none.
    pub(super) fn decode(self) -> Option<State> {
        let mut state = State::default();
        for segment in self.segments {
            let segment = segment.decode()?;
            let place = state.segments.entry((segment.tenant.clone(), segment.table)).or_default();
            Arc::make_mut(place).push(Arc::new(segment));
        }
        for progress in self.progress {
            let Progress { tenant, signal, lsn } = progress.decode()?;
            state.progress.insert((tenant, signal), lsn);
        }
        for counts in self.ledger {
            let LedgerDelta { tenant, signal, counts } = counts.decode()?;
            state.ledger.insert((tenant, signal), counts);
        }
        for removed in self.removed {
            let segment = Arc::new(removed.segment.decode()?);
            let (reason, at_unix_ms) = (removed.reason.into(), removed.at_unix_ms);
            state.removed.push(Removed { segment, reason, at_unix_ms });
        }
        state.set_aside = self.set_aside.into_iter().map(SetAside::from).collect();
        state.in_doubt = self.in_doubt;
        state.names_until_ms = self.names_until_ms;
        Some(state)
    }
}

impl CommitRecord {
    /// The commit, unless a name in it is none.
    pub(super) fn decode(self) -> Option<Commit> {
        Some(Commit {
            progress: self.progress.into_iter().map(ProgressRecord::decode).collect::<Option<_>>()?,
            add: self.add.into_iter().map(SegmentRecord::decode).collect::<Option<_>>()?,
            remove: self.remove.into_iter().map(Removal::from).collect(),
            deleted: self.deleted,
            ledger: self.ledger.into_iter().map(CountsRecord::decode).collect::<Option<_>>()?,
            set_aside: self.set_aside.into_iter().map(SetAside::from).collect(),
            forget: self.forget,
            expired: self.expired.into_iter().map(ExpiredRecord::decode).collect::<Option<_>>()?,
            settled: self.settled,
            doubted: self.doubted,
            names_until_ms: self.names_until_ms,
        })
    }
}

impl From<&SegmentMeta> for SegmentRecord {
    fn from(segment: &SegmentMeta) -> Self {
        Self {
            id: segment.id.clone(),
            table: segment.table.to_string(),
            tenant: segment.tenant.to_string(),
            day: segment.day,
            path: segment.path.clone(),
            rows: segment.rows,
            bytes: segment.bytes,
            min_time: segment.min_time,
            max_time: segment.max_time,
            level: segment.level,
            created_unix_ms: segment.created_unix_ms,
            tail: segment.tail.map(|Tail { len, crc }| (len, crc)),
            lsns: segment.lsns.clone(),
            tier: segment.tier.map(|TierOf { resolution_ms, rule }| TierRecord { resolution_ms, rule }),
            thinned: segment.thinned.clone(),
        }
    }
}

impl SegmentRecord {
    fn decode(self) -> Option<SegmentMeta> {
        Some(SegmentMeta {
            id: self.id,
            table: Table::parse(&self.table)?,
            tenant: Tenant::parse(&self.tenant).ok()?,
            day: self.day,
            path: self.path,
            rows: self.rows,
            bytes: self.bytes,
            min_time: self.min_time,
            max_time: self.max_time,
            level: self.level,
            created_unix_ms: self.created_unix_ms,
            tail: self.tail.map(|(len, crc)| Tail { len, crc }),
            lsns: self.lsns,
            tier: self.tier.map(|TierRecord { resolution_ms, rule }| TierOf { resolution_ms, rule }),
            thinned: self.thinned,
        })
    }
}

impl From<&ExpiredRows> for ExpiredRecord {
    fn from(expired: &ExpiredRows) -> Self {
        let ExpiredRows { tenant, signal, rows } = expired;
        Self { tenant: tenant.to_string(), signal: signal.to_string(), rows: *rows }
    }
}

impl ExpiredRecord {
    fn decode(self) -> Option<ExpiredRows> {
        let tenant = Tenant::parse(&self.tenant).ok()?;
        Some(ExpiredRows { tenant, signal: Signal::parse(&self.signal)?, rows: self.rows })
    }
}

impl From<&Progress> for ProgressRecord {
    fn from(progress: &Progress) -> Self {
        Self { tenant: progress.tenant.to_string(), signal: progress.signal.to_string(), lsn: progress.lsn }
    }
}

impl ProgressRecord {
    fn decode(self) -> Option<Progress> {
        let tenant = Tenant::parse(&self.tenant).ok()?;
        Some(Progress { tenant, signal: Signal::parse(&self.signal)?, lsn: self.lsn })
    }
}

impl CountsRecord {
    fn new(tenant: &Tenant, signal: Signal, counts: &Counts) -> Self {
        Self {
            tenant: tenant.to_string(),
            signal: signal.to_string(),
            received: counts.received,
            stored: counts.stored,
            rejected: counts.rejected.clone(),
            dropped: counts.dropped.clone(),
            deduplicated: counts.deduplicated,
            expired: counts.expired,
        }
    }

    fn decode(self) -> Option<LedgerDelta> {
        let counts = Counts {
            received: self.received,
            stored: self.stored,
            rejected: self.rejected,
            dropped: self.dropped,
            deduplicated: self.deduplicated,
            expired: self.expired,
        };
        let tenant = Tenant::parse(&self.tenant).ok()?;
        Some(LedgerDelta { tenant, signal: Signal::parse(&self.signal)?, counts })
    }
}

impl From<&Removal> for RemovalRecord {
    fn from(removal: &Removal) -> Self {
        Self { id: removal.id.clone(), reason: removal.reason.into(), at_unix_ms: removal.at_unix_ms }
    }
}

impl From<RemovalRecord> for Removal {
    fn from(record: RemovalRecord) -> Self {
        Self { id: record.id, reason: record.reason.into(), at_unix_ms: record.at_unix_ms }
    }
}

impl From<&Removed> for RemovedRecord {
    fn from(removed: &Removed) -> Self {
        let (reason, at_unix_ms) = (removed.reason.into(), removed.at_unix_ms);
        Self { segment: (&*removed.segment).into(), reason, at_unix_ms }
    }
}

impl From<RemovalReason> for ReasonRecord {
    fn from(reason: RemovalReason) -> Self {
        match reason {
            RemovalReason::Compacted => Self::Compacted,
            RemovalReason::Expired => Self::Expired,
            RemovalReason::SetAside => Self::SetAside,
        }
    }
}

impl From<ReasonRecord> for RemovalReason {
    fn from(reason: ReasonRecord) -> Self {
        match reason {
            ReasonRecord::Compacted => Self::Compacted,
            ReasonRecord::Expired => Self::Expired,
            ReasonRecord::SetAside => Self::SetAside,
        }
    }
}

impl From<&SetAside> for SetAsideRecord {
    fn from(damage: &SetAside) -> Self {
        let SetAside { path, reason, rows, times, whose } = damage.clone();
        let whose = whose.map(|Whose { tenant, signal }| WhoseRecord {
            tenant: tenant.map(|tenant| tenant.to_string()),
            signal: signal.map(|signal| signal.to_string()),
        });
        Self { path, reason, rows, times, whose }
    }
}

impl From<SetAsideRecord> for SetAside {
    fn from(record: SetAsideRecord) -> Self {
        let SetAsideRecord { path, reason, rows, times, whose } = record;
        // A name that is none any more is one that is not known.
        let whose = whose.map(|WhoseRecord { tenant, signal }| Whose {
            tenant: tenant.and_then(|tenant| Tenant::parse(&tenant).ok()),
            signal: signal.and_then(|signal| Signal::parse(&signal)),
        });
        Self { path, reason, rows, times, whose }
    }
}
