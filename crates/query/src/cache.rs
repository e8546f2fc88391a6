//! Segments' footers, kept because parsing them is most of a small query's work, and the reader
//! that uses them and counts what it reads.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use datafusion::common::Result as PlanResult;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use model::{Budget, Reservation, Table, schema};
use object_store::{ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::Source;
use crate::answer::Scan;
use crate::pool::QueryPool;

/// Read at once from the end of a file: footers of most segments, with their page indexes.
const FOOTER_HINT: usize = 64 * 1024;

/// Parsed footers with page indexes.
pub(crate) type Footers = ByPath<ParquetMetaData>;

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
    pub(crate) fn reader(&self, path: &str, bytes: u64) -> SegmentReader {
        SegmentReader { segments: self.clone(), path: path.into(), bytes }
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
        Ok(Box::new(self.reader(file.object_meta.location.as_ref(), file.object_meta.size)))
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
        self.segments.footers.get(&self.path)
    }

    async fn footer(&mut self) -> Result<Arc<ParquetMetaData>> {
        if let Some(footer) = self.known_footer() {
            return Ok(footer);
        }
        let size = self.bytes;
        let reader = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .with_prefetch_hint(Some(FOOTER_HINT));
        match reader.load_and_finish(Footer(self), size).await {
            Ok(footer) => {
                let footer = Arc::new(footer);
                if let Some(room) = self.segments.footers.reserve(footer.memory_size() as u64) {
                    self.segments.footers.put(&self.path, &footer, room);
                }
                Ok(footer)
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

    async fn read(&self, range: Range<u64>, rows: bool) -> Result<Bytes> {
        self.segments.scan.add_bytes(&self.path, range.end - range.start, rows);
        self.segments.objects.get_range(&self.location(), range).await.map_err(external)
    }

    async fn read_rows(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let memory = self.reserve(&ranges)?;
        let read = self.segments.objects.get_ranges(&self.location(), &ranges).await.map_err(external)?;
        Ok(self.counted(read, &memory))
    }

    /// Reads rows on this thread, which may wait for a disk, if `source` can.
    pub(crate) fn read_here(&self, source: &dyn Source, ranges: &[Range<u64>]) -> Option<Result<Vec<Bytes>>> {
        let memory = match self.reserve(ranges) {
            Ok(memory) => memory,
            Err(error) => return Some(Err(error)),
        };
        let read = source.read_here(&self.path, ranges)?.map_err(external);
        Some(read.map(|read| self.counted(read, &memory)))
    }

    /// Memory for what is read.
    fn reserve(&self, ranges: &[Range<u64>]) -> Result<MemoryReservation> {
        let total: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let pool: Arc<dyn MemoryPool> = Arc::clone(&self.segments.memory) as _;
        let memory = MemoryConsumer::new("Read").register(&pool);
        memory.try_grow(usize::try_from(total).unwrap_or(usize::MAX)).map_err(external)?;
        Ok(memory)
    }

    /// Rows that were read, with their memory.
    fn counted(&self, read: Vec<Bytes>, memory: &MemoryReservation) -> Vec<Bytes> {
        let total: usize = read.iter().map(Bytes::len).sum();
        self.segments.scan.add_bytes(&self.path, total as u64, true);
        read.into_iter().map(|bytes| counted(bytes, memory)).collect()
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
struct Footer<'a>(&'a SegmentReader);

impl MetadataFetch for Footer<'_> {
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
