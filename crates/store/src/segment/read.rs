use std::io::Cursor;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, DataType, FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use model::scaled::{RAW, restored, values_of};
use model::sums::{self, Sums};
use model::{Table, schema};
use parking_lot::Mutex;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;

use super::origin::{self, Stamp};
use super::trace_index::{self, Place, TraceIndex};
use crate::error::ReadError;
use crate::manifest::{SegmentMeta, Tail};
use crate::memtable::{time_range, times};
use crate::objects::{End, Objects};

/// Bytes at the end of a file in which its footer is looked for first.
const FOOTER_GUESS: usize = 64 << 10;
const ALTERED_END: &str = "its footer or the index of its pages is not what was written";
const ALTERED_TRACES: &str = "its index of traces is not what was written";
/// Rows of a batch that is read.
const BATCH_ROWS: usize = 8192;

/// How much of a segment's metadata is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The footer.
    Groups,
    /// Where each page is, too.
    Offsets,
    /// And the least and greatest value of each page.
    Pages,
}

/// What is in a row group that is copied unread.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupFacts {
    pub(crate) time_min: i64,
    pub(crate) time_max: i64,
    /// Of each row the hash of its trace and its number in the row group; spans only.
    pub(crate) traces: Vec<(u64, u32)>,
}

/// Whether the file was written with all columns that there are now. One from before a column was
/// added lacks it; columns are added at the end and nullable.
pub(crate) fn has_all_columns(table: Table, metadata: &ParquetMetaData) -> bool {
    let own = metadata.file_metadata().schema_descr().root_schema().get_fields();
    own.len() == schema::stored(table).fields().len()
}

/// The schema with the texts and ids of points as places in a dictionary.
fn coded(schema: &SchemaRef) -> SchemaRef {
    let coded = |field: &FieldRef| match field.data_type() {
        DataType::Utf8 | DataType::Binary => {
            let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(field.data_type().clone()));
            Arc::new(field.as_ref().clone().with_data_type(kind))
        }
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(schema.fields().iter().map(coded).collect::<Vec<_>>()))
}

/// Rows with the columns that they lack, which are null.
fn widen(batch: &RecordBatch, whole: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &FieldRef| {
        let own = batch.column_by_name(field.name()).cloned();
        own.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
    };
    RecordBatch::try_new(Arc::clone(whole), whole.fields().iter().map(column).collect())
}

/// Rows of samples as they are stored, without columns that are null throughout, with all of `whole`.
fn completed(stored: &RecordBatch, whole: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &FieldRef| match field.name().as_str() {
        RAW => values_of(stored),
        name => Ok(stored
            .column_by_name(name)
            .cloned()
            .unwrap_or_else(|| new_null_array(field.data_type(), stored.num_rows()))),
    };
    let columns = whole.fields().iter().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(whole), columns)
}

/// The columns of a row group of which the footer does not say that they are null throughout; none of
/// them is nested.
fn some_columns(group: &RowGroupMetaData) -> impl Iterator<Item = usize> {
    let nulls = |column: &ColumnChunkMetaData| column.statistics().and_then(Statistics::null_count_opt);
    let rows = u64::try_from(group.num_rows()).unwrap_or(0);
    let some = move |(_, column): &(usize, &ColumnChunkMetaData)| nulls(column) != Some(rows);
    group.columns().iter().enumerate().filter(some).map(|(place, _)| place)
}

/// A segment, open for reading. The calls block.
#[derive(Clone)]
pub(crate) struct SegmentFile {
    objects: Arc<Objects>,
    segment: Arc<SegmentMeta>,
    /// A part of the file that is in memory, and where it begins.
    window: Option<(u64, Bytes)>,
    /// What the disk or object store said, since it does not survive the way through the reader.
    failure: Arc<Mutex<Option<ReadError>>>,
    /// What its blocks should be, once its end was read and if that is known.
    sums: Arc<OnceLock<Sums>>,
}

impl SegmentFile {
    pub(crate) fn new(objects: &Arc<Objects>, segment: &Arc<SegmentMeta>) -> Self {
        let (objects, segment) = (Arc::clone(objects), Arc::clone(segment));
        Self { objects, segment, window: None, failure: Arc::default(), sums: Arc::default() }
    }

    /// Whether the file is there, as long as it was and with an end.
    pub(crate) fn check(&self) -> Result<(), ReadError> {
        self.check_end(self.objects.end(&self.segment.path))
    }

    /// As [`SegmentFile::check`], of what was found at its end.
    pub(crate) fn check_end(&self, end: Result<Option<End>, object_store::Error>) -> Result<(), ReadError> {
        let expected = self.segment.bytes;
        let reason = match end.map_err(|source| self.io(source))? {
            None => "it is missing".to_owned(),
            Some(end) if end.len != expected => format!("it has {} bytes, {expected} were written", end.len),
            Some(end) if *end.bytes == *b"PAR1" => return Ok(()),
            Some(_) => "it does not end as a Parquet file".to_owned(),
        };
        Err(self.damaged(reason))
    }

    /// Reads all of it; whether it has the rows that it should have.
    pub(crate) fn verify(&self) -> Result<(), ReadError> {
        self.check()?;
        let metadata = self.metadata(Wanted::Groups)?;
        let mut found = 0;
        for group in 0..metadata.num_row_groups() {
            for batch in self.group(&metadata, group)? {
                found += batch?.num_rows() as u64;
            }
        }
        self.traces(&metadata)?;
        let expected = self.segment.rows;
        if found == expected {
            Ok(())
        } else {
            Err(self.damaged(format!("it has {found} rows of {expected}")))
        }
    }

    /// The footer, and on request where each page is, and what each page holds.
    pub(crate) fn metadata(&self, wanted: Wanted) -> Result<Arc<ParquetMetaData>, ReadError> {
        let policy = |wanted| if wanted { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
        let mut reader = ParquetMetaDataReader::new()
            .with_column_index_policy(policy(wanted == Wanted::Pages))
            .with_offset_index_policy(policy(wanted != Wanted::Groups))
            .with_prefetch_hint(Some(FOOTER_GUESS));
        let tail = self.tail()?;
        let parsed = match &tail {
            Some(tail) => reader.try_parse_sized(tail, self.segment.bytes),
            None => reader.try_parse(self),
        };
        let parsed = parsed.and_then(|()| reader.finish()).map_err(|error| self.failed(&error))?;
        let sums = key_value(&parsed, sums::KEY).zip(tail.as_deref());
        if let Some(sums) = sums.and_then(|(place, tail)| Sums::parse(place, tail, self.end().start)) {
            self.sums.get_or_init(|| sums);
        }
        Ok(Arc::new(parsed))
    }

    /// The end of the file, if it is known what it should be.
    fn tail(&self) -> Result<Option<Bytes>, ReadError> {
        let Some(known) = self.segment.tail else { return Ok(None) };
        let bytes = self.read(self.end())?;
        if !known.is(&bytes) {
            return Err(self.damaged(ALTERED_END.to_owned()));
        }
        Ok(Some(bytes))
    }

    /// The part of the file in which its footer is looked for first.
    pub(crate) fn end(&self) -> Range<u64> {
        let len = self.segment.tail.map_or(FOOTER_GUESS as u64, |tail| tail.len);
        self.segment.bytes.saturating_sub(len)..self.segment.bytes
    }

    /// Its end, of a file of which only itself says what was written.
    pub(crate) fn found_tail(&self, metadata: &ParquetMetaData) -> Result<Tail, ReadError> {
        let altered = || self.damaged(ALTERED_END.to_owned());
        let place = key_value(metadata, sums::KEY).ok_or_else(altered)?;
        let from = sums::end_from(place).filter(|from| *from < self.segment.bytes).ok_or_else(altered)?;
        let bytes = self.read(from..self.segment.bytes)?;
        if !sums::is_sealed(place, &bytes) {
            return Err(altered());
        }
        Ok(Tail { len: bytes.len() as u64, crc: crc32fast::hash(&bytes) })
    }

    /// The file with all bytes of a row group in memory.
    pub(crate) fn window(&self, metadata: &ParquetMetaData, group: usize) -> Result<Self, ReadError> {
        let range = group_range(metadata, group);
        let bytes =
            self.read_whole(range.clone(), |blocks| self.objects.read_once(&self.segment.path, blocks))?;
        Ok(Self { window: Some((range.start, bytes)), ..self.clone() })
    }

    /// All rows of a row group, in the file schema. Its bytes are read at once.
    pub(crate) fn group(
        &self,
        metadata: &Arc<ParquetMetaData>,
        group: usize,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, ReadError>> + use<>, ReadError> {
        self.group_by(metadata, group, BATCH_ROWS)
    }

    /// As [`SegmentFile::group`], so many rows at a time.
    pub(crate) fn group_by(
        &self,
        metadata: &Arc<ParquetMetaData>,
        group: usize,
        batch_rows: usize,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, ReadError>> + use<>, ReadError> {
        self.window(metadata, group)?.batches(metadata, vec![group], None, None, batch_rows)
    }

    /// All rows of a row group of points in the file schema, but with names and ids as places in a
    /// dictionary. Its bytes are read at once; of columns without any value nothing is begun.
    pub(crate) fn points(
        &self,
        metadata: &Arc<ParquetMetaData>,
        group: usize,
        batch_rows: usize,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, ReadError>> + use<>, ReadError> {
        let file = self.window(metadata, group)?;
        let own = coded(&self.own_schema(metadata));
        let options = ArrowReaderOptions::new().with_schema(own);
        let some = some_columns(metadata.row_group(group));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata), options);
        let metadata = metadata.map_err(|error| file.failed(&error))?;
        let some = ProjectionMask::leaves(metadata.parquet_schema(), some);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file.clone(), metadata)
            .with_batch_size(batch_rows)
            .with_row_groups(vec![group])
            .with_projection(some)
            .build();
        let reader = reader.map_err(|error| file.failed(&error))?;
        let whole = coded(&schema::file(self.segment.table));
        Ok(reader.map(move |batch| {
            let batch = batch.map_err(|error| file.failed(&error))?;
            completed(&batch, &whole).map_err(|error| file.failed(&error))
        }))
    }

    /// What the footer and the index of traces say that tell it: `traces` are those of the file, if
    /// it has the index. What they do not tell, the columns do.
    pub(crate) fn facts(
        &self,
        metadata: &Arc<ParquetMetaData>,
        group: usize,
        traces: Option<&[(u64, u32)]>,
    ) -> Result<GroupFacts, ReadError> {
        let table = self.segment.table;
        let known = (table != Table::Spans).then_some(&[][..]).or(traces);
        let Some((known, (time_min, time_max))) = known.zip(time_bounds(table, metadata, group)) else {
            return self.read_facts(metadata, group);
        };
        let rows = |group: usize| u32::try_from(metadata.row_group(group).num_rows()).unwrap_or(0);
        let start: u32 = (0..group).map(rows).sum();
        let own = start..start + rows(group);
        let own = known.iter().filter(|(_, row)| own.contains(row)).map(|(hash, row)| (*hash, row - start));
        let traces: Vec<_> = own.collect();
        if table == Table::Spans && traces.len() != rows(group) as usize {
            return self.read_facts(metadata, group);
        }
        Ok(GroupFacts { time_min, time_max, traces })
    }

    fn read_facts(&self, metadata: &Arc<ParquetMetaData>, group: usize) -> Result<GroupFacts, ReadError> {
        let table = self.segment.table;
        let mut columns = vec![table.time_column()];
        columns.extend((table == Table::Spans).then_some("trace_id"));
        let mut facts = GroupFacts::default();
        let mut rows = 0;
        for batch in self.clone().batches(metadata, vec![group], None, Some(&columns), BATCH_ROWS)? {
            let batch = batch?;
            let (min, max) = time_range(times(table, &batch));
            let first = rows == 0;
            facts.time_min = if first { min } else { min.min(facts.time_min) };
            facts.time_max = if first { max } else { max.max(facts.time_max) };
            if let Some(ids) = batch.column_by_name("trace_id") {
                let ids = ids.as_binary::<i32>();
                let hashes = (0..ids.len()).map(|row| trace_index::hash(ids.value(row)));
                facts.traces.extend(hashes.zip(rows..));
            }
            rows += u32::try_from(batch.num_rows()).unwrap_or(0);
        }
        Ok(facts)
    }

    /// These rows of the row groups, of which `metadata` says where the pages are.
    pub(crate) fn rows(
        &self,
        metadata: &Arc<ParquetMetaData>,
        groups: Vec<usize>,
        rows: RowSelection,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, ReadError>> + use<>, ReadError> {
        self.read_ahead(&Self::pages(metadata, &groups, rows.clone()));
        self.clone().batches(metadata, groups, Some(rows), None, BATCH_ROWS)
    }

    /// Where the pages of these rows of the row groups are, and the dictionaries that they refer to, of all
    /// columns. Nothing when `metadata` does not say where each page is.
    pub(crate) fn pages(
        metadata: &ParquetMetaData,
        groups: &[usize],
        mut rows: RowSelection,
    ) -> Vec<Range<u64>> {
        let Some(offsets) = metadata.offset_index() else { return Vec::new() };
        let mut parts = Vec::new();
        for group in groups {
            let own = metadata.row_group(*group);
            let rows = rows.split_off(usize::try_from(own.num_rows()).unwrap_or(0));
            for (column, offsets) in own.columns().iter().zip(&offsets[*group]) {
                let pages = offsets.page_locations();
                let start = column.byte_range().0;
                let first = pages.first().and_then(|page| u64::try_from(page.offset).ok());
                parts.extend(first.filter(|first| *first > start).map(|first| start..first));
                parts.extend(rows.scan_ranges(pages));
            }
        }
        parts
    }

    fn batches(
        self,
        metadata: &Arc<ParquetMetaData>,
        groups: Vec<usize>,
        rows: Option<RowSelection>,
        columns: Option<&[&str]>,
        batch_rows: usize,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, ReadError>> + use<>, ReadError> {
        let whole = columns.is_none().then(|| schema::file(self.segment.table));
        let stored = schema::stored(self.segment.table);
        let own = self.own_schema(metadata);
        let (is_whole, is_file) = (own == stored, whole.as_ref() == Some(&stored));
        let options = ArrowReaderOptions::new().with_schema(Arc::clone(&own));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata), options);
        let metadata = metadata.map_err(|error| self.failed(&error))?;
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.clone(), metadata)
            .with_batch_size(batch_rows)
            .with_row_groups(groups);
        if let Some(rows) = rows {
            builder = builder.with_row_selection(rows);
        }
        if let Some(columns) = columns {
            let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
            builder = builder.with_projection(mask);
        }
        let reader = builder.build().map_err(|error| self.failed(&error))?;
        Ok(reader.map(move |batch| {
            let batch = batch.map_err(|error| self.failed(&error))?;
            let Some(whole) = &whole else { return Ok(batch) };
            let batch = if is_whole { Ok(batch) } else { widen(&batch, &stored) };
            let batch = batch.and_then(|batch| if is_file { Ok(batch) } else { restored(&batch, whole) });
            batch.map_err(|error| self.failed(&error))
        }))
    }

    /// The columns of the stored schema that the file has.
    fn own_schema(&self, metadata: &ParquetMetaData) -> SchemaRef {
        let whole = schema::stored(self.segment.table);
        if has_all_columns(self.segment.table, metadata) {
            return whole;
        }
        let own = metadata.file_metadata().schema_descr().root_schema().get_fields();
        // Where a column was added, another one may have become nullable.
        let has = |field: &FieldRef| {
            let column = own.iter().find(|column| column.name() == field.name())?;
            Some(field.as_ref().clone().with_nullable(column.is_optional()))
        };
        Arc::new(Schema::new(whole.fields().iter().filter_map(has).collect::<Vec<_>>()))
    }

    /// Where traces are looked up; nothing when the file has no index.
    pub(crate) fn trace_index(&self) -> Result<Option<TraceIndex>, ReadError> {
        let metadata = self.metadata(Wanted::Groups)?;
        let Some(place) = self.trace_place(&metadata) else { return Ok(None) };
        let index = TraceIndex::new(place, &self.read(place.fences())?);
        index.map(Some).ok_or_else(|| self.damaged(ALTERED_TRACES.to_owned()))
    }

    /// The rows of a hash of a trace, of which the index says that they are in this block.
    pub(crate) fn trace_rows(
        &self,
        block: Range<u64>,
        first: u64,
        wanted: u64,
    ) -> Result<Vec<u32>, ReadError> {
        let rows = trace_index::rows_in(&self.read(block)?, first, wanted);
        rows.ok_or_else(|| self.damaged(ALTERED_TRACES.to_owned()))
    }

    /// All that the index of traces says: hashes and rows of the file, ascending. Nothing when the
    /// file has none.
    pub(crate) fn traces(&self, metadata: &ParquetMetaData) -> Result<Option<Vec<(u64, u32)>>, ReadError> {
        let Some(place) = self.trace_place(metadata) else { return Ok(None) };
        let index = self.read(place.offset..place.offset + place.len)?;
        let all = trace_index::all(place, &index);
        all.map(Some).ok_or_else(|| self.damaged(ALTERED_TRACES.to_owned()))
    }

    /// Who wrote the file, of what; nothing when it does not say so.
    pub(crate) fn stamp(&self, metadata: &ParquetMetaData) -> Option<Stamp> {
        Stamp::parse(key_value(metadata, origin::KEY)?, self.segment.table, &self.segment.tenant)
    }

    /// The least and the greatest time of all rows.
    pub(crate) fn times(&self, metadata: &Arc<ParquetMetaData>) -> Result<(i64, i64), ReadError> {
        let mut all: Option<(i64, i64)> = None;
        for group in 0..metadata.num_row_groups() {
            let (min, max) = match time_bounds(self.segment.table, metadata, group) {
                Some(known) => known,
                None => {
                    let facts = self.read_facts(metadata, group)?;
                    (facts.time_min, facts.time_max)
                }
            };
            let (earliest, latest) = all.unwrap_or((min, max));
            all = Some((earliest.min(min), latest.max(max)));
        }
        Ok(all.unwrap_or((0, 0)))
    }

    fn trace_place(&self, metadata: &ParquetMetaData) -> Option<Place> {
        Place::parse(key_value(metadata, trace_index::KEY)?, self.segment.bytes)
    }

    /// Begins to read parts of the file that are asked for next.
    pub(crate) fn read_ahead(&self, parts: &[Range<u64>]) {
        self.objects.read_ahead(&self.segment.path, parts);
    }

    /// A part of the file.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Bytes, ReadError> {
        if let Some((start, bytes)) = &self.window {
            let inside = range.start.checked_sub(*start).zip(range.end.checked_sub(*start));
            let inside =
                inside.and_then(|(from, to)| Some((usize::try_from(from).ok()?, usize::try_from(to).ok()?)));
            if let Some((from, to)) = inside.filter(|(_, to)| *to <= bytes.len()) {
                return Ok(bytes.slice(from..to));
            }
        }
        self.read_whole(range, |blocks| self.objects.read(&self.segment.path, blocks))
    }

    /// Reads a range by its whole blocks, where it is known what they should be.
    fn read_whole(
        &self,
        range: Range<u64>,
        read: impl FnOnce(Range<u64>) -> Result<Bytes, object_store::Error>,
    ) -> Result<Bytes, ReadError> {
        let Some(sums) = self.sums.get() else { return read(range).map_err(|source| self.io(source)) };
        let blocks = sums.blocks(&range);
        let bytes = read(blocks.clone()).map_err(|source| self.io(source))?;
        if let Some(at) = sums.altered(blocks.start, &bytes) {
            return Err(self.damaged(format!("what is at byte {at} is not what was written")));
        }
        let from = usize::try_from(range.start - blocks.start).unwrap_or(bytes.len());
        let to = usize::try_from(range.end - blocks.start).map_or(bytes.len(), |to| to.min(bytes.len()));
        Ok(bytes.slice(from.min(to)..to))
    }

    /// What a failed read means: the disk did not answer, or what it answered makes no sense.
    fn failed(&self, error: &dyn std::error::Error) -> ReadError {
        match self.failure.lock().take() {
            Some(error) => error,
            None => self.damaged(crate::metrics::chain(error)),
        }
    }

    fn io(&self, source: object_store::Error) -> ReadError {
        ReadError::Io { path: self.segment.path.clone(), source }
    }

    fn damaged(&self, reason: String) -> ReadError {
        ReadError::Damaged { path: self.segment.path.clone(), reason }
    }
}

impl Length for SegmentFile {
    fn len(&self) -> u64 {
        self.segment.bytes
    }
}

impl ChunkReader for SegmentFile {
    type T = Cursor<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let end = match &self.window {
            Some((from, bytes)) => from + bytes.len() as u64,
            None => self.segment.bytes,
        };
        self.get_bytes(start, usize::try_from(end.saturating_sub(start))?).map(Cursor::new)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.saturating_add(length as u64);
        self.read(start..end).map_err(|error| {
            let text = error.to_string();
            *self.failure.lock() = Some(error);
            ParquetError::General(text)
        })
    }
}

/// The least and the greatest time of a row group, if its footer knows them exactly.
fn time_bounds(table: Table, metadata: &ParquetMetaData, group: usize) -> Option<(i64, i64)> {
    let columns = metadata.row_group(group).columns();
    let column = columns.iter().find(|column| column.column_path().parts() == [table.time_column()])?;
    match column.statistics()? {
        Statistics::Int64(times) if times.min_is_exact() && times.max_is_exact() => {
            Some((*times.min_opt()?, *times.max_opt()?))
        }
        _ => None,
    }
}

/// What the footer says under a key.
fn key_value<'a>(metadata: &'a ParquetMetaData, key: &str) -> Option<&'a str> {
    let entries = metadata.file_metadata().key_value_metadata()?;
    entries.iter().find(|entry| entry.key == key)?.value.as_deref()
}

/// How many bytes a row group has in the file.
pub(crate) fn group_len(metadata: &ParquetMetaData, group: usize) -> u64 {
    let range = group_range(metadata, group);
    range.end - range.start
}

/// The bytes of a row group.
fn group_range(metadata: &ParquetMetaData, group: usize) -> Range<u64> {
    let ranges = metadata.row_group(group).columns().iter().map(|column| column.byte_range());
    let ends = ranges.map(|(start, len)| start..start.saturating_add(len));
    ends.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0)
}
