use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_schema::FieldRef;
use arrow_select::interleave::interleave;
use model::sums::{self, Summing};
use model::{Reservation, Table, schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescPtr;

use super::encode::{Buffers, Codec, Group, Leaves, leaves_of};
use super::order::Pick;
use super::origin;
use super::properties::{Effort, parquet_schema, properties};
use super::read::{GroupFacts, SegmentFile};
use super::rows::Rows;
use super::trace_index::{self, Place, TraceIndexBuilder};
use crate::disk::File;
use crate::manifest::Tail;
use crate::memtable::times;

/// Rows that are brought into new arrays at a time, for the general writer.
const BATCH_ROWS: usize = 8192;

/// Writes one segment: row groups, each in the order that the file declares, then
/// [`SegmentWriter::finish`].
pub(crate) struct SegmentWriter {
    table: Table,
    effort: Effort,
    file: SerializedFileWriter<Output>,
    factory: ArrowRowGroupWriterFactory,
    columns: SchemaDescPtr,
    codec: Codec,
    groups: usize,
    rows: u64,
    times: Option<(i64, i64)>,
    trace: Option<TraceIndexBuilder>,
    origin: Option<String>,
}

type Output = BufWriter<Sink>;

struct Sink {
    file: Box<dyn File>,
    /// Of the blocks of what is written, until the tail begins.
    blocks: Summing,
    /// What is written of it, which is kept until it has its checksum.
    tail: Option<Vec<u8>>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tail {
            Some(tail) => tail.extend_from_slice(bytes),
            None => {
                self.blocks.update(bytes);
                self.file.write_all(bytes)?;
            }
        }
        Ok(bytes.len())
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
    pub(crate) tail: Tail,
    pub(crate) time_min: i64,
    pub(crate) time_max: i64,
}

impl SegmentWriter {
    /// Begins a segment in an empty file.
    pub(crate) fn new(table: Table, effort: Effort, file: Box<dyn File>, buffers: &Buffers) -> Result<Self> {
        let output =
            BufWriter::with_capacity(256 << 10, Sink { file, blocks: Summing::default(), tail: None });
        // Without the Arrow schema: what other readers see is what we see.
        let options = ArrowWriterOptions::new()
            .with_properties(Arc::unwrap_or_clone(properties(table, effort)))
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(output, schema::stored(table), options)?;
        let (file, factory) = writer.into_serialized_writer()?;
        let trace = (table == Table::Spans).then(TraceIndexBuilder::default);
        let (columns, codec) = (parquet_schema(table), Codec::new(table, effort, buffers)?);
        Ok(Self {
            table,
            effort,
            file,
            factory,
            columns,
            codec,
            groups: 0,
            rows: 0,
            times: None,
            trace,
            origin: None,
        })
    }

    pub(crate) fn table(&self) -> Table {
        self.table
    }

    /// What the footer says under [`origin::KEY`].
    pub(crate) fn set_origin(&mut self, origin: String) {
        self.origin = Some(origin);
    }

    /// Writes the picked rows as a row group.
    pub(crate) fn write(&mut self, rows: &Rows<'_>, picks: &[Pick], memory: &mut Reservation) -> Result<()> {
        let group = Group::new(rows, picks, self.effort);
        // The values of a column on their way, and what is kept from row group to row group.
        let held = group.bytes() + self.memory() + (group.len() * size_of::<i64>()) as u64;
        let schema = schema::stored(self.table);
        let columns = self.columns.clone();
        let mut general: Vec<Option<ArrowColumnWriter>> = Vec::new();
        let mut target = self.file.next_row_group()?;
        let mut leaf = 0;
        for (place, field) in schema.fields().iter().enumerate() {
            let leaves = leaves_of(field.data_type());
            match group.encode(place, leaf, &columns, &mut self.codec)? {
                Leaves::Encoded(encoded) => {
                    for (bytes, close) in encoded {
                        memory.settle(held + 2 * bytes.len() as u64);
                        target.append_column(&bytes, close)?;
                        self.codec.reuse(bytes);
                    }
                }
                Leaves::General => {
                    if general.is_empty() {
                        let writers = self.factory.create_column_writers(self.groups)?;
                        general.extend(writers.into_iter().map(Some));
                    }
                    let writers = general[leaf..leaf + leaves].iter_mut().filter_map(Option::take);
                    for chunk in write_general(&group, place, field, writers.collect(), memory)? {
                        chunk.append_to_row_group(&mut target)?;
                    }
                }
            }
            leaf += leaves;
        }
        target.close()?;
        self.groups += 1;
        self.note(rows, picks);
        Ok(())
    }

    /// Notes what the segment says of itself.
    fn note(&mut self, rows: &Rows<'_>, picks: &[Pick]) {
        let times: Vec<_> = rows.chunks.iter().map(|chunk| times(self.table, &chunk.rows)).collect();
        for pick in picks {
            let time = times[pick.chunk as usize][pick.row as usize];
            self.note_times(time, time);
        }
        if self.trace.is_some() {
            let ids: Vec<_> = rows
                .chunks
                .iter()
                .map(|chunk| chunk.rows.column_by_name("trace_id").expect("spans have it").as_binary::<i32>())
                .collect();
            let hash = |pick: &Pick| trace_index::hash(ids[pick.chunk as usize].value(pick.row as usize));
            self.note_traces(picks.iter().map(hash).zip(0..));
        }
        self.rows += picks.len() as u64;
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

    /// Notes the traces of a row group, whose rows are counted from its beginning.
    fn note_traces(&mut self, rows: impl Iterator<Item = (u64, u32)>) {
        let Some(trace) = &mut self.trace else { return };
        let start = u32::try_from(self.rows).expect("segments have fewer rows");
        rows.for_each(|(hash, row)| trace.push(hash, start + row));
    }

    fn note_times(&mut self, min: i64, max: i64) {
        let (earliest, latest) = self.times.unwrap_or((min, max));
        self.times = Some((earliest.min(min), latest.max(max)));
    }

    /// Memory that is held: the index, and what the codec keeps.
    fn memory(&self) -> u64 {
        (self.trace.as_ref().map_or(0, TraceIndexBuilder::bytes) + self.codec.bytes()) as u64
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> Result<Written> {
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
        if let Some(origin) = self.origin.take() {
            self.file.append_key_value_metadata(KeyValue::new(origin::KEY.into(), origin));
        }
        self.file.flush()?;
        let tail_from = self.file.bytes_written() as u64;
        let sink = self.file.inner_mut().get_mut();
        sink.tail = Some(Vec::new());
        let sums = std::mem::take(&mut sink.blocks).finish();
        self.file.write_all(&sums)?;
        let place = sums::place(tail_from);
        self.file.append_key_value_metadata(KeyValue::new(sums::KEY.into(), place.clone()));
        let output = self.file.into_inner()?;
        let Sink { mut file, tail, .. } = output.into_inner().map_err(|error| error.into_error())?;
        let mut tail = tail.unwrap_or_default();
        sums::seal(&place, &mut tail);
        file.write_all(&tail)?;
        file.end()?;
        let bytes = file.len();
        let tail = Tail { len: bytes - tail_from, crc: crc32fast::hash(&tail) };
        let (time_min, time_max) = self.times.unwrap_or((0, 0));
        Ok(Written { file, rows: self.rows, bytes, tail, time_min, time_max })
    }
}

/// Writes a field with the general writer, which wants the rows in new arrays.
fn write_general(
    group: &Group<'_>,
    place: usize,
    field: &FieldRef,
    mut writers: Vec<ArrowColumnWriter>,
    memory: &mut Reservation,
) -> Result<Vec<ArrowColumnChunk>> {
    let parts = group.own(place);
    for picks in group.picks().chunks(BATCH_ROWS) {
        let picks: Vec<_> = picks.iter().map(|pick| (pick.chunk as usize, pick.row as usize)).collect();
        let array = interleave(&parts, &picks)?;
        let held: usize = writers.iter().map(ArrowColumnWriter::memory_size).sum();
        memory.settle(group.bytes() + (held + 2 * array.get_array_memory_size()) as u64);
        for (leaf, writer) in compute_leaves(field, &array)?.iter().zip(&mut writers) {
            writer.write(leaf)?;
        }
    }
    writers.into_iter().map(ArrowColumnWriter::close).collect()
}
