use std::sync::Arc;

use model::{Lsn, Table};

use super::chunk::Chunk;
use super::series_index::SeriesIndex;
use crate::ledger::Counts;

/// What a shard took in between two seals.
#[derive(Debug, Clone)]
pub(crate) struct Generation {
    /// Counts up within a shard.
    pub(crate) number: u64,
    /// What the points' numbers mean; metrics only.
    pub(crate) series: Option<Arc<SeriesIndex>>,
    /// The first entry in it; 0 while there is none.
    pub(crate) first_lsn: Lsn,
    /// Everything of the shard up to here is in this generation or in an earlier one.
    pub(crate) last_lsn: Lsn,
    /// When its first entry was published.
    pub(crate) opened_unix_nano: i64,
    /// Where the records of its entries went.
    pub(crate) counts: Counts,
    chunks: [Vec<Arc<Chunk>>; Table::ALL.len()],
    bytes: u64,
    rows: u64,
}

impl Generation {
    pub(crate) fn new(number: u64, series: Option<Arc<SeriesIndex>>) -> Self {
        Self {
            number,
            series,
            first_lsn: 0,
            last_lsn: 0,
            opened_unix_nano: 0,
            counts: Counts::default(),
            chunks: Default::default(),
            bytes: 0,
            rows: 0,
        }
    }

    /// Whether no entry is in it. One whose records were all rejected is one.
    pub(crate) fn is_empty(&self) -> bool {
        self.first_lsn == 0
    }

    pub(crate) fn push(&mut self, table: Table, chunk: Chunk) {
        self.bytes += chunk.bytes();
        self.rows += chunk.len() as u64;
        self.chunks[table as usize].push(Arc::new(chunk));
    }

    pub(crate) fn chunks(&self, table: Table) -> &[Arc<Chunk>] {
        &self.chunks[table as usize]
    }

    /// Puts one chunk in the place of those that it was made of, if all of them are still here.
    pub(crate) fn replace(&mut self, table: Table, parts: &[Arc<Chunk>], whole: Chunk) {
        let is_part = |chunk: &Arc<Chunk>| parts.iter().any(|part| Arc::ptr_eq(part, chunk));
        let chunks = &mut self.chunks[table as usize];
        if chunks.iter().filter(|chunk| is_part(chunk)).count() != parts.len() {
            return;
        }
        chunks.retain(|chunk| !is_part(chunk));
        self.bytes -= parts.iter().map(|part| part.bytes()).sum::<u64>();
        self.bytes += whole.bytes();
        chunks.push(Arc::new(whole));
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }
}
