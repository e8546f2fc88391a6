//! Rows of a table by columns: of files, skipping what statistics rule out, then of memory.
//!
//! Must hold: no plan and no SQL; the batches of one call come in the order in which their records
//! were written as far as the store knows it; memory and bytes are those of the query.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use futures::StreamExt;
use model::{Reservation, Table, day_of, schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use promql::Apart;

use super::known::KnownFile;
use super::memory::Memory;
use super::points::{ById, SAMPLE_BYTES};
use super::promoted::Promoted;
use super::prune::{GroupRows, SeriesId, Wanted, groups, pages};
use super::samples::{self, Directory, Runs};
use super::workers::{side_by_side, with_helpers};
use crate::answer::Scan;
use crate::cache::{SegmentReader, Segments};
use crate::engine::Inner;
use crate::registry::Control;
use crate::session::Session;
use crate::{Chunk, QueryError, Segment, SeriesOfRows, Snapshot};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 8192;

/// What is done with a batch.
pub(super) type Each<'a> = dyn FnMut(&RecordBatch) -> Result<(), QueryError> + 'a;

/// What is done with a batch and the file that it is of.
pub(super) type EachOf<'a> = dyn FnMut(&RecordBatch, Option<&Segment>) -> Result<(), QueryError> + 'a;

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

    /// All files.
    pub(super) fn segments(&self) -> &'a [Segment] {
        &self.snapshot.segments
    }

    /// How many days have files with rows of these times; at least one.
    pub(super) fn days(&self, times: (i64, i64)) -> u64 {
        let within = |segment: &&Segment| overlap((segment.min_time, segment.max_time), times);
        let files = self.snapshot.segments.iter().filter(within);
        files.map(|segment| day_of(segment.min_time)).collect::<BTreeSet<_>>().len().max(1) as u64
    }

    /// About how many rows have these times.
    pub(super) fn within(&self, times: (i64, i64)) -> u64 {
        let of_file = |segment: &Segment| {
            let own = (segment.min_time, segment.max_time);
            if !overlap(own, times) {
                return 0;
            }
            let both = (own.0.max(times.0), own.1.min(times.1));
            let nanos = |(from, to): (i64, i64)| to.saturating_sub(from).max(1).cast_unsigned();
            let share = u128::from(segment.rows) * u128::from(nanos(both)) / u128::from(nanos(own));
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        let files: u64 = self.snapshot.segments.iter().map(of_file).sum();
        let in_time = |chunk: &&Arc<dyn Chunk>| chunk.times().is_none_or(|own| overlap(own, times));
        files + self.snapshot.memory.iter().filter(in_time).map(|chunk| chunk.rows() as u64).sum::<u64>()
    }

    /// What queries say of their reading.
    pub(super) fn scan(&self) -> &'a Scan {
        &self.session.scan
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
        self.each_of(columns, wanted, &|_| true, &mut |batch, _| each(batch))
    }

    /// As [`Rows::each`], but of some files, and with the file that a batch is of; none in memory.
    pub(super) fn each_of(
        &self,
        columns: &[&str],
        wanted: &Wanted<'_>,
        which: &dyn Fn(&Segment) -> bool,
        each: &mut EachOf<'_>,
    ) -> Result<(), QueryError> {
        for file in self.files(wanted.times).filter(|file| which(file.segment)) {
            let segment = Some(file.segment);
            file.read(columns, &|footer| groups(footer, wanted), &mut |batch| each(batch, segment))?;
        }
        for chunk in self.memory(wanted.times) {
            for window in chunk.windows() {
                each(&chunk.read(columns, window)?, None)?;
            }
        }
        Ok(())
    }
}

/// A file that threads read side by side.
struct Shared {
    reader: SegmentReader,
    engine: Arc<Inner>,
    control: Arc<Control>,
    directory: Option<Arc<Directory>>,
}

/// Rows of a row group that one thread decodes.
struct Part {
    file: Arc<Shared>,
    footer: Arc<ParquetMetaData>,
    group: usize,
    /// How many rows the row group has.
    group_rows: usize,
    /// Which are decoded, ascending and apart.
    ranges: Vec<Range<usize>>,
}

/// Fewest rows that are worth a thread: a part has about as many, or what a row group has.
const PART_ROWS: usize = 1 << 16;
/// Parts are cut where pages mostly are, so that none is decoded twice.
const PAGE_ROWS: usize = 32_768;

impl<'a> Rows<'a> {
    /// These columns of all rows of some files that may be wanted, decoded side by side: what each part of
    /// them comes to, in the order of the rows, whatever the number of threads. `series_id` comes as
    /// places in a dictionary; columns do not come where they have nothing to say ([`tells`]).
    pub(super) fn decode<T: Default + Send>(
        &self,
        columns: &[&str],
        wanted: &Wanted<'_>,
        which: &dyn Fn(&Segment) -> bool,
        each: &(dyn Fn(&mut T, &RecordBatch) -> Result<(), QueryError> + Sync),
    ) -> Result<Vec<T>, QueryError> {
        let (threads, parts) = self.parts(wanted, which)?;
        side_by_side(threads, parts.len(), &|number| {
            let mut into = T::default();
            parts[number].read(columns, &mut |batch| each(&mut into, batch))?;
            Ok(into)
        })
    }

    /// The samples of sought series in some files, decoded side by side: those of each part, in the same
    /// order as of [`Rows::decode`]. `memory` is asked for them.
    pub(super) fn samples(
        &self,
        wanted: &Wanted<'_>,
        which: &dyn Fn(&Segment) -> bool,
        places: &ById<usize>,
        (apart, starts): (Option<Apart>, bool),
        memory: &Memory,
    ) -> Result<Vec<Runs>, QueryError> {
        let times = samples::Times::new(wanted.times, apart);
        let read = move |part: &Part, places: &ById<usize>, memory: &Memory| -> Result<Runs, QueryError> {
            let (footer, group, rows) = (&*part.footer, part.group, &*part.ranges);
            let directory = part.file.directory.as_deref();
            let request = samples::Request { footer, group, rows, places, times, starts, directory };
            let runs = part.samples(request)?;
            memory.grow(runs.samples.times_ms.len() * SAMPLE_BYTES)?;
            Ok(runs)
        };
        let (threads, parts) = self.parts(wanted, which)?;
        if threads.min(parts.len()) < 2 {
            return parts.iter().map(|part| read(part, places, memory)).collect();
        }
        let (pieces, places, memory) = (parts.len(), places.clone(), memory.clone());
        let work = move |number: usize| read(&parts[number], &places, &memory);
        with_helpers(&self.session.engine.executor, threads, pieces, Arc::new(work))
    }

    /// What may be wanted of some files, in parts, and on how many threads it is worth to be decoded.
    fn parts(
        &self,
        wanted: &Wanted<'_>,
        which: &dyn Fn(&Segment) -> bool,
    ) -> Result<(usize, Vec<Part>), QueryError> {
        let files: Vec<_> = self.files(wanted.times).filter(|file| which(file.segment)).collect();
        let mut parts = Vec::new();
        for file in &files {
            parts.extend(file.parts(wanted)?);
        }
        let rows: usize = parts.iter().map(Part::rows).sum();
        let workers = self.session.engine.executor.metrics().num_workers();
        Ok((workers.min(rows / PART_ROWS + 1), parts))
    }
}

impl File<'_> {
    /// Which series are where in it, where that is worth to be kept and there is room for it.
    fn directory(&self, footer: &ParquetMetaData) -> Option<Arc<Directory>> {
        let directories = &self.rows.session.engine.directories;
        if self.rows.snapshot.table != Table::Samples {
            return None;
        }
        if let Some(known) = directories.get(&self.segment.path) {
            return Some(known);
        }
        let new = Arc::new(Directory::of(footer)?);
        let reservation = directories.reserve(new.bytes() as u64)?;
        directories.put(&self.segment.path.as_str().into(), &new, reservation);
        Some(new)
    }

    /// What may be wanted of it, in parts.
    fn parts(&self, wanted: &Wanted<'_>) -> Result<Vec<Part>, QueryError> {
        let session = self.rows.session;
        let mut reader = self.rows.segments.reader(self.segment);
        // To wait for nothing takes longer than to look at a footer.
        let footer = match reader.known_footer() {
            Some(footer) => footer,
            None => {
                let footer = session.control().within(async { Ok(reader.get_metadata(None).await) });
                session.engine.executor.block_on(footer)?.map_err(|error| self.failed(&error))?
            }
        };
        let (engine, control) = (Arc::clone(&session.engine), Arc::clone(session.control()));
        let directory = self.directory(&footer);
        let file = Arc::new(Shared { reader, engine, control, directory });
        let part = |(group, group_rows, ranges): (usize, usize, Vec<Range<usize>>)| {
            let (file, footer) = (Arc::clone(&file), Arc::clone(&footer));
            Part { file, footer, group, group_rows, ranges }
        };
        Ok(pages(&footer, wanted).into_iter().flat_map(cut).map(part).collect())
    }
}

/// The rows of a row group, in pieces of about [`PART_ROWS`].
fn cut(group: GroupRows) -> Vec<(usize, usize, Vec<Range<usize>>)> {
    let (mut pieces, mut piece, mut len) = (Vec::new(), Vec::new(), 0);
    for mut range in group.ranges {
        while len + range.len() > PART_ROWS {
            let end = (range.start + PART_ROWS - len).next_multiple_of(PAGE_ROWS).min(range.end);
            piece.push(range.start..end);
            pieces.push((group.number, group.rows, std::mem::take(&mut piece)));
            (range.start, len) = (end, 0);
        }
        len += range.len();
        if !range.is_empty() {
            piece.push(range);
        }
    }
    if !piece.is_empty() {
        pieces.push((group.number, group.rows, piece));
    }
    pieces
}

/// The footer for a reader that gives ids as places in a dictionary: as they are stored, mostly.
fn with_coded_ids(footer: &Arc<ParquetMetaData>) -> Result<ArrowReaderMetadata, ParquetError> {
    let plain = ArrowReaderMetadata::try_new(Arc::clone(footer), ArrowReaderOptions::new())?;
    let coded = |field: &FieldRef| match field.name().as_str() {
        "series_id" => {
            let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(field.data_type().clone()));
            Arc::new(field.as_ref().clone().with_data_type(kind))
        }
        _ => Arc::clone(field),
    };
    let schema: Arc<Schema> =
        Arc::new(Schema::new(plain.schema().fields().iter().map(coded).collect::<Vec<_>>()));
    ArrowReaderMetadata::try_new(Arc::clone(footer), ArrowReaderOptions::new().with_schema(schema))
}

impl Part {
    fn rows(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }

    fn samples(&self, request: samples::Request<'_>) -> Result<Runs, QueryError> {
        let Shared { reader, engine, control, .. } = &*self.file;
        if let Some(reason) = control.has_to_stop() {
            return Err(reason);
        }
        let failed = |error: &ParquetError| failed(control, reader, error);
        let columns = samples::Columns::of(request).map_err(|error| failed(&error))?;
        let places = columns.places();
        // A part is small: handing it to another thread and back costs more than reading it.
        let read = match reader.read_here(&*engine.source, places) {
            Some(read) => read,
            None => {
                let mut reader = reader.clone();
                let read = control.within(async { Ok(reader.get_byte_ranges(places.to_vec()).await) });
                engine.executor.block_on(read)?
            }
        };
        let read = read.map_err(|error| failed(&error))?;
        reader.scan().add_rows(self.rows());
        columns.decode(read).map_err(|error| failed(&error))
    }

    fn read(&self, columns: &[&str], each: &mut Each<'_>) -> Result<(), QueryError> {
        let Shared { reader, engine, control, .. } = &*self.file;
        let failed = |error: &ParquetError| failed(control, reader, error);
        let footer = with_coded_ids(&self.footer).map_err(|error| failed(&error))?;
        let own = &*self.footer;
        let mask = projection(own, columns.iter().copied().filter(|name| tells(own, self.group, name)));
        let selection = RowSelection::from_consecutive_ranges(self.ranges.iter().cloned(), self.group_rows);
        let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(reader.clone(), footer)
            .with_row_groups(vec![self.group])
            .with_row_selection(selection)
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build();
        let mut stream = stream.map_err(|error| failed(&error))?;
        while let Some(batch) = engine.executor.block_on(control.within(async { Ok(stream.next().await) }))? {
            let batch = batch.map_err(|error| failed(&error))?;
            reader.scan().add_rows(batch.num_rows());
            each(&batch)?;
        }
        Ok(())
    }
}

/// What is told of a file that cannot be read.
fn failed(control: &Control, reader: &SegmentReader, error: &ParquetError) -> QueryError {
    // What the query's pool refused says so itself; the reader wraps it.
    match control.pool.refusal() {
        Some(message) => QueryError::Memory { message },
        None => {
            let message = format!("segment `{}` cannot be read: {error}", reader.path());
            QueryError::Internal { message }
        }
    }
}

/// Whether a column of a row group has to be read: not where it is null throughout, as values are that
/// are stored in another form, and not flags that are all zero. Beginning to read a column costs more than
/// a page of it.
pub(super) fn tells(footer: &ParquetMetaData, group: usize, name: &str) -> bool {
    let leaves = footer.file_metadata().schema_descr().columns();
    let Some(leaf) = leaves.iter().position(|leaf| leaf.path().parts() == [name]) else { return true };
    let group = footer.row_group(group);
    let Some(statistics) = group.column(leaf).statistics() else { return true };
    let Some(nulls) = statistics.null_count_opt() else { return true };
    let zero = match statistics {
        Statistics::Int32(values) if name == "flags" => {
            nulls == 0 && values.min_opt() == Some(&0) && values.max_opt() == Some(&0)
        }
        _ => false,
    };
    !zero && nulls != u64::try_from(group.num_rows()).unwrap_or(0)
}

fn projection<'a>(footer: &ParquetMetaData, columns: impl Iterator<Item = &'a str>) -> ProjectionMask {
    let file = footer.file_metadata().schema_descr();
    let own = file.root_schema().get_fields();
    let places = columns.filter_map(|name| own.iter().position(|field| field.name() == name));
    ProjectionMask::roots(file, places)
}

fn overlap(a: (i64, i64), b: (i64, i64)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

/// Which row groups, and which of their rows.
pub(super) type Picked = (Vec<usize>, Option<RowSelection>);

impl File<'_> {
    /// Rows that it has.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.segment.rows).unwrap_or(usize::MAX)
    }

    /// What is kept of its series, if these attributes were promoted.
    pub(super) fn cached(&self, promoted: &Promoted) -> Option<Arc<KnownFile>> {
        let known = self.rows.session.engine.series.get(&self.segment.path)?;
        if known.promoted != *promoted {
            return None;
        }
        // As if they had been read: a query says what it looked at.
        self.rows.session.scan.add_rows(known.len());
        Some(known)
    }

    /// Memory to keep its series in, if there is room for it.
    pub(super) fn reserve(&self, bytes: usize) -> Option<Reservation> {
        self.rows.session.engine.series.reserve(bytes as u64)
    }

    /// Keeps its series.
    pub(super) fn keep(&self, series: &Arc<KnownFile>, reservation: Reservation) {
        self.rows.session.engine.series.put(&self.segment.path.as_str().into(), series, reservation);
    }

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
        let reader = self.rows.segments.reader(self.segment);
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
        let reader = self.rows.segments.reader(self.segment);
        failed(self.rows.session.control(), &reader, error)
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
    let mask = projection(&footer, columns.iter().copied());
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
    /// Which series each row belongs to, where the store has numbers for them.
    pub(super) fn series(&self) -> Option<SeriesOfRows<'_>> {
        self.chunk.series()
    }

    /// The numbers of series, of those that [`InMemory::series`] may name.
    pub(super) fn series_numbers(&self, ids: &[SeriesId]) -> Vec<Option<u32>> {
        self.chunk.series_numbers(ids)
    }

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
