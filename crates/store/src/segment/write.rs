use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use model::{Table, schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::writer::SerializedFileWriter;

use super::properties::{Effort, properties};
use super::read::{GroupFacts, SegmentFile};
use super::trace_index::{self, Place, TraceIndexBuilder};
use crate::disk::File;
use crate::memtable::{time_range, times};

/// Encoded bytes at which a row group ends early: rows can be large.
const GROUP_BYTES: usize = 64 << 20;

/// Writes one segment: batches in the order that the file declares, then [`SegmentWriter::finish`].
pub(crate) struct SegmentWriter {
    table: Table,
    file: SerializedFileWriter<Output>,
    factory: ArrowRowGroupWriterFactory,
    group: Option<Group>,
    groups: usize,
    rows: u64,
    times: Option<(i64, i64)>,
    trace: Option<TraceIndexBuilder>,
}

/// A row group that is being written.
struct Group {
    columns: Vec<ArrowColumnWriter>,
}

type Output = BufWriter<Sink>;

struct Sink(Box<dyn File>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A segment's content, written but not synced.
pub(crate) struct Written {
    pub(crate) file: Box<dyn File>,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) time_min: i64,
    pub(crate) time_max: i64,
}

impl SegmentWriter {
    /// Begins a segment in an empty file.
    pub(crate) fn new(table: Table, effort: Effort, file: Box<dyn File>) -> Result<Self> {
        let output = BufWriter::with_capacity(256 << 10, Sink(file));
        // Without the Arrow schema: what other readers see is what we see.
        let options = ArrowWriterOptions::new()
            .with_properties(Arc::unwrap_or_clone(properties(table, effort)))
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(output, schema::file(table), options)?;
        let (file, factory) = writer.into_serialized_writer()?;
        let trace = (table == Table::Spans).then(TraceIndexBuilder::default);
        Ok(Self { table, file, factory, group: None, groups: 0, rows: 0, times: None, trace })
    }

    pub(crate) fn table(&self) -> Table {
        self.table
    }

    /// Appends rows in the file schema to the row group that is open.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut group = match self.group.take() {
            Some(group) => group,
            None => Group { columns: self.factory.create_column_writers(self.groups)? },
        };
        group.write(batch)?;
        let (min, max) = time_range(times(self.table, batch));
        self.note_times(min, max);
        if self.trace.is_some() {
            let ids = batch.column_by_name("trace_id").expect("spans have it").as_binary::<i32>();
            self.note_traces((0..ids.len()).map(|row| trace_index::hash(ids.value(row))));
        }
        self.rows += batch.num_rows() as u64;
        let full = group.encoded_bytes() >= GROUP_BYTES;
        self.group = Some(group);
        if full { self.end_group() } else { Ok(()) }
    }

    /// Copies a row group of another segment as it is. `metadata` says where its pages are, `facts`
    /// what is in it.
    pub(crate) fn copy(
        &mut self,
        from: &SegmentFile,
        metadata: &ParquetMetaData,
        group: usize,
        facts: &GroupFacts,
    ) -> Result<()> {
        self.end_group()?;
        let source = metadata.row_group(group);
        let mut target = self.file.next_row_group()?;
        for (place, column) in source.columns().iter().enumerate() {
            let pages = metadata.column_index().map(|index| index[group][place].clone());
            let offsets = metadata.offset_index().map(|index| index[group][place].clone());
            let close = ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size())?,
                rows_written: u64::try_from(source.num_rows())?,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: pages.filter(|pages| !matches!(pages, ColumnIndexMetaData::NONE)),
                offset_index: offsets,
            };
            target.append_column(from, close)?;
        }
        target.close()?;
        self.groups += 1;
        self.note_times(facts.time_min, facts.time_max);
        self.note_traces(facts.traces.iter().copied());
        self.rows += u64::try_from(source.num_rows())?;
        Ok(())
    }

    fn note_traces(&mut self, hashes: impl Iterator<Item = u64>) {
        let Some(trace) = &mut self.trace else { return };
        for (row, hash) in (self.rows..).zip(hashes) {
            trace.push(hash, u32::try_from(row).expect("segments have fewer rows"));
        }
    }

    fn note_times(&mut self, min: i64, max: i64) {
        let (earliest, latest) = self.times.unwrap_or((min, max));
        self.times = Some((earliest.min(min), latest.max(max)));
    }

    /// Ends the row group that is open, if one is.
    pub(crate) fn end_group(&mut self) -> Result<()> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let mut file = self.file.next_row_group()?;
        for column in group.columns {
            column.close()?.append_to_row_group(&mut file)?;
        }
        file.close()?;
        self.groups += 1;
        Ok(())
    }

    /// Memory that is held: encoded pages and the index.
    pub(crate) fn memory(&self) -> u64 {
        let group = self.group.as_ref().map_or(0, Group::memory);
        (group + self.trace.as_ref().map_or(0, TraceIndexBuilder::bytes)) as u64
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> Result<Written> {
        self.end_group()?;
        if let Some(trace) = self.trace.take() {
            let (index, blocks) = trace.encode();
            let place = Place {
                offset: self.file.bytes_written() as u64,
                len: index.len() as u64,
                blocks: blocks as u64,
            };
            self.file.write_all(&index)?;
            self.file.append_key_value_metadata(KeyValue::new(trace_index::KEY.into(), place.format()));
        }
        let output = self.file.into_inner()?;
        let Sink(file) = output.into_inner().map_err(|error| error.into_error())?;
        let (time_min, time_max) = self.times.unwrap_or((0, 0));
        Ok(Written { bytes: file.len(), file, rows: self.rows, time_min, time_max })
    }
}

impl Group {
    fn write(&mut self, part: &RecordBatch) -> Result<()> {
        let schema = part.schema();
        let mut columns = self.columns.iter_mut();
        for (field, array) in schema.fields().iter().zip(part.columns()) {
            for leaf in compute_leaves(field, array)? {
                columns.next().expect("a writer for each leaf").write(&leaf)?;
            }
        }
        Ok(())
    }

    fn encoded_bytes(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
    }

    fn memory(&self) -> usize {
        self.columns.iter().map(ArrowColumnWriter::memory_size).sum()
    }
}
