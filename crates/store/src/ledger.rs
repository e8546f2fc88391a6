//! Where every record went: received = stored + rejected + dropped + deduplicated + expired.
//!
//! Enters: what was published, sealed and expired. Leaves: totals per tenant and signal. Must hold: the
//! equation, at every moment and after every crash. The manifest keeps the totals of the sealed entries;
//! [`Ledger`] begins with them, and everything above is counted again when it is replayed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::{Occupied, Vacant};

use model::{Signal, Table, Tenant};
use parking_lot::RwLock;

use crate::manifest::{ExpiredRows, SegmentMeta, SetAside, State};
use crate::wal::EntryMeta;

/// How many records of one tenant and signal took which way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Came in, in requests that were acknowledged.
    pub received: u64,
    /// Are in the store now.
    pub stored: u64,
    /// Were refused, by reason; the sender was told.
    pub rejected: BTreeMap<String, u64>,
    /// Were left out by a rule of the user, by rule.
    pub dropped: BTreeMap<String, u64>,
    /// Were there already.
    pub deduplicated: u64,
    /// Were stored and have been deleted by age.
    pub expired: u64,
}

impl Counts {
    /// Counts a published entry.
    pub fn count(&mut self, entry: &EntryMeta) {
        let received = u64::from(entry.records);
        let mut stored = received;
        self.received += received;
        for (reason, rejected) in entry.counts() {
            stored = stored.saturating_sub(rejected);
            *slot(&mut self.rejected, reason) += rejected;
        }
        self.stored += stored;
    }

    /// Adds other counts to these.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.stored += other.stored;
        self.deduplicated += other.deduplicated;
        self.expired += other.expired;
        for (reason, records) in &other.rejected {
            *slot(&mut self.rejected, reason) += records;
        }
        for (rule, records) in &other.dropped {
            *slot(&mut self.dropped, rule) += records;
        }
    }

    /// Moves records from stored to expired.
    pub fn expire(&mut self, records: u64) {
        self.stored = self.stored.saturating_sub(records);
        self.expired += records;
    }

    /// Whether the equation holds.
    pub fn balances(&self) -> bool {
        let refused = self.rejected.values().sum::<u64>() + self.dropped.values().sum::<u64>();
        self.received == self.stored + refused + self.deduplicated + self.expired
    }
}

/// What a seal adds to the totals: the counts of exactly the entries that it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerDelta {
    /// Whose records.
    pub tenant: Tenant,
    /// Of which signal.
    pub signal: Signal,
    /// Where they went.
    pub counts: Counts,
}

/// Totals per tenant and signal.
pub type Totals = BTreeMap<(Tenant, Signal), Counts>;

/// The totals as they are now: of the sealed entries and of those that are still in memory.
#[derive(Debug)]
pub struct Ledger {
    totals: RwLock<Totals>,
}

impl Ledger {
    /// Begins with the totals of what is sealed.
    pub fn new(state: &State) -> Self {
        Self { totals: RwLock::new(state.ledger.clone()) }
    }

    /// Counts an entry when it is published, or restored from the log.
    pub fn count(&self, entry: &EntryMeta) {
        with(&mut self.totals.write(), &entry.tenant, entry.signal, |counts| counts.count(entry));
    }

    /// Moves the records of segments that a commit expired from stored to expired.
    pub fn expire<'a>(&self, segments: impl IntoIterator<Item = &'a SegmentMeta>) {
        let mut totals = self.totals.write();
        for segment in segments {
            expire(&mut totals, segment);
        }
    }

    /// Moves records that a commit took out of segments from stored to expired.
    pub(crate) fn expire_some<'a>(&self, expired: impl IntoIterator<Item = &'a ExpiredRows>) {
        let mut totals = self.totals.write();
        for ExpiredRows { tenant, signal, rows } in expired {
            expire_rows(&mut totals, tenant, *signal, *rows);
        }
    }

    /// Moves the records of damage that a commit forgot from stored to expired.
    pub(crate) fn forget<'a>(&self, damage: impl IntoIterator<Item = &'a SetAside>) {
        let mut totals = self.totals.write();
        for (tenant, signal, rows) in damage.into_iter().filter_map(SetAside::records) {
            expire_rows(&mut totals, &tenant, signal, rows);
        }
    }

    /// The totals.
    pub fn totals(&self) -> Totals {
        self.totals.read().clone()
    }
}

/// Whether the rows of a table are records; those of the others belong to records.
pub(crate) fn counts_records(table: Table) -> bool {
    match table {
        Table::Logs | Table::Spans | Table::Samples | Table::Histograms => true,
        Table::Series | Table::Exemplars | Table::Downsampled | Table::DownsampledHistograms => false,
    }
}

/// Moves the records of one segment from stored to expired, if its table is one whose rows are counted.
pub(crate) fn expire(totals: &mut Totals, segment: &SegmentMeta) {
    if segment.counts_records() {
        expire_rows(totals, &segment.tenant, segment.table.signal(), segment.rows);
    }
}

pub(crate) fn expire_rows(totals: &mut Totals, tenant: &Tenant, signal: Signal, rows: u64) {
    with(totals, tenant, signal, |counts| counts.expire(rows));
}

pub(crate) fn add(totals: &mut Totals, delta: &LedgerDelta) {
    with(totals, &delta.tenant, delta.signal, |counts| counts.add(&delta.counts));
}

fn with(totals: &mut Totals, tenant: &Tenant, signal: Signal, change: impl FnOnce(&mut Counts)) {
    match totals.entry((tenant.clone(), signal)) {
        Occupied(mut counts) => change(counts.get_mut()),
        Vacant(place) => change(place.insert(Counts::default())),
    }
}

fn slot<'a>(map: &'a mut BTreeMap<String, u64>, key: &str) -> &'a mut u64 {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), 0);
    }
    map.get_mut(key).expect("it was put in above")
}

#[cfg(test)]
mod tests;
