use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, StringArray, UInt32Array};
use arrow_schema::DataType;
use arrow_select::take::take;
use model::{Budget, Table, schema};
use xxhash_rust::xxh3::Xxh3;

use crate::memtable::{Chunk, IdHasher, SeriesCatalog, SeriesId, series_id};

/// Series of several files, numbered as they come.
#[derive(Default)]
pub(crate) struct FileSeries {
    pub(crate) catalog: SeriesCatalog,
    numbers: HashMap<SeriesId, u32, BuildHasherDefault<IdHasher>>,
    names: HashMap<Arc<str>, u32>,
}

/// Rows of a file as they were in memory: what they share is kept once, and referred to.
pub(crate) fn unfile(table: Table, batch: &RecordBatch, series: &mut FileSeries, budget: &Budget) -> Chunk {
    if schema::has_streams(table) {
        with_streams(table, batch, budget)
    } else {
        with_series(table, batch, series, budget)
    }
}

fn with_series(table: Table, batch: &RecordBatch, series: &mut FileSeries, budget: &Budget) -> Chunk {
    let (names, ids) = (batch.column(0).as_string::<i32>(), batch.column(1).as_binary::<i32>());
    let mut index: Vec<u32> = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let id = series_id(ids.value(row));
        let same = index.last().copied().filter(|last| series.catalog.ids[*last as usize] == id);
        index.push(same.unwrap_or_else(|| series.number(id, names.value(row))));
    }
    Chunk::new(table, None, rows(table, index, batch.columns()[2..].to_vec()), budget)
}

impl FileSeries {
    /// The number of a series, which is added when it is new.
    pub(crate) fn number(&mut self, id: SeriesId, name: &str) -> u32 {
        let Self { catalog, numbers, names } = self;
        *numbers.entry(id).or_insert_with(|| catalog.push(id, name, names))
    }
}

fn with_streams(table: Table, batch: &RecordBatch, budget: &Budget) -> Chunk {
    let own = schema::rows(table).fields().len() - 1;
    let shared = &batch.columns()[own..];
    let mut known: HashMap<u128, u32> = HashMap::new();
    let mut firsts: Vec<u32> = Vec::new();
    let mut ids: Vec<[u8; 16]> = Vec::new();
    let mut index: Vec<u32> = Vec::with_capacity(batch.num_rows());
    let mut differs = vec![false; batch.num_rows()];
    shared.iter().for_each(|column| note_changes(column, &mut differs));
    for (row, differs) in differs.into_iter().enumerate() {
        let stream = match index.last() {
            Some(last) if !differs => *last,
            _ => {
                let mut hash = Xxh3::new();
                shared.iter().for_each(|column| hash_value(column, row, &mut hash));
                let hash = hash.digest128();
                *known.entry(hash).or_insert_with(|| {
                    firsts.push(row as u32);
                    ids.push(hash.to_be_bytes());
                    firsts.len() as u32 - 1
                })
            }
        };
        index.push(stream);
    }
    let firsts = UInt32Array::from(firsts);
    let take = |column: &ArrayRef| take(column, &firsts, None).expect("the rows are rows of it");
    let mut streams: Vec<ArrayRef> = shared.iter().map(take).collect();
    streams.push(Arc::new(BinaryArray::from_iter_values(ids)));
    let streams = RecordBatch::try_new(schema::streams(), streams).expect("columns of streams and an id");
    Chunk::new(table, Some(streams), rows(table, index, batch.columns()[..own].to_vec()), budget)
}

fn rows(table: Table, index: Vec<u32>, own: Vec<ArrayRef>) -> RecordBatch {
    let index: ArrayRef = Arc::new(UInt32Array::from(index));
    let columns = [index].into_iter().chain(own).collect();
    RecordBatch::try_new(schema::rows(table), columns).expect("an index and the columns of the record")
}

/// Notes the rows of a column that differ from the row before. Streams come in long runs: this is
/// what most of the time goes to.
fn note_changes(column: &ArrayRef, differs: &mut [bool]) {
    let mut note = |differ: &dyn Fn(usize) -> bool| {
        differs.iter_mut().enumerate().skip(1).for_each(|(row, differs)| *differs |= differ(row));
    };
    match column.data_type() {
        DataType::Utf8 if column.null_count() == 0 => {
            let texts = column.as_string::<i32>();
            if texts.value_offsets().first() != texts.value_offsets().last() {
                note(&|row| !same_texts(texts, row - 1, row, 1));
            }
        }
        DataType::Map(..) if column.as_map().values().null_count() == 0 => {
            let map = column.as_map();
            let (keys, values) = (map.keys().as_string::<i32>(), map.values().as_string::<i32>());
            let offsets = map.value_offsets();
            if offsets.first() != offsets.last() {
                note(&|row| {
                    let (before, own, end) = (offsets[row - 1], offsets[row], offsets[row + 1]);
                    let (from, to, len) = (before as usize, own as usize, (end - own) as usize);
                    own - before != end - own
                        || !same_texts(keys, from, to, len)
                        || !same_texts(values, from, to, len)
                });
            }
        }
        _ => note(&|row| !same_value(column, row - 1, row)),
    }
}

/// Whether so many texts from two places on are the same. None of them is null.
fn same_texts(texts: &StringArray, a: usize, b: usize, len: usize) -> bool {
    let (bytes, offsets) = (texts.value_data(), texts.value_offsets());
    let (of_a, of_b) = (&offsets[a..=a + len], &offsets[b..=b + len]);
    let all = |offsets: &[i32]| &bytes[offsets[0] as usize..offsets[len] as usize];
    all(of_a) == all(of_b) && of_a.iter().zip(of_b).all(|(end, other)| end - of_a[0] == other - of_b[0])
}

/// Whether two rows of a column are the same. Columns of streams are texts, integers and maps.
fn same_value(column: &ArrayRef, a: usize, b: usize) -> bool {
    match column.data_type() {
        DataType::Map(..) => {
            let map = column.as_map();
            let range = |row: usize| {
                let offsets = map.value_offsets();
                (offsets[row] as usize, offsets[row + 1] as usize)
            };
            let ((from_a, to_a), (from_b, to_b)) = (range(a), range(b));
            let entries = [map.keys(), map.values()];
            to_a - from_a == to_b - from_b
                && (0..to_a - from_a).all(|entry| {
                    entries.iter().all(|column| same_value(column, from_a + entry, from_b + entry))
                })
        }
        _ => bytes_of(column, a) == bytes_of(column, b),
    }
}

fn hash_value(column: &ArrayRef, row: usize, hash: &mut Xxh3) {
    if let DataType::Map(..) = column.data_type() {
        let map = column.as_map();
        let offsets = map.value_offsets();
        let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
        hash.update(&(to - from).to_le_bytes());
        for entry in from..to {
            hash_value(map.keys(), entry, hash);
            hash_value(map.values(), entry, hash);
        }
    } else {
        let (valid, bytes) = bytes_of(column, row);
        hash.update(&[u8::from(valid)]);
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
}

/// Whether the value is not null, and its bytes.
fn bytes_of(column: &ArrayRef, row: usize) -> (bool, &[u8]) {
    if column.is_null(row) {
        return (false, &[]);
    }
    let bytes: &[u8] = match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).as_bytes(),
        DataType::Int32 => {
            let values = column.as_primitive::<arrow_array::types::Int32Type>().values();
            &values.inner().as_slice()[row * 4..row * 4 + 4]
        }
        other => unreachable!("no column of a stream is of type {other}"),
    };
    (true, bytes)
}
