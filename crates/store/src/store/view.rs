use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use model::{Signal, Table, Tenant};
use object_store::ObjectStore;

use super::{Inner, Store};
use crate::error::WorkError;
use crate::fatal::Fatal;
use crate::ledger::Totals;
use crate::manifest::{Commit, RemovalReason, SegmentMeta, SetAside, State};
use crate::memtable::Shard;
use crate::metrics::{APPEND, Problem, Status, TableStatus};
use crate::snapshot::{MemoryChunk, Missing, Snapshot};
use crate::wal::WalStats;

/// The segments there are.
#[derive(Clone, Debug)]
pub struct Segments {
    /// Counts up with every change since the start; equal numbers mean equal segments.
    pub sequence: u64,
    /// All of them, of all tenants and tables. An id is unique for ever and its file never changes.
    pub live: Vec<Arc<SegmentMeta>>,
}

impl Store {
    /// All records of a table of a tenant, at this moment.
    pub fn snapshot(&self, tenant: &Tenant, table: Table) -> Snapshot {
        self.snapshots(tenant, &[table]).pop().expect("one table, one snapshot")
    }

    /// All records of several tables of a tenant, at one and the same moment.
    pub fn snapshots(&self, tenant: &Tenant, tables: &[Table]) -> Vec<Snapshot> {
        let inner = &self.0;
        // While this is held no generation leaves memory and no segment comes or goes.
        let view = inner.view.read();
        let generations = Signal::ALL.map(|signal| {
            let wanted = tables.iter().any(|table| table.signal() == signal);
            let shard = wanted.then(|| inner.memory.find(tenant, signal)).flatten();
            shard.map(|shard| shard.generations()).unwrap_or_default()
        });
        let snapshot = |table: &Table| {
            let generations = &generations[table.signal() as usize];
            let segments = view.state.segments_of(tenant, *table).to_vec();
            Snapshot {
                tenant: tenant.clone(),
                table: *table,
                memory: generations.iter().flat_map(|part| MemoryChunk::of(*table, part)).collect(),
                missing: missing(&view.state, tenant, *table),
                _pins: inner.pins.pin(&segments),
                segments,
            }
        };
        tables.iter().map(snapshot).collect()
    }

    /// Reads segments, by the paths that a snapshot names.
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.0.objects.reader()
    }

    /// Reads parts of a segment on this thread, which may wait for the disk. Nothing where segments are
    /// elsewhere: then [`Store::objects`] reads several at once.
    pub fn read_here(&self, path: &str, ranges: &[Range<u64>]) -> Option<object_store::Result<Vec<Bytes>>> {
        self.0.objects.read_here(path, ranges)
    }

    /// Tenants that have records.
    pub fn tenants(&self) -> Vec<Tenant> {
        let inner = &self.0;
        let view = inner.view.read();
        let sealed = view.state.segments.keys().map(|(tenant, _)| tenant.clone());
        let memory = inner.memory.shards().into_iter().map(|shard| shard.tenant.clone());
        let known = view.state.ledger.keys().map(|(tenant, _)| tenant.clone());
        sealed.chain(memory).chain(known).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Where every record went, per tenant and signal.
    pub fn ledger(&self) -> Totals {
        self.0.ledger.totals()
    }

    /// All segments, for whoever keeps a list of them elsewhere: the difference to that list is
    /// what has to be added and removed there.
    pub fn segments(&self) -> Segments {
        let view = self.0.view.read();
        let live = view.state.segments.values().flat_map(|segments| segments.iter().cloned()).collect();
        Segments { sequence: view.sequence, live }
    }

    /// The state in which the store may not go on; the process has to end when it is raised.
    pub fn fatal(&self) -> Fatal {
        self.0.fatal.clone()
    }

    /// How many pieces of work there were since the start that take much memory for a short time, of
    /// which nothing is of use to the next one: merges, and seals of metrics, whose rows in memory are
    /// several times smaller than what is needed to order them. What a seal of logs or spans frees is
    /// mostly the records themselves, and the next ones are taken in with it.
    pub fn large_works_done(&self) -> u64 {
        self.0.work.large()
    }

    /// How the store is doing.
    pub fn status(&self) -> Status {
        let inner = &self.0;
        let state = Arc::clone(&inner.view.read().state);
        let totals = inner.memory.shards().iter().map(|shard| shard.totals()).collect::<Vec<_>>();
        let shards = inner.memory.shards();
        let series = shards.iter().filter_map(|shard| {
            let (series, bytes) = shard.series_usage().filter(|(series, _)| *series > 0)?;
            Some(((shard.tenant.clone(), series as u64), (shard.tenant.clone(), bytes)))
        });
        let (series, series_bytes) = series.unzip();
        let tables = Table::ALL.map(|table| table_status(&state, table));
        let wal = inner.wal.stats();
        Status {
            problems: inner.problems(&wal),
            wal,
            memtable_bytes: totals.iter().map(|(bytes, _)| bytes).sum(),
            memtable_rows: totals.iter().map(|(_, rows)| rows).sum(),
            series,
            series_bytes,
            series_max: inner.config.series_max,
            segments: tables.iter().map(|table| table.segments).sum(),
            segment_bytes: tables.iter().map(|table| table.bytes).sum(),
            removed_segments: state.removed.len() as u64,
            set_aside: state.set_aside.clone(),
            last_seal_unix_ms: inner.work.last_seal_unix_ms(),
            tables: tables.to_vec(),
            tiers: crate::tiers::status(&state),
            fatal: inner.fatal.reason().map(|reason| reason.to_string()),
            work: inner.work.stats(),
        }
    }
}

impl Inner {
    /// What does not work: first what keeps senders from being heard.
    fn problems(&self, wal: &WalStats) -> Vec<Problem> {
        let append = wal.failing.as_ref().map(|failing| {
            let elapsed = i64::try_from(failing.elapsed.as_millis()).unwrap_or(i64::MAX);
            Problem {
                work: APPEND,
                error: failing.error.clone(),
                since_unix_ms: crate::clock::unix_ms(&*self.clock).saturating_sub(elapsed),
                attempts: failing.groups,
            }
        });
        append.into_iter().chain(self.work.problems()).collect()
    }

    /// Makes a change durable, and then visible in one step together with the end of the generation
    /// that it sealed. Does nothing, and says so, when a segment that it removes is gone already.
    pub(crate) fn commit(&self, commit: Commit, sealed: Option<(&Shard, u64)>) -> Result<bool, WorkError> {
        let _turn = self.commits.lock();
        let state = self.state();
        let live = state.segments.values().flat_map(|segments| segments.iter());
        let removed: HashMap<&str, RemovalReason> =
            commit.remove.iter().map(|removal| (removal.id.as_str(), removal.reason)).collect();
        let gone: Vec<_> = live.filter(|segment| removed.contains_key(segment.id.as_str())).collect();
        if gone.len() < removed.len() {
            return Ok(false);
        }
        let changed = !commit.add.is_empty() || !commit.remove.is_empty();
        let next = self.manifest.commit(commit.clone()).map_err(WorkError::Manifest)?;
        let mut view = self.view.write();
        let expired = gone.iter().filter(|segment| removed[segment.id.as_str()] == RemovalReason::Expired);
        self.ledger.expire(expired.map(|segment| &***segment));
        self.ledger.expire_some(&commit.expired);
        self.ledger.forget(state.set_aside.iter().filter(|damage| commit.forget.contains(&damage.path)));
        view.state = next;
        view.sequence += 1;
        if let Some((shard, generation)) = sealed {
            shard.forget(generation);
        }
        if changed {
            self.changed.notify_one();
        }
        Ok(true)
    }

    /// The catalog as queries see it.
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.view.read().state)
    }
}

fn missing(state: &State, tenant: &Tenant, table: Table) -> Vec<Missing> {
    let of_table = state.set_aside.iter().filter(|damage| damage.concerns(tenant, table));
    let missing = |damage: &SetAside| Missing {
        path: damage.path.clone(),
        times: damage.span(),
        reason: damage.reason.clone(),
    };
    of_table.map(missing).collect()
}

fn table_status(state: &State, table: Table) -> TableStatus {
    let segments = state.segments.iter().filter(|((_, of), _)| *of == table);
    let segments = segments.flat_map(|(_, segments)| segments.iter());
    segments.fold(TableStatus { table, segments: 0, rows: 0, bytes: 0 }, |sum, segment| TableStatus {
        segments: sum.segments + 1,
        rows: sum.rows + segment.rows,
        bytes: sum.bytes + segment.bytes,
        ..sum
    })
}
