//! One trace, looked up by its id.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use model::{Budget, Reservation, Table, Tenant, schema};
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use crate::error::{ReadError, WorkError};
use crate::manifest::SegmentMeta;
use crate::memtable::{time_range, times};
use crate::segment::{SegmentFile, TraceIndex, Wanted, hash};
use crate::snapshot::{MemoryChunk, Missing, Snapshot};
use crate::store::{Inner, Store};

/// What is known of a trace.
#[derive(Debug)]
pub struct Trace {
    /// Its spans, in the file schema, in no order.
    pub spans: Vec<RecordBatch>,
    /// Why spans may be missing. Empty: these are all.
    pub warnings: Vec<String>,
    /// Segments that there are.
    pub segments: usize,
    /// Of these, segments whose index said that it is not in them.
    pub segments_skipped: usize,
    /// What the spans take from the budget.
    memory: Reservation,
}

/// How far from its known spans other spans of a trace are looked for.
const TRACE_NANOS: i64 = 3_600_000_000_000;

impl Trace {
    /// When other spans of it can have begun, if some of its spans are known.
    fn times(&self) -> Option<(i64, i64)> {
        let ranges = self.spans.iter().map(|spans| time_range(times(Table::Spans, spans)));
        let (from, to) = ranges.reduce(|(a, b), (c, d)| (a.min(c), b.max(d)))?;
        Some((from.saturating_sub(TRACE_NANOS), to.saturating_add(TRACE_NANOS)))
    }

    fn push(&mut self, spans: RecordBatch) -> Result<(), ReadError> {
        if spans.num_rows() > 0 {
            self.memory.grow(spans.get_array_memory_size() as u64)?;
            self.spans.push(spans);
        }
        Ok(())
    }
}

/// The share of the budget that indexes of segments may keep.
const CACHE_SHARE: u64 = 32;

/// Indexes of segments that were looked up in, until they take too much memory.
#[derive(Debug)]
pub(crate) struct IndexCache {
    limit: u64,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    indexes: HashMap<String, Option<Arc<TraceIndex>>>,
    memory: Reservation,
}

impl IndexCache {
    pub(crate) fn new(budget: &Budget) -> Self {
        let known = Known { indexes: HashMap::new(), memory: budget.take(0) };
        Self { limit: budget.limit() / CACHE_SHARE, known: Mutex::new(known) }
    }

    /// What is known of a segment: its index, or that it has none.
    fn known(&self, id: &str) -> Option<Option<Arc<TraceIndex>>> {
        self.known.lock().indexes.get(id).cloned()
    }

    fn get(
        &self,
        id: &str,
        load: impl FnOnce() -> Result<Option<TraceIndex>, ReadError>,
    ) -> Result<Option<Arc<TraceIndex>>, ReadError> {
        if let Some(index) = self.known(id) {
            return Ok(index);
        }
        let index = load()?.map(Arc::new);
        let bytes = 128 + index.as_ref().map_or(0, |index| index.bytes());
        let mut known = self.known.lock();
        if known.memory.bytes() + bytes > self.limit {
            // All of them: what is looked up comes back with one read each.
            known.indexes.clear();
            known.memory.settle(0);
        }
        let sum = known.memory.bytes() + bytes;
        known.memory.settle(sum);
        known.indexes.insert(id.to_owned(), index.clone());
        Ok(index)
    }
}

impl Store {
    /// All spans of a trace: from memory, and from the segments by their index, of which only the
    /// pages that hold such spans are read.
    ///
    /// A segment that turns out to be damaged is set aside and named in the warnings.
    ///
    /// # Errors
    /// When the disk or object store does not answer.
    pub async fn trace(&self, tenant: &Tenant, trace_id: [u8; 16]) -> Result<Trace, ReadError> {
        let snapshot = self.snapshot(tenant, Table::Spans);
        let inner = Arc::clone(self.inner());
        let looked_up = tokio::task::spawn_blocking(move || inner.look_up(&snapshot, &trace_id)).await;
        looked_up.unwrap_or_else(|error| {
            let reason = format!("looking it up panicked: {error}");
            Err(ReadError::Damaged { path: format!("segments/{}", Table::Spans), reason })
        })
    }
}

impl Inner {
    fn look_up(&self, snapshot: &Snapshot, trace_id: &[u8]) -> Result<Trace, ReadError> {
        let memory = self.budget.take(0);
        let mut trace = Trace {
            spans: Vec::new(),
            warnings: Vec::new(),
            segments: snapshot.segments.len(),
            segments_skipped: 0,
            memory,
        };
        for chunk in &snapshot.memory {
            in_memory(chunk, trace_id).into_iter().try_for_each(|spans| trace.push(spans))?;
        }
        self.read_ahead(&snapshot.segments, trace_id);
        for segment in &snapshot.segments {
            match self.in_segment(segment, trace_id, &mut trace) {
                Ok(()) => {}
                Err(ReadError::Damaged { path, reason }) => {
                    trace.warnings.push(format!("`{path}` is damaged and not included: {reason}"));
                    if let Err(error) = self.set_aside_segment(segment, &reason) {
                        let error: &WorkError = &error;
                        tracing::error!(path, %error, "cannot set aside a damaged segment");
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let missing = match trace.times() {
            Some((from, to)) => snapshot.missing_in(from..=to).collect::<Vec<_>>(),
            // When it was is not known: it may have been in any of them.
            None => snapshot.missing.iter().collect(),
        };
        trace.warnings.extend(missing.into_iter().map(Missing::warning));
        Ok(trace)
    }

    /// Begins to read what is read first of each segment, so that the disk has all of it to do at the same
    /// time.
    fn read_ahead(&self, segments: &[Arc<SegmentMeta>], trace_id: &[u8]) {
        let wanted = hash(trace_id);
        for segment in segments {
            let file = SegmentFile::new(&self.objects, segment);
            let first = match self.indexes.known(&segment.id) {
                Some(index) => index.and_then(|index| index.block(wanted)).map(|(_, block)| block),
                None => Some(file.end()),
            };
            file.read_ahead(first.as_slice());
        }
    }

    fn in_segment(
        &self,
        segment: &Arc<SegmentMeta>,
        trace_id: &[u8],
        trace: &mut Trace,
    ) -> Result<(), ReadError> {
        let file = SegmentFile::new(&self.objects, segment);
        let Some(index) = self.indexes.get(&segment.id, || file.trace_index())? else {
            return all_of(&file, trace_id, trace);
        };
        let wanted = hash(trace_id);
        let rows = match index.block(wanted) {
            Some((first, block)) => file.trace_rows(block, first, wanted)?,
            None => Vec::new(),
        };
        if rows.is_empty() {
            trace.segments_skipped += 1;
            return Ok(());
        }
        let metadata = file.metadata(Wanted::Offsets)?;
        let sizes = metadata.row_groups().iter().map(|group| group.num_rows());
        let (groups, rows) = select(sizes, &rows);
        for batch in file.rows(&metadata, groups, rows)? {
            trace.push(of_trace(&batch?, trace_id))?;
        }
        Ok(())
    }
}

/// Without an index all of the file is read.
fn all_of(file: &SegmentFile, trace_id: &[u8], trace: &mut Trace) -> Result<(), ReadError> {
    let metadata = file.metadata(Wanted::Groups)?;
    for group in 0..metadata.num_row_groups() {
        for batch in file.group(&metadata, group)? {
            trace.push(of_trace(&batch?, trace_id))?;
        }
    }
    Ok(())
}

/// The row groups in which the rows are, and the selection of the rows within these.
pub(crate) fn select(sizes: impl Iterator<Item = i64>, rows: &[u32]) -> (Vec<usize>, RowSelection) {
    let mut groups = Vec::new();
    let mut selectors = Vec::new();
    let mut start = 0u64;
    let mut rows = rows.iter().map(|row| u64::from(*row)).peekable();
    for (group, size) in sizes.enumerate() {
        let end = start + u64::try_from(size).unwrap_or(0);
        let mut at = start;
        while let Some(row) = rows.next_if(|row| *row < end) {
            if groups.last() != Some(&group) {
                groups.push(group);
            }
            // Rows ascend: none is before the one after the last.
            selectors.push(RowSelector::skip(usize::try_from(row.saturating_sub(at)).unwrap_or(0)));
            selectors.push(RowSelector::select(1));
            at = row + 1;
        }
        if groups.last() == Some(&group) {
            selectors.push(RowSelector::skip(usize::try_from(end - at).unwrap_or(0)));
        }
        start = end;
    }
    selectors.retain(|selector| selector.row_count > 0);
    (groups, RowSelection::from(selectors))
}

fn in_memory(chunk: &MemoryChunk, trace_id: &[u8]) -> Vec<RecordBatch> {
    let ids = chunk.chunk().rows.column_by_name("trace_id").expect("spans have it").as_binary::<i32>();
    let rows: Vec<usize> = (0..ids.len()).filter(|row| ids.value(*row) == trace_id).collect();
    let columns: Vec<usize> = (0..schema::file(Table::Spans).fields().len()).collect();
    let runs = rows.chunk_by(|a, b| a + 1 == *b).map(|run| run[0]..run[0] + run.len());
    runs.map(|run| chunk.slice(run, &columns).expect("rows of the chunk, columns of the table")).collect()
}

fn of_trace(batch: &RecordBatch, trace_id: &[u8]) -> RecordBatch {
    let ids = batch.column_by_name("trace_id").expect("spans have it").as_binary::<i32>();
    let same: BooleanArray = (0..ids.len()).map(|row| Some(ids.value(row) == trace_id)).collect();
    filter_record_batch(batch, &same).expect("one answer a row")
}
