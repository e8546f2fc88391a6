//! Requests whose records are recognised by a number, and a store to send them to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, MapArray,
    RecordBatch, StringArray, StructArray, UInt32Array, new_empty_array, new_null_array,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, SchemaRef};
use fresnel_sdk::config::{ByteSize, Duration};
use model::{Batch, Budget, Logs, Metrics, Signal, Spans, Table, Tenant, schema};
use serde::{Deserialize, Serialize};

use crate::error::ReadError;
use crate::segment::{SegmentFile, Wanted};
use crate::{Clock, Config, Disk, Entry, EntryMeta, LocalDisk, Options, Rejection, Snapshot, Store};

pub(crate) const HOUR: i64 = 3_600_000_000_000;
/// Noon of a day.
pub(crate) const NOON: i64 = 19_782 * model::NANOS_PER_DAY + 12 * HOUR;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn new(now: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now)))
    }

    pub(crate) fn advance(&self, nanos: i64) {
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now_unix_nano(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A record: everything else of it follows from this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) stream: u8,
    pub(crate) time: i64,
}

/// A request, as it is in the body of an entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) rows: Vec<Row>,
    pub(crate) rejected: u32,
}

impl Request {
    pub(crate) fn of(rows: impl IntoIterator<Item = Row>) -> Self {
        Self { rows: rows.into_iter().collect(), rejected: 0 }
    }

    pub(crate) fn entry(&self, tenant: &Tenant, signal: Signal) -> Entry {
        let stored = self.rows.len() as u32;
        let rejected = match self.rejected {
            0 => Vec::new(),
            some => vec![Rejection { reason: "bad".into(), indices: (stored..stored + some).collect() }],
        };
        let meta = EntryMeta {
            tenant: tenant.clone(),
            signal,
            protocol: 1,
            received_unix_nano: NOON,
            records: stored + self.rejected,
            rejected,
            refused: Vec::new(),
        };
        Entry { meta, body: serde_json::to_vec(self).unwrap().into() }
    }

    pub(crate) fn batch(&self, signal: Signal) -> Batch {
        let batch = match signal {
            Signal::Logs => Batch::Logs(Logs { streams: streams(&self.rows), records: logs(&self.rows) }),
            Signal::Spans => Batch::Spans(Spans { streams: streams(&self.rows), records: spans(&self.rows) }),
            Signal::Metrics => Batch::Metrics(metrics(&self.rows)),
        };
        batch.check().unwrap();
        batch
    }
}

/// The streams that occur, in order.
fn stream_numbers(rows: &[Row]) -> Vec<u8> {
    rows.iter().map(|row| row.stream).collect::<BTreeSet<_>>().into_iter().collect()
}

pub(crate) fn stream_index(rows: &[Row]) -> ArrayRef {
    let numbers = stream_numbers(rows);
    let place = |row: &Row| numbers.binary_search(&row.stream).unwrap() as u32;
    Arc::new(UInt32Array::from_iter_values(rows.iter().map(place)))
}

fn streams(rows: &[Row]) -> RecordBatch {
    let numbers = stream_numbers(rows);
    let attributes = numbers.iter().map(|number| {
        let host = (format!("host.{number}"), Some(format!("h{number}")));
        [("service.name".to_owned(), Some(format!("s{}", number % 3))), host].to_vec()
    });
    let columns: BTreeMap<&str, ArrayRef> = [
        ("service_name", texts(numbers.iter().map(|number| format!("s{}", number % 3)))),
        ("resource_attributes", maps(attributes.collect())),
        ("scope_name", texts(numbers.iter().map(|number| format!("scope{number}")))),
        (
            "stream_id",
            ids(numbers.iter().map(|number| u128::from(*number).wrapping_mul(PRIME).to_be_bytes())),
        ),
    ]
    .into();
    fill(schema::streams(), numbers.len(), columns)
}

/// Spreads small numbers over ids.
pub(crate) const PRIME: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

pub(crate) fn trace_id(id: u64) -> [u8; 16] {
    u128::from(id / 8 + 1).wrapping_mul(PRIME).to_be_bytes()
}

fn logs(rows: &[Row]) -> RecordBatch {
    let of_trace = |row: &Row| (!row.id.is_multiple_of(3)).then(|| trace_id(row.id));
    let attributes = |row: &Row| {
        let some = (0..row.id % 4).map(|n| (format!("k{n}"), (n != 1).then(|| format!("v{}", row.id))));
        some.collect::<Vec<_>>()
    };
    let columns: BTreeMap<&str, ArrayRef> = [
        (schema::STREAM, stream_index(rows)),
        ("time_unix_nano", numbers(rows.iter().map(|row| row.time))),
        (
            "severity_number",
            Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| (row.id % 24) as i32))),
        ),
        ("body", Arc::new(StringArray::from_iter(rows.iter().map(|row| Some(row.id.to_string()))))),
        ("trace_id", Arc::new(BinaryArray::from_iter(rows.iter().map(of_trace)))),
        ("attributes", maps(rows.iter().map(attributes).collect())),
    ]
    .into();
    fill(schema::rows(Table::Logs), rows.len(), columns)
}

fn spans(rows: &[Row]) -> RecordBatch {
    let events =
        |row: &Row| (0..row.id % 3).map(|n| (row.time / 2 + n as i64, format!("event{n}"))).collect();
    let columns: BTreeMap<&str, ArrayRef> = [
        (schema::STREAM, stream_index(rows)),
        ("start_time_unix_nano", numbers(rows.iter().map(|row| row.time))),
        ("end_time_unix_nano", numbers(rows.iter().map(|row| row.time.saturating_add(7)))),
        ("duration_nano", numbers(rows.iter().map(|_| 7))),
        ("trace_id", ids(rows.iter().map(|row| trace_id(row.id)))),
        ("span_id", Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| row.id.to_be_bytes())))),
        ("name", texts(rows.iter().map(|row| format!("op{}", row.id % 5)))),
        ("events", span_events(rows.iter().map(events).collect())),
    ]
    .into();
    fill(schema::rows(Table::Spans), rows.len(), columns)
}

/// Rows whose number divides by 5 are histograms, the others samples; those that divide by 7 have
/// an exemplar.
pub(crate) fn is_histogram(id: u64) -> bool {
    id.is_multiple_of(5)
}

fn metrics(rows: &[Row]) -> Metrics {
    let numbers_of = stream_numbers(rows);
    let one_stream: Vec<Row> = vec![Row { id: 0, stream: 0, time: 0 }];
    let first = |number: &u8| rows.iter().find(|row| row.stream == *number).unwrap().time;
    let series: BTreeMap<&str, ArrayRef> = [
        (schema::STREAM, Arc::new(UInt32Array::from(vec![0; numbers_of.len()])) as ArrayRef),
        ("time_unix_nano", numbers(numbers_of.iter().map(first))),
        ("series_id", ids(numbers_of.iter().map(|number| series_id(*number)))),
        ("metric_name", texts(numbers_of.iter().map(|number| format!("m{}", number % 4)))),
        (
            "attributes",
            maps(numbers_of.iter().map(|n| vec![("n".to_owned(), Some(n.to_string()))]).collect()),
        ),
    ]
    .into();
    let index = |rows: &[Row]| {
        let place = |row: &Row| numbers_of.binary_search(&row.stream).unwrap() as u32;
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(place))) as ArrayRef
    };
    let of = |table: Table, own: &[Row], value: &'static str| {
        let values: ArrayRef = match table {
            Table::Histograms => numbers(own.iter().map(|row| row.id as i64)),
            _ => Arc::new(Float64Array::from_iter_values(own.iter().map(|row| row.id as f64))),
        };
        let times = numbers(own.iter().map(|row| row.time));
        let columns = [(schema::SERIES, index(own)), ("time_unix_nano", times), (value, values)].into();
        fill(schema::rows(table), own.len(), columns)
    };
    let pick =
        |wanted: &dyn Fn(u64) -> bool| rows.iter().copied().filter(|row| wanted(row.id)).collect::<Vec<_>>();
    Metrics {
        streams: streams(&one_stream),
        series: fill(schema::rows(Table::Series), numbers_of.len(), series),
        samples: of(Table::Samples, &pick(&|id| !is_histogram(id)), "value"),
        histograms: of(Table::Histograms, &pick(&is_histogram), "count"),
        exemplars: of(Table::Exemplars, &pick(&|id| id.is_multiple_of(7)), "value"),
    }
}

pub(crate) fn series_id(number: u8) -> [u8; 16] {
    (u128::from(number) + 77).wrapping_mul(PRIME).to_be_bytes()
}

pub(crate) fn texts(values: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(crate) fn numbers(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

pub(crate) fn ids(values: impl Iterator<Item = [u8; 16]>) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(values))
}

pub(crate) fn maps(values: Vec<Vec<(String, Option<String>)>>) -> ArrayRef {
    let DataType::Map(field, sorted) = schema::attributes_type() else { unreachable!() };
    let DataType::Struct(fields) = field.data_type() else { unreachable!() };
    let offsets = OffsetBuffer::from_lengths(values.iter().map(Vec::len));
    let (mut keys, mut texts) = (StringBuilder::new(), StringBuilder::new());
    for (key, value) in values.into_iter().flatten() {
        keys.append_value(key);
        texts.append_option(value);
    }
    let entries: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(texts.finish())];
    let entries = StructArray::new(fields.clone(), entries, None);
    Arc::new(MapArray::new(field.clone(), offsets, entries, None, sorted))
}

fn span_events(values: Vec<Vec<(i64, String)>>) -> ArrayRef {
    let DataType::List(field) = schema::events_type() else { unreachable!() };
    let DataType::Struct(fields) = field.data_type() else { unreachable!() };
    let offsets = OffsetBuffer::from_lengths(values.iter().map(Vec::len));
    let flat: Vec<_> = values.into_iter().flatten().collect();
    let columns: Vec<ArrayRef> = vec![
        numbers(flat.iter().map(|(time, _)| *time)),
        texts(flat.iter().map(|(_, name)| name.clone())),
        maps(flat.iter().map(|(_, name)| vec![("e".into(), Some(name.clone()))]).collect()),
        Arc::new(Int32Array::from(vec![0; flat.len()])),
    ];
    let events = StructArray::new(fields.clone(), columns, None);
    Arc::new(ListArray::new(field, offsets, Arc::new(events), None))
}

/// The given columns, and nothing much in the others.
pub(crate) fn fill(schema: SchemaRef, len: usize, mut columns: BTreeMap<&str, ArrayRef>) -> RecordBatch {
    let array = |field: &arrow_schema::FieldRef| {
        let given = columns.remove(field.name().as_str());
        given.unwrap_or_else(|| match field.data_type() {
            kind if field.is_nullable() => new_null_array(kind, len),
            DataType::Utf8 => Arc::new(StringArray::from(vec![""; len])),
            DataType::Binary => Arc::new(BinaryArray::from(vec![&b""[..]; len])),
            DataType::UInt32 => Arc::new(UInt32Array::from(vec![0; len])),
            DataType::Int32 => Arc::new(Int32Array::from(vec![0; len])),
            DataType::Int64 => Arc::new(Int64Array::from(vec![0; len])),
            DataType::Float64 => Arc::new(Float64Array::from(vec![0.0; len])),
            DataType::Boolean => Arc::new(BooleanArray::from(vec![false; len])),
            DataType::Map(..) => maps(vec![Vec::new(); len]),
            DataType::List(item) => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0; len + 1]));
                Arc::new(ListArray::new(item.clone(), offsets, new_empty_array(item.data_type()), None))
            }
            other => unreachable!("no column is of type {other}"),
        })
    };
    let arrays = schema.fields().iter().map(array).collect();
    assert!(columns.is_empty(), "columns that are not in the schema");
    RecordBatch::try_new(schema, arrays).unwrap()
}

/// Small sizes, so that a few records do everything.
pub(crate) fn config(dir: &std::path::Path) -> Config {
    let mut config = Config { dir: dir.to_owned(), ..Config::default() };
    config.seal.size = ByteSize::mib(64);
    config.wal.file_size = ByteSize::new(4096);
    config.wal.size_max = ByteSize::mib(64);
    config.compact.grace = Duration::from_hours(1);
    config
}

pub(crate) fn options(config: Config, disk: Arc<dyn Disk>, clock: &Arc<TestClock>) -> Options {
    let (budget, clock) = (Budget::new(1 << 30), Arc::clone(clock) as Arc<dyn Clock>);
    Options { config, disk, budget, clock, now: Instant::now }
}

/// Opens a store as the server does: what is in the log is decoded and restored.
pub(crate) async fn open_with(options: Options) -> Store {
    try_open(options).await.unwrap()
}

/// As [`open_with`], on a disk that may fail.
pub(crate) async fn try_open(options: Options) -> Result<Store, Box<dyn std::error::Error>> {
    let (store, replay) = Store::open(options)?;
    restore(&store, replay).await?;
    Ok(store)
}

pub(crate) async fn restore(store: &Store, replay: crate::Replay) -> Result<(), Box<dyn std::error::Error>> {
    for (lsn, entry) in replay {
        // Of an entry that was damaged only the counts are left.
        let request = match entry.body.is_empty() {
            true => Request::of([]),
            false => serde_json::from_slice(&entry.body)?,
        };
        store.restore(lsn, &entry.meta, request.batch(entry.meta.signal)).await?;
    }
    store.ready();
    Ok(())
}

pub(crate) async fn open_local(dir: &std::path::Path) -> Store {
    open_with(options(config(dir), Arc::new(LocalDisk::new()), &TestClock::new(NOON))).await
}

pub(crate) fn tenant() -> Tenant {
    Tenant::default()
}

pub(crate) async fn append(store: &Store, signal: Signal, rows: impl IntoIterator<Item = Row>) {
    send(store, &tenant(), signal, &Request::of(rows)).await.unwrap();
}

pub(crate) async fn send(
    store: &Store,
    tenant: &Tenant,
    signal: Signal,
    request: &Request,
) -> Result<model::Lsn, crate::AppendError> {
    let (entry, batch) = (request.entry(tenant, signal), request.batch(signal));
    let reservation = store.inner().budget.reserve(batch.bytes() + entry.body.len() as u64)?;
    Ok(store.append(entry, batch, reservation).await?.lsn)
}

/// All rows of a snapshot in the file schema: those in memory, and those in files.
pub(crate) fn batches(store: &Store, snapshot: &Snapshot) -> (Vec<RecordBatch>, Vec<RecordBatch>) {
    try_batches(store, snapshot).unwrap()
}

/// As [`batches`], of files that may be damaged.
pub(crate) fn try_batches(
    store: &Store,
    snapshot: &Snapshot,
) -> Result<(Vec<RecordBatch>, Vec<RecordBatch>), ReadError> {
    let memory = snapshot.memory.iter().flat_map(|chunk| chunk.batches(None)).map(Result::unwrap);
    let mut files = Vec::new();
    for segment in &snapshot.segments {
        let file = SegmentFile::new(&store.inner().objects, segment);
        let metadata = file.metadata(Wanted::Groups)?;
        for group in 0..metadata.num_row_groups() {
            for batch in file.group(&metadata, group)? {
                files.push(batch?);
            }
        }
    }
    Ok((memory.collect(), files))
}

/// The rows of a table as texts, sorted: the same records make the same texts.
pub(crate) fn texts_of(store: &Store, tenant: &Tenant, table: Table) -> Vec<String> {
    let snapshot = store.snapshot(tenant, table);
    let (memory, files) = batches(store, &snapshot);
    let rows = memory.iter().chain(&files).flat_map(rows_of);
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows
}

pub(crate) fn rows_of(batch: &RecordBatch) -> Vec<String> {
    let text = |row| batch.columns().iter().map(|column| value(column, row)).collect::<Vec<_>>().join("|");
    (0..batch.num_rows()).map(text).collect()
}

fn value(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "-".into();
    }
    match column.data_type() {
        DataType::Utf8 => format!("{:?}", column.as_string::<i32>().value(row)),
        DataType::Binary => format!("{:02x?}", column.as_binary::<i32>().value(row)),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            // There are many that are no number.
            if value.is_nan() { format!("NaN {:x}", value.to_bits()) } else { value.to_string() }
        }
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Map(..) => values(&(Arc::new(column.as_map().value(row)) as ArrayRef)),
        DataType::List(..) => values(&column.as_list::<i32>().value(row)),
        DataType::Struct(..) => {
            let columns = column.as_struct().columns();
            columns.iter().map(|column| value(column, row)).collect::<Vec<_>>().join(":")
        }
        other => unreachable!("no column is of type {other}"),
    }
}

fn values(items: &ArrayRef) -> String {
    (0..items.len()).map(|row| format!("[{}]", value(items, row))).collect()
}

/// What a request's rows look like when they are read, sorted.
pub(crate) fn expected(table: Table, rows: &[Row]) -> Vec<String> {
    let request = Request::of(rows.iter().copied());
    let budget = Budget::new(1 << 30);
    let index = Arc::new(crate::memtable::SeriesIndex::new(&budget));
    let prepared = crate::memtable::Prepared::new(request.batch(table.signal()), Some(&index), &budget);
    let catalog = index.catalog();
    let columns: Vec<usize> = (0..schema::file(table).fields().len()).collect();
    let chunks = prepared.chunks.iter().filter(|(of, _)| *of == table);
    let mut texts: Vec<_> = chunks
        .flat_map(|(_, chunk)| {
            rows_of(&crate::segment::project(table, chunk, &catalog, 0..chunk.len(), &columns).unwrap())
        })
        .collect();
    texts.sort();
    texts
}

/// The numbers of the records in a batch of the file schema.
pub(crate) fn ids_in(table: Table, batch: &RecordBatch) -> Vec<u64> {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let rows = 0..batch.num_rows();
    match table {
        Table::Logs => {
            let bodies = column("body").as_string::<i32>();
            rows.map(|row| bodies.value(row).parse().unwrap()).collect()
        }
        Table::Spans => {
            let ids = column("span_id").as_binary::<i32>();
            rows.map(|row| u64::from_be_bytes(ids.value(row).try_into().unwrap())).collect()
        }
        Table::Histograms => {
            column("count").as_primitive::<Int64Type>().values().iter().map(|id| *id as u64).collect()
        }
        Table::Samples | Table::Exemplars => {
            column("value").as_primitive::<Float64Type>().values().iter().map(|id| *id as u64).collect()
        }
        Table::Series | Table::Downsampled | Table::DownsampledHistograms => Vec::new(),
    }
}
