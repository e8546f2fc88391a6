//! Merging at once what somebody asks for, without waiting until a day is over.
//!
//! Enters: which tables, tenants and days. Leaves: what became of each merge. Must hold: each is a merge
//! like those of the background, takes its turn with them, and is whole or did not happen; only what
//! was there at the beginning is merged, so that it ends however much comes in.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use model::{Table, Tenant};

use super::{Place, place};
use crate::error::WorkError;
use crate::manifest::SegmentMeta;
use crate::store::{Inner, Store, blocking};

/// What is to be merged; of each, nothing means all.
#[derive(Clone, Debug, Default)]
pub struct CompactRequest {
    /// Of these tables.
    pub tables: Vec<Table>,
    /// Of these tenants.
    pub tenants: Vec<Tenant>,
    /// Of these UTC days, as [`model::day_of`] numbers them.
    pub days: Vec<i32>,
}

impl CompactRequest {
    fn wants(&self, segment: &SegmentMeta) -> bool {
        fn any<T: PartialEq>(of: &[T], own: &T) -> bool {
            of.is_empty() || of.contains(own)
        }
        any(&self.tables, &segment.table)
            && any(&self.tenants, &segment.tenant)
            && any(&self.days, &segment.day)
    }
}

/// A merge that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Of which table.
    pub table: Table,
    /// Of which tenant.
    pub tenant: Tenant,
    /// Of which UTC day.
    pub day: i32,
    /// Files that were replaced by one.
    pub files: u64,
    /// Their bytes.
    pub bytes_before: u64,
    /// The bytes of the new file.
    pub bytes: u64,
    /// The rows of the new file.
    pub rows: u64,
}

/// Files of a table, tenant and day that could not be merged; they are as they were.
#[derive(Debug)]
pub struct NotMerged {
    /// Of which table; nothing when what is in memory could not be written to files.
    pub place: Option<(Table, Tenant, i32)>,
    /// Why.
    pub error: WorkError,
}

/// Merging that was asked for. It goes on only while [`Compaction::next`] is awaited; dropping it ends
/// it after the merge that is going on.
pub struct Compaction {
    inner: Arc<Inner>,
    request: CompactRequest,
    /// The segments that were there once memory was sealed, and those that were made of them.
    known: Option<HashSet<String>>,
    failed: BTreeSet<Place>,
    _turn: Turn,
}

/// Held by the one compaction that was asked for.
struct Turn(Arc<AtomicBool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Store {
    /// Writes what is in memory to files, and merges those that are asked for into as few as
    /// `compact.size` permits. Nothing while another one that was asked for goes on.
    pub fn compact(&self, request: CompactRequest) -> Option<Compaction> {
        let inner = Arc::clone(self.inner());
        let taken = inner.asked.swap(true, Ordering::AcqRel);
        let turn = (!taken).then(|| Turn(Arc::clone(&inner.asked)))?;
        Some(Compaction { inner, request, known: None, failed: BTreeSet::new(), _turn: turn })
    }
}

impl Compaction {
    /// Does the next merge; nothing when all is done. What cannot be merged is left, and the rest is
    /// merged.
    ///
    /// # Errors
    /// [`NotMerged`], once for each table, tenant and day.
    pub async fn next(&mut self) -> Option<Result<Merged, NotMerged>> {
        if self.known.is_none()
            && let Err(error) = self.begin().await
        {
            return Some(Err(NotMerged { place: None, error }));
        }
        loop {
            let known = self.known.get_or_insert_default();
            let wanted = |segment: &SegmentMeta| {
                known.contains(&segment.id)
                    && self.request.wants(segment)
                    && !self.failed.contains(&place(segment))
            };
            let inputs = self.inner.next_rest(wanted)?;
            let (inner, place) = (Arc::clone(&self.inner), place(&inputs[0]));
            let (files, bytes_before) = (inputs.len() as u64, inputs.iter().map(|input| input.bytes).sum());
            match blocking("compact", move || inner.compact(&inputs)).await {
                Ok(Some(merged)) => {
                    let SegmentMeta { id, table, tenant, day, bytes, rows, .. } = merged;
                    known.insert(id);
                    return Some(Ok(Merged { table, tenant, day, files, bytes_before, bytes, rows }));
                }
                // They are gone: what is there now decides.
                Ok(None) => {}
                Err(error) => {
                    self.failed.insert(place.clone());
                    let (tenant, table, day) = place;
                    return Some(Err(NotMerged { place: Some((table, tenant, day)), error }));
                }
            }
        }
    }

    async fn begin(&mut self) -> Result<(), WorkError> {
        // Also when the seal fails: files that are there can be merged.
        let sealed = self.inner.seal_of(&self.request.tables, &self.request.tenants).await;
        let state = self.inner.state();
        let segments = state.segments.values().flat_map(|segments| segments.iter());
        self.known = Some(segments.map(|segment| segment.id.clone()).collect());
        sealed
    }
}
