//! Samples are merged series by series: what comes after each other in time is to lie after each
//! other in the file, since the runs of series decide how small it becomes.
//!
//! Enters: row groups, each in the order of the files. Leaves: row groups in which a series has one
//! run. Must hold: every row once; of rows of one time, the order of the inputs; memory is bounded,
//! however many inputs there are: those that do not fit are merged after the others.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow_array::builder::Int64Builder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow_buffer::ScalarBuffer;
use model::{Budget, Table, schema};

use super::Small;
use crate::error::{ReadError, WorkError};
use crate::memtable::{Chunk, SeriesId, series_id};
use crate::segment::{FileSeries, Rows, SegmentWriter, group_len, order};
use crate::store::Inner;

/// What a row takes until it is written, with its place in the order.
const ROW_BYTES: u64 = 64;
/// What an open row group takes beside its bytes: a page of each column.
pub(crate) const OPEN_BYTES: u64 = 1 << 20;
/// Rows that an open row group has decoded.
pub(crate) const BATCH_ROWS: usize = 1024;

impl Inner {
    /// Writes the row groups as few that are in order, in not much more than `limit` bytes: most of it for
    /// those that are open, the rest for what is to be written.
    pub(super) fn merge_samples(
        &self,
        writer: &mut SegmentWriter,
        small: &[Small],
        limit: u64,
    ) -> Result<(), WorkError> {
        let mut rest = small;
        while !rest.is_empty() {
            let mut sum = 0;
            let fitting = rest.iter().take_while(|(_, metadata, group)| {
                sum += group_len(metadata, *group) + OPEN_BYTES;
                sum <= limit
            });
            // Two at least, or nothing would become less.
            let (some, others) = rest.split_at(fitting.count().max(2).min(rest.len()));
            self.merge_runs(writer, some, limit / 2)?;
            rest = others;
        }
        Ok(())
    }

    fn merge_runs(&self, writer: &mut SegmentWriter, small: &[Small], limit: u64) -> Result<(), WorkError> {
        let open = |(_, metadata, group): &Small| group_len(metadata, *group) + OPEN_BYTES;
        let rows = |(_, metadata, group): &Small| metadata.row_group(*group).num_rows();
        let rows = u64::try_from(small.iter().map(rows).sum::<i64>()).unwrap_or(0);
        let pending = rows.saturating_mul(ROW_BYTES).min(limit);
        let _held = self.budget.take(small.iter().map(open).sum::<u64>() + pending);
        let mut sources = Vec::new();
        let mut heads = BinaryHeap::new();
        for (file, metadata, group) in small {
            let mut source = Source::new(Box::new(file.points(metadata, *group, BATCH_ROWS)?))?;
            heads.extend(source.head(sources.len())?.map(Reverse));
            sources.push(source);
        }
        let at_once = usize::try_from(pending / ROW_BYTES).unwrap_or(0) + BATCH_ROWS;
        let mut merged = Merged::with_capacity(at_once);
        while let Some(Reverse(head)) = heads.pop() {
            let source = &mut sources[head.source];
            source.take_run(&mut merged, &head);
            heads.extend(source.head(head.source)?.map(Reverse));
            if merged.len() as u64 * ROW_BYTES >= limit {
                // The new one is made when the old one is gone: only one of them is in memory.
                self.write_merged(writer, std::mem::take(&mut merged))?;
                merged = Merged::with_capacity(at_once);
            }
        }
        self.write_merged(writer, merged)
    }

    /// Writes what a row group has of the metrics that are kept.
    pub(crate) fn write_kept(
        &self,
        writer: &mut SegmentWriter,
        mut source: Source,
        keeps: &dyn Fn(&str) -> bool,
        limit: u64,
    ) -> Result<(), WorkError> {
        let _held = self.budget.take(limit);
        let mut merged = Merged::default();
        let mut last: Option<(Arc<str>, bool)> = None;
        while let Some(head) = source.head(0)? {
            let known = last.as_ref().filter(|(name, _)| *name == head.name).map(|(_, kept)| *kept);
            let is_kept = known.unwrap_or_else(|| keeps(&head.name));
            last = Some((Arc::clone(&head.name), is_kept));
            if is_kept {
                source.take_run(&mut merged, &head);
            } else {
                source.each_of_run(|_, _, _| {});
            }
            if merged.len() as u64 * ROW_BYTES >= limit {
                self.write_merged(writer, std::mem::take(&mut merged))?;
            }
        }
        self.write_merged(writer, merged)
    }

    fn write_merged(&self, writer: &mut SegmentWriter, merged: Merged) -> Result<(), WorkError> {
        if merged.len() == 0 {
            return Ok(());
        }
        let (chunk, series) = merged.finish(&self.budget);
        let chunks = [chunk];
        let Some(rows) = Rows::new(Table::Samples, &chunks, &series.catalog) else { return Ok(()) };
        // Of a series the rows come one after the other, but not always in the order of their times.
        let picks = order(&rows);
        self.write_rows(writer, &rows, &picks)
    }
}

pub(crate) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ReadError>>>;

/// The series that comes next in a source; the least goes first, and of the same series the first
/// source.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Head {
    pub(crate) name: Arc<str>,
    pub(crate) id: SeriesId,
    pub(crate) source: usize,
}

/// A row group, read from the first row to the last.
pub(crate) struct Source {
    batches: Batches,
    points: Option<Points>,
    row: usize,
    /// The last metric's name.
    name: Arc<str>,
}

impl Source {
    pub(crate) fn new(batches: Batches) -> Result<Self, ReadError> {
        let mut source = Self { batches, points: None, row: 0, name: "".into() };
        source.advance()?;
        Ok(source)
    }

    /// Goes on to the next batch with rows.
    fn advance(&mut self) -> Result<(), ReadError> {
        self.row = 0;
        self.points = None;
        for batch in self.batches.by_ref() {
            let batch = batch?;
            if batch.num_rows() > 0 {
                self.points = Some(Points::of(&batch));
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn head(&mut self, source: usize) -> Result<Option<Head>, ReadError> {
        if self.points.as_ref().is_some_and(|points| self.row == points.len()) {
            self.advance()?;
        }
        let Some(points) = &self.points else { return Ok(None) };
        let name = points.names.value(usize::try_from(points.name_of[self.row]).unwrap_or(0));
        if *self.name != *name {
            self.name = name.into();
        }
        let id = series_id(points.ids.value(usize::try_from(points.id_of[self.row]).unwrap_or(0)));
        Ok(Some(Head { name: Arc::clone(&self.name), id, source }))
    }

    /// Where the run of the series that comes next ends, as far as it is decoded.
    fn run_end(&self, points: &Points) -> usize {
        let (name, id) = (points.name_of[self.row], points.id_of[self.row]);
        let ids = points.id_of[self.row..].iter().zip(&points.name_of[self.row..]);
        self.row + ids.take_while(|own| own == &(&id, &name)).count()
    }

    /// Moves the rows of the series that comes next, as far as they are decoded.
    fn take_run(&mut self, merged: &mut Merged, head: &Head) {
        let Some(points) = &self.points else { return };
        let end = self.run_end(points);
        let number = merged.series.number(head.id, &head.name);
        merged.append(number, points, self.row, end);
        self.row = end;
    }

    /// Goes through time, value and flags of the series that comes next, as far as they are decoded.
    pub(crate) fn each_of_run(&mut self, mut each: impl FnMut(i64, f64, i32)) {
        let Some(points) = &self.points else { return };
        let end = self.run_end(points);
        for row in self.row..end {
            each(points.times.value(row), points.values.value(row), points.flags.value(row));
        }
        self.row = end;
    }
}

/// A decoded batch.
struct Points {
    names: StringArray,
    name_of: ScalarBuffer<i32>,
    ids: BinaryArray,
    id_of: ScalarBuffer<i32>,
    times: Int64Array,
    starts: Int64Array,
    values: Float64Array,
    integers: Int64Array,
    flags: Int32Array,
}

impl Points {
    fn of(batch: &RecordBatch) -> Self {
        let column = |name: &str| batch.column_by_name(name).expect("the reader was asked for it");
        let (names, ids) = (
            column("metric_name").as_dictionary::<Int32Type>(),
            column("series_id").as_dictionary::<Int32Type>(),
        );
        let int = |name: &str| column(name).as_primitive::<Int64Type>().clone();
        Self {
            names: names.values().as_string::<i32>().clone(),
            name_of: names.keys().values().clone(),
            ids: ids.values().as_binary::<i32>().clone(),
            id_of: ids.keys().values().clone(),
            times: int("time_unix_nano"),
            starts: int("start_time_unix_nano"),
            values: column("value").as_primitive::<Float64Type>().clone(),
            integers: int("value_int"),
            flags: column("flags").as_primitive::<Int32Type>().clone(),
        }
    }

    fn len(&self) -> usize {
        self.times.len()
    }
}

/// Rows of several sources, series after series.
#[derive(Default)]
struct Merged {
    series: FileSeries,
    numbers: Vec<u32>,
    times: Vec<i64>,
    starts: Rare,
    values: Vec<f64>,
    integers: Rare,
    flags: Vec<i32>,
}

impl Merged {
    /// With room for so many rows: columns that grow are in memory twice.
    fn with_capacity(rows: usize) -> Self {
        Self {
            numbers: Vec::with_capacity(rows),
            times: Vec::with_capacity(rows),
            values: Vec::with_capacity(rows),
            flags: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    fn len(&self) -> usize {
        self.times.len()
    }

    fn append(&mut self, number: u32, points: &Points, from: usize, to: usize) {
        self.numbers.resize(self.numbers.len() + to - from, number);
        self.times.extend_from_slice(&points.times.values()[from..to]);
        self.starts.append(&points.starts, from, to);
        self.values.extend_from_slice(&points.values.values()[from..to]);
        self.integers.append(&points.integers, from, to);
        self.flags.extend_from_slice(&points.flags.values()[from..to]);
    }

    fn finish(mut self, budget: &Budget) -> (Chunk, FileSeries) {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(self.numbers)),
            Arc::new(Int64Array::from(self.times)),
            Arc::new(self.starts.finish()),
            Arc::new(Float64Array::from(self.values)),
            Arc::new(self.integers.finish()),
            Arc::new(Int32Array::from(self.flags)),
        ];
        let rows = RecordBatch::try_new(schema::rows(Table::Samples), columns);
        let rows = rows.expect("these are the columns of samples, in their order");
        (Chunk::new(Table::Samples, None, rows, budget), self.series)
    }
}

/// A column that mostly has no value at all, and takes no memory until it has one.
#[derive(Default)]
struct Rare {
    /// Rows before the first one with a value; all of them, as long as there is no other.
    nulls: usize,
    rest: Option<Int64Builder>,
}

impl Rare {
    fn append(&mut self, from: &Int64Array, start: usize, end: usize) {
        if from.null_count() == from.len() {
            match &mut self.rest {
                Some(rest) => rest.append_nulls(end - start),
                None => self.nulls += end - start,
            }
            return;
        }
        let nulls = std::mem::take(&mut self.nulls);
        let rest = self.rest.get_or_insert_default();
        rest.append_nulls(nulls);
        if from.null_count() == 0 {
            rest.append_slice(&from.values()[start..end]);
        } else {
            (start..end).for_each(|row| rest.append_option(from.is_valid(row).then(|| from.value(row))));
        }
    }

    fn finish(&mut self) -> Int64Array {
        match &mut self.rest {
            Some(rest) => rest.finish(),
            None => Int64Array::new_null(self.nulls),
        }
    }
}
