use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use model::{ErrorKind, Table, Tenant};
use object_store::ObjectStore;

/// Where records are read from: the store.
pub trait Source: Send + Sync + 'static {
    /// What the tables hold for a tenant at one moment, one snapshot a table in the order asked.
    /// A record is in exactly one of a snapshot's memory and segments.
    ///
    /// # Errors
    /// [`SourceError`] when the store cannot be read at all.
    fn snapshot(&self, tenant: &Tenant, tables: &[Table]) -> Result<Vec<Snapshot>, SourceError>;

    /// Where the segments' paths lead.
    fn objects(&self) -> Arc<dyn ObjectStore>;

    /// Reads parts of a segment on this thread, which may wait for a disk. Nothing where that is no faster
    /// than [`Source::objects`], as with files that are elsewhere.
    fn read_here(&self, path: &str, ranges: &[Range<u64>]) -> Option<object_store::Result<Vec<Bytes>>> {
        let _ = (path, ranges);
        None
    }

    /// Reads a segment through that could not be decoded. Whether it is damaged: it is then missing
    /// from the snapshots that are taken from now on, and these say so.
    fn examine(&self, path: &str) -> BoxFuture<'_, bool> {
        let _ = path;
        Box::pin(std::future::ready(false))
    }

    /// The spans of a trace by an index, in the file schema; `None` when there is no such index
    /// and a scan must do. Spans that are still in memory are included.
    fn trace(&self, tenant: &Tenant, trace_id: [u8; 16]) -> BoxFuture<'_, Option<TraceResult>> {
        let _ = (tenant, trace_id);
        Box::pin(std::future::ready(None))
    }
}

/// The spans of a trace, or why they cannot be read.
pub type TraceResult = Result<TraceSpans, SourceError>;

/// The spans of a trace that an index leads to.
#[derive(Clone, Debug, Default)]
pub struct TraceSpans {
    /// In the file schema.
    pub batches: Vec<RecordBatch>,
    /// Segments of the table.
    pub segments: usize,
    /// Those of them that no row was read of.
    pub segments_skipped: usize,
    /// Why the trace may not be complete, if so: one sentence each.
    pub missing: Vec<String>,
}

/// The store cannot answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// One sentence.
    pub message: String,
}

/// What a table holds for a tenant at one moment.
#[derive(Clone)]
pub struct Snapshot {
    /// Which table.
    pub table: Table,
    /// Records that are not in a segment yet.
    pub memory: Vec<Arc<dyn Chunk>>,
    /// Sealed files.
    pub segments: Vec<Segment>,
    /// Segments that cannot be read any more. Answers that they may belong to are not complete.
    pub missing: Vec<Missing>,
    /// Keeps the segments' files as long as the snapshot lives.
    pub pin: Arc<dyn Any + Send + Sync>,
}

/// A segment that cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The least and the greatest time that its records may have.
    pub times: (i64, i64),
    /// One sentence for the answer.
    pub warning: String,
}

/// Records in memory that can be read by columns and ranges of rows.
pub trait Chunk: Send + Sync {
    /// How many rows it has.
    fn rows(&self) -> usize;

    /// Smallest and largest of the table's time column, where they are known.
    fn times(&self) -> Option<(i64, i64)> {
        None
    }

    /// Of points, which series each row belongs to, where the store has numbers for them.
    fn series(&self) -> Option<SeriesOfRows<'_>> {
        None
    }

    /// The numbers of series by their ids, of those that [`Chunk::series`] may name.
    fn series_numbers(&self, ids: &[[u8; 16]]) -> Vec<Option<u32>> {
        vec![None; ids.len()]
    }

    /// The rows `from..from + len` of these columns of the file schema, in this order.
    ///
    /// # Errors
    /// [`SourceError`] when they cannot be made.
    fn read(&self, columns: &[usize], from: usize, len: usize) -> Result<RecordBatch, SourceError>;
}

/// The series of the rows of a chunk, by numbers of the store.
#[derive(Clone, Copy, Debug)]
pub struct SeriesOfRows<'a> {
    /// One a row.
    pub rows: &'a [u32],
    /// The same for chunks whose numbers mean the same series, as long as a snapshot lives.
    pub numbering: usize,
}

/// A batch in the file schema.
impl Chunk for RecordBatch {
    fn rows(&self) -> usize {
        self.num_rows()
    }

    fn read(&self, columns: &[usize], from: usize, len: usize) -> Result<RecordBatch, SourceError> {
        let projected = self.project(columns).map_err(|error| SourceError {
            kind: ErrorKind::Internal,
            message: format!("cannot read records in memory: {error}"),
        })?;
        Ok(projected.slice(from, len))
    }
}

/// A sealed Parquet file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its key in [`Source::objects`].
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its end, if it is known what it should be.
    pub tail: Option<Tail>,
    /// How many rows it has.
    pub rows: u64,
    /// Smallest of the table's time column.
    pub min_time: i64,
    /// Largest of the table's time column.
    pub max_time: i64,
    /// Of samples and what they were downsampled to, the entries of the log that it covers: ranges with
    /// both ends.
    pub lsns: Vec<(u64, u64)>,
    /// Of downsampled samples, what they are.
    pub tier: Option<Tier>,
    /// Of samples, the rules whose rows have expired from it.
    pub thinned: Vec<u64>,
}

/// The end of a file: the indexes of its pages, and its footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// How many bytes.
    pub len: u64,
    /// Their CRC-32.
    pub crc: u32,
}

/// What samples were downsampled to, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The length of a window.
    pub resolution_ms: u64,
    /// A number for the rule.
    pub rule: u64,
}
