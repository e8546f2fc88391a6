//! Rows of a table by columns: of files, skipping what statistics rule out, then of memory.
//!
//! Must hold: no plan and no SQL; the batches of one call come in the order in which their records
//! were written as far as the store knows it; memory and bytes are those of the query.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use model::{Table, schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::prune::{Wanted, groups};
use crate::cache::{SegmentReader, Segments};
use crate::session::Session;
use crate::{Chunk, QueryError, Segment, Snapshot};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 8192;

/// What is done with a batch.
pub(super) type Each<'a> = dyn FnMut(&RecordBatch) -> Result<(), QueryError> + 'a;

/// A table of the query's snapshot. Its calls block.
pub(super) struct Rows<'a> {
    session: &'a Session,
    snapshot: &'a Snapshot,
    segments: Segments,
}

/// An open file.
pub(super) struct File<'a> {
    rows: &'a Rows<'a>,
    segment: &'a Segment,
}

impl<'a> Rows<'a> {
    pub(super) fn new(session: &'a Session, snapshot: &'a Snapshot) -> Self {
        session.scan.has_segments(snapshot.table, snapshot.segments.len());
        let segments = Segments {
            table: snapshot.table,
            objects: Arc::clone(&session.engine.objects),
            footers: Arc::clone(&session.engine.footers),
            scan: Arc::clone(&session.scan),
            memory: Arc::clone(&session.control().pool),
        };
        Self { session, snapshot, segments }
    }

    fn table(&self) -> Table {
        self.snapshot.table
    }

    /// The files with rows of these times; those that are missing are told.
    pub(super) fn files(&'a self, times: (i64, i64)) -> impl Iterator<Item = File<'a>> {
        for missing in self.snapshot.missing.iter().filter(|missing| overlap(missing.times, times)) {
            self.session.scan.incomplete(missing.warning.clone());
        }
        let fits = move |segment: &&Segment| overlap((segment.min_time, segment.max_time), times);
        self.snapshot.segments.iter().filter(fits).map(move |segment| File { rows: self, segment })
    }

    /// The records in memory with rows of these times.
    pub(super) fn memory(&self, times: (i64, i64)) -> impl Iterator<Item = InMemory<'a>> {
        let fits = move |chunk: &&Arc<dyn Chunk>| chunk.times().is_none_or(|own| overlap(own, times));
        let (session, table) = (self.session, self.table());
        let snapshot = self.snapshot;
        snapshot.memory.iter().filter(fits).map(move |chunk| InMemory {
            session,
            table,
            chunk: chunk.as_ref(),
        })
    }

    /// These columns of all rows that may be wanted: others may be among them.
    pub(super) fn each(
        &self,
        columns: &[&str],
        wanted: &Wanted<'_>,
        each: &mut Each<'_>,
    ) -> Result<(), QueryError> {
        for file in self.files(wanted.times) {
            file.read(columns, &|footer| groups(footer, wanted), each)?;
        }
        for chunk in self.memory(wanted.times) {
            for window in chunk.windows() {
                each(&chunk.read(columns, window)?)?;
            }
        }
        Ok(())
    }
}

fn overlap(a: (i64, i64), b: (i64, i64)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

/// Which row groups, and which of their rows.
pub(super) type Picked = (Vec<usize>, Option<RowSelection>);

impl File<'_> {
    /// These columns of the picked rows, those that the file has.
    pub(super) fn read(
        &self,
        columns: &[&str],
        pick: &dyn Fn(&ParquetMetaData) -> Picked,
        each: &mut Each<'_>,
    ) -> Result<(), QueryError> {
        let session = self.rows.session;
        let control = session.control();
        let executor = &session.engine.executor;
        let reader = self.rows.segments.reader(&self.segment.path, self.segment.bytes);
        let opened = executor.block_on(control.within(async { Ok(open(reader, columns, pick).await) }))?;
        let Some(mut stream) = opened.map_err(|error| self.failed(&error))? else { return Ok(()) };
        while let Some(batch) = executor.block_on(control.within(async { Ok(stream.next().await) }))? {
            let batch = batch.map_err(|error| self.failed(&error))?;
            session.scan.add_rows(batch.num_rows());
            each(&batch)?;
        }
        Ok(())
    }

    fn failed(&self, error: &ParquetError) -> QueryError {
        // What the query's pool refused says so itself; the reader wraps it.
        match self.rows.session.control().pool.refusal() {
            Some(message) => QueryError::Memory { message },
            None => QueryError::Internal {
                message: format!("segment `{}` cannot be read: {error}", self.segment.path),
            },
        }
    }
}

type Stream = parquet::arrow::async_reader::ParquetRecordBatchStream<SegmentReader>;

async fn open(
    reader: SegmentReader,
    columns: &[&str],
    pick: &dyn Fn(&ParquetMetaData) -> Picked,
) -> Result<Option<Stream>, ParquetError> {
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
    let footer = Arc::clone(builder.metadata());
    let (groups, selection) = pick(&footer);
    if groups.is_empty() || selection.as_ref().is_some_and(|selection| !selection.selects_any()) {
        return Ok(None);
    }
    let file = footer.file_metadata().schema_descr();
    let own = file.root_schema().get_fields();
    let places = columns.iter().filter_map(|name| own.iter().position(|field| field.name() == *name));
    let mask = ProjectionMask::roots(file, places);
    let builder = builder.with_row_groups(groups).with_projection(mask).with_batch_size(BATCH_ROWS);
    let builder = match selection {
        Some(selection) => builder.with_row_selection(selection),
        None => builder,
    };
    builder.build().map(Some)
}

/// Records in memory.
pub(super) struct InMemory<'a> {
    session: &'a Session,
    table: Table,
    chunk: &'a dyn Chunk,
}

impl InMemory<'_> {
    /// All rows in pieces.
    pub(super) fn windows(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let rows = self.chunk.rows();
        (0..rows).step_by(BATCH_ROWS).map(move |from| from..(from + BATCH_ROWS).min(rows))
    }

    /// These columns of some rows, those that the table has.
    pub(super) fn read(&self, columns: &[&str], rows: Range<usize>) -> Result<RecordBatch, QueryError> {
        if let Some(reason) = self.session.control().has_to_stop() {
            return Err(reason);
        }
        let file = schema::file(self.table);
        let places: Vec<_> = columns.iter().filter_map(|name| file.index_of(name).ok()).collect();
        self.session.scan.add_rows(rows.len());
        Ok(self.chunk.read(&places, rows.start, rows.len())?)
    }
}
