//! A store for tests: the records are wherever a test puts them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::array::UInt32Array;
use arrow::array::cast::AsArray;
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;
use futures::executor::block_on;
use futures::future::BoxFuture;
use model::{Table, Tenant};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::data::Metrics;
use super::{batches, data};
use crate::{Chunk, Missing, Segment, SeriesOfRows, Snapshot, Source, SourceError, TraceResult, TraceSpans};

/// Where a row goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A chunk in memory.
    Memory(usize),
    /// A segment.
    Segment(usize),
}

/// Records of one tenant in memory and in segments of an object store in memory.
#[derive(Clone, Default)]
pub(super) struct Placed {
    objects: Arc<InMemory>,
    memory: HashMap<Table, Vec<Arc<dyn Chunk>>>,
    segments: HashMap<Table, Vec<Segment>>,
    pub(super) missing: Vec<Missing>,
    /// Spans that are found by an index, in the file schema.
    pub(super) indexed: Option<RecordBatch>,
    /// Rows of a row group; 0 for few.
    pub(super) group_rows: usize,
}

impl Placed {
    /// The shop's records, each row where `place` says.
    pub(super) fn shop(place: impl Fn(Table, usize) -> Place) -> Self {
        Self::of(&data::logs(), &data::spans(), &data::metrics(), place)
    }

    pub(super) fn of(
        logs: &[data::Log],
        spans: &[data::Span],
        metrics: &Metrics,
        place: impl Fn(Table, usize) -> Place,
    ) -> Self {
        let mut placed = Self::default();
        placed.put(Table::Logs, &batches::logs(logs), &place);
        placed.put(Table::Spans, &batches::spans(spans), &place);
        placed.put(Table::Series, &batches::series(&metrics.series), &place);
        placed.put(Table::Samples, &batches::samples(&metrics.samples), &place);
        placed.put(Table::Histograms, &batches::histograms(&metrics.histograms), &place);
        placed
    }

    /// Adds rows in the file schema.
    pub(super) fn put(&mut self, table: Table, rows: &RecordBatch, place: impl Fn(Table, usize) -> Place) {
        let mut parts: Vec<(Place, Vec<u32>)> = Vec::new();
        for row in 0..rows.num_rows() {
            let place = place(table, row);
            let index = parts.iter().position(|(known, _)| *known == place);
            let index = index.unwrap_or_else(|| {
                parts.push((place, Vec::new()));
                parts.len() - 1
            });
            parts[index].1.push(u32::try_from(row).unwrap());
        }
        for (place, indices) in parts {
            let part = take_record_batch(rows, &UInt32Array::from(indices)).unwrap();
            match place {
                Place::Memory(_) => {
                    let chunks = self.memory.entry(table).or_default();
                    // Every other chunk of samples knows its series by numbers, as the store's do.
                    let numbered = table == Table::Samples && chunks.len().is_multiple_of(2);
                    chunks.push(if numbered { Arc::new(Numbered::of(part)) } else { Arc::new(part) });
                }
                Place::Segment(_) => self.seal(table, &part),
            }
        }
    }

    fn seal(&mut self, table: Table, rows: &RecordBatch) {
        let group_rows = if self.group_rows == 0 { 64 } else { self.group_rows };
        let segments = self.segments.entry(table).or_default();
        let path = format!("segments/{table}/tenant=acme/{}.parquet", segments.len());
        let times = rows.column_by_name(table.time_column()).unwrap().as_primitive::<Int64Type>().clone();
        // Every other file of samples has its values scaled.
        let scaled = table == Table::Samples && segments.len().is_multiple_of(2);
        let bytes = if scaled {
            parquet(table, &batches::scaled(rows), group_rows)
        } else {
            parquet(table, rows, group_rows)
        };
        segments.push(Segment {
            path: path.clone(),
            bytes: bytes.len() as u64,
            tail: None,
            rows: rows.num_rows() as u64,
            min_time: times.iter().flatten().min().unwrap(),
            max_time: times.iter().flatten().max().unwrap(),
            lsns: Vec::new(),
            tier: None,
            thinned: Vec::new(),
        });
        block_on(self.objects.put(&path.into(), bytes.into())).unwrap();
    }

    /// Replaces a segment's file.
    pub(super) fn overwrite(&self, table: Table, index: usize, bytes: Vec<u8>) {
        let path = self.segments[&table][index].path.clone();
        block_on(self.objects.put(&path.into(), bytes.into())).unwrap();
    }

    pub(super) fn remove(&self, table: Table, index: usize) {
        let path = self.segments[&table][index].path.clone();
        block_on(self.objects.delete(&path.into())).unwrap();
    }

    pub(super) fn segments(&self, table: Table) -> &[Segment] {
        self.segments.get(&table).map_or(&[], Vec::as_slice)
    }
}

impl Source for Placed {
    fn snapshot(&self, tenant: &Tenant, tables: &[Table]) -> Result<Vec<Snapshot>, SourceError> {
        let own = tenant.as_str() == "acme";
        let snapshot = |table: &Table| Snapshot {
            table: *table,
            memory: if own { self.memory.get(table).cloned().unwrap_or_default() } else { Vec::new() },
            segments: if own { self.segments(*table).to_vec() } else { Vec::new() },
            missing: self.missing.clone(),
            pin: Arc::new(()),
        };
        Ok(tables.iter().map(snapshot).collect())
    }

    fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.objects) as Arc<dyn ObjectStore>
    }

    fn trace(&self, tenant: &Tenant, trace_id: [u8; 16]) -> BoxFuture<'_, Option<TraceResult>> {
        let found = self.indexed.as_ref().filter(|_| tenant.as_str() == "acme").map(|spans| {
            let ids = spans.column_by_name("trace_id").unwrap().as_binary::<i32>();
            let rows = (0..).zip(ids).filter(|(_, id)| *id == Some(&trace_id[..])).map(|(row, _)| row);
            let rows = UInt32Array::from_iter_values(rows);
            let batches = vec![take_record_batch(spans, &rows).unwrap()];
            Ok(TraceSpans { batches, segments: 3, segments_skipped: 1, missing: vec!["one".to_owned()] })
        });
        Box::pin(std::future::ready(found))
    }
}

/// Samples whose series have numbers.
struct Numbered {
    rows: RecordBatch,
    numbers: Vec<u32>,
    known: HashMap<[u8; 16], u32>,
}

impl Numbered {
    fn of(rows: RecordBatch) -> Self {
        let ids = rows.column_by_name("series_id").unwrap().as_binary::<i32>();
        let mut known = HashMap::new();
        let mut number = |row| {
            // Not from 0 on, and with gaps.
            let next = u32::try_from(known.len() * 3 + 5).unwrap();
            *known.entry(ids.value(row).try_into().unwrap()).or_insert(next)
        };
        let numbers = (0..rows.num_rows()).map(&mut number).collect();
        Self { numbers, known, rows: rows.clone() }
    }
}

impl Chunk for Numbered {
    fn rows(&self) -> usize {
        self.rows.num_rows()
    }

    fn series(&self) -> Option<SeriesOfRows<'_>> {
        Some(SeriesOfRows { rows: &self.numbers, numbering: std::ptr::from_ref(self) as usize })
    }

    fn series_numbers(&self, ids: &[[u8; 16]]) -> Vec<Option<u32>> {
        ids.iter().map(|id| self.known.get(id).copied()).collect()
    }

    fn read(&self, columns: &[usize], from: usize, len: usize) -> Result<RecordBatch, SourceError> {
        self.rows.read(columns, from, len)
    }
}

/// A segment as the store writes it: sorted, in small row groups and pages, with statistics.
fn parquet(table: Table, rows: &RecordBatch, group_rows: usize) -> Vec<u8> {
    let keys: &[&str] = match table {
        Table::Logs => &["service_name", "time_unix_nano"],
        Table::Spans => &["service_name", "name", "start_time_unix_nano"],
        _ => &["metric_name", "series_id", "time_unix_nano"],
    };
    let sorted = sort(rows, keys);
    let mut properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_data_page_row_count_limit(16)
        .set_write_batch_size(16);
    if rows.schema().index_of("trace_id").is_ok() {
        properties = properties.set_column_bloom_filter_enabled(ColumnPath::from("trace_id"), true);
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), sorted.schema(), Some(properties.build())).unwrap();
    writer.write(&sorted).unwrap();
    writer.into_inner().unwrap()
}

fn sort(rows: &RecordBatch, keys: &[&str]) -> RecordBatch {
    let columns: Vec<_> = keys
        .iter()
        .map(|key| arrow::compute::SortColumn {
            values: rows.column_by_name(key).unwrap().clone(),
            options: None,
        })
        .collect();
    let order = arrow::compute::lexsort_to_indices(&columns, None).unwrap();
    assert_eq!(order.len(), rows.num_rows());
    take_record_batch(rows, &order).unwrap()
}

/// A name, and where each row of a table goes.
type Split = (&'static str, fn(Table, usize) -> Place);

/// Ways to place the same rows.
pub(super) fn splits() -> Vec<Split> {
    vec![
        ("all in memory", |_, _| Place::Memory(0)),
        ("all in one segment", |_, _| Place::Segment(0)),
        ("three segments", |_, row| Place::Segment(row * 3 / 1000)),
        ("every other row", |_, row| if row % 2 == 0 { Place::Memory(0) } else { Place::Segment(0) }),
        ("chunks and segments mixed", |table, row| {
            let n = usize::try_from(data::mix(row as u64 * 10 + table as u64) % 7).unwrap();
            if n < 3 { Place::Memory(n) } else { Place::Segment(n) }
        }),
    ]
}
