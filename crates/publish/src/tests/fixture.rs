//! Segments with rows, as the store writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, MapArray, RecordBatch,
    StringArray, StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, FieldRef};
use model::{NANOS_PER_DAY, Table};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use crate::{Live, Publisher, Report, Segment};

/// 2027-03-01, in days since 1970.
pub(super) const DAY: i32 = 20_878;
const DAY_NAME: &str = "2027-03-01";
pub(super) const NOW_UNIX_MS: i64 = 1_803_900_000_000;

/// A directory with segments and the publisher over it.
pub(super) struct Place {
    dir: tempfile::TempDir,
    pub(super) publisher: Publisher,
    pub(super) live: Live,
    written: u32,
}

impl Place {
    pub(super) fn new() -> Self {
        Self::named("publish")
    }

    pub(super) fn named(name: &str) -> Self {
        let dir = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        let publisher = Publisher::local(dir.path()).unwrap();
        Self { dir, publisher, live: Live::default(), written: 0 }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn root(&self, table: Table) -> PathBuf {
        self.dir().join("segments").join(table.as_str())
    }

    /// Forgets what is known, as a new process does.
    pub(super) fn restart(&mut self) {
        self.publisher = Publisher::local(self.dir.path()).unwrap();
    }

    /// Writes a file and makes it live.
    pub(super) fn add(&mut self, table: Table, tenant: &str, rows: usize, level: u8) -> Segment {
        self.written += 1;
        let path =
            format!("segments/{table}/tenant={tenant}/day={DAY_NAME}/segment-{:08}.parquet", self.written);
        let min_time = i64::from(DAY) * NANOS_PER_DAY + i64::from(self.written) * 1_000_000_000;
        let batch = batch(table, rows, min_time);
        let file = self.dir().join(&path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
            .build();
        let output = std::fs::File::create(&file).unwrap();
        let mut writer = ArrowWriter::try_new(output, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let segment = Segment {
            table,
            path,
            rows: rows as u64,
            bytes: std::fs::metadata(&file).unwrap().len(),
            min_time,
            max_time: min_time + rows as i64 - 1,
            level,
            created_unix_ms: NOW_UNIX_MS,
        };
        self.live.segments.push(segment.clone());
        segment
    }

    /// Takes a segment out of the live ones; its file stays, as it does for running queries.
    pub(super) fn remove(&mut self, segment: &Segment) {
        let before = self.live.segments.len();
        self.live.segments.retain(|live| live != segment);
        assert_eq!(self.live.segments.len(), before - 1);
    }

    /// Replaces segments by one that holds their rows.
    pub(super) fn compact(&mut self, inputs: &[&Segment], tenant: &str) -> Segment {
        let rows = inputs.iter().map(|segment| segment.rows as usize).sum();
        inputs.iter().for_each(|segment| self.remove(segment));
        self.add(inputs[0].table, tenant, rows, 1)
    }

    pub(super) async fn run(&mut self) -> Report {
        self.live.sequence += 1;
        self.publisher.publish(&self.live, NOW_UNIX_MS).await
    }

    /// Runs, and nothing may fail.
    pub(super) async fn publish(&mut self) -> BTreeMap<Table, crate::Change> {
        let report = self.run().await;
        assert!(report.failures.is_empty(), "{:?}", report.failures);
        assert_eq!(report.changes.len(), Table::ALL.len());
        report.changes.into_iter().map(|change| (change.table, change)).collect()
    }

    pub(super) fn log_dir(&self, table: Table) -> PathBuf {
        self.root(table).join("_delta_log")
    }

    /// The actions of a version, by kind.
    pub(super) fn version(&self, table: Table, version: u64) -> Vec<(String, Value)> {
        let text = std::fs::read_to_string(self.log_dir(table).join(format!("{version:020}.json"))).unwrap();
        let action = |line: &str| {
            let action: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
            assert_eq!(action.len(), 1);
            action.into_iter().next().unwrap()
        };
        text.lines().map(action).collect()
    }

    /// The files that the log names, read by somebody who has only the directory.
    pub(super) async fn names(&self, table: Table) -> Vec<String> {
        let url = url::Url::from_directory_path(self.root(table).canonicalize().unwrap()).unwrap();
        let delta = deltalake_core::open_table(url).await.unwrap();
        let state = delta.snapshot().unwrap();
        let mut names: Vec<String> =
            state.log_data().iter().map(|view| format!("segments/{table}/{}", view.path())).collect();
        names.sort();
        names
    }

    pub(super) fn live_names(&self, table: Table) -> Vec<String> {
        let of_table = self.live.segments.iter().filter(|segment| segment.table == table);
        let mut names: Vec<String> = of_table.map(|segment| segment.path.clone()).collect();
        names.sort();
        names
    }

    pub(super) async fn assert_published(&self) {
        for table in Table::ALL {
            assert_eq!(self.names(table).await, self.live_names(table), "{table}");
        }
    }
}

/// Rows of a table; the time column counts up from `min_time`, every map and list is filled.
fn batch(table: Table, rows: usize, min_time: i64) -> RecordBatch {
    let schema = model::schema::stored(table);
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        if field.name() == table.time_column() {
            Arc::new(Int64Array::from_iter_values((0..rows as i64).map(|row| min_time + row)))
        } else {
            array(field, rows)
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// Values of any type that is in our schemas; every third is null where that is allowed.
fn array(field: &Field, rows: usize) -> ArrayRef {
    let is_null = |row: usize| field.is_nullable() && row % 3 == 2;
    let nulls: NullBuffer = (0..rows).map(|row| !is_null(row)).collect::<Vec<bool>>().into();
    let some = |row: usize| (!is_null(row)).then_some(row);
    match field.data_type() {
        DataType::Int32 => {
            Arc::new((0..rows).map(|row| some(row).map(|row| row as i32)).collect::<Int32Array>())
        }
        DataType::Int64 => {
            Arc::new((0..rows).map(|row| some(row).map(|row| row as i64)).collect::<Int64Array>())
        }
        DataType::Float64 => {
            Arc::new((0..rows).map(|row| some(row).map(|row| row as f64 / 4.0)).collect::<Float64Array>())
        }
        DataType::Boolean => {
            Arc::new((0..rows).map(|row| some(row).map(|row| row % 2 == 0)).collect::<BooleanArray>())
        }
        DataType::Utf8 => {
            let text = |row| format!("{} ä{row}", field.name());
            Arc::new((0..rows).map(|row| some(row).map(text)).collect::<StringArray>())
        }
        DataType::Binary => {
            let mut builder = BinaryBuilder::new();
            (0..rows).for_each(|row| builder.append_option(some(row).map(|row| (row as u128).to_be_bytes())));
            Arc::new(builder.finish())
        }
        DataType::Map(entries, _) => {
            let (offsets, entries_array) = nested(entries, rows);
            let entries_array = entries_array.as_any().downcast_ref::<StructArray>().unwrap().clone();
            Arc::new(MapArray::new(FieldRef::clone(entries), offsets, entries_array, None, false))
        }
        DataType::List(element) => {
            let (offsets, elements) = nested(element, rows);
            Arc::new(ListArray::new(FieldRef::clone(element), offsets, elements, None))
        }
        DataType::Struct(fields) => {
            let arrays = fields.iter().map(|field| array(field, rows)).collect();
            Arc::new(StructArray::new(fields.clone(), arrays, field.is_nullable().then_some(nulls)))
        }
        other => unreachable!("{other} is not in our schemas"),
    }
}

/// Row `r` has `r % 3` elements.
fn nested(element: &FieldRef, rows: usize) -> (OffsetBuffer<i32>, ArrayRef) {
    let offsets = OffsetBuffer::from_lengths((0..rows).map(|row| row % 3));
    let len = *offsets.last().unwrap() as usize;
    (offsets, array(element, len))
}
