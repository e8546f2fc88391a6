//! Segments' footers, kept because parsing them is most of a small query's work, and the reader
//! that uses them and counts what it reads.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};

use bytes::Bytes;
use datafusion::common::Result as PlanResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use model::sums::{self, Sums};
use model::{Budget, Reservation, Table, schema};
use object_store::{ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::answer::Scan;
use crate::pool::QueryPool;
use crate::{Segment, Source, Tail};

/// Read at once from the end of a file: footers of most segments, with their page indexes.
const FOOTER_HINT: usize = 64 * 1024;

/// Parsed footers with page indexes.
pub(crate) type Footers = ByPath<Footer>;

/// What the end of a file says.
pub(crate) struct Footer {
    metadata: Arc<ParquetMetaData>,
    /// What its blocks should be, if that is known.
    sums: Option<Arc<Sums>>,
}

impl Footer {
    fn bytes(&self) -> u64 {
        (self.metadata.memory_size() + self.sums.as_ref().map_or(0, |sums| sums.bytes())) as u64
    }
}

/// What was decoded of segments, by path. Segments never change, so an entry stays right.
pub(crate) struct ByPath<T> {
    budget: Budget,
    limit: u64,
    entries: Mutex<Entries<T>>,
}

struct Entries<T> {
    by_path: HashMap<Arc<str>, Entry<T>>,
    bytes: u64,
    clock: u64,
}

struct Entry<T> {
    kept: Arc<T>,
    reservation: Reservation,
    used: u64,
}

impl<T> ByPath<T> {
    /// A cache of at most `limit` bytes, counted in `budget`.
    pub(crate) fn new(budget: Budget, limit: u64) -> Self {
        let entries = Entries { by_path: HashMap::new(), bytes: 0, clock: 0 };
        Self { budget, limit, entries: Mutex::new(entries) }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.lock().bytes
    }

    pub(crate) fn get(&self, path: &str) -> Option<Arc<T>> {
        let mut entries = self.entries.lock();
        entries.clock += 1;
        let now = entries.clock;
        let entry = entries.by_path.get_mut(path)?;
        entry.used = now;
        Some(Arc::clone(&entry.kept))
    }

    /// Memory for an entry; nothing where there is no room for it: then it is made again next time.
    pub(crate) fn reserve(&self, bytes: u64) -> Option<Reservation> {
        if bytes > self.limit {
            return None;
        }
        self.make_room(&mut self.entries.lock(), bytes);
        self.budget.reserve_within(bytes, 0.8).ok()
    }

    fn make_room(&self, entries: &mut Entries<T>, bytes: u64) {
        while entries.bytes + bytes > self.limit && !entries.by_path.is_empty() {
            entries.evict_oldest();
        }
    }

    /// Keeps an entry in memory that was reserved for it.
    pub(crate) fn put(&self, path: &Arc<str>, kept: &Arc<T>, reservation: Reservation) {
        let bytes = reservation.bytes();
        if bytes > self.limit {
            return;
        }
        let mut entries = self.entries.lock();
        self.make_room(&mut entries, bytes);
        entries.clock += 1;
        let entry = Entry { kept: Arc::clone(kept), reservation, used: entries.clock };
        entries.bytes += bytes;
        if let Some(before) = entries.by_path.insert(Arc::clone(path), entry) {
            entries.bytes -= before.reservation.bytes();
        }
    }
}

impl<T> Entries<T> {
    /// Removes the eighth that was not used for the longest time, at least one.
    fn evict_oldest(&mut self) {
        let mut ages: Vec<_> =
            self.by_path.iter().map(|(path, entry)| (entry.used, Arc::clone(path))).collect();
        ages.sort_unstable();
        for (_, path) in ages.iter().take(ages.len() / 8 + 1) {
            if let Some(entry) = self.by_path.remove(path) {
                self.bytes -= entry.reservation.bytes();
            }
        }
    }
}

/// Opens the segments of a table for one query.
#[derive(Clone)]
pub(crate) struct Segments {
    pub(crate) table: Table,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) footers: Arc<Footers>,
    pub(crate) scan: Arc<Scan>,
    /// Bytes that were read are counted here until they are decoded.
    pub(crate) memory: Arc<QueryPool>,
}

impl Segments {
    /// A reader of one file.
    pub(crate) fn reader(&self, segment: &Segment) -> SegmentReader {
        self.open(&segment.path, segment.bytes, segment.tail)
    }

    fn open(&self, path: &str, bytes: u64, tail: Option<Tail>) -> SegmentReader {
        SegmentReader { segments: self.clone(), path: path.into(), bytes, tail, sums: OnceLock::new() }
    }
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Segments({})", self.table)
    }
}

impl ParquetFileReaderFactory for Segments {
    fn create_reader(
        &self,
        _: usize,
        file: PartitionedFile,
        _: Option<usize>,
        _: &ExecutionPlanMetricsSet,
    ) -> PlanResult<Box<dyn AsyncFileReader + Send>> {
        let (meta, tail) = (&file.object_meta, file.extension::<Tail>().copied());
        Ok(Box::new(self.open(meta.location.as_ref(), meta.size, tail)))
    }
}

/// Reads a segment and counts it. When the store does not answer for its footer, it has no rows, and
/// the answer says that it is not complete. A footer that makes no sense is an error, as pages are:
/// the segment is then examined, set aside, and the question asked again.
#[derive(Clone)]
pub(crate) struct SegmentReader {
    segments: Segments,
    path: Arc<str>,
    bytes: u64,
    tail: Option<Tail>,
    /// As of its footer, once that was asked for.
    sums: OnceLock<Option<Arc<Sums>>>,
}

impl SegmentReader {
    fn location(&self) -> object_store::path::Path {
        object_store::path::Path::from(self.path.as_ref())
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Where it is counted what is read.
    pub(crate) fn scan(&self) -> &Scan {
        &self.segments.scan
    }

    /// The footer, where it is kept.
    pub(crate) fn known_footer(&self) -> Option<Arc<ParquetMetaData>> {
        self.segments.footers.get(&self.path).map(|footer| self.note(&footer))
    }

    fn note(&self, footer: &Footer) -> Arc<ParquetMetaData> {
        self.sums.get_or_init(|| footer.sums.clone());
        Arc::clone(&footer.metadata)
    }

    async fn footer(&self) -> Result<Arc<ParquetMetaData>> {
        if let Some(footer) = self.known_footer() {
            return Ok(footer);
        }
        match self.read_footer().await {
            Ok(footer) => {
                let footer = Arc::new(footer);
                if let Some(room) = self.segments.footers.reserve(footer.bytes()) {
                    self.segments.footers.put(&self.path, &footer, room);
                }
                Ok(self.note(&footer))
            }
            Err(error) if is_of_the_store(&error) => {
                tracing::warn!(segment = %self.path, %error, "skip unreadable segment");
                self.segments.scan.incomplete(format!("segment `{}` cannot be read: {error}", self.path));
                Ok(no_rows(self.segments.table))
            }
            Err(error) => {
                self.segments.scan.suspect(&self.path);
                Err(error)
            }
        }
    }

    async fn read_footer(&self) -> Result<Footer> {
        let size = self.bytes;
        let mut reader = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_prefetch_hint(Some(FOOTER_HINT));
        let Some(tail) = self.tail else {
            let metadata = Arc::new(reader.load_and_finish(ReadFooter(self), size).await?);
            return Ok(Footer { metadata, sums: None });
        };
        let from = size.saturating_sub(tail.len);
        let bytes = self.read(from..size, false).await?;
        // Before it is believed: what is altered here would be records that nobody misses.
        if crc32fast::hash(&bytes) != tail.crc {
            return Err(ParquetError::General("its end is not what was written".to_owned()));
        }
        reader.try_parse_sized(&bytes, size)?;
        let metadata = Arc::new(reader.finish()?);
        let entries = metadata.file_metadata().key_value_metadata().into_iter().flatten();
        let place = entries.filter(|entry| entry.key == sums::KEY).find_map(|entry| entry.value.as_deref());
        let sums = place.and_then(|place| Sums::parse(place, &bytes, from)).map(Arc::new);
        Ok(Footer { metadata, sums })
    }

    async fn read(&self, range: Range<u64>, rows: bool) -> Result<Bytes> {
        self.segments.scan.add_bytes(&self.path, range.end - range.start, rows);
        self.segments.objects.get_range(&self.location(), range).await.map_err(external)
    }

    async fn read_rows(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        if self.sums.get().is_none() {
            self.footer().await?;
        }
        let blocks = self.blocks(&ranges);
        let memory = self.reserve(&blocks)?;
        let read = self.segments.objects.get_ranges(&self.location(), &blocks).await.map_err(external)?;
        self.counted(read, &blocks, &ranges, &memory)
    }

    /// The whole blocks in which these ranges are, if it is known what they should be.
    fn blocks<'a>(&self, ranges: &'a [Range<u64>]) -> Cow<'a, [Range<u64>]> {
        match self.sums.get() {
            Some(Some(sums)) => ranges.iter().map(|range| sums.blocks(range)).collect(),
            _ => Cow::Borrowed(ranges),
        }
    }

    /// Reads rows on this thread, which may wait for a disk, if `source` can.
    pub(crate) fn read_here(&self, source: &dyn Source, ranges: &[Range<u64>]) -> Option<Result<Vec<Bytes>>> {
        let blocks = self.blocks(ranges);
        let memory = match self.reserve(&blocks) {
            Ok(memory) => memory,
            Err(error) => return Some(Err(error)),
        };
        let read = source.read_here(&self.path, &blocks)?.map_err(external);
        Some(read.and_then(|read| self.counted(read, &blocks, ranges, &memory)))
    }

    /// Memory for what is read.
    fn reserve(&self, ranges: &[Range<u64>]) -> Result<MemoryReservation> {
        let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let pool: Arc<dyn MemoryPool> = Arc::clone(&self.segments.memory) as _;
        let memory = MemoryConsumer::new("Read").register(&pool);
        memory.try_grow(usize::try_from(total).unwrap_or(usize::MAX)).map_err(external)?;
        Ok(memory)
    }

    /// What was asked for of the blocks that were read, with their memory: nothing is made of blocks that
    /// are not what was written.
    fn counted(
        &self,
        read: Vec<Bytes>,
        blocks: &[Range<u64>],
        ranges: &[Range<u64>],
        memory: &MemoryReservation,
    ) -> Result<Vec<Bytes>> {
        let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        self.segments.scan.add_bytes(&self.path, total, true);
        let sums = self.sums.get().and_then(Option::as_ref);
        let one = |((bytes, blocks), range): ((Bytes, &Range<u64>), &Range<u64>)| {
            if let Some(at) = sums.and_then(|sums| sums.altered(blocks.start, &bytes)) {
                return Err(ParquetError::General(format!("what is at byte {at} is not what was written")));
            }
            let from = usize::try_from(range.start - blocks.start)?;
            let to = usize::try_from(range.end - blocks.start)?.min(bytes.len());
            Ok(counted(bytes, memory).slice(from.min(to)..to))
        };
        read.into_iter().zip(blocks).zip(ranges).map(one).collect()
    }
}

/// Bytes that are given back to the pool when nobody refers to them any more.
fn counted(bytes: Bytes, memory: &MemoryReservation) -> Bytes {
    struct Counted {
        bytes: Bytes,
        _memory: MemoryReservation,
    }
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    let memory = memory.split(bytes.len().min(memory.size()));
    Bytes::from_owner(Counted { bytes, _memory: memory })
}

/// Reads that are not of rows.
struct ReadFooter<'a>(&'a SegmentReader);

impl MetadataFetch for ReadFooter<'_> {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.0.read(range, false).boxed()
    }
}

impl AsyncFileReader for SegmentReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let read = self.read_rows(vec![range]).await?;
            Ok(read.into_iter().next().unwrap_or_default())
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        self.read_rows(ranges).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        self.footer().boxed()
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// Whether the bytes could not be had; what they say is another matter.
fn is_of_the_store(error: &ParquetError) -> bool {
    matches!(error, ParquetError::External(source) if source.is::<object_store::Error>())
}

/// The footer of a file of the table without rows.
fn no_rows(table: Table) -> Arc<ParquetMetaData> {
    static EMPTY: LazyLock<[Arc<ParquetMetaData>; Table::ALL.len()]> = LazyLock::new(|| {
        Table::ALL.map(|table| {
            let columns = ArrowSchemaConverter::new()
                .convert(&schema::stored(table))
                .expect("every type of a stored schema has a Parquet type");
            Arc::new(ParquetMetaData::new(
                FileMetaData::new(2, 0, None, None, Arc::new(columns), None),
                vec![],
            ))
        })
    });
    Arc::clone(&EMPTY[table as usize])
}
