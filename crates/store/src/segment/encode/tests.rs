#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    UInt32Array,
};
use arrow_schema::DataType;
use bytes::Bytes;
use model::scaled::restored;
use model::{Batch, Budget, Logs, Metrics, Spans, Table, schema};
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::PageIndexPolicy;

use super::bits::{Bits, pack};
use crate::disk::{Chance, Disk, ForgetfulDisk};
use crate::memtable::{Chunk, Prepared, SeriesCatalog, SeriesIndex};
use crate::segment::{Buffers, Effort, Rows, SegmentWriter, order};
use crate::tests::fixture::{NOON, Request, Row, fill, maps, rows_of, texts};

const TABLES: [Table; 6] =
    [Table::Logs, Table::Spans, Table::Samples, Table::Histograms, Table::Exemplars, Table::Series];

/// Writes the rows and reads the file.
fn written(rows: &Rows<'_>, picks: &[crate::segment::Pick], effort: Effort) -> Bytes {
    let (disk, budget) = (ForgetfulDisk::new(), Budget::new(1 << 30));
    let buffers = Buffers::new(&budget);
    disk.create_dir_all("/x".as_ref()).unwrap();
    let file = disk.create("/x/file".as_ref()).unwrap();
    let mut writer = SegmentWriter::new(rows.table, effort, file, &buffers).unwrap();
    writer.write(rows, picks, &mut budget.take(0)).unwrap();
    let written = writer.finish().unwrap();
    assert_eq!((written.rows, written.bytes), (picks.len() as u64, written.file.len()));
    disk.read("/x/file".as_ref()).unwrap().into()
}

fn read(table: Table, file: &Bytes, selection: Option<RowSelection>) -> Vec<String> {
    // With the pages' places, so that these are checked, too; without our schema, as others read.
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let mut builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file.clone(), options).unwrap();
    assert_eq!(
        builder.schema().fields(),
        schema::stored(table).fields(),
        "others see the schema of the contract"
    );
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    let whole = schema::file(table);
    let restored = |batch: RecordBatch| {
        if schema::stored(table) == whole { batch } else { restored(&batch, &whole).unwrap() }
    };
    builder.build().unwrap().flat_map(|batch| rows_of(&restored(batch.unwrap()))).collect()
}

/// Checks what both efforts write; gives what a seal does.
fn check(table: Table, chunks: &[Chunk], catalog: &SeriesCatalog, what: &str) -> Bytes {
    check_effort(table, chunks, catalog, (what, Effort::Compact));
    check_effort(table, chunks, catalog, (what, Effort::Seal))
}

fn check_effort(
    table: Table,
    chunks: &[Chunk],
    catalog: &SeriesCatalog,
    (what, effort): (&str, Effort),
) -> Bytes {
    let rows = Rows::new(table, chunks, catalog).unwrap();
    let picks = order(&rows);
    let file = written(&rows, &picks, effort);
    let expected = rows_of(&rows.gather(&picks).unwrap());
    let found = read(table, &file, None);
    for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "{what}: {table}, row {row}");
    }
    assert_eq!(found.len(), expected.len());
    // Single rows, by the places of the pages.
    let some: Vec<usize> = (0..expected.len()).step_by(expected.len() / 7 + 1).collect();
    let mut selectors = Vec::new();
    let mut at = 0;
    for row in &some {
        selectors.extend([RowSelector::skip(row - at), RowSelector::select(1)]);
        at = row + 1;
    }
    let single = read(table, &file, Some(selectors.into()));
    assert!(single.iter().eq(some.iter().map(|row| &expected[*row])), "{what}: {table}: single rows");
    check_bounds(table, &file, &rows.gather(&picks).unwrap());
    file
}

/// What the footer says of each page's times is true.
fn check_bounds(table: Table, file: &Bytes, batch: &RecordBatch) {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file.clone(), options).unwrap();
    let metadata = builder.metadata();
    let group = metadata.row_group(0);
    let place = group.columns().iter().position(|c| c.column_path().string() == table.time_column()).unwrap();
    let times = batch.column_by_name(table.time_column()).unwrap().as_primitive::<Int64Type>().values();
    let offsets = &metadata.offset_index().unwrap()[0][place];
    let parquet::file::page_index::column_index::ColumnIndexMetaData::INT64(bounds) =
        &metadata.column_index().unwrap()[0][place]
    else {
        panic!("times have bounds");
    };
    let firsts = offsets.page_locations().iter().map(|page| page.first_row_index as usize);
    let firsts: Vec<usize> = firsts.chain([batch.num_rows()]).collect();
    for (page, rows) in firsts.windows(2).enumerate() {
        let own = &times[rows[0]..rows[1]];
        let (min, max) = (own.iter().min(), own.iter().max());
        assert_eq!((bounds.min_value(page), bounds.max_value(page)), (min, max), "{table}, page {page}");
    }
    let statistics = group.column(place).statistics().unwrap();
    assert_eq!(statistics.min_bytes_opt().unwrap(), times.iter().min().unwrap().to_le_bytes());
    assert_eq!(statistics.max_bytes_opt().unwrap(), times.iter().max().unwrap().to_le_bytes());
}

fn chunks_of(batches: Vec<Batch>, table: Table) -> (Vec<Chunk>, SeriesCatalog) {
    let budget = Budget::new(1 << 30);
    let index = Arc::new(SeriesIndex::new(&budget));
    let mut days = crate::memtable::SeriesDays::default();
    let mut chunks = Vec::new();
    for batch in batches {
        let prepared = Prepared::new(batch, Some(&index), &budget);
        let series = prepared.series.and_then(|series| series.new_rows(&mut days, &budget));
        let all = prepared.chunks.into_iter().chain(series.map(|chunk| (Table::Series, chunk)));
        chunks.extend(all.filter(|(of, _)| *of == table).map(|(_, chunk)| chunk));
    }
    (chunks, index.catalog())
}

#[test]
fn readers_find_what_was_written() {
    for seed in 0..30 {
        let mut chance = Chance::new(seed);
        for table in TABLES {
            let batches = (0..1 + chance.below(5)).map(|_| {
                let rows = (0..1 + chance.below(300)).map(|_| Row {
                    id: chance.below(1 << 40) / (1 + chance.below(1 << 30)),
                    stream: chance.below(30) as u8,
                    time: NOON + (chance.number() >> (8 + chance.below(56))) as i64,
                });
                Request::of(rows.collect::<Vec<_>>()).batch(table.signal())
            });
            let (chunks, catalog) = chunks_of(batches.collect(), table);
            if !chunks.is_empty() {
                check(table, &chunks, &catalog, &format!("seed {seed}"));
            }
        }
    }
}

#[test]
fn many_rows_make_many_pages_and_the_same_over_and_over_one() {
    let rows = (0..30_000).map(|id| Row { id, stream: (id % 3) as u8, time: NOON + id as i64 });
    for table in [Table::Logs, Table::Spans, Table::Samples] {
        let (chunks, catalog) = chunks_of(vec![Request::of(rows.clone()).batch(table.signal())], table);
        let file = check(table, &chunks, &catalog, "many");
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
        let metadata = builder.metadata();
        let pages = |name: &str| {
            let columns = metadata.row_group(0).columns();
            let place = columns.iter().position(|column| column.column_path().string() == name).unwrap();
            metadata.offset_index().unwrap()[0][place].page_locations().len()
        };
        assert!(pages(table.time_column()) > 2);
        assert_eq!(pages("flags"), 1, "{table}: one page of a column that is always the same");
        if table == Table::Logs {
            assert_eq!(pages("event_name"), 1);
            assert_eq!(pages("resource_attributes.key_value.key"), 4);
            assert_eq!(pages("scope_attributes.key_value.key"), 1);
        }
    }
}

#[test]
fn a_flipped_bit_of_a_page_is_an_error_and_not_an_answer() {
    let mut chance = Chance::new(11);
    let rows = (0..9_000).map(|id| Row { id, stream: 1, time: NOON + id as i64 });
    for table in [Table::Logs, Table::Spans, Table::Samples] {
        let (chunks, catalog) = chunks_of(vec![Request::of(rows.clone()).batch(table.signal())], table);
        let file = check(table, &chunks, &catalog, "intact");
        let metadata = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap().metadata().clone();
        for column in metadata.row_group(0).columns() {
            let (start, len) = column.byte_range();
            // The last byte is content of the column's last page; headers have no checksum.
            let at = (start + len - 1) as usize;
            let mut bytes = file.to_vec();
            bytes[at] ^= 1 << chance.below(8);
            let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
            let read: Result<Vec<_>, _> = builder.build().unwrap().collect();
            assert!(read.is_err(), "{table}: {} is read as if nothing had happened", column.column_path());
        }
    }
}

#[test]
fn ids_that_do_not_compress_are_stored_as_they_are() {
    let rows = (0..9_000).map(|id| Row { id, stream: 1, time: NOON + id as i64 });
    let (chunks, catalog) = chunks_of(vec![Request::of(rows).batch(Table::Spans.signal())], Table::Spans);
    let random: arrow_array::BinaryArray =
        (0..chunks[0].len() as u64).map(|row| Some(Chance::new(row).number().to_le_bytes())).collect();
    let place = chunks[0].rows.schema().index_of("span_id").unwrap();
    let mut columns = chunks[0].rows.columns().to_vec();
    columns[place] = Arc::new(random);
    let batch = RecordBatch::try_new(chunks[0].rows.schema(), columns).unwrap();
    let budget = Budget::new(1 << 30);
    let chunk = Chunk::new(Table::Spans, chunks[0].streams.clone(), batch, &budget);
    let file = check(Table::Spans, &[chunk], &catalog, "random ids");
    let metadata = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().metadata().clone();
    let codec = |name: &str| {
        let columns = metadata.row_group(0).columns();
        columns.iter().find(|column| column.column_path().string() == name).unwrap().compression()
    };
    assert_eq!(codec("span_id"), Compression::UNCOMPRESSED);
    assert!(matches!(codec("name"), Compression::ZSTD(_)), "texts are always compressed");
}

#[test]
fn texts_of_every_kind_survive() {
    let mut chance = Chance::new(7);
    let len = 20_000;
    let text = |chance: &mut Chance, row: usize| match row / 5000 {
        // Few, many, long, none: each makes the writer change its mind.
        0 => Some(format!("few {}", chance.below(3))),
        1 => Some(format!("many {:x}", chance.number())),
        2 => Some("long ".repeat(chance.below(200) as usize)),
        _ => chance.one_in(3).then(|| "ä".repeat(chance.below(9) as usize)),
    };
    let bodies: Vec<_> = (0..len).map(|row| text(&mut chance, row)).collect();
    let names: Vec<_> = bodies.iter().map(|body| body.clone().unwrap_or_default()).collect();
    let entries = |chance: &mut Chance, row: usize| {
        let count = if row.is_multiple_of(7) { 0 } else { chance.below(40) };
        (0..count).map(|n| (format!("k{}", n + (row as u64 / 3000)), text(chance, (row * 3) % len))).collect()
    };
    let attributes: Vec<Vec<(String, Option<String>)>> =
        (0..len).map(|row| entries(&mut chance, row)).collect();
    let columns = [
        (schema::STREAM, Arc::new(UInt32Array::from(vec![0; len])) as ArrayRef),
        (
            "time_unix_nano",
            Arc::new(Int64Array::from_iter_values((0..len as i64).map(|row| NOON + row * row))),
        ),
        (
            "observed_time_unix_nano",
            Arc::new(Int64Array::from_iter_values((0..len).map(|row| [i64::MIN, i64::MAX, 0][row % 3]))),
        ),
        (
            "severity_number",
            Arc::new(Int32Array::from_iter_values(
                (0..len as i32).map(|row| [i32::MIN, i32::MAX, row][row as usize % 3]),
            )),
        ),
        ("severity_text", texts(names.clone().into_iter())),
        ("event_name", texts(names.into_iter().map(|name| name.chars().take(70).collect()))),
        ("body", Arc::new(StringArray::from_iter(bodies))),
        ("attributes", maps(attributes)),
    ];
    let streams = match Request::of([Row { id: 1, stream: 1, time: NOON }]).batch(model::Signal::Logs) {
        Batch::Logs(Logs { streams, .. }) => streams,
        _ => unreachable!(),
    };
    let records = fill(schema::rows(Table::Logs), len, columns.into());
    let (chunks, catalog) = chunks_of(vec![Batch::Logs(Logs { streams, records })], Table::Logs);
    check(Table::Logs, &chunks, &catalog, "texts");
}

/// Rows have one of few sets of keys, or one of many; some are as long as others, and have other keys or
/// the same ones cut elsewhere.
#[test]
fn sets_of_keys_that_alternate_survive() {
    let mut chance = Chance::new(11);
    let len = 20_000;
    let set = |of: u64| -> Vec<String> {
        match of {
            0 => ["ab", "c"].map(str::to_owned).into(),
            1 => ["a", "bc"].map(str::to_owned).into(),
            2 => ["abc", ""].map(str::to_owned).into(),
            3 => ["xyz".to_owned()].into(),
            4 => ["z".repeat(5000)].into(),
            of => (0..of % 4 + 1).map(|n| format!("k{n}.{of}")).collect(),
        }
    };
    let mut attributes = Vec::new();
    for row in 0..len {
        // The dictionary is given up in the last part.
        let of = [4, 12, 5_000_000][row / 7000];
        let keys = set(chance.below(of)).into_iter();
        attributes.push(keys.map(|key| (key, Some(format!("v{}", row % 5)))).collect());
    }
    let columns = [
        (schema::STREAM, Arc::new(UInt32Array::from(vec![0; len])) as ArrayRef),
        ("time_unix_nano", Arc::new(Int64Array::from_iter_values(0..len as i64))),
        ("attributes", maps(attributes)),
    ];
    let streams = match Request::of([Row { id: 1, stream: 1, time: NOON }]).batch(model::Signal::Logs) {
        Batch::Logs(Logs { streams, .. }) => streams,
        _ => unreachable!(),
    };
    let records = fill(schema::rows(Table::Logs), len, columns.into());
    let (chunks, catalog) = chunks_of(vec![Batch::Logs(Logs { streams, records })], Table::Logs);
    check(Table::Logs, &chunks, &catalog, "sets of keys");
}

#[test]
fn numbers_of_every_kind_survive() {
    let mut chance = Chance::new(9);
    let len = 20_000;
    let request = Request::of((0..len as u64).map(|id| Row { id: id * 5 + 1, stream: 3, time: NOON }));
    let Batch::Metrics(metrics) = request.batch(model::Signal::Metrics) else { unreachable!() };
    let value = |row: usize| match row / 7000 {
        0 => [0.0, -0.0, f64::NAN, f64::INFINITY, 1.5][row % 5],
        1 => f64::from_bits(chance.number()),
        _ => (row % 100) as f64 / 10.0,
    };
    let columns = [
        (schema::SERIES, Arc::new(UInt32Array::from(vec![0; len])) as ArrayRef),
        (
            "time_unix_nano",
            Arc::new(Int64Array::from_iter_values((0..len as i64).map(|row| NOON + row % 17))),
        ),
        (
            "start_time_unix_nano",
            Arc::new(Int64Array::from_iter(
                (0..len as i64).map(|row| (row % 1000 < 999).then_some(row << 20)),
            )),
        ),
        ("value", Arc::new(Float64Array::from_iter_values((0..len).map(value)))),
        (
            "value_int",
            Arc::new(Int64Array::from_iter((0..len).map(|row| (row == 15_000).then_some(i64::MIN)))),
        ),
    ];
    let samples = fill(schema::rows(Table::Samples), len, columns.into());
    let metrics = Metrics { samples, ..metrics };
    let (chunks, catalog) = chunks_of(vec![Batch::Metrics(metrics.clone())], Table::Samples);
    check(Table::Samples, &chunks, &catalog, "numbers");
    // Booleans and nulls of a table that is not repeated.
    let monotonic = BooleanArray::from(vec![Some(true), Some(false), None]);
    let series = metrics.series.clone();
    let place = series.schema().index_of("is_monotonic").unwrap();
    let picks = UInt32Array::from(vec![0, 0, 0]);
    let series = arrow_select::take::take_record_batch(&series, &picks).unwrap();
    let mut columns = series.columns().to_vec();
    columns[place] = Arc::new(monotonic);
    let series = RecordBatch::try_new(series.schema(), columns).unwrap();
    let chunk = Chunk::new(Table::Series, Some(metrics.streams), series, &Budget::new(1 << 30));
    check(Table::Series, &[chunk], &SeriesCatalog::default(), "booleans");
}

#[test]
fn each_page_of_doubles_is_written_as_it_is_smallest() {
    let mut chance = Chance::new(4);
    let len = 60_000;
    let mut total = 0.0;
    let mut grows = |step: f64| {
        total += step;
        total
    };
    // A few values, then some that use all their bits, then counters, then few decimals.
    let values: Vec<f64> = (0..len)
        .map(|row| match row / 16_384 {
            0 => (row % 40) as f64,
            1 => chance.number() as f64 / 1e9,
            2 => grows(chance.below(1 << 30) as f64 / 7.0),
            _ => chance.below(30_000) as f64 / 100.0,
        })
        .collect();
    let request = Request::of((0..len as u64).map(|id| Row { id: id * 5 + 1, stream: 3, time: NOON }));
    let Batch::Metrics(metrics) = request.batch(model::Signal::Metrics) else { unreachable!() };
    let columns = [
        (schema::SERIES, Arc::new(UInt32Array::from(vec![0; len])) as ArrayRef),
        ("time_unix_nano", Arc::new(Int64Array::from_iter_values((0..len as i64).map(|row| NOON + row)))),
        ("value", Arc::new(Float64Array::from_iter_values(values))),
    ];
    let samples = fill(schema::rows(Table::Samples), len, columns.into());
    let (chunks, catalog) = chunks_of(vec![Batch::Metrics(Metrics { samples, ..metrics })], Table::Samples);
    let file = check(Table::Samples, &chunks, &catalog, "doubles");
    let metadata = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().metadata().clone();
    let columns = metadata.row_group(0).columns();
    let column = columns.iter().find(|column| column.column_path().string() == "value").unwrap();
    let encodings: Vec<_> = column.encodings().collect();
    for wanted in [Encoding::RLE_DICTIONARY, Encoding::BYTE_STREAM_SPLIT, Encoding::PLAIN] {
        assert!(encodings.contains(&wanted), "{wanted} of {encodings:?}");
    }
}

#[test]
fn spans_with_events_go_the_general_way_and_without_ours() {
    for ids in [vec![0, 3, 6, 9], vec![1, 2, 4]] {
        let rows = ids.iter().map(|id| Row { id: *id, stream: 1, time: NOON });
        let batch = Request::of(rows).batch(model::Signal::Spans);
        let Batch::Spans(Spans { records, .. }) = &batch else { unreachable!() };
        assert_eq!(records.num_rows(), ids.len());
        let (chunks, catalog) = chunks_of(vec![batch], Table::Spans);
        check(Table::Spans, &chunks, &catalog, "events");
    }
}

#[test]
fn lists_that_are_null_and_lists_that_are_empty_are_told_apart() {
    type Lists = fn(i64) -> Option<Vec<Option<f64>>>;
    let kinds: [(&str, Lists); 4] = [
        ("null", |_| None),
        ("empty", |_| Some(Vec::new())),
        ("null and empty", |row| (row % 3 > 0).then(Vec::new)),
        ("all", |row| (row % 3 > 0).then(|| (0..row % 5).map(|n| Some(n as f64 / 2.0)).collect())),
    ];
    let len = 300;
    let request = Request::of((0..len).map(|id| Row { id: id * 5, stream: 3, time: NOON }));
    let Batch::Metrics(metrics) = request.batch(model::Signal::Metrics) else { unreachable!() };
    for (what, of) in kinds {
        let lists = ListArray::from_iter_primitive::<Float64Type, _, _>((0..len as i64).map(of));
        let (_, offsets, values, nulls) = lists.into_parts();
        let DataType::List(element) = schema::list(DataType::Float64) else { unreachable!() };
        let lists: ArrayRef = Arc::new(ListArray::new(element, offsets, values, nulls));
        let columns = [
            (schema::SERIES, Arc::new(UInt32Array::from(vec![0; len as usize])) as ArrayRef),
            ("time_unix_nano", Arc::new(Int64Array::from_iter_values((0..len as i64).map(|row| NOON + row)))),
            ("positive_buckets_double", lists),
        ];
        let histograms = fill(schema::rows(Table::Histograms), len as usize, columns.into());
        let metrics = Metrics { histograms, ..metrics.clone() };
        let (chunks, catalog) = chunks_of(vec![Batch::Metrics(metrics)], Table::Histograms);
        check(Table::Histograms, &chunks, &catalog, what);
    }
}

#[test]
fn values_of_any_width_are_packed_as_their_bits_one_by_one() {
    let mut chance = Chance::new(7);
    for width in 1..=64 {
        for len in 0..=20_usize {
            let values: Vec<u64> = (0..len).map(|_| chance.number() >> (64 - width)).collect();
            let (mut packed, mut wide) = (vec![0xff], Bits::default());
            // Twice, since nothing may stay behind.
            pack(&mut packed, &mut wide, &values, |value| value, width);
            pack(&mut packed, &mut wide, &values, |value| value, width);
            let bit =
                |n: usize| values.get(n / width as usize).is_some_and(|v| v >> (n % width as usize) & 1 == 1);
            let bytes = len.div_ceil(8) * width as usize;
            let once = (0..bytes).map(|byte| (0..8).map(|n| u8::from(bit(byte * 8 + n)) << n).sum());
            let once: Vec<u8> = once.collect();
            assert_eq!(packed, [&[0xff], once.as_slice(), once.as_slice()].concat(), "{width} {len}");
        }
    }
}
