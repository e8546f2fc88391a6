use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{Budget, Lsn, Signal, Table, Tenant, day_of};
use parking_lot::{Mutex, MutexGuard, RwLock};
use tokio::sync::Notify;

use super::chunk::Chunk;
use super::days::SeriesDays;
use super::generation::Generation;
use super::series_index::SeriesIndex;
use super::{Prepared, fold};
use crate::clock::Clock;
use crate::wal::EntryMeta;

/// All shards, and how far the log has been published to them.
#[derive(Debug)]
pub(crate) struct Memory {
    budget: Budget,
    clock: Arc<dyn Clock>,
    /// Bytes at which a generation ends.
    full: u64,
    /// Told when a generation has ended or has many small chunks.
    filled: Arc<Notify>,
    shards: RwLock<BTreeMap<(Tenant, Signal), Arc<Shard>>>,
    published: AtomicU64,
}

/// The records of one tenant and signal that are not in files yet.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) tenant: Tenant,
    pub(crate) signal: Signal,
    budget: Budget,
    state: Mutex<ShardState>,
    /// Held while a generation is sealed: they are sealed one after the other.
    turn: Mutex<()>,
}

#[derive(Debug)]
struct ShardState {
    active: Generation,
    /// Waiting for their seal, the oldest first.
    frozen: VecDeque<Arc<Generation>>,
    days: SeriesDays,
    /// The day on which the index was last looked at for series that are gone.
    index_day: i32,
    /// When the index was begun.
    index_since: i64,
}

/// Series at which an index that holds mostly old ones is replaced.
const INDEX_ROTATE_MIN: usize = 50_000;

impl Memory {
    pub(crate) fn new(budget: Budget, clock: Arc<dyn Clock>, full: u64, filled: Arc<Notify>) -> Self {
        Self { budget, clock, full, filled, shards: RwLock::default(), published: AtomicU64::new(0) }
    }

    /// The shard of a tenant and signal. How many tenants there may be is the caller's limit.
    pub(crate) fn shard(&self, tenant: &Tenant, signal: Signal) -> Arc<Shard> {
        let key = (tenant.clone(), signal);
        if let Some(shard) = self.shards.read().get(&key) {
            return Arc::clone(shard);
        }
        let mut shards = self.shards.write();
        let shard = shards.entry(key).or_insert_with(|| {
            let now = self.clock.now_unix_nano();
            Arc::new(Shard::new(tenant.clone(), signal, self.budget.clone(), now))
        });
        Arc::clone(shard)
    }

    pub(crate) fn find(&self, tenant: &Tenant, signal: Signal) -> Option<Arc<Shard>> {
        self.shards.read().get(&(tenant.clone(), signal)).cloned()
    }

    pub(crate) fn shards(&self) -> Vec<Arc<Shard>> {
        self.shards.read().values().cloned().collect()
    }

    /// Takes in an entry that is durable. Called in the order of the LSNs, by one thread.
    pub(crate) fn publish(&self, lsn: Lsn, meta: &EntryMeta, prepared: Prepared) {
        let shard = self.shard(&meta.tenant, meta.signal);
        let (bytes, small) = shard.publish(lsn, meta, prepared, self.clock.now_unix_nano());
        self.published.fetch_max(lsn, Ordering::Release);
        if bytes >= self.full {
            self.freeze(&shard);
        }
        if bytes >= self.full || small {
            self.filled.notify_one();
        }
    }

    /// The last entry that was published.
    pub(crate) fn published(&self) -> Lsn {
        self.published.load(Ordering::Acquire)
    }

    /// Bytes in active and in frozen generations.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let shards = self.shards();
        shards
            .iter()
            .map(|shard| shard.bytes())
            .fold((0, 0), |(a, f), (active, frozen)| (a + active, f + frozen))
    }

    /// Notes an entry whose records are in files already.
    pub(crate) fn skip(&self, lsn: Lsn) {
        self.published.fetch_max(lsn, Ordering::Release);
    }

    /// Ends the shard's active generation, if anything is in it.
    pub(crate) fn freeze(&self, shard: &Shard) {
        shard.freeze(&self.published, self.clock.now_unix_nano());
    }

    /// Begins the shard's index of series anew, if it is at least as old as this.
    pub(crate) fn renew_index(&self, shard: &Shard, age: i64) -> bool {
        shard.renew_index(&self.published, self.clock.now_unix_nano(), age)
    }

    /// Entries below are in files, all of them.
    pub(crate) fn needed_from(&self) -> Lsn {
        // Read first: what is published after this has a greater LSN.
        let published = self.published.load(Ordering::Acquire);
        self.shards().iter().filter_map(|shard| shard.first_lsn()).fold(published + 1, Lsn::min)
    }
}

impl Shard {
    fn new(tenant: Tenant, signal: Signal, budget: Budget, now: i64) -> Self {
        let series = (signal == Signal::Metrics).then(|| Arc::new(SeriesIndex::new(&budget)));
        let state = ShardState {
            active: Generation::new(1, series),
            frozen: VecDeque::new(),
            days: SeriesDays::default(),
            index_day: i32::MIN,
            index_since: now,
        };
        Self { tenant, signal, budget, state: Mutex::new(state), turn: Mutex::new(()) }
    }

    /// What a batch for this shard is resolved against.
    pub(crate) fn series(&self) -> Option<Arc<SeriesIndex>> {
        self.state.lock().active.series.clone()
    }

    /// Bytes of the active generation after it, and whether small chunks have become many.
    fn publish(&self, lsn: Lsn, meta: &EntryMeta, mut prepared: Prepared, now: i64) -> (u64, bool) {
        let mut state = self.state.lock();
        let ShardState { active, days, .. } = &mut *state;
        debug_assert_eq!(prepared.signal, self.signal);
        if active.first_lsn == 0 {
            active.first_lsn = lsn;
            active.opened_unix_nano = now;
        }
        active.last_lsn = lsn;
        active.counts.count(meta);
        if let Some(index) = &active.series {
            prepared.renumber(index, &self.budget);
        }
        for (table, chunk) in prepared.chunks {
            active.push(table, chunk);
        }
        let new_series = prepared.series.and_then(|series| series.new_rows(days, &self.budget));
        if let Some(chunk) = new_series {
            active.push(Table::Series, chunk);
        }
        let chunks = |table: &Table| active.chunks(*table).len();
        let small =
            self.signal.tables().iter().any(|table| chunks(table) % fold::PARTS_MIN == fold::PARTS_MIN - 1);
        (active.bytes(), small)
    }

    fn freeze(&self, published: &AtomicU64, now: i64) {
        let mut state = self.state.lock();
        if state.active.is_empty() {
            return;
        }
        let series = state.next_index(now, &self.budget);
        state.freeze(published, series);
    }

    /// Puts an empty index of series in the place of the one there is, if that is as old as this.
    /// Series that are still sent come back with the next request, and with a row in the table
    /// `series`; the memory of the others is free once what refers to them is sealed.
    fn renew_index(&self, published: &AtomicU64, now: i64, age: i64) -> bool {
        let mut state = self.state.lock();
        if state.active.series.is_none() || now.saturating_sub(state.index_since) < age {
            return false;
        }
        let series = state.new_index(now, &self.budget);
        if state.active.is_empty() {
            state.active.series = series;
        } else {
            state.freeze(published, series);
        }
        true
    }

    /// Series in the index, and what they take.
    pub(crate) fn series_usage(&self) -> Option<(usize, u64)> {
        let series = self.series()?;
        Some((series.len(), series.bytes()))
    }

    /// The generations with records or counts, the oldest first, the active one last.
    pub(crate) fn generations(&self) -> Vec<Arc<Generation>> {
        let state = self.state.lock();
        let active = (!state.active.is_empty()).then(|| Arc::new(state.active.clone()));
        state.frozen.iter().cloned().chain(active).collect()
    }

    /// The generation whose turn it is to be sealed.
    pub(crate) fn oldest_frozen(&self) -> Option<Arc<Generation>> {
        self.state.lock().frozen.front().cloned()
    }

    /// Whoever seals has to hold it.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }

    pub(crate) fn has_frozen(&self) -> bool {
        !self.state.lock().frozen.is_empty()
    }

    /// Forgets the oldest frozen generation: its records are in files that the catalog names.
    pub(crate) fn forget(&self, number: u64) {
        let mut state = self.state.lock();
        let oldest = state.frozen.pop_front();
        assert_eq!(oldest.map(|oldest| oldest.number), Some(number), "generations are sealed in order");
    }

    fn first_lsn(&self) -> Option<Lsn> {
        let state = self.state.lock();
        let oldest = state.frozen.front().map_or(state.active.first_lsn, |oldest| oldest.first_lsn);
        (oldest != 0).then_some(oldest)
    }

    /// Bytes, rows and opening time of the active generation; nothing of an empty one.
    pub(crate) fn active(&self) -> Option<Active> {
        let ShardState { active, .. } = &*self.state.lock();
        (!active.is_empty()).then(|| Active {
            bytes: active.bytes(),
            opened_unix_nano: active.opened_unix_nano,
            first_lsn: active.first_lsn,
        })
    }

    /// Bytes in the active and in the frozen generations.
    fn bytes(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.active.bytes(), state.frozen.iter().map(|frozen| frozen.bytes()).sum())
    }

    /// Bytes and rows in memory.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let state = self.state.lock();
        let frozen = state.frozen.iter().map(Arc::as_ref);
        frozen
            .chain([&state.active])
            .fold((0, 0), |(bytes, rows), generation| (bytes + generation.bytes(), rows + generation.rows()))
    }

    /// Makes one chunk of many small ones where there are any; whether there may be more.
    pub(crate) fn fold(&self) -> bool {
        self.signal.tables().iter().any(|table| self.fold_table(*table))
    }

    fn fold_table(&self, table: Table) -> bool {
        let (number, parts) = {
            let state = self.state.lock();
            let Some(parts) = fold::pick(state.active.chunks(table)) else { return false };
            (state.active.number, parts)
        };
        // Copying is done outside of the lock: publishing goes on.
        let whole: Chunk = fold::fold(table, &parts, &self.budget);
        let mut state = self.state.lock();
        if state.active.number == number {
            state.active.replace(table, &parts, whole);
        }
        true
    }
}

/// What decides whether a generation is sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Active {
    pub(crate) bytes: u64,
    pub(crate) opened_unix_nano: i64,
    pub(crate) first_lsn: Lsn,
}

impl ShardState {
    fn freeze(&mut self, published: &AtomicU64, series: Option<Arc<SeriesIndex>>) {
        let published = published.load(Ordering::Acquire);
        let next = Generation::new(self.active.number + 1, series);
        let mut frozen = std::mem::replace(&mut self.active, next);
        // All entries up to `published` are in the memtables, and this one holds those of this
        // shard. An entry that is being published may be in it already although it is not counted.
        frozen.last_lsn = frozen.last_lsn.max(published);
        self.frozen.push_back(Arc::new(frozen));
    }

    fn new_index(&mut self, now: i64, budget: &Budget) -> Option<Arc<SeriesIndex>> {
        self.days = SeriesDays::default();
        self.index_since = now;
        Some(Arc::new(SeriesIndex::new(budget)))
    }

    /// The index of the next generation: another one when most series of this one are gone.
    fn next_index(&mut self, now: i64, budget: &Budget) -> Option<Arc<SeriesIndex>> {
        let index = self.active.series.clone()?;
        let today = day_of(now);
        if self.index_day == today {
            return Some(index);
        }
        self.index_day = today;
        let len = index.len();
        if len < INDEX_ROTATE_MIN || self.days.count_since(today - 1) > len / 2 {
            return Some(index);
        }
        self.new_index(now, budget)
    }
}
