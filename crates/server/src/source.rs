//! Introduces `store` to `query`: what the store holds as the engine wants to read it.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use model::{ErrorKind, Table, Tenant};
use object_store::ObjectStore;
use query::{
    Chunk, Missing, Segment, SeriesOfRows, Snapshot, Source, SourceError, Tail, Tier, TraceResult, TraceSpans,
};
use store::{MemoryChunk, Store};

use crate::sink::chain;

/// The store as `query` wants to see it.
pub struct StoreSource(pub Arc<Store>);

impl Source for StoreSource {
    fn snapshot(&self, tenant: &Tenant, tables: &[Table]) -> Result<Vec<Snapshot>, SourceError> {
        Ok(self.0.snapshots(tenant, tables).into_iter().map(snapshot).collect())
    }

    fn objects(&self) -> Arc<dyn ObjectStore> {
        self.0.objects()
    }

    fn read_here(&self, path: &str, ranges: &[Range<u64>]) -> Option<object_store::Result<Vec<Bytes>>> {
        self.0.read_here(path, ranges)
    }

    fn examine(&self, path: &str) -> BoxFuture<'_, bool> {
        let path = path.to_owned();
        Box::pin(async move {
            self.0.examine(&path).await.unwrap_or_else(|error| {
                tracing::warn!(
                    path,
                    error = chain(&error),
                    "cannot look at a segment that a query failed on"
                );
                false
            })
        })
    }

    fn trace(&self, tenant: &Tenant, trace_id: [u8; 16]) -> BoxFuture<'_, Option<TraceResult>> {
        let tenant = tenant.clone();
        Box::pin(async move {
            let found = self.0.trace(&tenant, trace_id).await;
            Some(match found {
                Ok(trace) => Ok(TraceSpans {
                    batches: trace.spans,
                    segments: trace.segments,
                    segments_skipped: trace.segments_skipped,
                    missing: trace.warnings,
                }),
                Err(error) => Err(SourceError { kind: error.kind(), message: chain(&error) }),
            })
        })
    }
}

fn missing(file: &store::Missing) -> Missing {
    Missing { times: file.times, warning: file.warning() }
}

fn snapshot(snapshot: store::Snapshot) -> Snapshot {
    let segment = |segment: &Arc<store::SegmentMeta>| Segment {
        path: segment.path.clone(),
        bytes: segment.bytes,
        tail: segment.tail.map(|tail| Tail { len: tail.len, crc: tail.crc }),
        rows: segment.rows,
        min_time: segment.min_time,
        max_time: segment.max_time,
        lsns: segment.lsns.clone(),
        tier: segment.tier.map(|tier| Tier { resolution_ms: tier.resolution_ms, rule: tier.rule }),
        thinned: segment.thinned.clone(),
    };
    let memory = snapshot.memory.iter().map(|chunk| Arc::new(InMemory(chunk.clone())) as Arc<dyn Chunk>);
    Snapshot {
        table: snapshot.table,
        memory: memory.collect(),
        segments: snapshot.segments.iter().map(segment).collect(),
        missing: snapshot.missing.iter().map(missing).collect(),
        pin: Arc::new(snapshot),
    }
}

struct InMemory(MemoryChunk);

impl Chunk for InMemory {
    fn rows(&self) -> usize {
        self.0.rows()
    }

    fn times(&self) -> Option<(i64, i64)> {
        Some(self.0.times())
    }

    fn series(&self) -> Option<SeriesOfRows<'_>> {
        let (rows, numbering) = self.0.series()?;
        Some(SeriesOfRows { rows, numbering })
    }

    fn series_numbers(&self, ids: &[[u8; 16]]) -> Vec<Option<u32>> {
        self.0.series_numbers(ids)
    }

    fn read(&self, columns: &[usize], from: usize, len: usize) -> Result<RecordBatch, SourceError> {
        self.0.slice(from..from + len, columns).map_err(|error| SourceError {
            kind: ErrorKind::Internal,
            message: format!("cannot read records in memory: {error}"),
        })
    }
}
