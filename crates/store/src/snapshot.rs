use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use model::{Table, Tenant, schema};

use crate::manifest::SegmentMeta;
use crate::memtable::{Chunk, Generation, SeriesCatalog, SeriesIndex};
use crate::pins::Pins;
use crate::segment::project;

/// Rows of a batch that is made from memory.
const BATCH_ROWS: usize = 8192;

/// All records of a table of a tenant at one moment: each is in exactly one of `memory` and
/// `segments`. While it lives, its files are not deleted.
#[derive(Debug)]
pub struct Snapshot {
    /// Whose records.
    pub tenant: Tenant,
    /// Of which table.
    pub table: Table,
    /// Records that are not in files yet.
    pub memory: Vec<MemoryChunk>,
    /// The files, read through [`crate::Store::objects`] at their `path`.
    pub segments: Vec<Arc<SegmentMeta>>,
    /// Files of the table that could not be read and were set aside. Where there are some, an
    /// answer over their times is not complete and has to say so.
    pub missing: Vec<Missing>,
    pub(crate) _pins: Pins,
}

/// A file that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where it was.
    pub path: String,
    /// The least and the greatest time of its records; where that is not known, what they cannot
    /// be beyond.
    pub times: (i64, i64),
    /// Why it was set aside.
    pub reason: String,
}

impl Snapshot {
    /// Whether every record that was ever stored, and has not expired, is in it.
    pub fn complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// Files that are missing from an answer over these times, the last one included.
    pub fn missing_in(&self, times: RangeInclusive<i64>) -> impl Iterator<Item = &Missing> {
        let (from, to) = times.into_inner();
        self.missing.iter().filter(move |missing| missing.times.0 <= to && missing.times.1 >= from)
    }

    /// One sentence a missing file, for the answer.
    pub fn warnings(&self) -> Vec<String> {
        self.missing.iter().map(Missing::warning).collect()
    }

    /// Rows in memory and in files.
    pub fn rows(&self) -> u64 {
        let memory = self.memory.iter().map(|chunk| chunk.rows() as u64).sum::<u64>();
        memory + self.segments.iter().map(|segment| segment.rows).sum::<u64>()
    }
}

impl Missing {
    /// One sentence for an answer in which its records may be missing.
    pub fn warning(&self) -> String {
        format!("`{}` was set aside and is not included: {}", self.path, self.reason)
    }
}

/// Records in memory, in the form in which they came.
#[derive(Clone, Debug)]
pub struct MemoryChunk {
    table: Table,
    chunk: Arc<Chunk>,
    series: Option<Arc<SeriesIndex>>,
}

impl MemoryChunk {
    pub(crate) fn of(table: Table, generation: &Generation) -> impl Iterator<Item = Self> + '_ {
        generation.chunks(table).iter().map(move |chunk| Self {
            table,
            chunk: Arc::clone(chunk),
            series: generation.series.clone(),
        })
    }

    /// How many.
    pub fn rows(&self) -> usize {
        self.chunk.len()
    }

    /// Bytes they hold in memory.
    pub fn bytes(&self) -> u64 {
        self.chunk.bytes()
    }

    /// The least and the greatest time.
    pub fn times(&self) -> (i64, i64) {
        (self.chunk.time_min, self.chunk.time_max)
    }

    /// Of points, the number of each row's series, and what tells whether the numbers of two chunks
    /// mean the same series; nothing of other records.
    pub fn series(&self) -> Option<(&[u32], usize)> {
        let series = self.series.as_ref().filter(|_| !schema::has_streams(self.table))?;
        Some((self.chunk.index(), Arc::as_ptr(series) as usize))
    }

    /// The numbers of series by their ids, those that have one.
    pub fn series_numbers(&self, ids: &[[u8; 16]]) -> Vec<Option<u32>> {
        self.series.as_ref().map_or_else(|| vec![None; ids.len()], |series| series.numbers(ids))
    }

    /// The rows in the file schema, or of its columns only those at `projection`, in batches of
    /// bounded size. What is not asked for is not made.
    pub fn batches(
        &self,
        projection: Option<&[usize]>,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + use<> {
        let all = schema::file(self.table).fields().len();
        let columns = projection.map_or_else(|| (0..all).collect(), <[usize]>::to_vec);
        let chunk = self.clone();
        (0..self.rows()).step_by(BATCH_ROWS).map(move |start| {
            let range = start..(start + BATCH_ROWS).min(chunk.rows());
            chunk.slice(range, &columns)
        })
    }

    /// These rows, in the file schema's columns at `columns`.
    ///
    /// # Errors
    /// When Arrow cannot make them: a bug.
    pub fn slice(&self, range: Range<usize>, columns: &[usize]) -> Result<RecordBatch, ArrowError> {
        let project = |catalog: &SeriesCatalog| project(self.table, &self.chunk, catalog, range, columns);
        match &self.series {
            Some(series) => series.with_catalog(project),
            None => project(&SeriesCatalog::default()),
        }
    }

    pub(crate) fn chunk(&self) -> &Chunk {
        &self.chunk
    }
}
