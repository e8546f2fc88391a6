//! Compaction: many small segments become a few large ones.
//!
//! Enters: segments of one table, tenant and day. Leaves: one commit that puts one segment in
//! their place. Row groups that are large already are copied as they are, page by page; small ones
//! are read, sorted together and written anew. So a row is rewritten until its row group is large,
//! and then no more; memory is that of one row group. Must hold: the rows are the same (of the
//! table `series`: each series is there). Samples are merged run by run (`samples`): all row groups
//! are copied or none, so that a file has one run of each series. What is merged, and when, is in `choice`; merging what somebody asks for in `asked`.

pub(crate) mod asked;
mod choice;
pub(crate) mod runs;
mod samples;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use model::{Table, Tenant};
use parking_lot::Mutex;
use parquet::file::metadata::ParquetMetaData;

use self::runs::Part;
use crate::courtesy::give_way;
use crate::error::{ReadError, WorkError};
use crate::manifest::{Commit, Removal, RemovalReason, SegmentMeta};
use crate::memtable::Chunk;
use crate::segment::{
    Effort, FileSeries, Origin, Pick, Rows, SegmentFile, SegmentWriter, Wanted, group_len, has_all_columns,
    has_long_runs, is_large, order, unfile, union,
};
use crate::store::Inner;

/// Most bytes of small row groups in memory.
const PENDING_BYTES: u64 = 64 << 20;

/// How long what could not be merged is left alone.
const PAUSE_MS: i64 = 300_000;

/// A row group that is written anew.
type Small = (SegmentFile, Arc<ParquetMetaData>, usize);

/// What is merged together.
type Place = (Tenant, Table, i32);

/// Places whose segments could not be merged, and until when they are left alone.
#[derive(Debug, Default)]
pub(crate) struct Paused(Mutex<BTreeMap<Place, i64>>);

impl Paused {
    /// Whether some could not be merged and have not been since.
    pub(crate) fn some(&self) -> bool {
        !self.0.lock().is_empty()
    }

    fn failed(&self, place: Place, until_ms: i64) {
        self.0.lock().insert(place, until_ms);
    }

    fn succeeded(&self, place: &Place) {
        self.0.lock().remove(place);
    }

    fn at(&self, now_ms: i64) -> Vec<Place> {
        let paused = self.0.lock();
        paused.iter().filter(|(_, until)| now_ms < **until).map(|(place, _)| place.clone()).collect()
    }
}

fn place(segment: &SegmentMeta) -> Place {
    (segment.tenant.clone(), segment.table, segment.day)
}

/// Segments of one table, tenant and day that are worth merging.
pub(crate) type Inputs = Vec<Arc<SegmentMeta>>;

impl Inner {
    /// Merges until nothing is left that is worth it, or it is stopped. One merge after the other:
    /// sealing goes first. What cannot be merged is left for a while, so that the rest is.
    pub(crate) async fn compact_all(self: &Arc<Self>, stopped: impl Fn() -> bool) -> Result<(), WorkError> {
        let mut failed = None;
        while !stopped()
            && let Some(inputs) = self.next_inputs()
        {
            let (inner, place) = (Arc::clone(self), place(&inputs[0]));
            let merged = crate::store::blocking("compact", move || inner.compact(&inputs)).await;
            match merged {
                Ok(_) => self.paused.succeeded(&place),
                Err(error) if self.fatal.reason().is_some() => return Err(error),
                Err(error) => {
                    self.paused.failed(place, crate::clock::unix_ms(&*self.clock) + PAUSE_MS);
                    failed = failed.or(Some(error));
                }
            }
        }
        while !stopped()
            && let Some(job) = self.next_downsampling(|place| self.leaves_alone(place))
        {
            let (inner, place) = (Arc::clone(self), job.place());
            match crate::store::blocking("downsample", move || inner.downsample(&job)).await {
                Ok(()) => self.paused.succeeded(&place),
                Err(error) if self.fatal.reason().is_some() => return Err(error),
                Err(error) => {
                    self.paused.failed(place, crate::clock::unix_ms(&*self.clock) + PAUSE_MS);
                    failed = failed.or(Some(error));
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Whether a day could not be downsampled a moment ago.
    fn leaves_alone(&self, place: &Place) -> bool {
        self.paused.at(crate::clock::unix_ms(&*self.clock)).contains(place)
    }

    /// Puts one segment in the place of the inputs, and gives it; nothing when they were merged, expired or
    /// set aside meanwhile, or one of them is damaged. Blocks until it is its turn.
    pub(crate) fn compact(&self, inputs: &Inputs) -> Result<Option<SegmentMeta>, WorkError> {
        let _turn = self.merging.lock();
        let _pins = self.pins.pin(inputs);
        if !self.are_live(inputs) {
            return Ok(None);
        }
        let started = self.clock.now_unix_nano();
        let merged = match self.merge(inputs) {
            Err(WorkError::Read(ReadError::Damaged { path, reason })) => {
                let damaged = inputs.iter().find(|input| input.path == path);
                let set_aside = damaged.map(|segment| self.set_aside_segment(segment, &reason));
                return set_aside.transpose().map(|_| None);
            }
            merged => merged?,
        };
        let at_unix_ms = crate::clock::unix_ms(&*self.clock);
        let remove = inputs.iter().map(|input| Removal {
            id: input.id.clone(),
            reason: RemovalReason::Compacted,
            at_unix_ms,
        });
        let commit = Commit { remove: remove.collect(), add: vec![merged.clone()], ..Commit::default() };
        let committed = self.commit(commit, None);
        if !matches!(committed, Ok(true)) {
            // Or an input expired or was set aside meanwhile.
            self.take_back(std::slice::from_ref(&merged));
            return committed.map(|_| None);
        }
        let nanos = self.clock.now_unix_nano().saturating_sub(started);
        let before = inputs.iter().map(|input| input.bytes).sum();
        self.work.compacted(u64::try_from(nanos).unwrap_or(0), before);
        let SegmentMeta { path, rows, bytes, .. } = &merged;
        tracing::debug!(path, inputs = inputs.len(), before, rows, bytes, "compacted");
        Ok(Some(merged))
    }

    /// Whether the catalog still has all of these, which are of one table and tenant.
    fn are_live(&self, inputs: &Inputs) -> bool {
        let (state, first) = (self.state(), &inputs[0]);
        let live = state.segments_of(&first.tenant, first.table);
        inputs.iter().all(|input| live.iter().any(|segment| segment.id == input.id))
    }

    fn merge(&self, inputs: &Inputs) -> Result<SegmentMeta, WorkError> {
        let first = &inputs[0];
        let level = inputs.iter().map(|input| input.level).max().unwrap_or(0).saturating_add(1);
        let new = self.new_segment(self.moment()?, (first.table, &first.tenant, first.day), level);
        let new = SegmentMeta { tier: first.tier, thinned: first.thinned.clone(), ..new };
        let origin = Origin {
            lsns: union(inputs.iter().flat_map(|input| input.lsns.iter().copied())),
            first: None,
            inputs: inputs.iter().map(|input| input.id.clone()).collect(),
        };
        let merged =
            self.write_segment(new, &origin, Effort::Compact, |writer| self.merge_into(writer, inputs))?;
        if first.tier.is_none() {
            return Ok(merged);
        }
        // It stands for points also where it has no row of them.
        let min_time = inputs.iter().map(|input| input.min_time).min().unwrap_or(merged.min_time);
        let max_time = inputs.iter().map(|input| input.max_time).max().unwrap_or(merged.max_time);
        Ok(SegmentMeta { min_time, max_time, ..merged })
    }

    fn merge_into(&self, writer: &mut SegmentWriter, inputs: &Inputs) -> Result<(), WorkError> {
        let table = inputs[0].table;
        let mut memory = self.budget.take(0);
        let mut small: Vec<Small> = Vec::new();
        let open = |input: &Arc<SegmentMeta>| {
            let file = SegmentFile::new(&self.objects, input);
            file.metadata(Wanted::Pages).map(|metadata| (file, metadata))
        };
        let files = inputs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        // Of samples all are copied or none: what of a series is left over would be apart from the rest of it.
        let copies = table != Table::Samples || files.iter().all(|(_, metadata)| has_long_runs(metadata));
        for (file, metadata) in files {
            // Copied as they are they would lack the columns that were added since.
            let copies = copies && has_all_columns(table, &metadata);
            let mut traces = None;
            for group in 0..metadata.num_row_groups() {
                if copies && is_large(table, metadata.row_group(group)) {
                    let whole = file.window(&metadata, group)?;
                    if traces.is_none() && table == Table::Spans {
                        traces = file.traces(&metadata)?;
                    }
                    let known = traces.as_deref().map_or(0, size_of_val) as u64;
                    memory.settle(group_len(&metadata, group) + known);
                    self.copy_group(writer, &whole, (&metadata, group), traces.as_deref())?;
                } else {
                    small.push((file.clone(), Arc::clone(&metadata), group));
                }
            }
        }
        drop(memory);
        let limit = PENDING_BYTES.min(self.budget.limit() / 16);
        if table == Table::Samples {
            let parts = small.iter().map(|(file, metadata, group)| Part::new(file, metadata, *group));
            return self.merge_samples(writer, &parts.collect::<Vec<_>>(), limit);
        }
        let mut pending = Pending::default();
        for (file, metadata, group) in small {
            for batch in file.group(&metadata, group)? {
                give_way();
                pending.chunks.push(unfile(table, &batch?, &mut pending.series, &self.budget));
            }
            if pending.bytes() >= limit {
                self.write_pending(writer, table, &std::mem::take(&mut pending))?;
            }
        }
        self.write_pending(writer, table, &pending)
    }

    fn copy_group(
        &self,
        writer: &mut SegmentWriter,
        file: &SegmentFile,
        (metadata, group): (&Arc<ParquetMetaData>, usize),
        traces: Option<&[(u64, u32)]>,
    ) -> Result<(), WorkError> {
        let facts = file.facts(metadata, group, traces)?;
        let table = writer.table().as_str();
        let encode = |source| WorkError::Encode { table, source };
        writer.copy(file, metadata, group, &facts).map_err(encode)
    }

    /// Sorts what is pending and writes it as row groups of its own.
    fn write_pending(
        &self,
        writer: &mut SegmentWriter,
        table: Table,
        pending: &Pending,
    ) -> Result<(), WorkError> {
        let Some(rows) = Rows::new(table, &pending.chunks, &pending.series.catalog) else { return Ok(()) };
        let mut picks = order(&rows);
        if table == Table::Series {
            one_each(&rows, &mut picks);
        }
        self.write_rows(writer, &rows, &picks)
    }
}

/// Small row groups that are going to be one.
#[derive(Default)]
struct Pending {
    chunks: Vec<Chunk>,
    series: FileSeries,
}

impl Pending {
    fn bytes(&self) -> u64 {
        self.chunks.iter().map(Chunk::bytes).sum()
    }
}

/// Leaves one row of each series: the first of the day. A restart writes them again.
fn one_each(rows: &Rows<'_>, picks: &mut Vec<Pick>) {
    let ids: Vec<_> = rows
        .chunks
        .iter()
        .map(|chunk| chunk.rows.column_by_name("series_id").expect("in the schema").as_binary::<i32>())
        .collect();
    // Rows of a series are together, in the order of their times.
    picks.dedup_by_key(|pick| ids[pick.chunk as usize].value(pick.row as usize));
}
